package okta

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

func valid() *Config {
	c := Defaults()
	c.URL, c.Token = "https://example.okta.com", settings.NewSecret("p4ss")
	return c
}

func TestValidate(t *testing.T) {
	if issues := valid().Validate(); len(issues) > 0 {
		t.Errorf("a valid configuration has issues: %v", issues)
	}
	app := func(c *Config) {
		c.Token, c.ClientID, c.PrivateKey = settings.Secret{}, "0oa", settings.NewSecret(pkcs8(newKey()))
	}
	for name, tc := range map[string]struct {
		change func(*Config)
		path   string
	}{
		"no url":               {func(c *Config) { c.URL = "" }, "url"},
		"no scheme":            {func(c *Config) { c.URL = "example.okta.com" }, "url"},
		"in the clear":         {func(c *Config) { c.URL = "http://example.okta.com" }, "url"},
		"this machine":         {func(c *Config) { c.URL = "http://127.0.0.1:4711" }, ""},
		"a trailing slash":     {func(c *Config) { c.URL = "https://example.okta.com/" }, ""},
		"a custom domain":      {func(c *Config) { c.URL = "https://login.example.com" }, ""},
		"a path":               {func(c *Config) { c.URL = "https://example.okta.com/api/v1" }, "url"},
		"a query":              {func(c *Config) { c.URL = "https://example.okta.com?x=y" }, "url"},
		"a placeholder":        {func(c *Config) { c.URL = "https://{yourOktaDomain}" }, "url"},
		"a user":               {func(c *Config) { c.URL = "https://u:p4ss@example.okta.com" }, "url"},
		"the admin console":    {func(c *Config) { c.URL = "https://example-admin.okta.com" }, "url"},
		"its preview":          {func(c *Config) { c.URL = "https://example-admin.oktapreview.com" }, "url"},
		"com twice":            {func(c *Config) { c.URL = "https://example.okta.com.com" }, "url"},
		"no credentials":       {func(c *Config) { c.Token = settings.Secret{} }, "token"},
		"SSWS in the token":    {func(c *Config) { c.Token = settings.NewSecret("SSWS p4ss") }, "token"},
		"a line break":         {func(c *Config) { c.Token = settings.NewSecret("p4ss\n") }, "token"},
		"an app":               {app, ""},
		"both":                 {func(c *Config) { app(c); c.Token = settings.NewSecret("p4ss") }, "token"},
		"no client":            {func(c *Config) { app(c); c.ClientID = "" }, "client_id"},
		"no key":               {func(c *Config) { app(c); c.PrivateKey = settings.Secret{} }, "private_key"},
		"a bad key":            {func(c *Config) { app(c); c.PrivateKey = settings.NewSecret("p4ss") }, "private_key"},
		"share":                {func(c *Config) { c.Share = 0 }, "share"},
		"parallel":             {func(c *Config) { c.Parallel = 100 }, "parallel"},
		"timeout":              {func(c *Config) { c.Timeout = 0 }, "timeout"},
		"proxy":                {func(c *Config) { c.Proxy = settings.NewSecret("proxy:8080") }, "proxy"},
		"no status":            {func(c *Config) { c.Statuses.Active = nil }, "statuses.active"},
		"a bad status":         {func(c *Config) { c.Statuses.Active = []string{"ACTIVE", "active"} }, "statuses.active[1]"},
		"a bad type":           {func(c *Config) { c.Groups.Types = []string{"GROUP"} }, "groups.types[0]"},
		"filter and search":    {func(c *Config) { c.Users = UsersConfig{Filter: "a pr", Search: "b pr"} }, "users"},
		"an open quote":        {func(c *Config) { c.Users.Filter = `status eq "ACTIVE` }, "users.filter"},
		"an open parenthesis":  {func(c *Config) { c.Users.Search = `(status eq "A)"` }, "users.search"},
		"an escape":            {func(c *Config) { c.Groups.Filter = `a eq "1" ) or ( b eq "2"` }, "groups.filter"},
		"a blank attribute":    {func(c *Config) { c.Attributes = []string{"ok", ""} }, "attributes[1]"},
		"unknown field":        {func(c *Config) { c.Fields = map[string]Names{"phon": {"x"}} }, "fields.phon"},
		"a field of its own":   {func(c *Config) { c.Fields = map[string]Names{"status": {"x"}} }, "fields.status"},
		"a field that is time": {func(c *Config) { c.Fields = map[string]Names{"created": {"x"}} }, "fields.created"},
		"bad field attribute":  {func(c *Config) { c.Fields = map[string]Names{"phone": {"a b"}} }, "fields.phone"},
		"manager is not wrong": {func(c *Config) { c.Fields = map[string]Names{"manager": {"boss"}} }, ""},
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

// TestDecode reads the block as the program does, every key of it.
func TestDecode(t *testing.T) {
	t.Setenv("OKTA_KEY", pkcs8(newKey()))
	const block = `
url: https://example.okta.com
client_id: 0oa1
private_key: {env: OKTA_KEY}
key_id: k1
scopes: [okta.users.read, okta.groups.read]
ca_file: ca.pem
proxy: http://proxy.example.com:3128
timeout: 90s
share: 40
parallel: 2
attributes: [costCenter]
fields: {office: site, phone: [primaryPhone, mobilePhone]}
statuses: {active: [ACTIVE, STAGED]}
users: {search: 'profile.department eq "Sales"'}
groups: {types: [OKTA_GROUP], filter: 'id eq "00g1"'}
apps: true
log: false
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
	if c.CAFile != "/etc/dirsyncd/ca.pem" || c.Timeout.Std() != 90*time.Second || c.Share != 40 || len(c.Fields["office"]) != 1 || c.Log || !c.Apps {
		t.Errorf("read %+v", c)
	}
}

// TestDocumented: the operator's guide names every key.
func TestDocumented(t *testing.T) {
	guide, err := os.ReadFile(filepath.Join("..", "..", "docs", "okta.md"))
	if err != nil {
		t.Fatal(err)
	}
	keys := strict.Keys(Config{})
	for _, key := range keys {
		block := slices.ContainsFunc(keys, func(k string) bool { return strings.HasPrefix(k, key+".") })
		if !block && !strings.Contains(string(guide), "`"+key+"`") {
			t.Errorf("docs/okta.md does not name %s", key)
		}
	}
}

func TestFactory(t *testing.T) {
	f := Factory()
	env := connectors.Env{Now: time.Now}
	if c, err := f.Open(f.NewConfig(), env); err == nil {
		t.Errorf("a connector without an address was opened: %v", c)
	}
	c, err := f.Open(valid(), env)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	d := c.Describe()
	if len(d.Streams) != 2 || len(d.Permissions) != 4 {
		t.Errorf("describes itself as %+v", d)
	}
	cfg := valid()
	cfg.CAFile = settings.Path(filepath.Join(t.TempDir(), "none.pem"))
	if c, err := f.Open(cfg, env); err == nil {
		t.Errorf("opened without its ca_file: %v", c)
	}
}

// TestFieldsFit: every field that the profile fills is one that people have, of the right type.
func TestFieldsFit(t *testing.T) {
	people := directory.FieldsOf(directory.Person)
	for name := range usualFields() {
		if name == managerField {
			continue
		}
		if !slices.ContainsFunc(people, func(f directory.CommonField) bool { return f.Name == name }) || !takesProfile(name) {
			t.Errorf("%s does not fit people", name)
		}
	}
}
