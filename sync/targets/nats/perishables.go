package nats

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"dirsyncd/sync/settings"
)

// Perishables implements settings.Perishing.
func (c *Config) Perishables() []settings.Perishable {
	list := settings.Certificates(map[string]settings.Path{"client_cert": c.ClientCert, "ca_file": c.CAFile})
	if c.Credentials != "" {
		list = append(list, settings.Perishable{Key: "credentials", File: c.Credentials, Ends: credentialsEnd})
	}
	return list
}

// credentialsEnd is when the user's JWT in a file of credentials is no longer good, by its claim exp; zero: it says nothing of that. The file is that of
// `nsc`, with the token between two lines of its own.
func credentialsEnd(data []byte) (ends time.Time) {
	_, rest, found := strings.Cut(string(data), "-----BEGIN NATS USER JWT-----")
	token, _, _ := strings.Cut(strings.TrimSpace(rest), "\n")
	parts := strings.Split(strings.TrimSpace(token), ".")
	if !found || len(parts) != 3 {
		return ends
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ends
	}
	var claims struct {
		Expires int64 `json:"exp"` // seconds since 1970
	}
	if json.Unmarshal(text, &claims) != nil || claims.Expires <= 0 {
		return ends
	}
	return time.Unix(claims.Expires, 0)
}
