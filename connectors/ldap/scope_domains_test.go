package ldap

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/connectors/ldap/sambatest"
	"dirsyncd/connectors/ldap/slapdtest"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/settings"
)

// usersOf reads the people of a tenant.
func usersOf(t *testing.T, c *Connector, tenant connectors.Tenant) (n int, err error) {
	t.Helper()
	err = connectors.Guard(c).Read(t.Context(), connectors.Request{Tenant: tenant, Stream: streamUsers, Mode: connectors.Full}, func(p *connectors.Page) error {
		n += len(p.Objects)
		return nil
	})
	return n, err
}

// fakeForest is two domains, example.test and leeds.example.test, each with a domain controller that DNS knows.
func fakeForest(t *testing.T) (parent, child *fakeServer, dns *fakeDNS) {
	t.Helper()
	top := fakeAD()
	for dn, names := range map[string][2]string{"DC=leeds,DC=example,DC=test": {"leeds.example.test", "LEEDS"}, "DC=example,DC=test": {"Example.test", "EXAMPLE"}} {
		top.entries = append(top.entries, fakeEntry{"CN=" + names[1] + ",CN=Partitions,CN=Configuration,DC=example,DC=test", "crossRef", map[string][]string{
			"nCName": {dn}, "dnsRoot": {names[0]}, "nETBIOSName": {names[1]},
		}})
	}
	top.root["configurationNamingContext"], top.root["defaultNamingContext"] = []string{"CN=Configuration,DC=example,DC=test"}, []string{"DC=example,DC=test"}
	below := fakeAD()
	below.root["namingContexts"] = []string{"DC=leeds,DC=example,DC=test"}
	below.entries = below.entries[:20]
	parent, child, dns = newFakeServer(t, top), newFakeServer(t, below), newFakeDNS(t)
	dns.set("_ldap._tcp.dc._msdcs.leeds.example.test", recordOf(t, child.url))
	return parent, child, dns
}

