package rest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/settings"
)

// forgotten is a connection whose other end hears nothing any more, and says nothing.
type forgotten struct {
	net.Conn
	is *atomic.Bool
}

func (f forgotten) Write(p []byte) (int, error) {
	if f.is.Load() {
		return len(p), nil
	}
	return f.Conn.Write(p)
}

// TestForgottenConnection: a connection that has died without a word is given up, and the request goes over another.
func TestForgottenConnection(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte("{}"))
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	base, err := NewBase(Network{Timeout: settings.Duration(5 * time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	defer base.CloseIdleConnections()
	if base.HTTP2 == nil || base.HTTP2.SendPingTimeout <= 0 || base.HTTP2.PingTimeout <= 0 {
		t.Fatal("nobody asks whether a silent connection lives")
	}
	base.HTTP2.SendPingTimeout, base.HTTP2.PingTimeout = 500*time.Millisecond, 500*time.Millisecond
	base.TLSClientConfig = server.Client().Transport.(*http.Transport).TLSClientConfig
	var dials atomic.Int32
	var dead atomic.Bool
	base.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		if dials.Add(1) > 1 {
			// On a busy machine a living connection may seem dead, too: this one is not asked so soon.
			base.HTTP2.SendPingTimeout, base.HTTP2.PingTimeout = time.Hour, time.Hour
			return c, err
		}
		return forgotten{c, &dead}, err
	}
	tr := NewTransport(Options{Base: base, Hosts: []string{strings.TrimPrefix(server.URL, "https://")}})
	if _, err := get(t, tr, server.URL); err != nil {
		t.Fatal(err)
	}
	dead.Store(true)
	if _, err := get(t, tr, server.URL); err != nil || dials.Load() < 2 {
		t.Errorf("%v after %d connections", err, dials.Load())
	}
}

type answering func(*http.Request) (*http.Response, error)

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) { return a(r) }

// TestAnswerToNobody: what a server answers because we have hung up is no success.
func TestAnswerToNobody(t *testing.T) {
	base, err := NewBase(Network{})
	if err != nil {
		t.Fatal(err)
	}
	over := errors.New("the time is over")
	ctx, hangUp := context.WithCancelCause(t.Context())
	base.RegisterProtocol("late", answering(func(*http.Request) (*http.Response, error) {
		hangUp(over)
		return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
	}))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "late://desk.test/", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := base.RoundTrip(req)
	if err == nil {
		_ = resp.Body.Close()
	}
	if !errors.Is(err, over) || resp != nil {
		t.Errorf("%v, %v", resp, err)
	}
}

// TestProxyRefuses: what a proxy does not allow is not asked for again and again.
func TestProxyRefuses(t *testing.T) {
	for status, class := range map[int]fault.Class{407: fault.Configuration, 403: fault.Configuration, 502: fault.Transient} {
		asked := 0
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { asked++; w.WriteHeader(status) }))
		base, err := NewBase(Network{Proxy: settings.NewSecret(strings.Replace(proxy.URL, "://", "://user:s3cret@", 1))})
		if err != nil {
			t.Fatal(err)
		}
		tr := NewTransport(Options{Base: base, Hosts: []string{"graph.test"}, Sleep: func(context.Context, time.Duration) error { return nil }})
		_, err = get(t, tr, "https://graph.test/")
		if fault.ClassOf(err) != class || (class == fault.Configuration) != (asked == 1) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%d: class %s after %d requests: %v", status, fault.ClassOf(err), asked, err)
		}
		proxy.Close()
	}
}

// TestCertificateHints: each way in which a certificate is not accepted wants something else of the operator.
func TestCertificateHints(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	defer server.Close()
	known := server.Client().Transport.(*http.Transport).TLSClientConfig
	for hint, edit := range map[string]func(*tls.Config){
		"ca_file":      func(c *tls.Config) { c.RootCAs = x509.NewCertPool() },
		"another name": func(c *tls.Config) { c.ServerName = "graph.test" },
		"clock":        func(c *tls.Config) { c.Time = func() time.Time { return time.Now().AddDate(200, 0, 0) } },
	} {
		base, err := NewBase(Network{})
		if err != nil {
			t.Fatal(err)
		}
		base.TLSClientConfig = known.Clone()
		edit(base.TLSClientConfig)
		tr := NewTransport(Options{Base: base, Hosts: []string{strings.TrimPrefix(server.URL, "https://")}, Attempts: 1})
		if _, err := get(t, tr, server.URL); !strings.Contains(fault.Hint(err), hint) {
			t.Errorf("%s: %v", hint, err)
		}
	}
}
