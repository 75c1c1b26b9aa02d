package service

import (
	"testing"

	"dirsyncd/sync/config"
	"dirsyncd/sync/signin"
)

// ofTenant is the block of a connection that reads one tenant.
type ofTenant string

func (o ofTenant) TenantID() string { return string(o) }

// TestTenantOfADirectory: whose ids a connection has, its own settings say, and the provider's only where these do not.
func TestTenantOfADirectory(t *testing.T) {
	const a, b = "aaaaaaaa-0000-4000-8000-000000000001", "aaaaaaaa-0000-4000-8000-000000000002"
	for name, c := range map[string]struct {
		connection any
		provider   string
		want       string
	}{
		"both":                     {ofTenant(a), b, a},
		"the connection's":         {ofTenant(a), "", a},
		"in capitals":              {ofTenant("AAAAAAAA-0000-4000-8000-000000000001"), "", a},
		"a domain":                 {ofTenant("example.com"), b, b},
		"many tenants":             {nil, "", ""},
		"the provider's, for many": {nil, b, b},
	} {
		parts := Parts{Identities: signin.Registry{"generic": {About: func(any) signin.About { return signin.About{Tenant: c.provider} }}}}
		cfg := &config.Config{Connections: []config.Connection{{Name: "hq", Connector: "entra", Block: c.connection}}}
		s := &Service{parts: parts}
		p := s.identity(cfg, &config.Identity{Name: "staff", Provider: "generic", Directories: []string{"hq"}}, nil).Policy
		if got := p.Directories[0].Tenant; got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
