package webhook

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/rest"
)

var (
	errSecret       = errors.New("is not base64")
	errSecretLength = errors.New("must be 24 to 64 bytes before base64")
	errProxy        = errors.New("not a proxy")
	errNoPEM        = errors.New("holds no PEM certificate")
)

// newTransport makes the connections of one target. It reads certificate files and does no network I/O.
func newTransport(c *Config) (rest.Wire, error) {
	tlsConfig := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CAFile != "" {
		pool, err := readCAs(string(c.CAFile))
		if err != nil {
			return rest.Wire{}, err
		}
		tlsConfig.RootCAs = pool
	}
	if c.ClientCert != "" {
		certFile, keyFile := string(c.ClientCert), string(c.ClientKey)
		if _, err := tls.LoadX509KeyPair(certFile, keyFile); err != nil {
			return rest.Wire{}, fmt.Errorf("read client certificate %s: %w", certFile, err)
		}
		// Read for every handshake: short-lived certificates are renewed while we run.
		tlsConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			cert, err := tls.LoadX509KeyPair(certFile, keyFile)
			return &cert, err
		}
	}
	proxy, err := proxyOf(c.Proxy.Reveal())
	if err != nil {
		return rest.Wire{}, err
	}
	return rest.Wire{Transport: &http.Transport{
		Proxy: proxy, TLSClientConfig: tlsConfig, ForceAttemptHTTP2: true,
		MaxIdleConnsPerHost: c.Parallel, IdleConnTimeout: 90 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}}, nil
}

func readCAs(path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, &fault.Error{Class: fault.Configuration, Op: "read ca_file", Err: err}
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, &fault.Error{Class: fault.Configuration, Op: "read ca_file", Where: path, Err: errNoPEM}
	}
	return pool, nil
}

// proxyOf returns how a request finds its proxy; nil means that it uses none.
func proxyOf(text string) (func(*http.Request) (*url.URL, error), error) {
	switch text {
	case "":
		return http.ProxyFromEnvironment, nil
	case "none":
		return nil, nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return nil, errProxy
	}
	return http.ProxyURL(u), nil
}
