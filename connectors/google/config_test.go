package google

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/rest"
	"dirsyncd/sync/settings"
)

const goodKey = `{"type":"service_account","client_email":"x@y","private_key":"-----BEGIN PRIVATE KEY-----","token_uri":"https://oauth2.googleapis.com/token"}`

func valid() *Config {
	c := Defaults()
	c.Credentials, c.Subject = settings.NewSecret(goodKey), "admin@example.test"
	return c
}

func TestValidate(t *testing.T) {
	if issues := valid().Validate(); len(issues) > 0 {
		t.Errorf("a valid configuration has issues: %v", issues)
	}
	oauth := OAuthConfig{"c", settings.NewSecret("s3cret"), settings.NewSecret("r")}
	for name, tc := range map[string]struct {
		change func(*Config)
		path   string
	}{
		"no credentials":      {func(c *Config) { c.Credentials = settings.Secret{} }, "credentials"},
		"no JSON":             {func(c *Config) { c.Credentials = settings.NewSecret("s3cret") }, "credentials"},
		"another kind of key": {func(c *Config) { c.Credentials = settings.NewSecret(`{"type":"external_account"}`) }, "credentials"},
		"half a key": {func(c *Config) {
			c.Credentials = settings.NewSecret(`{"type":"service_account","client_email":"s3cret"}`)
		}, "credentials"},
		"a key that leaks":       {func(c *Config) { c.Credentials = settings.NewSecret(strings.Replace(goodKey, "https", "http", 1)) }, "credentials"},
		"no subject":             {func(c *Config) { c.Subject = "" }, "subject"},
		"both ways":              {func(c *Config) { c.OAuth = oauth }, "oauth"},
		"half a client":          {func(c *Config) { c.Credentials, c.Subject, c.OAuth = settings.Secret{}, "", OAuthConfig{ClientID: "c"} }, "oauth"},
		"a subject of a client":  {func(c *Config) { c.Credentials, c.OAuth = settings.Secret{}, oauth }, "subject"},
		"a client":               {func(c *Config) { c.Credentials, c.Subject, c.OAuth = settings.Secret{}, "", oauth }, ""},
		"a domain":               {func(c *Config) { c.Customer = "example.com" }, "customer"},
		"a customer":             {func(c *Config) { c.Customer = "C01abc234" }, ""},
		"customers":              {func(c *Config) { c.Customers = []CustomerConfig{{Customer: "C01"}, {Customer: "C02", Subject: "b@x"}} }, ""},
		"customers twice":        {func(c *Config) { c.Customers = []CustomerConfig{{Customer: "C01"}, {Customer: "C01"}} }, "customers[1].customer"},
		"my_customer among them": {func(c *Config) { c.Customers = []CustomerConfig{{Customer: myCustomer}} }, "customers[0].customer"},
		"one and several":        {func(c *Config) { c.Customer, c.Customers = "C01", []CustomerConfig{{Customer: "C01"}} }, "customer"},
		"a customer without key": {func(c *Config) { c.Credentials, c.Customers = settings.Secret{}, []CustomerConfig{{Customer: "C01"}} }, "customers[0].credentials"},
		"plain http":             {func(c *Config) { c.Endpoint = "http://proxy.test/" }, "endpoint"},
		"plain http here":        {func(c *Config) { c.Endpoint = "http://127.0.0.1:80/" }, ""},
		"no address":             {func(c *Config) { c.TokenURI = "token" }, "token_uri"},
		"a user in the address":  {func(c *Config) { c.Endpoint = "https://u:s3cret@x/" }, "endpoint"},
		"no timeout":             {func(c *Config) { c.Timeout = 0 }, "timeout"},
		"unknown attribute":      {func(c *Config) { c.Attributes = []string{"isAdmin", "nickname"} }, "attributes[1]"},
		"attribute twice":        {func(c *Config) { c.Attributes = []string{"isAdmin", "isAdmin"} }, "attributes[1]"},
		"a password":             {func(c *Config) { c.Attributes = []string{"hashFunction"} }, "attributes[0]"},
		"a mask in disguise":     {func(c *Config) { c.Attributes = []string{"A.b,emails"} }, "attributes[0]"},
		"org unit":               {func(c *Config) { c.Users.OrgUnits = []string{"Staff"} }, "users.org_units[0]"},
		"org unit with slash":    {func(c *Config) { c.Users.OrgUnits = []string{"/", "/Staff/"} }, "users.org_units[1]"},
		"product":                {func(c *Config) { c.Licences.Products = []string{"a/b"} }, "licences.products[0]"},
		"product twice":          {func(c *Config) { c.Licences.Products = []string{"a", "a"} }, "licences.products[1]"},
		"events":                 {func(c *Config) { c.Events = "maybe" }, "events"},
		"overlap":                {func(c *Config) { c.Overlap = settings.Duration(time.Minute) }, "overlap"},
		"share":                  {func(c *Config) { c.Share = 0 }, "share"},
		"quota":                  {func(c *Config) { c.Quota = -1 }, "quota"},
		"a reseller":             {reselling, ""},
		"a reseller's customers": {func(c *Config) { reselling(c); c.Customers = []CustomerConfig{{Customer: "C01"}} }, ""},
		"a reseller's account":   {func(c *Config) { reselling(c); c.Customer = "C01" }, "customer"},
		"a reseller's sign-in": {func(c *Config) {
			reselling(c)
			c.Customers, c.Subject = []CustomerConfig{{Customer: "C01", Subject: "b@x"}}, ""
		}, "subject"},
		"parallel": {func(c *Config) { c.Parallel = 1000 }, "parallel"},
	} {
		t.Run(name, func(t *testing.T) {
			c := valid()
			tc.change(c)
			issues := c.Validate()
			if (len(issues) == 0) != (tc.path == "") || len(issues) > 0 && issues[0].Path != tc.path {
				t.Errorf("issues %+v, want one at %q", issues, tc.path)
			}
			for _, i := range issues {
				if strings.Contains(i.Message+i.Hint, "s3cret") || i.Hint == "" {
					t.Errorf("issue %+v", i)
				}
			}
		})
	}
}

func TestOpen(t *testing.T) {
	bad := valid()
	bad.Network = rest.Network{CAFile: "no such file"}
	if _, err := open(bad, connectors.Env{}); fault.ClassOf(err) != fault.Configuration {
		t.Errorf("a CA file that is not there: %v", err)
	}
	c, err := open(valid(), connectors.Env{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if text := fmt.Sprintf("%+v", c.cfg); strings.Contains(text, "BEGIN") {
		t.Error("the configuration prints its key")
	}
}

func TestRoots(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"", ""}, {"/", ""}, {"/a /", ""}, {"/a /a/b /c", "/a /c"}, {"/a/b /A", "/A"}, {"/ab /a", "/a /ab"}, {"/a /A", "/a"},
	} {
		if got := strings.Join(roots(strings.Fields(tc.in)), " "); got != tc.want {
			t.Errorf("%q: %q, want %q", tc.in, got, tc.want)
		}
	}
}
