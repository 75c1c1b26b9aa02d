package webhook

import "dirsyncd/sync/settings"

// Perishables implements settings.Perishing.
func (c *Config) Perishables() []settings.Perishable {
	return settings.Certificates(map[string]settings.Path{"client_cert": c.ClientCert, "ca_file": c.CAFile})
}