func TestForest(t *testing.T) {
	parent, child, dns := fakeForest(t)
	open := func(change func(*Config)) *Connector {
		return parent.open(t, func(c *Config) {
			c.Base, c.DNS, c.Domains = nil, dns.address, Domains{Auto: true}
			if change != nil {
				change(c)
			}
		})
	}
	c := open(nil)
	tenants, err := c.Tenants(t.Context())
	want := "[{example.test EXAMPLE example.test []} {leeds.example.test LEEDS leeds.example.test []}]"
	if got := fmt.Sprint(tenants); err != nil || got != want {
		t.Fatalf("tenants %s, error %v; want %s", got, err, want)
	}
	for i, want := range []int{35, 20} {
		if n, err := usersOf(t, c, tenants[i]); n != want || err != nil {
			t.Errorf("%s: %d people, error %v; want %d", tenants[i].Name, n, err, want)
		}
	}
	// After a restart of the program a tenant is read that nobody listed before.
	if n, err := usersOf(t, open(nil), tenants[1]); n != 20 || err != nil {
		t.Errorf("%d people, error %v", n, err)
	}
	if _, err := usersOf(t, c, connectors.Tenant{ID: "gone.example.test"}); fault.ClassOf(err) != fault.Configuration {
		t.Errorf("a domain that is not there: %v", err)
	}
	findings, err := c.Check(t.Context())
	if err != nil || findings[0].Detail != "example.test, leeds.example.test" || !slices.ContainsFunc(findings, func(f finding) bool {
		return f.Subject == "leeds.example.test: users below DC=leeds,DC=example,DC=test" && f.OK
	}) {
		t.Errorf("findings %+v, error %v", findings, err)
	}

	t.Run("bases", func(t *testing.T) {
		c := open(func(c *Config) {
			c.Users.Search = []SearchLine{{Base: "OU=Staff,DC=example,DC=test"}, {Base: "OU=Staff,DC=Leeds,DC=example,DC=test"}}
			c.Groups.Base = Names{"DC=example,DC=test"}
		})
		tenants, err := c.Tenants(t.Context())
		if err != nil || len(tenants) != 2 || tenants[0].Streams != nil || !slices.Equal(tenants[1].Streams, []string{streamUsers}) {
			t.Fatalf("tenants %+v, error %v", tenants, err)
		}
		var scope string
		err = connectors.Guard(c).Read(t.Context(), connectors.Request{Tenant: tenants[1], Stream: streamUsers, Mode: connectors.Full}, func(p *connectors.Page) error {
			if p.Proof != nil {
				scope = p.Proof.Scope
			}
			return nil
		})
		if err != nil || !strings.HasPrefix(scope, `bases "OU=Staff,DC=Leeds,DC=example,DC=test", scope sub`) {
			t.Errorf("scope %s, error %v", scope, err)
		}
		leeds := connectors.Tenant{ID: tenants[1].ID} // as if nobody had told which streams it has
		err = connectors.Guard(c).Read(t.Context(), connectors.Request{Tenant: leeds, Stream: streamGroups, Mode: connectors.Full}, func(*connectors.Page) error { return nil })
		if fault.ClassOf(err) != fault.Configuration {
			t.Errorf("a stream that the domain does not have: %v", err)
		}
		one, err := open(func(c *Config) { c.Base = Names{"DC=example,DC=test"} }).Tenants(t.Context())
		if err != nil || len(one) != 1 || one[0].ID != "example.test" {
			t.Errorf("with a base in one domain: %+v, error %v", one, err)
		}
	})
	t.Run("a domain is down", func(t *testing.T) {
		dns.set("_ldap._tcp.dc._msdcs.leeds.example.test", recordOf(t, fmt.Sprintf("ldap://127.0.0.1:%d", closedPort)))
		if _, err := usersOf(t, c, tenants[1]); fault.ClassOf(err) != fault.Transient {
			t.Errorf("the domain that is down: %v", err)
		}
		if n, err := usersOf(t, c, tenants[0]); n != 35 || err != nil {
			t.Errorf("the other one: %d people, error %v", n, err)
		}
		dns.set("_ldap._tcp.dc._msdcs.leeds.example.test", recordOf(t, child.url))
	})
	t.Run("the list cannot be had", func(t *testing.T) {
		parent.directory.bind = func(string, string) (int64, string) { return 52, "shutting down" }
		defer func() { parent.directory.bind = nil }()
		if again, err := c.Tenants(t.Context()); err != nil || len(again) != 2 {
			t.Errorf("after an earlier list: %v, error %v", again, err)
		}
		if n, err := usersOf(t, c, tenants[1]); n != 20 || err != nil {
			t.Errorf("the domain that works: %d people, error %v", n, err)
		}
		if _, err := open(nil).Tenants(t.Context()); fault.ClassOf(err) != fault.Transient {
			t.Errorf("without an earlier list: %v", err)
		}
		parent.directory.bind = func(string, string) (int64, string) { return 49, "data 52e" }
		if _, err := c.Tenants(t.Context()); fault.ClassOf(err) != fault.Auth {
			t.Errorf("with a wrong password: %v", err)
		}
	})
	t.Run("no forest", func(t *testing.T) {
		c := child.open(t, func(c *Config) { c.Base, c.Domains = nil, Domains{Auto: true} })
		if _, err := c.Tenants(t.Context()); fault.ClassOf(err) != fault.Configuration || fault.Hint(err) == "" {
			t.Errorf("error %v", err)
		}
		if findings, err := c.Check(t.Context()); err != nil || len(findings) != 1 || findings[0].OK {
			t.Errorf("findings %+v, error %v", findings, err)
		}
	})
}

