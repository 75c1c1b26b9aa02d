package csp

import (
	"slices"
	"strings"
	"testing"

	"dirsyncd/sync/settings"
)

func valid() *Config {
	c := Defaults()
	c.Tenant = guid(1)
	c.App = App{ClientID: guid(2), ClientSecret: settings.NewSecret("p4ss")}
	return c
}

func TestValidate(t *testing.T) {
	if issues := valid().Validate(); len(issues) > 0 {
		t.Errorf("a valid configuration has issues: %v", issues)
	}
	for name, tc := range map[string]struct {
		edit func(*Config)
		path string
	}{
		"no tenant":                 {func(c *Config) { c.Tenant = "" }, "tenant"},
		"tenant by domain":          {func(c *Config) { c.Tenant = "contoso.test" }, "tenant"},
		"no name":                   {func(c *Config) { c.Name = "" }, "name"},
		"no app":                    {func(c *Config) { c.App = App{} }, "client_id"},
		"app by name":               {func(c *Config) { c.ClientID = "sync" }, "client_id"},
		"app is the tenant":         {func(c *Config) { c.ClientID = strings.ToUpper(c.Tenant) }, "client_id"},
		"no secret":                 {func(c *Config) { c.ClientSecret = settings.Secret{} }, "client_secret"},
		"two proofs":                {func(c *Config) { c.Certificate = "/x" }, "certificate"},
		"password alone":            {func(c *Config) { c.CertificatePassword = settings.NewSecret("p4ss") }, "certificate_password"},
		"half a partner app":        {func(c *Config) { c.PartnerApp.ClientSecret = settings.NewSecret("p4ss") }, "partner_app.client_id"},
		"partner app without proof": {func(c *Config) { c.PartnerApp.ClientID = guid(3) }, "partner_app.client_secret"},
		"access":                    {func(c *Config) { c.CustomerAccess = "both" }, "customer_access"},
		"delegated without a token": {func(c *Config) { c.CustomerAccess = accessDelegated }, "refresh_token_file"},
		"delegated": {func(c *Config) {
			c.CustomerAccess, c.RefreshTokenFile, c.PartnerApp, c.App = accessDelegated, "/t", c.App, App{}
		}, ""},
		"cloud":               {func(c *Config) { c.Cloud = "moon" }, "cloud"},
		"one service":         {func(c *Config) { c.Graph = "https://graph.test" }, "authority"},
		"plain http":          {func(c *Config) { c.PartnerCenter = "http://x" }, "partner_center"},
		"a path":              {func(c *Config) { c.PartnerCenter = "https://x/v1" }, "partner_center"},
		"gdap in china":       {func(c *Config) { c.Cloud = "china" }, "sources"},
		"no source":           {func(c *Config) { c.Sources = nil }, "sources"},
		"unknown source":      {func(c *Config) { c.Sources = []string{sourceGDAP, "dap"} }, "sources[1]"},
		"source twice":        {func(c *Config) { c.Sources = []string{sourceGDAP, sourceGDAP} }, "sources[1]"},
		"incomplete":          {func(c *Config) { c.Incomplete = "ignore" }, "incomplete"},
		"include by name":     {func(c *Config) { c.Include = []string{"Contoso"} }, "include[0]"},
		"exclude with a star": {func(c *Config) { c.Exclude = []string{"a.test", "*.test"} }, "exclude[1]"},
		"customer by domain":  {func(c *Config) { c.Customers = map[string]string{"a.test": "A"} }, "customers.a.test"},
		"customer no name":    {func(c *Config) { c.Customers = map[string]string{guid(4): " "} }, "customers." + guid(4)},
		"nobody":              {func(c *Config) { c.NewTenants = false }, "new_tenants"},
		"details":             {func(c *Config) { c.Sources, c.CustomerDetails = []string{sourceGDAP}, true }, "customer_details"},
		"attribute":           {func(c *Config) { c.Attributes = []string{"no such thing"} }, "attributes[0]"},
		"last seen":           {func(c *Config) { c.DeviceLastSeen = true }, "device_last_seen"},
		"parallel":            {func(c *Config) { c.Parallel = 0 }, "parallel"},
		"share":               {func(c *Config) { c.Share = 101 }, "share"},
		"timeout":             {func(c *Config) { c.Timeout = 0 }, "timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			c := valid()
			tc.edit(c)
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

func TestServices(t *testing.T) {
	c := valid()
	c.Cloud = "china"
	authority, graph, center, scope := c.services()
	got := []string{authority, graph, center, scope}
	want := []string{
		"https://login.chinacloudapi.cn", "https://microsoftgraph.chinacloudapi.cn", "https://partner.partnercenterapi.microsoftonline.cn",
		"https://partner.partnercenterapi.microsoftonline.cn/.default",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	c = valid()
	c.PartnerCenter = "https://127.0.0.1:1/"
	if _, _, center, scope := c.services(); center != "https://127.0.0.1:1" || scope != "https://api.partnercenter.microsoft.com/.default" {
		t.Errorf("an address of its own changes who a token is for: %s %s", center, scope)
	}
}
