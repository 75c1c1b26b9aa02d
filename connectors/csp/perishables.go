package csp

import (
	"time"

	"dirsyncd/sync/settings"
)

// refreshTokenGood is how long a refresh token is good that is not used: 90 days
// (https://learn.microsoft.com/entra/identity-platform/refresh-tokens#token-lifetime). Whenever it is used the service gives a new
// one, and the file is written.
const refreshTokenGood = 90 * 24 * time.Hour

// Perishables implements settings.Perishing.
func (c *Config) Perishables() []settings.Perishable {
	list := settings.Certificates(map[string]settings.Path{"certificate": c.Certificate, "partner_app.certificate": c.PartnerApp.Certificate})
	if c.RefreshTokenFile != "" {
		list = append(list, settings.Perishable{Key: "refresh_token_file", File: c.RefreshTokenFile, Good: refreshTokenGood})
	}
	return list
}
