package delinea

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/settings"
	"dirsyncd/sync/settings/strict"
)

type settingsNames = settings.Names

func TestValidate(t *testing.T) {
	old := func(c *Config) { c.Product, c.Application, c.Scope = centrify, "app", "reading" }
	for name, tc := range map[string]struct {
		change func(*Config)
		path   string
	}{
		"as it is":               {func(*Config) {}, ""},
		"no url":                 {func(c *Config) { c.URL = "" }, "url"},
		"no scheme":              {func(c *Config) { c.URL = "example.delinea.app" }, "url"},
		"in the clear":           {func(c *Config) { c.URL = "http://example.delinea.app" }, "url"},
		"this machine":           {func(c *Config) { c.URL = "http://127.0.0.1:4711" }, ""},
		"a path":                 {func(c *Config) { c.URL = "https://example.delinea.app/identity" }, "url"},
		"a user":                 {func(c *Config) { c.URL = "https://u:p4ss@example.delinea.app" }, "url"},
		"no product":             {func(c *Config) { c.Product = "" }, "product"},
		"an unknown product":     {func(c *Config) { c.Product = "cloud" }, "product"},
		"a Centrify tenant":      {old, ""},
		"without application":    {func(c *Config) { old(c); c.Application = "" }, "application"},
		"with a token path":      {func(c *Config) { old(c); c.Application, c.TokenPath = "", "/oauth2/token/x" }, ""},
		"without scope":          {func(c *Config) { old(c); c.Scope = "" }, "scope"},
		"application is a path":  {func(c *Config) { old(c); c.Application = "a/b" }, "application"},
		"application for naught": {func(c *Config) { c.Application = "app" }, "application"},
		"no client":              {func(c *Config) { c.ClientID = "" }, "client_id"},
		"no secret":              {func(c *Config) { c.ClientSecret = settings.Secret{} }, "client_secret"},
		"base path":              {func(c *Config) { c.BasePath = "identity" }, "base_path"},
		"token path":             {func(c *Config) { c.TokenPath = "//other.example/token" }, "token_path"},
		"native client":          {func(c *Config) { c.NativeClient = "Yes\r\nX: y" }, "native_client"},
		"page size":              {func(c *Config) { c.PageSize = 0 }, "page_size"},
		"limit":                  {func(c *Config) { c.Limit = 10 }, "limit"},
		"timeout":                {func(c *Config) { c.Timeout = 0 }, "timeout"},
		"no status":              {func(c *Config) { c.Statuses.Active = nil }, "statuses.active"},
		"another table":          {func(c *Config) { c.Table = "Event" }, "table"},
		"the other table":        {func(c *Config) { c.Table = tableDirectories }, ""},
		"an attribute":           {func(c *Config) { c.Attributes = []string{"Title", "a; DROP"} }, "attributes[1]"},
		"a field":                {func(c *Config) { c.Fields = map[string]settings.Names{"phone": {"x'y"}} }, "fields.phone"},
		"an unknown field":       {func(c *Config) { c.Fields = map[string]settings.Names{"phon": {"x"}} }, "fields.phon"},
		"a field of its own":     {func(c *Config) { c.Fields = map[string]settings.Names{"status": {"x"}} }, "fields.status"},
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

// TestPaths: each product has its own addresses, and every part of them can be another.
func TestPaths(t *testing.T) {
	c := valid()
	if c.tokenPath() != "/identity/api/oauth2/token/xpmplatform" || c.basePath() != "/identity" || c.scope() != "xpmheadless" || c.method() != "client_secret_post" {
		t.Errorf("platform: %q %q %q %q", c.tokenPath(), c.basePath(), c.scope(), c.method())
	}
	c.Product, c.Application, c.Scope = centrify, "app", "reading"
	if c.tokenPath() != "/oauth2/token/app" || c.basePath() != "" || c.scope() != "reading" || c.method() != "client_secret_basic" {
		t.Errorf("centrify: %q %q %q %q", c.tokenPath(), c.basePath(), c.scope(), c.method())
	}
	c.Product, c.BasePath, c.TokenPath = platform, "/", "/t"
	if c.tokenPath() != "/t" || c.basePath() != "" {
		t.Errorf("by hand: %q %q", c.tokenPath(), c.basePath())
	}
}

// TestDecode reads the block as the program does, every key of it.
func TestDecode(t *testing.T) {
	t.Setenv("DELINEA_SECRET", "s")
	const block = `
url: https://abc0123.my.centrify.net
product: centrify
client_id: sync@example.com
client_secret: {env: DELINEA_SECRET}
application: dirsyncd
scope: reading
token_path: /oauth2/token/other
base_path: /api
native_client: "true"
ca_file: ca.pem
proxy: http://proxy.example.com:3128
timeout: 90s
page_size: 500
limit: 100000
table: User
attributes: [SourceDsType]
fields: {office: Office}
statuses: {active: [Active]}
roles: true
script_roles: true
last_login: true
`
	doc := strict.Parse([]byte(block), strict.Options{Dir: "/etc/dirsyncd", LookupEnv: os.LookupEnv})
	c := Factory().NewConfig().(*Config)
	doc.Root().Into(c)
	if problems := doc.Problems(); len(problems) > 0 {
		t.Fatalf("%+v", problems)
	}
	if issues := c.Validate(); len(issues) > 0 {
		t.Errorf("%+v", issues)
	}
	if c.CAFile != "/etc/dirsyncd/ca.pem" || c.Timeout.Std() != 90*time.Second || c.Limit != 100000 || len(c.Fields["office"]) != 1 || !c.ScriptRoles {
		t.Errorf("read %+v", c)
	}
}

// TestDocumented: the operator's guide names every key.
func TestDocumented(t *testing.T) {
	guide, err := os.ReadFile(filepath.Join("..", "..", "docs", "delinea.md"))
	if err != nil {
		t.Fatal(err)
	}
	keys := strict.Keys(Config{})
	for _, key := range keys {
		block := slices.ContainsFunc(keys, func(k string) bool { return strings.HasPrefix(k, key+".") })
		if !block && !strings.Contains(string(guide), "`"+key+"`") {
			t.Errorf("docs/delinea.md does not name %s", key)
		}
	}
}

// TestUnread: what rules look at and nothing brings is known, with what to write.
func TestUnread(t *testing.T) {
	c := valid()
	c.Attributes = []string{"SourceDsType"}
	for _, tc := range []struct {
		kind directory.Kind
		name string
		hint string // in it; blank: it is read
	}{
		{directory.Person, "login", ""}, {directory.Person, "enabled", ""}, {directory.Person, "groups", ""}, {directory.Person, "attributes.SourceDsType", ""},
		{directory.Person, "attributes.sourcedstype", "SourceDsType"}, {directory.Person, "attributes.Office", "delinea.attributes"}, {directory.Person, "phone", "delinea.fields.phone"},
		{directory.Person, "manager", "remove"}, {directory.Person, "licences", "none"}, {directory.Device, "", "none"}, {directory.Person, "last_login", "delinea.last_login"},
		{directory.Group, "", ""}, {directory.Group, "name", ""}, {directory.Group, "attributes.x", "remove"}, {directory.Person, "tenant", "connection"},
	} {
		hint, unread := c.Unread(tc.kind, tc.name)
		if unread != (tc.hint != "") || unread && !strings.Contains(hint, tc.hint) {
			t.Errorf("%s %q: %q, %t", tc.kind, tc.name, hint, unread)
		}
	}
	c.Roles, c.Table = false, tableDirectories
	for _, name := range []string{"groups", "last_login"} {
		if hint, unread := c.Unread(directory.Person, name); !unread || hint == "" {
			t.Errorf("%s is read", name)
		}
	}
	if len((&Connector{cfg: *c, people: c.people()}).Describe().Streams) != 1 {
		t.Error("roles: false, and a stream of groups")
	}
}

func TestFactory(t *testing.T) {
	f := Factory()
	if c, err := f.Open(f.NewConfig(), connectors.Env{}); err == nil {
		t.Errorf("a connector without an address was opened: %v", c)
	}
	c, err := f.Open(valid(), connectors.Env{})
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
}
