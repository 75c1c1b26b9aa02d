package csp

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/sim/microsoftsim"
	"dirsyncd/sync/rest"
	"dirsyncd/sync/settings"
)

const (
	customerApp   = "11111111-2222-4333-8444-555555555555"
	partnerAppID  = "66666666-7777-4888-9999-000000000000"
	appSecret     = "t0p~secret-of-the-customers-app"
	partnerSecret = "t0p~secret-of-the-partners-app"
)

func customerPermissions() []string {
	return []string{"User.Read.All", "GroupMember.Read.All", "LicenseAssignment.Read.All", "DeviceManagementManagedDevices.Read.All"}
}

// world is a simulated cloud with a partner and customers, and a clock.
type world struct {
	tb        testing.TB
	s         *microsoftsim.Server
	partner   *microsoftsim.Tenant
	customers []*microsoftsim.Tenant
	shift     atomic.Int64 // of the clock
}

func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.shift.Load())) }

func newWorld(tb testing.TB, customers int, p microsoftsim.Population, pages microsoftsim.Pages) *world {
	tb.Helper()
	w := &world{tb: tb}
	s, err := microsoftsim.Start(microsoftsim.Options{Now: w.now, Pages: pages})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	w.s = s
	w.partner = s.AddTenant(microsoftsim.TenantOptions{Name: "The Partner"})
	s.SetPartner(w.partner.ID())
	s.AddApp(microsoftsim.App{ID: customerApp, Home: w.partner.ID(), Secrets: map[string]time.Time{appSecret: {}}})
	s.AddApp(microsoftsim.App{ID: partnerAppID, Home: w.partner.ID(), Secrets: map[string]time.Time{partnerSecret: {}}, PartnerCenter: true})
	w.partner.Consent(partnerAppID, "DelegatedAdminRelationship.Read.All", "Directory.Read.All")
	for range customers {
		w.addCustomer(p)
	}
	return w
}

// addCustomer adds a customer that has consented.
func (w *world) addCustomer(p microsoftsim.Population) *microsoftsim.Tenant {
	t := w.s.AddTenant(microsoftsim.TenantOptions{Population: p})
	t.Consent(customerApp, customerPermissions()...)
	w.s.AddCustomer(t)
	w.customers = append(w.customers, t)
	return t
}

// config is a configuration that reaches the simulator.
func (w *world) config(edit func(*Config)) *Config {
	w.tb.Helper()
	ca, err := w.s.WriteCA(w.tb.TempDir())
	if err != nil {
		w.tb.Fatal(err)
	}
	cfg := Defaults()
	cfg.Tenant, cfg.Name = w.partner.ID(), w.partner.Name()
	cfg.App = App{ClientID: customerApp, ClientSecret: settings.NewSecret(appSecret)}
	cfg.PartnerApp = App{ClientID: partnerAppID, ClientSecret: settings.NewSecret(partnerSecret)}
	cfg.Authority, cfg.Graph, cfg.PartnerCenter = w.s.URL(), w.s.URL(), w.s.URL()
	cfg.PartnerCenterScope = "https://api.partnercenter.microsoft.com/.default"
	cfg.Devices = true
	cfg.Network = rest.Network{CAFile: settings.Path(ca), Timeout: settings.Duration(5 * time.Minute)}
	if edit != nil {
		edit(cfg)
	}
	if issues := cfg.Validate(); len(issues) > 0 {
		w.tb.Fatalf("configuration: %+v", issues)
	}
	return cfg
}

// open opens a connector that does not wait.
func (w *world) open(edit func(*Config)) *Connector {
	w.tb.Helper()
	return w.openTuned(edit, tuning{})
}

func (w *world) openTuned(edit func(*Config), t tuning) *Connector {
	w.tb.Helper()
	if t.sleep == nil {
		t.sleep = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	}
	t.patience, t.stale = time.Millisecond, 30
	c, err := openWith(w.config(edit), connectors.Env{Connection: "test", Now: w.now}, t)
	if err != nil {
		w.tb.Fatal(err)
	}
	w.tb.Cleanup(func() { _ = c.Close() })
	return c
}

// delegated prepares access with a refresh token and returns its file.
func (w *world) delegated() string {
	w.tb.Helper()
	w.partner.ConsentDelegated(partnerAppID, "DelegatedAdminRelationship.Read.All", "Directory.Read.All")
	for _, t := range w.customers {
		t.ConsentDelegated(partnerAppID, customerPermissions()...)
	}
	path := filepath.Join(w.tb.TempDir(), "refresh-token")
	token := w.s.IssueRefreshToken(partnerAppID, w.partner.ID(), "admin")
	if err := os.WriteFile(path, []byte(token+"\n"), 0o600); err != nil {
		w.tb.Fatal(err)
	}
	return path
}

// tenants lists the tenants, or fails the test.
func (w *world) tenants(c *Connector) []connectors.Tenant {
	w.tb.Helper()
	list, err := c.Tenants(w.tb.Context())
	if err != nil {
		w.tb.Fatal(err)
	}
	return list
}

// read reads a stream and returns its pages' contents put together.
func read(ctx context.Context, c connectors.Connector, t connectors.Tenant, stream string) (connectors.Page, error) {
	return readFrom(ctx, c, t, stream, nil)
}

func readFrom(ctx context.Context, c connectors.Connector, t connectors.Tenant, stream string, cursor []byte) (connectors.Page, error) {
	var all connectors.Page
	req := connectors.Request{Tenant: t, Stream: stream, Mode: connectors.Full}
	if cursor != nil {
		req.Mode, req.Cursor = connectors.Delta, cursor
	}
	err := connectors.Guard(c).Read(ctx, req, func(p *connectors.Page) error {
		all.Objects = append(all.Objects, p.Objects...)
		all.Removed = append(all.Removed, p.Removed...)
		all.Members = append(all.Members, p.Members...)
		all.Invalid = append(all.Invalid, p.Invalid...)
		all.Cursor, all.Proof = append([]byte(nil), p.Cursor...), p.Proof
		return nil
	})
	return all, err
}

func pathOf(path string) settings.Path { return settings.Path(path) }
