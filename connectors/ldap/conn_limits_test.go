package ldap

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"dirsyncd/connectors/ldap/internal/wire"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/settings"
)

// flood is a server that answers a request, from the nth on, with a message of a gigabyte.
type flood struct {
	url  string
	sent chan int64 // how much of it went away, once per connection
}

func newFlood(t *testing.T, nth int, element []byte) *flood {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	f := &flood{url: "ldap://" + l.Addr().String(), sent: make(chan int64, 100)}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go f.serve(conn, nth, element)
		}
	}()
	return f
}

func (f *flood) serve(conn net.Conn, nth int, element []byte) {
	defer func() { _ = conn.Close() }()
	var id int64
	for n := 1; ; n++ {
		p, err := ber.ReadPacket(conn)
		if err != nil {
			return
		}
		id = p.Children[0].Value.(int64)
		if n == nth {
			break
		}
		write(conn, id, result(ldap.ApplicationBindResponse, 0, ""))
	}
	const size = 1 << 30
	head := []byte{0x30, 0x84, 0, 0, 0, 0, 2, 1, byte(id), 0x61, 0x84, 0, 0, 0, 0}
	binary.BigEndian.PutUint32(head[2:], size)
	binary.BigEndian.PutUint32(head[11:], size-9)
	if element == nil {
		head = append(head, 4, 0x84, 0x3f, 0, 0, 0) // one long text
		element = []byte("x")
	}
	_, _ = conn.Write(head)
	sent, err := io.Copy(conn, &repeated{chunk: bytes.Repeat(element, 64<<10/len(element))})
	if err != nil || sent > 0 {
		f.sent <- sent
	}
}

// repeated is a chunk, up to a gigabyte of it.
type repeated struct {
	chunk []byte
	n     int
}

func (r *repeated) Read(p []byte) (int, error) {
	if r.n > 1<<30 {
		return 0, io.EOF
	}
	n := copy(p, r.chunk)
	r.n += n
	return n, nil
}

// TestAnswersHaveLimits: whatever listens at the address takes neither memory nor time, before it has proven anything.
func TestAnswersHaveLimits(t *testing.T) {
	for name, test := range map[string]struct {
		nth     int
		element []byte
		change  func(*Config)
	}{
		"bind":                         {1, nil, nil},
		"bind, of the smallest pieces": {1, []byte{4, 0}, nil},
		"bind, deep":                   {1, []byte{0x30, 0x80}, nil},
		"NTLM":                         {1, nil, func(c *Config) { c.Bind.Method = bindNTLM }},
		"root DSE":                     {2, nil, nil},
		"root DSE, of smallest pieces": {2, []byte{4, 0}, nil},
		"root DSE, without a bind":     {1, nil, func(c *Config) { c.Bind = BindConfig{} }},
		"StartTLS":                     {1, nil, func(c *Config) { c.StartTLS = true }},
		"StartTLS, of smallest pieces": {1, []byte{4, 0}, func(c *Config) { c.StartTLS = true }},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFlood(t, test.nth, test.element)
			cfg := Defaults()
			cfg.Servers, cfg.Base = []string{f.url}, Names{"DC=example,DC=test"}
			cfg.Bind = BindConfig{User: `EXAMPLE\sync`, Password: settings.NewSecret("fake-secret")}
			if test.change != nil {
				test.change(cfg)
			}
			c, err := open(cfg, testEnv())
			if err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err = c.open(t.Context(), "read", "", nil)
			runtime.ReadMemStats(&after)
			if err == nil || fault.ClassOf(err) != fault.Transient {
				t.Errorf("error %v", err)
			}
			if name != "bind, deep" && !errors.Is(err, wire.ErrTooLong) {
				t.Errorf("the reason is not told: %v", err)
			}
			if sent := <-f.sent; sent > 64<<20 {
				t.Errorf("%d bytes were taken", sent)
			}
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 100<<20 {
				t.Errorf("%d bytes were allocated", grown)
			}
		})
	}
}

// TestLongValue: somebody with a value that is too long is parked, and nobody else.
func TestLongValue(t *testing.T) {
	d := fakeAD()
	d.entries[3].attributes["title"] = []string{strings.Repeat("x", wire.MaxValue+1)}
	d.entries[4].attributes["title"] = []string{strings.Repeat("x", wire.MaxValue)}
	s := readAll(t.Context(), newFakeServer(t, d).open(t, nil), streamUsers, nil).must(t)
	if len(s.objects) != 34 || len(s.invalid) != 1 {
		t.Fatalf("%d objects, %d invalid", len(s.objects), len(s.invalid))
	}
	if i := s.invalid[0]; i.ID != fakeGUIDText(3) || fault.ClassOf(i.Err) != fault.Invalid || !strings.Contains(i.Err.Error(), "title") || len(i.Err.Error()) > 300 {
		t.Errorf("invalid: %.400v", i)
	}
}
