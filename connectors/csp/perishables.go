package csp

import (
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"dirsyncd/sync/settings"
)

// refreshTokenGood is how long a refresh token is good that is not used: 90 days
// (https://learn.microsoft.com/entra/identity-platform/refresh-tokens#token-lifetime). Whenever it is used the service gives a new
// one, and the file is written.
const refreshTokenGood = 90 * 24 * time.Hour

// Perishables implements settings.Perishing.
func (c *Config) Perishables() []settings.Perishable {
	list := c.Network.Perishables()
	certificate := func(key string, file settings.Path, password settings.Secret) {
		if file == "" {
			return
		}
		list = append(list, settings.Perishable{Key: key, File: file, Ends: func(data []byte) (ends time.Time) {
			if found, _, err := azidentity.ParseCertificates(data, []byte(password.Reveal())); err == nil && len(found) > 0 {
				ends = found[0].NotAfter
			}
			return ends
		}})
	}
	certificate("certificate", c.Certificate, c.CertificatePassword)
	certificate("partner_app.certificate", c.PartnerApp.Certificate, c.PartnerApp.CertificatePassword)
	if c.RefreshTokenFile != "" {
		list = append(list, settings.Perishable{Key: "refresh_token_file", File: c.RefreshTokenFile, Good: refreshTokenGood})
	}
	return list
}
