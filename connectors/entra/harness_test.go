package entra

import (
	"bytes"
	"context"
	"io"
	"net/http"
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
	testClient = "11111111-2222-3333-4444-555555555555"
	testSecret = "t0p~secret-of-the-test"
)

func allPermissions() []string {
	return []string{
		"User.Read.All", "GroupMember.Read.All", "LicenseAssignment.Read.All", "DeviceManagementManagedDevices.Read.All", "AuditLog.Read.All",
	}
}

// world is a simulated cloud with one tenant, and a clock.
type world struct {
	tb     testing.TB
	s      *microsoftsim.Server
	tenant *microsoftsim.Tenant
	shift  atomic.Int64 // of the clock
	owners bool         // owners of groups are read
}

func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.shift.Load())) }

func newWorld(tb testing.TB, o microsoftsim.TenantOptions, pages microsoftsim.Pages) *world {
	tb.Helper()
	w := &world{tb: tb}
	s, err := microsoftsim.Start(microsoftsim.Options{Now: w.now, Pages: pages})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	w.s = s
	w.tenant = s.AddTenant(o)
	s.AddApp(microsoftsim.App{ID: testClient, Home: w.tenant.ID(), Secrets: map[string]time.Time{testSecret: {}}})
	w.tenant.Consent(testClient, allPermissions()...)
	return w
}

// config is a configuration that reaches the simulator.
func (w *world) config(edit func(*Config)) *Config {
	w.tb.Helper()
	ca := filepath.Join(w.tb.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, w.s.CA(), 0o600); err != nil {
		w.tb.Fatal(err)
	}
	cfg := Defaults()
	cfg.Tenant, cfg.ClientID, cfg.ClientSecret = w.tenant.ID(), testClient, settings.NewSecret(testSecret)
	cfg.Authority, cfg.Graph = w.s.URL(), w.s.URL()
	cfg.Network = rest.Network{CAFile: settings.Path(ca), Timeout: settings.Duration(5 * time.Minute)}
	if edit != nil {
		edit(cfg)
	}
	if issues := cfg.Validate(); len(issues) > 0 {
		w.tb.Fatalf("configuration: %+v", issues)
	}
	return cfg
}

// open opens a connector whose waits cost no time.
func (w *world) open(edit func(*Config)) *Connector {
	w.tb.Helper()
	return w.openWaiting(edit, noWait)
}

// openWaiting opens a connector that waits in the test's own way.
func (w *world) openWaiting(edit func(*Config), wait func(context.Context, time.Duration) error) *Connector {
	w.tb.Helper()
	c, err := openWith(w.config(edit), connectors.Env{Connection: "test", Now: w.now, Sleep: wait}, tuning{stale: 30})
	if err != nil {
		w.tb.Fatal(err)
	}
	w.tb.Cleanup(func() { _ = c.Close() })
	return c
}

// reader opens a reader as another connector would, over a transport that the test can bend.
func (w *world) reader(sel Selection, wrap func(http.RoundTripper) http.RoundTripper) *Connector {
	w.tb.Helper()
	cfg := w.config(nil)
	base, err := rest.NewBase(cfg.Network)
	if err != nil {
		w.tb.Fatal(err)
	}
	w.tb.Cleanup(base.CloseIdleConnections)
	over := wrap(base)
	env := connectors.Env{Connection: "test", Now: w.now, Sleep: noWait}
	credential, err := NewCredential(
		Application{Authority: w.s.URL(), Tenant: w.tenant.ID(), ClientID: testClient, Secret: settings.NewSecret(testSecret)},
		NewTokenClient(TokenClientOptions{Authority: w.s.URL(), Base: over, Env: env}))
	if err != nil {
		w.tb.Fatal(err)
	}
	client, err := NewClient(ClientOptions{Graph: w.s.URL(), Base: over, Credential: credential, Env: env, Stale: 30})
	if err != nil {
		w.tb.Fatal(err)
	}
	sel.Tenant, sel.Identity = w.tenant.ID(), testClient
	return &Connector{Reader: NewReader(client, sel), base: base}
}

// edits changes the bodies of answers.
type edits struct {
	base http.RoundTripper
	edit func(req *http.Request, body []byte) []byte
}

func (e edits) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := e.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	edited := e.edit(req, body)
	if !bytes.Equal(edited, body) {
		resp.StatusCode = http.StatusOK // whatever the simulator thought of a link that the test made up
	}
	body = edited
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	resp.Header.Del("Content-Length")
	return resp, nil
}

func editing(edit func(req *http.Request, body []byte) []byte) func(http.RoundTripper) http.RoundTripper {
	return func(base http.RoundTripper) http.RoundTripper { return edits{base, edit} }
}

func noWait(ctx context.Context, _ time.Duration) error { return ctx.Err() }
