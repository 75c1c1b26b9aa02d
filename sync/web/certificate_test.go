package web

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"dirsyncd/sync/fault"
)

// pair writes a certificate for 127.0.0.1 with a serial number, and its key.
func pair(t *testing.T, cert, key string, serial int64) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	like := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "front"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Unix(0, 0), NotAfter: time.Now().Add(24 * time.Hour)}
	made, err := x509.CreateCertificate(rand.Reader, like, like, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: made}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		// Each of its own time: a file system may not tell two moments apart.
		when := time.Unix(1_000_000+serial, 0)
		if err := os.Chtimes(file, when, when); err != nil {
			t.Fatal(err)
		}
	}
}

// TestServe: by TLS, with a certificate that is renewed while it serves, until the context ends.
func TestServe(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "c.pem"), filepath.Join(dir, "k.pem")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	f := front(t)
	f.o.Cert, f.o.Key, f.o.Listen, f.o.Proxies = cert, key, taken.Addr().String(), nil
	if _, err := f.Listen(t.Context()); fault.ClassOf(err) != fault.Configuration {
		t.Fatalf("without a certificate: %v", err)
	}
	pair(t, cert, key, 1)
	if _, err := f.Listen(t.Context()); fault.ClassOf(err) != fault.Transient {
		t.Fatalf("the address is taken: %v", err)
	}
	f.o.Listen = "127.0.0.1:0"
	mount(t, f, "/", Route{Handler: say("in")})
	ctx, cancel := context.WithCancel(t.Context())
	at, err := f.Listen(ctx)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- f.Serve(ctx) }()
	serial := func() int64 {
		t.Helper()
		c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+at.String()+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "auth.example.test"
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Fatal(resp.Status)
		}
		return resp.TLS.PeerCertificates[0].SerialNumber.Int64()
	}
	if n := serial(); n != 1 {
		t.Errorf("certificate %d", n)
	}
	pair(t, cert, key, 2)
	if n := serial(); n != 2 {
		t.Errorf("renewed: certificate %d", n)
	}
	if err := os.WriteFile(cert, []byte("half of one"), 0o600); err != nil {
		t.Fatal(err)
	}
	if n := serial(); n != 2 {
		t.Errorf("in the midst of a renewal: certificate %d", n)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
