package entra

import "dirsyncd/sync/settings"

// Perishables implements settings.Perishing.
func (c *Config) Perishables() []settings.Perishable {
	return settings.Certificates(map[string]settings.Path{"certificate": c.Certificate})
}
