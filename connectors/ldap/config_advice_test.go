package ldap

import (
	"testing"

	"dirsyncd/sync/settings"
)

func TestAdvise(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Config)
		paths  []string
	}{
		{"ldap", func(c *Config) { c.Servers = []string{"ldap://dc.example.com"} }, []string{"servers[0]"}},
		{"one of two", func(c *Config) { c.Servers = []string{"ldaps://a.example.com", "ldap://b.example.com:3389"} }, []string{"servers[1]"}},
		{"found in DNS", func(c *Config) { c.Servers = []string{"ldap+srv://example.com"} }, []string{"servers[0]"}},
		{"of a domain", func(c *Config) {
			c.Servers, c.Domains = nil, Domains{List: []Domain{{Domain: "b.example", Servers: []string{"ldap://dc.b.example"}}}}
		}, []string{"domains[0].servers[0]"}},
		{"ldaps", func(c *Config) { c.Servers = []string{"ldaps://dc.example.com", "ldaps+srv://example.com"} }, nil},
		{"StartTLS", func(c *Config) { c.Servers, c.StartTLS = []string{"ldap://dc.example.com"}, true }, nil},
		{"anonymous", func(c *Config) { c.Servers, c.Bind = []string{"ldap://dc.example.com"}, BindConfig{} }, []string{"servers[0]"}},
		{"NTLM", func(c *Config) { c.Servers, c.Bind.Method = []string{"ldap://dc.example.com"}, bindNTLM }, []string{"servers[0]"}},
		{"unverified", func(c *Config) { c.Servers, c.InsecureSkipVerify = []string{"ldaps://dc.example.com"}, true }, []string{"insecure_skip_verify"}},
		{"Kerberos", kerberos, nil},
		{"this machine", func(c *Config) {
			c.Servers = []string{"ldap://localhost", "ldap://127.0.0.1:3890", "ldap://[::1]:389", "ldap://ldap.localhost."}
		}, nil},
	} {
		c := valid()
		test.change(c)
		var paths []string
		for _, issue := range settings.Adviser(c).Advise() {
			paths = append(paths, issue.Path)
			if issue.Hint == "" || issue.Message == "" {
				t.Errorf("%s: %+v", test.name, issue)
			}
		}
		if len(paths) != len(test.paths) || len(paths) > 0 && paths[0] != test.paths[0] {
			t.Errorf("%s: %q, want %q", test.name, paths, test.paths)
		}
	}
}
