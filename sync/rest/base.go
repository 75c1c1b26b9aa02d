package rest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/settings"
)

// Network is the part of a connector's configuration that says how its service is reached.
type Network struct {
	// CAFile is a PEM file with the authorities that may sign the service's certificate, in place of the system's.
	CAFile settings.Path `yaml:"ca_file"`
	// Proxy is an http:// or https:// address that requests go through; empty: the environment's HTTPS_PROXY. It may
	// hold a user and a password.
	Proxy settings.Secret `yaml:"proxy"`
	// Timeout ends the wait for a service that has taken a request and sends nothing.
	Timeout settings.Duration `yaml:"timeout"`
}

// Validate reports what is wrong with the network's part of a block. No message quotes the proxy.
func (n *Network) Validate(report settings.Reporter) {
	if n.Timeout <= 0 {
		report("timeout", "write a duration, such as 1m", "must be greater than zero")
	}
	if _, err := proxyOf(n.Proxy); err != nil {
		report("proxy", "write http://HOST:PORT", "not the address of a proxy")
	}
}

// Files are what NewBase reads: with another content the same settings lead elsewhere.
func (n *Network) Files() []settings.Path { return []settings.Path{n.CAFile} }

// Perishables implements settings.Perishing.
func (n *Network) Perishables() []settings.Perishable {
	return settings.Certificates(map[string]settings.Path{"ca_file": n.CAFile})
}

// proxyOf returns the address of the proxy, nil where none is given.
func proxyOf(proxy settings.Secret) (*url.URL, error) {
	if proxy.IsZero() {
		return nil, nil
	}
	u, err := url.Parse(proxy.Reveal())
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("not an address") // the error of Parse quotes it
	}
	return u, nil
}

// Wire is a transport that talks to the network. An answer that comes when the request's context has ended is none:
// package http hands over what a server answered only because the connection was being closed under it (200 and no
// body, of one whose work had been given up with the connection), and that would pass for a success.
type Wire struct{ *http.Transport }

// RoundTrip implements http.RoundTripper. What a server did of a request whose context has ended is not known.
func (w Wire) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := w.Transport.RoundTrip(req)
	if err == nil && req.Context().Err() != nil {
		_ = resp.Body.Close() // nobody wants it
		return nil, context.Cause(req.Context())
	}
	return resp, err
}

// NewBase makes the transport that talks to the network. It reads the CA file and makes no connection. Redirects
// are not its business: a Transport above it refuses them.
func NewBase(n Network) (Wire, error) {
	t := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, IdleConnTimeout: 90 * time.Second, MaxIdleConns: 100}
	t.DialContext = (&net.Dialer{Timeout: 15 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	t.TLSHandshakeTimeout = 15 * time.Second
	t.ResponseHeaderTimeout = n.Timeout.Std()
	if t.ResponseHeaderTimeout == 0 {
		t.ResponseHeaderTimeout = time.Minute
	}
	t.MaxIdleConnsPerHost = 16
	// All requests to a host share one HTTP/2 connection. One that died without a word (a firewall that forgot it)
	// would otherwise take every request, and every repetition, until TCP gives up after a quarter of an hour.
	t.HTTP2 = &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 15 * time.Second}
	t.OnProxyConnectResponse = refusedByProxy
	t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	proxy, err := proxyOf(n.Proxy)
	if err != nil {
		return Wire{}, &fault.Error{Class: fault.Configuration, Op: "read proxy", Err: err, Hint: "write http://HOST:PORT"}
	}
	if proxy != nil {
		t.Proxy = http.ProxyURL(proxy)
	}
	if n.CAFile == "" {
		return Wire{t}, nil
	}
	pem, err := os.ReadFile(string(n.CAFile))
	if err != nil {
		return Wire{}, &fault.Error{Class: fault.Configuration, Op: "read ca_file", Err: err}
	}
	t.TLSClientConfig.RootCAs = x509.NewCertPool()
	if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
		return Wire{}, &fault.Error{
			Class: fault.Configuration, Op: "read ca_file", Where: string(n.CAFile),
			Err: errors.New("no certificate in it"), Hint: "the file must be PEM",
		}
	}
	return Wire{t}, nil
}

// refusedByProxy classifies a proxy's refusal to connect, of which package http keeps the status text only. What
// the proxy could not reach it may reach later; what it does not allow, somebody must allow.
func refusedByProxy(_ context.Context, proxy *url.URL, _ *http.Request, resp *http.Response) error {
	if resp.StatusCode/100 == 2 || Classify(&Answer{Status: resp.StatusCode}).Class.Retryable() {
		return nil
	}
	f := &fault.Error{
		Class: fault.Configuration, Op: "connect through the proxy", Where: proxy.Host,
		Err:  fmt.Errorf("%d %s", resp.StatusCode, http.StatusText(resp.StatusCode)),
		Hint: "the proxy must be told to let this machine through to the service; look at its rules",
	}
	if resp.StatusCode == http.StatusProxyAuthRequired {
		f.Hint = "the proxy wants a log-in: write it into proxy (or HTTPS_PROXY) as http://USER:PASSWORD@HOST:PORT"
	}
	return f
}
