package ldap

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/settings"
)

// TLSConfig is the client's own certificate, for servers that ask for one and for bind.method external.
type TLSConfig struct {
	CertFile settings.Path `yaml:"cert_file"` // PEM, with what the server needs of the chain
	KeyFile  settings.Path `yaml:"key_file"`  // PEM, not encrypted
}

// tlsConfig reads the files anew for every connection: renewed certificates need no restart.
func (c *Connector) tlsConfig(op, host string) (*tls.Config, error) {
	cfg := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		ServerName:         host,
		InsecureSkipVerify: c.cfg.InsecureSkipVerify, //nolint:gosec // the operator's documented choice
	}
	if c.cfg.ServerName != "" {
		cfg.ServerName = c.cfg.ServerName
	}
	if c.cfg.TLS.CertFile != "" {
		own, err := tls.LoadX509KeyPair(string(c.cfg.TLS.CertFile), string(c.cfg.TLS.KeyFile))
		if err != nil {
			return nil, &fault.Error{
				Class: fault.Configuration, Op: op + ": read tls.cert_file and tls.key_file", Err: err,
				Hint: "both must be PEM and belong together, the key must not be encrypted, and this program must be able to read them",
			}
		}
		cfg.Certificates = []tls.Certificate{own}
	}
	if c.cfg.CAFile == "" {
		return cfg, nil
	}
	pem, err := os.ReadFile(string(c.cfg.CAFile))
	if err != nil {
		return nil, &fault.Error{Class: fault.Configuration, Op: op + ": read ca_file", Err: err}
	}
	cfg.RootCAs = x509.NewCertPool()
	if !cfg.RootCAs.AppendCertsFromPEM(pem) {
		return nil, &fault.Error{
			Class: fault.Configuration, Op: op + ": read ca_file", Where: string(c.cfg.CAFile),
			Err: errors.New("no certificate in it"), Hint: "the file must be PEM",
		}
	}
	return cfg, nil
}
