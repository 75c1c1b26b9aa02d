package ldap

import "dirsyncd/sync/settings"

// Perishables implements settings.Perishing.
func (c *Config) Perishables() []settings.Perishable {
	return settings.Certificates(map[string]settings.Path{"tls.cert_file": c.TLS.CertFile, "ca_file": c.CAFile})
}
