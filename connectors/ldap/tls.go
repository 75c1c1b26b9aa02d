package ldap

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"

	"dirsyncd/sync/fault"
)

// tlsConfig reads the CA file anew for every connection: a renewed authority needs no restart.
func (c *Connector) tlsConfig(op, host string) (*tls.Config, error) {
	cfg := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		ServerName:         host,
		InsecureSkipVerify: c.cfg.InsecureSkipVerify, //nolint:gosec // the operator's documented choice
	}
	if c.cfg.ServerName != "" {
		cfg.ServerName = c.cfg.ServerName
	}
	if c.cfg.CAFile == "" {
		return cfg, nil
	}
	pem, err := os.ReadFile(c.cfg.CAFile)
	if err != nil {
		return nil, &fault.Error{Class: fault.Configuration, Op: op + ": read ca_file", Err: err}
	}
	cfg.RootCAs = x509.NewCertPool()
	if !cfg.RootCAs.AppendCertsFromPEM(pem) {
		return nil, &fault.Error{
			Class: fault.Configuration, Op: op + ": read ca_file", Where: c.cfg.CAFile,
			Err: errors.New("no certificate in it"), Hint: "the file must be PEM",
		}
	}
	return cfg, nil
}