// TestListedDomains: two OpenLDAP servers, one connection.
func TestListedDomains(t *testing.T) {
	one := slapdtest.Start(t, slapdtest.Options{Suffix: "dc=one,dc=test", Load: slapdtest.Population{People: 3, Groups: 1}.WriteLDIF})
	two := slapdtest.Start(t, slapdtest.Options{Suffix: "dc=two,dc=test", Load: slapdtest.Population{People: 4, Groups: 1}.WriteLDIF})
	c := openFor(t, one, func(c *Config) {
		c.Servers, c.Base = nil, nil
		c.Bind = BindConfig{}
		c.Domains.List = []Domain{
			{Domain: "one.test", Servers: []string{one.URL}},
			{Domain: "Two.test", Name: "The second", Servers: []string{two.URL}, Base: Names{"ou=people,dc=two,dc=test"}},
		}
	})
	tenants, err := c.Tenants(t.Context())
	if got := fmt.Sprint(tenants); err != nil || got != "[{one.test one.test one.test []} {two.test The second two.test []}]" {
		t.Fatalf("tenants %s, error %v", got, err)
	}
	// Nobody is bound, and anonymous sees nothing; the domains are told apart by what refuses.
	for _, tenant := range tenants {
		if _, err := usersOf(t, c, tenant); fault.ClassOf(err) != fault.Configuration {
			t.Errorf("%s: %v", tenant.Name, err)
		}
	}
	one.Reconfigure(func(o *slapdtest.Options) { o.Access = []string{"access to * by * read"} })
	two.Reconfigure(func(o *slapdtest.Options) { o.Access = []string{"access to * by * read"} })
	for i, want := range []int{3, 4} {
		if n, err := usersOf(t, c, tenants[i]); n != want || err != nil {
			t.Errorf("%s: %d people, error %v; want %d", tenants[i].Name, n, err, want)
		}
	}
	two.Stop()
	if _, err := usersOf(t, c, tenants[1]); fault.ClassOf(err) != fault.Transient {
		t.Errorf("the domain that is down: %v", err)
	}
	if n, err := usersOf(t, c, tenants[0]); n != 3 || err != nil {
		t.Errorf("the other one: %d people, error %v", n, err)
	}
}

func TestValidateDomains(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		path string
	}{
		"auto":            {"{servers: [ldaps+srv://example.test], domains: auto}", ""},
		"auto, no server": {"{domains: auto}", "servers"},
		"list":            {"{domains: [example.test, {domain: leeds.example.test, servers: [ldaps://dc1.leeds.example.test]}]}", ""},
		"with bases":      {"{domains: [example.test], base: 'ou=a,dc=example,dc=test'}", ""},
		"base elsewhere":  {"{domains: [example.test], base: 'ou=a,dc=other,dc=test'}", "base"},
		"line elsewhere":  {"{domains: [example.test], users: {search: [{base: 'ou=a,dc=other,dc=test'}]}}", "base"},
		"own base":        {"{domains: [{domain: example.test, base: o=example}], users: {search: [{base: 'ou=a,o=example'}]}}", ""},
		"twice":           {"{domains: [example.test, Example.test]}", "domains[1]"},
		"no name":         {"{domains: ['dc=example,dc=test']}", "domains[0]"},
		"bad server":      {"{domains: [{domain: example.test, servers: [https://x]}]}", "domains[0].servers[0]"},
		"bad base":        {"{domains: [{domain: example.test, base: x}]}", "domains[0].base"},
		"one service":     {"{servers: [ldaps://x], domains: auto, bind: {method: gssapi, user: a@B, keytab: k, service: ldap/x}}", "bind.service"},
		"plain servers":   {"{domains: [{domain: x.test, servers: [ldap://x]}], bind: {method: external}, tls: {cert_file: a, key_file: b}}", "bind.method"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, problems := decode(t, t.TempDir(), tc.text)
			issues := cfg.Validate()
			if len(problems) > 0 || (len(issues) == 0) != (tc.path == "") || len(issues) > 0 && issues[0].Path != tc.path {
				t.Errorf("problems %v, issues %+v; want one at %q", problems, issues, tc.path)
			}
		})
	}
	if _, problems := decode(t, t.TempDir(), "domains: all"); len(problems) != 1 {
		t.Errorf("problems %v", problems)
	}
}

// domainForest lists the domains of a real forest, which has one.
func domainForest(t *testing.T, d *domain) {
	ou := d.AddOU("Forest", sambatest.Suffix)
	d.AddUser("forest-user", ou, nil)
	c := d.open(t, func(c *Config) {
		c.Domains, c.Base = Domains{Auto: true}, nil
		c.Users.Search = []SearchLine{{Base: ou}}
		c.Bind.Password = settings.NewSecret(sambatest.ReaderPassword)
	})
	tenants, err := c.Tenants(t.Context())
	if got := fmt.Sprint(tenants); err != nil || got != "[{example.test EXAMPLE example.test []}]" {
		t.Fatalf("tenants %s, error %v", got, err)
	}
	if n, err := usersOf(t, c, tenants[0]); n != 1 || err != nil {
		t.Errorf("%d people, error %v", n, err)
	}
}
