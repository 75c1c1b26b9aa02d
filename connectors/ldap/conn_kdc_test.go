package ldap

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"

	krb5 "github.com/jcmturner/gokrb5/v8/config"

	"dirsyncd/connectors"
	"dirsyncd/connectors/ldap/slapdtest"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/settings"
)

// startKDC answers whoever connects with some bytes, when it has the whole request: whoever closes a connection with bytes
// unread resets it, and the answer may be lost on the way.
func startKDC(t *testing.T, answer string) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			var length uint32
			if binary.Read(conn, binary.BigEndian, &length) == nil {
				_, _ = io.CopyN(io.Discard, conn, int64(length))
			}
			_, _ = conn.Write([]byte(answer))
			_ = conn.Close()
		}
	}()
	return l.Addr().String()
}

// kerberosAt binds by Kerberos with a key distribution centre.
func kerberosAt(kdc string) func(*Config) {
	return func(c *Config) {
		c.Bind = BindConfig{Method: bindGSSAPI, User: "ann@EXAMPLE.TEST", Password: settings.NewSecret("secret-of-ann-11a0"), KDC: Names{kdc}}
	}
}

// TestKDCThatAnnouncesMuch: what answers in place of Kerberos takes no memory by what it says.
func TestKDCThatAnnouncesMuch(t *testing.T) {
	s := slapdtest.Start(t, slapdtest.Options{})
	for name, c := range map[string]struct{ answer, words string }{
		"512 MiB":  {"\x20\x00\x00\x00some", "longer than any ticket"},
		"1 MiB":    {"\x00\x10\x00\x00some", "longer than any ticket"},
		"cut":      {"\x00\x00\x10\x00some", "EOF"},
		"nothing":  {"", "EOF"},
		"nonsense": {"\x00\x00\x00\x04some", "Kerberos"},
	} {
		t.Run(name, func(t *testing.T) {
			kdc := startKDC(t, c.answer)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := readAll(t.Context(), openFor(t, s, kerberosAt(kdc)), streamUsers, nil).err
			runtime.ReadMemStats(&after)
			if fault.ClassOf(err) != fault.Transient || !strings.Contains(err.Error(), c.words) || fault.Hint(err) == "" {
				t.Errorf("error %v, hint %q", err, fault.Hint(err))
			}
			if c.words != "Kerberos" && !strings.Contains(err.Error(), kdc) {
				t.Errorf("error %v does not name %s", err, kdc)
			}
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<20 {
				t.Errorf("%d MiB were allocated", grown>>20)
			}
		})
	}
}

// TestStopWhileKerberosIsAsked: a stop does not wait for a key distribution centre that says nothing.
func TestStopWhileKerberosIsAsked(t *testing.T) {
	s := slapdtest.Start(t, slapdtest.Options{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer func() { _ = l.Close() }()
	go func() {
		if silent, err := l.Accept(); err == nil {
			stop()
			defer func() { _ = silent.Close() }()
			<-t.Context().Done()
		}
	}()
	err = connectors.Guard(openFor(t, s, kerberosAt(l.Addr().String()))).Read(ctx, connectors.Request{Stream: streamUsers, Mode: connectors.Full}, func(*connectors.Page) error { return nil })
	if err == nil || ctx.Err() == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}

// TestRealmsOnTheWay: whom to ask in a realm that the configuration does not name DNS is asked, once, and by us.
func TestRealmsOnTheWay(t *testing.T) {
	c := openFor(t, &slapdtest.Server{URL: "ldap://127.0.0.1:1", Suffix: "dc=x", ReplicatorDN: "cn=x"}, nil)
	var asked []string
	k := &kerberosClient{relay: c.newKDCRelay(t.Context()), conf: krb5.New(), find: func(realm string) ([]string, error) {
		if asked = append(asked, realm); realm == "NOBODY.TEST" {
			return nil, errors.New("DNS knows none")
		}
		return []string{"kdc." + realm + ":88", "other." + realm}, nil
	}}
	defer k.relay.close()
	way := func(realms ...string) error {
		return k.retry(func() error {
			for _, realm := range realms {
				if _, _, err := k.conf.GetKDCs(realm, true); err != nil {
					return err
				}
			}
			return nil
		})
	}
	k.conf.LibDefaults.DNSLookupKDC = false
	if err := way("A.TEST", "B.TEST"); err != nil || strings.Join(asked, " ") != "A.TEST B.TEST" {
		t.Errorf("asked for %q, error %v", asked, err)
	}
	for _, realm := range k.conf.Realms {
		for _, kdc := range realm.KDC {
			if !strings.HasPrefix(kdc, "127.0.0.1:") {
				t.Errorf("%s is asked at %s itself", realm.Realm, kdc)
			}
		}
	}
	if err := way("A.TEST", "NOBODY.TEST"); err == nil || err.Error() != "DNS knows none" {
		t.Errorf("error %v", err)
	}
	k.find = nil
	if err := way("C.TEST"); err == nil {
		t.Error("DNS was asked where it must not be")
	}
}
