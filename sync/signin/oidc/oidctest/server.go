// Package oidctest has providers of OpenID Connect for tests: issuers in this process, at the addresses of the vendors and with faults on
// command, and oidc-provider (npm), which is somebody else's reading of the specifications.
package oidctest

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
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// Certificate is one for tests: of its own authority, for some hosts.
type Certificate struct {
	Cert, Key []byte // PEM
	Pool      *x509.CertPool
}

// NewCertificate makes a certificate, good at any time that a test may think it is.
func NewCertificate(t testing.TB, hosts ...string) Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "for tests"}, DNSNames: hosts, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<32, 0), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	c := Certificate{
		Cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		Key:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}), Pool: x509.NewCertPool(),
	}
	c.Pool.AppendCertsFromPEM(c.Cert)
	return c
}

// Server is how a server shows it.
func (c Certificate) Server(t testing.TB) *tls.Config {
	t.Helper()
	pair, err := tls.X509KeyPair(c.Cert, c.Key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
}

// Clock is a clock that tests set. Many goroutines may use it.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock that stands still.
func NewClock() *Clock { return &Clock{now: time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)} }

// Now is what it shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Add sets it forward.
func (c *Clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Server answers for the hosts of any number of issuers, by TLS.
type Server struct {
	Clock *Clock

	server *httptest.Server
	cert   Certificate

	mu     sync.Mutex
	routes map[string]http.HandlerFunc // by host and path
}

// NewServer starts a server for some hosts, which ends with the test.
func NewServer(t testing.TB, hosts ...string) *Server {
	t.Helper()
	s := &Server{Clock: NewClock(), cert: NewCertificate(t, hosts...), routes: map[string]http.HandlerFunc{}}
	s.server = httptest.NewUnstartedServer(http.HandlerFunc(s.answer))
	s.server.TLS = s.cert.Server(t)
	s.server.StartTLS()
	t.Cleanup(s.server.Close)
	return s
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	handler := s.routes[r.Host+r.URL.Path]
	s.mu.Unlock()
	w.Header().Set("Date", s.Clock.Now().UTC().Format(http.TimeFormat))
	if handler == nil {
		http.NotFound(w, r)
		return
	}
	handler(w, r)
}

// Handle answers at an address without a query.
func (s *Server) Handle(address string, handler http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.routes[strings.TrimPrefix(address, "https://")] = handler
}

// Client finds every host at the server, and believes no other certificate.
func (s *Server) Client(t testing.TB) *http.Client {
	t.Helper()
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: s.cert.Pool, MinVersion: tls.VersionTLS12},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, s.server.Listener.Addr().String())
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}
