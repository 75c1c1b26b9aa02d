package csp

import (
	"os"
	"strings"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/sim/microsoftsim"
	"dirsyncd/sync/settings/strict"
)

// TestBlock decodes what an operator writes.
func TestBlock(t *testing.T) {
	decode := func(text string) (*Config, []strict.Problem) {
		doc := strict.Parse([]byte(text), strict.Options{Dir: "/etc/dirsyncd", LookupEnv: func(string) (string, bool) { return "from the environment", true }})
		cfg := Factory().NewConfig().(*Config)
		doc.Root().Into(cfg)
		return cfg, doc.Problems()
	}
	cfg, problems := decode(`
tenant: 00000000-0000-4000-8000-000000000001
client_id: 00000000-0000-4000-8000-000000000002
client_secret: {env: SECRET}
partner_app:
  client_id: 00000000-0000-4000-8000-000000000003
  certificate: partner.pem
refresh_token_file: state/token
sources: [contracts]
customers:
  00000000-0000-4000-8000-000000000004: Northwind
new_tenants: false
ca_file: ca.pem
timeout: 20s
`)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if issues := cfg.Validate(); len(issues) > 0 {
		t.Error(issues)
	}
	if cfg.ClientSecret.Reveal() != "from the environment" || cfg.PartnerApp.Certificate != "/etc/dirsyncd/partner.pem" || cfg.RefreshTokenFile != "/etc/dirsyncd/state/token" ||
		cfg.CAFile != "/etc/dirsyncd/ca.pem" || cfg.Timeout.Std() != 20*time.Second || cfg.Customers[guid(4)] != "Northwind" || cfg.Parallel != 8 || !cfg.Groups || cfg.NewTenants {
		t.Errorf("%+v", cfg)
	}
	if _, problems := decode("tenant: x\nnew_tennants: true\npartner_app: {secret: y}\n"); len(problems) != 2 {
		t.Errorf("misspelt keys: %v", problems)
	}
}

// TestDocumented: every key is in the operator's guide.
func TestDocumented(t *testing.T) {
	guide, err := os.ReadFile("../../docs/csp.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range strict.Keys(Config{}) {
		key = strings.TrimPrefix(key, "partner_app.") // the same keys again
		if !strings.Contains(string(guide), "`"+key+"`") {
			t.Errorf("docs/csp.md does not mention %s", key)
		}
	}
}

// TestOneApplication: one application can be both, and the addresses of the services are all that tells a simulator
// from the real ones.
func TestOneApplication(t *testing.T) {
	w := newWorld(t, 2, microsoftsim.Population{People: 3}, microsoftsim.Pages{})
	w.s.AddApp(microsoftsim.App{ID: customerApp, Home: w.partner.ID(), Secrets: map[string]time.Time{appSecret: {}}, PartnerCenter: true})
	w.partner.Consent(customerApp, "Directory.Read.All")
	c := w.open(func(c *Config) {
		c.PartnerApp, c.PartnerCenterScope, c.Sources = App{}, "", []string{sourceContracts, sourcePartnerCenter}
	})
	list := w.tenants(c)
	if len(list) != 3 {
		t.Fatalf("%+v", list)
	}
	if page, err := read(t.Context(), c, list[1], streamUsers); err != nil || len(page.Objects) != 3 {
		t.Errorf("%v", err)
	}
	// A link that the service gave for one tenant is of no use in another.
	first, err := read(t.Context(), c, list[1], streamUsers)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := readFrom(t.Context(), c, list[2], streamUsers, first.Cursor); err == nil {
		t.Error("a cursor of another tenant was taken")
	}
	if _, err := readFrom(t.Context(), c, connectors.Tenant{ID: list[1].ID}, streamUsers, first.Cursor); err != nil {
		t.Error(err)
	}
}
