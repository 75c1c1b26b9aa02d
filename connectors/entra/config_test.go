package entra

import (
	"slices"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/sync/rest"
	"dirsyncd/sync/settings"
	"dirsyncd/sync/settings/strict"
)

// TestWholeBlock decodes a block with every key, as the program does, and opens it.
func TestWholeBlock(t *testing.T) {
	doc := strict.Parse([]byte(`
tenant: contoso.onmicrosoft.com
client_id: 11111111-2222-3333-4444-555555555555
client_secret: {env: ENTRA_SECRET}
cloud: usgov
authority: https://login.example.test
graph: https://graph.example.test:8443
tenant_type: workforce
groups: false
licences: false
devices: true
device_last_seen: true
manager: false
sign_in_activity: true
photos: true
attributes: [employeeHireDate]
share: 20
notifications: true
proxy: http://proxy.example.test:3128
timeout: 90s
`), strict.Options{Dir: t.TempDir(), LookupEnv: func(string) (string, bool) { return "x", true }})
	f := Factory()
	cfg := f.NewConfig().(*Config)
	if doc.Root().Into(cfg); len(doc.Problems()) > 0 {
		t.Fatal(doc.Problems())
	}
	if issues := cfg.Validate(); len(issues) > 0 {
		t.Fatal(issues)
	}
	if cfg.Timeout.Std() != 90*time.Second || cfg.Groups || !cfg.Devices || !cfg.Photos || cfg.ClientSecret.Reveal() != "x" || cfg.Share != 20 ||
		!cfg.Notifications || cfg.Public() != "notifications" || Defaults().Public() != "" {
		t.Errorf("%+v", cfg)
	}
	c, err := f.Open(cfg, connectors.Env{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if d := c.Describe(); len(d.Streams) != 2 || d.Streams[0].Delta || len(d.Permissions) != 3 {
		t.Errorf("%+v", d)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	doc = strict.Parse([]byte("tenant: x\nfilter: y\n"), strict.Options{})
	if doc.Root().Into(Defaults()); len(doc.Problems()) != 1 {
		t.Errorf("an unknown key: %v", doc.Problems())
	}
}

func TestValidate(t *testing.T) {
	good := func() *Config {
		c := Defaults()
		c.Tenant, c.ClientID, c.ClientSecret = "contoso.onmicrosoft.com", testClient, settings.NewSecret("x")
		return c
	}
	for name, test := range map[string]struct {
		edit func(*Config)
		path []string
	}{
		"good":                    {func(*Config) {}, nil},
		"tenant by id":            {func(c *Config) { c.Tenant = "99999999-0000-4000-8000-000000000001" }, nil},
		"no tenant":               {func(c *Config) { c.Tenant = "" }, []string{"tenant"}},
		"common":                  {func(c *Config) { c.Tenant = "Common" }, []string{"tenant"}},
		"tenant is a name":        {func(c *Config) { c.Tenant = "Contoso Ltd" }, []string{"tenant"}},
		"tenant is a path":        {func(c *Config) { c.Tenant = "a.b/../c" }, []string{"tenant"}},
		"type":                    {func(c *Config) { c.TenantType = "b2b" }, []string{"tenant_type"}},
		"notifications":           {func(c *Config) { c.Notifications = true }, nil},
		"notifications of b2c":    {func(c *Config) { c.TenantType, c.Notifications = "b2c", true }, []string{"notifications"}},
		"no credential":           {func(c *Config) { c.ClientSecret = settings.Secret{} }, []string{""}},
		"two credentials":         {func(c *Config) { c.Certificate = "/x" }, []string{"certificate"}},
		"no client":               {func(c *Config) { c.ClientID = "" }, []string{"client_id"}},
		"client is a name":        {func(c *Config) { c.ClientID = "dirsyncd" }, []string{"client_id"}},
		"client is the tenant":    {func(c *Config) { c.Tenant = c.ClientID }, []string{"client_id"}},
		"managed identity":        {func(c *Config) { c.ClientSecret, c.ClientID, c.ManagedIdentity = settings.Secret{}, "", true }, nil},
		"password alone":          {func(c *Config) { c.CertificatePassword = settings.NewSecret("x") }, []string{"certificate_password"}},
		"cloud":                   {func(c *Config) { c.Cloud = "germany" }, []string{"cloud"}},
		"services":                {func(c *Config) { c.Authority, c.Graph = "https://a.test", "https://b.test:8443/" }, nil},
		"authority alone":         {func(c *Config) { c.Authority = "https://a.test" }, []string{"authority"}},
		"services without TLS":    {func(c *Config) { c.Authority, c.Graph = "http://a.test", "graph.test" }, []string{"authority", "graph"}},
		"services with paths":     {func(c *Config) { c.Authority, c.Graph = "https://a.test/tenant", "https://b.test/v1.0" }, []string{"authority", "graph"}},
		"services with a user":    {func(c *Config) { c.Authority, c.Graph = "https://u:p@a.test", "https://b.test?x" }, []string{"authority", "graph"}},
		"share":                   {func(c *Config) { c.Share = 101 }, []string{"share"}},
		"timeout":                 {func(c *Config) { c.Timeout = 0 }, []string{"timeout"}},
		"last seen of no devices": {func(c *Config) { c.DeviceLastSeen = true }, []string{"device_last_seen"}},
		"photos":                  {func(c *Config) { c.Photos = true }, nil},
		"photos of b2c":           {func(c *Config) { c.TenantType, c.Photos = B2C, true }, []string{"photos"}},
		"attributes": {func(c *Config) {
			c.Attributes = []string{
				"employeeHireDate", "onPremisesExtensionAttributes.extensionAttribute15", "onPremisesExtensionAttributes", "employeeOrgData.costCenter",
				"extension_0123456789abcdef0123456789ABCDEF_shoeSize", "licenseAssignmentStates",
			}
		}, nil},
		"bad attributes": {func(c *Config) {
			c.Attributes = []string{
				"", "a b", "a,b", "a.b.c", "extensionAttribute1", "onPremisesExtensionAttributes.extensionAttribute16", "extension_x_y", "passwordProfile",
				"signInActivity", "photo", "skills", "manager", "a&$top=1", "onPremisesExtensionAttributes.extensionAttribute01",
			}
		}, []string{
			"attributes[0]", "attributes[1]", "attributes[2]", "attributes[3]", "attributes[4]", "attributes[5]", "attributes[6]", "attributes[7]",
			"attributes[8]", "attributes[9]", "attributes[10]", "attributes[11]", "attributes[12]", "attributes[13]",
		}},
	} {
		c := good()
		test.edit(c)
		var got []string
		for _, issue := range c.Validate() {
			got = append(got, issue.Path)
			if issue.Message == "" || issue.Hint == "" {
				t.Errorf("%s: %+v", name, issue)
			}
		}
		if !slices.Equal(got, test.path) {
			t.Errorf("%s: issues at %q, want %q", name, got, test.path)
		}
	}
}

func TestClouds(t *testing.T) {
	for _, name := range CloudNames() {
		c := Defaults()
		c.Cloud = name
		authority, graph := c.services()
		if rest.Host(authority) == "" || rest.Host(graph) == "" {
			t.Errorf("%s: %s %s", name, authority, graph)
		}
	}
	if _, _, ok := Cloud("x"); ok {
		t.Error("an unknown cloud")
	}
}
