package rest

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"dirsyncd/sync/config"
	"dirsyncd/sync/fault"
)

// Network is the part of a connector's configuration that says how its service is reached.
type Network struct {
	// CAFile is a PEM file with the authorities that may sign the service's certificate, in place of the system's.
	CAFile config.Path `yaml:"ca_file"`
	// Proxy is an http:// or https:// address that requests go through; empty: the environment's HTTPS_PROXY.
	Proxy string `yaml:"proxy"`
	// Timeout ends the wait for a service that has taken a request and sends nothing.
	Timeout config.Duration `yaml:"timeout"`
}

// NewBase makes the transport that talks to the network. It reads the CA file and makes no connection. Redirects
// are not its business: a Transport above it refuses them.
func NewBase(n Network) (*http.Transport, error) {
	t := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, IdleConnTimeout: 90 * time.Second, MaxIdleConns: 100}
	t.DialContext = (&net.Dialer{Timeout: 15 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	t.TLSHandshakeTimeout = 15 * time.Second
	t.ResponseHeaderTimeout = n.Timeout.Std()
	if t.ResponseHeaderTimeout == 0 {
		t.ResponseHeaderTimeout = time.Minute
	}
	t.MaxIdleConnsPerHost = 16
	t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if n.Proxy != "" {
		proxy, err := url.Parse(n.Proxy)
		if err != nil || proxy.Host == "" {
			return nil, &fault.Error{Class: fault.Configuration, Op: "read proxy", Err: errors.New("not an address"), Hint: "write http://HOST:PORT"}
		}
		t.Proxy = http.ProxyURL(proxy)
	}
	if n.CAFile == "" {
		return t, nil
	}
	pem, err := os.ReadFile(string(n.CAFile))
	if err != nil {
		return nil, &fault.Error{Class: fault.Configuration, Op: "read ca_file", Err: err}
	}
	t.TLSClientConfig.RootCAs = x509.NewCertPool()
	if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
		return nil, &fault.Error{
			Class: fault.Configuration, Op: "read ca_file", Where: string(n.CAFile),
			Err: errors.New("no certificate in it"), Hint: "the file must be PEM",
		}
	}
	return t, nil
}
