package entra

import (
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"dirsyncd/sync/settings"
)

// Perishables implements settings.Perishing.
func (c *Config) Perishables() []settings.Perishable {
	list := c.Network.Perishables()
	if c.Certificate != "" {
		list = append(list, settings.Perishable{Key: "certificate", File: c.Certificate, Ends: func(data []byte) (ends time.Time) {
			if found, _, err := azidentity.ParseCertificates(data, []byte(c.CertificatePassword.Reveal())); err == nil && len(found) > 0 {
				ends = found[0].NotAfter
			}
			return ends
		}})
	}
	return list
}
