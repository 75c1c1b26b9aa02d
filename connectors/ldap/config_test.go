package ldap

import (
	"strings"
	"testing"

	"dirsyncd/sync/settings"
)

func valid() *Config {
	c := Defaults()
	c.Servers, c.Base = []string{"ldap://one.example.test", "ldaps://two.example.test:1636"}, Names{"dc=example,dc=test"}
	c.Bind = BindConfig{User: "cn=sync", Password: settings.NewSecret("s")}
	return c
}

func external(c *Config) {
	c.Servers, c.Bind = []string{"ldaps://one.example.test", "ldaps+srv://example.test"}, BindConfig{Method: "external"}
	c.TLS = TLSConfig{CertFile: "/client.pem", KeyFile: "/client.key"}
}

func kerberos(c *Config) {
	c.Bind = BindConfig{Method: "gssapi", User: "sync@example.test", Keytab: "/sync.keytab"}
}

func TestValidate(t *testing.T) {
	if issues := valid().Validate(); len(issues) > 0 {
		t.Errorf("a valid configuration has issues: %v", issues)
	}
	for name, tc := range map[string]struct {
		change func(*Config)
		path   string
	}{
		"no server":            {func(c *Config) { c.Servers = nil }, "servers"},
		"other scheme":         {func(c *Config) { c.Servers[1] = "https://x" }, "servers[1]"},
		"no host":              {func(c *Config) { c.Servers[0] = "ldap://" }, "servers[0]"},
		"password in address":  {func(c *Config) { c.Servers[0] = "ldap://u:p4ss@x" }, "servers[0]"},
		"base in address":      {func(c *Config) { c.Servers[0] = "ldap://x/dc=y" }, "servers[0]"},
		"ldaps and start_tls":  {func(c *Config) { c.StartTLS = true }, "servers[1]"},
		"domain":               {func(c *Config) { c.Servers[0] = "ldap+srv://example.test?site=Leeds" }, ""},
		"domain with port":     {func(c *Config) { c.Servers[0] = "ldap+srv://example.test:389" }, "servers[0]"},
		"domain by number":     {func(c *Config) { c.Servers[0] = "ldap+srv://10.0.0.1" }, "servers[0]"},
		"no site":              {func(c *Config) { c.Servers[0] = "ldap+srv://example.test?site=" }, "servers[0]"},
		"bad site":             {func(c *Config) { c.Servers[0] = "ldap+srv://example.test?site=a.b" }, "servers[0]"},
		"site of a server":     {func(c *Config) { c.Servers[0] = "ldap://example.test?site=Leeds" }, "servers[0]"},
		"secure and start_tls": {func(c *Config) { c.Servers, c.StartTLS = []string{"ldaps+srv://x"}, true }, "servers[0]"},
		"dns":                  {func(c *Config) { c.DNS = "udp://10.0.0.1" }, "dns"},
		"no base":              {func(c *Config) { c.Base = nil }, "base"},
		"bad base":             {func(c *Config) { c.Base = Names{"x"} }, "base"},
		"bad users base":       {func(c *Config) { c.Users.Base = Names{""} }, "users.base"},
		"bad scope":            {func(c *Config) { c.Users.Scope = "tree" }, "users.scope"},
		"bad filter":           {func(c *Config) { c.Groups.Filter = "(cn=*" }, "groups.filter"},
		"lines in place of base": {func(c *Config) {
			c.Base, c.Users.Search, c.Groups.Search = nil, []SearchLine{{Base: "ou=a"}}, []SearchLine{{Base: "ou=b", Filter: "(cn=*)"}}
		}, ""},
		"lines of users only": {func(c *Config) { c.Base, c.Users.Search = nil, []SearchLine{{Base: "ou=a"}} }, "base"},
		"bad base of a line":  {func(c *Config) { c.Users.Search = []SearchLine{{Base: "ou=a"}, {Base: "a"}} }, "users.search[1].base"},
		"name of a line": {func(c *Config) {
			c.Users.Search = []SearchLine{{Name: "A", Base: "ou=a"}, {Name: "B", Base: "ou=b,ou=a"}}
		}, ""},
		"name of a line of groups": {func(c *Config) { c.Groups.Search = []SearchLine{{Name: "A", Base: "ou=a"}} }, "groups.search[0].name"},
		"name beside another filter": {func(c *Config) {
			c.Users.Search = []SearchLine{{Name: "A", Base: "ou=a"}, {Base: "ou=b,ou=a", Filter: "(x=y)"}}
		}, "users.search[0].name"},
		"name with a filter below the base": {func(c *Config) {
			c.Users.Search = []SearchLine{{Name: "A", Base: "ou=a,dc=example,dc=test", Filter: "(x=y)"}}
		}, "users.search[0].name"},
		"name with a filter apart": {func(c *Config) {
			c.Users.Search = []SearchLine{{Name: "A", Base: "ou=a", Filter: "(x=y)"}, {Name: "B", Base: "ou=b"}}
		}, ""},
		"name with a filter in a domain": {func(c *Config) {
			c.Base, c.Domains = nil, Domains{Auto: true}
			c.Users.Search = []SearchLine{{Name: "A", Base: "ou=a,dc=example,dc=test", Filter: "(x=y)"}}
		}, "users.search[0].name"},
		"bad filter of a line": {func(c *Config) { c.Groups.Search = []SearchLine{{Base: "ou=a", Filter: "x("}} }, "groups.search[0].filter"},
		"user alone":           {func(c *Config) { c.Bind.Password = settings.Secret{} }, "bind"},
		"password alone":       {func(c *Config) { c.Bind.User = "" }, "bind"},
		"method":               {func(c *Config) { c.Bind.Method = "kerberos" }, "bind.method"},
		"keys of another way":  {func(c *Config) { c.Bind.Realm = "X" }, "bind.realm"},
		"ntlm":                 {func(c *Config) { c.Bind.Method = "ntlm" }, ""},
		"ntlm alone":           {func(c *Config) { c.Bind = BindConfig{Method: "ntlm", User: "x"} }, "bind"},
		"external":             {external, ""},
		"external with user":   {func(c *Config) { external(c); c.Bind.User = "x" }, "bind.user"},
		"external, plain":      {func(c *Config) { external(c); c.Servers[0] = "ldap://x" }, "bind.method"},
		"external, no file":    {func(c *Config) { external(c); c.TLS = TLSConfig{} }, "tls.cert_file"},
		"certificate, no key":  {func(c *Config) { c.TLS.CertFile = "x" }, "tls"},
		"gssapi":               {kerberos, ""},
		"gssapi by password":   {func(c *Config) { kerberos(c); c.Bind.Keytab, c.Bind.Password = "", settings.NewSecret("p4ss") }, ""},
		"gssapi with both":     {func(c *Config) { kerberos(c); c.Bind.Password = settings.NewSecret("p4ss") }, "bind"},
		"gssapi, no realm":     {func(c *Config) { kerberos(c); c.Bind.User = "sync" }, "bind.realm"},
		"gssapi, krb5_conf":    {func(c *Config) { kerberos(c); c.Bind.User, c.Bind.Krb5Conf = "sync", "/etc/krb5.conf" }, ""},
		"krb5_conf and kdc":    {func(c *Config) { kerberos(c); c.Bind.Krb5Conf, c.Bind.KDC = "/x", Names{"kdc"} }, "bind.kdc"},
		"service":              {func(c *Config) { kerberos(c); c.Bind.Service = "dc1.example.test" }, "bind.service"},
		"watch":                {func(c *Config) { c.Watch = true }, ""},
		"watch without deltas": {func(c *Config) { c.Watch, c.Incremental = true, "off" }, "watch"},
		"preset":               {func(c *Config) { c.Preset = "ad" }, "preset"},
		"page size":            {func(c *Config) { c.PageSize = -1 }, "page_size"},
		"timeout":              {func(c *Config) { c.Timeout = 0 }, "timeout"},
		"unknown field":        {func(c *Config) { c.Fields = map[string]Names{"phon": {"x"}} }, "fields.phon"},
		"bad field attribute":  {func(c *Config) { c.Fields = map[string]Names{"phone": {"a b"}} }, "fields.phone"},
		"bad attribute":        {func(c *Config) { c.Attributes = attributesNamed("ok", "*") }, "attributes[1]"},
		"password attribute":   {func(c *Config) { c.Attributes = attributesNamed("USERPASSWORD") }, "attributes[0]"},
		"bad anchor":           {func(c *Config) { c.Anchor.Users = "a,b" }, "anchor"},
		"manager is not wrong": {func(c *Config) { c.Fields = map[string]Names{"manager": {"secretary"}} }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := valid()
			tc.change(c)
			issues := c.Validate()
			if (len(issues) == 0) != (tc.path == "") || len(issues) > 0 && issues[0].Path != tc.path {
				t.Errorf("issues %+v, want one at %q", issues, tc.path)
			}
			for _, i := range issues {
				if strings.Contains(i.Message+i.Hint, "p4ss") || i.Hint == "" {
					t.Errorf("issue %+v", i)
				}
			}
		})
	}
}

func TestFactory(t *testing.T) {
	f := Factory()
	c, err := f.Open(f.NewConfig(), testEnv())
	if err == nil {
		t.Errorf("a connector without servers was opened: %v", c)
	}
	c, err = f.Open(valid(), testEnv())
	if err != nil {
		t.Fatal(err)
	}
	if names := c.Describe().Streams; len(names) != 2 {
		t.Errorf("streams %v", names)
	}
}
