package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/csp"
	"dirsyncd/connectors/sim/microsoftsim"
	"dirsyncd/store/bolt"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/plan"
	"dirsyncd/sync/settings"
)

// Identities of the simulated cloud. They open nothing else.
const (
	customersApp = "11111111-2222-4333-8444-555555555555"
	partnerApp   = "66666666-7777-4888-9999-000000000000"
	noSecret     = "not~a~secret"

	tenantPeople = 200
	// tenantTimeout is how long a request to a tenant that hangs is waited for. The connector's default is a minute.
	tenantTimeout = 10 * time.Second
	// laneCloses is longer than the connector leaves a tenant alone that hung.
	laneCloses = 3 * time.Minute
)

func customerPermissions() []string {
	return []string{"User.Read.All", "GroupMember.Read.All", "LicenseAssignment.Read.All"}
}

// partner is a partner with its customers, and the program that reads them.
type partner struct {
	cloud     *microsoftsim.Server
	customers []*microsoftsim.Tenant
	store     *countingStore
	engine    *engine.Engine
	conn      *engine.Connection
	out       io.Writer
	clock     atomic.Int64 // how far the connector's clock is ahead
}

// tenants measures many tenants of a simulated cloud, read through the real connector, engine and store, and what
// those among them that are broken cost the others.
func tenants(ctx context.Context, out io.Writer, o options) error {
	p := &partner{out: out}
	if err := p.start(o); err != nil {
		return err
	}
	defer p.close()
	st, err := bolt.Open(filepath.Join(o.dir, "state.db"), bolt.Options{})
	if err != nil {
		return err
	}
	defer func() { _ = st.Close() }()
	p.store = &countingStore{Store: st}
	p.engine = engine.New(p.store, engine.Options{Log: slog.New(slog.DiscardHandler), Now: time.Now})
	_, _ = fmt.Fprintf(out, "\n%d tenants of %d people; the simulated cloud runs in the same process, on the same CPUs, and takes %s longer for every answer\n\n",
		o.tenants, tenantPeople, o.delay)
	_, _ = fmt.Fprintf(out, "%-44s %10s %9s %9s %11s %7s %7s\n", "what", "the others", "all", "requests", "per tenant", "writes", "failed")
	return p.measure(ctx, o)
}

// start starts the cloud and opens the connector.
func (p *partner) start(o options) (err error) {
	if p.cloud, err = microsoftsim.Start(microsoftsim.Options{Pristine: o.tenants + 1, Delay: o.delay}); err != nil {
		return err
	}
	home := p.cloud.AddTenant(microsoftsim.TenantOptions{Name: "The Partner"})
	p.cloud.SetPartner(home.ID())
	secrets := map[string]time.Time{noSecret: {}}
	p.cloud.AddApp(microsoftsim.App{ID: customersApp, Home: home.ID(), Secrets: secrets})
	p.cloud.AddApp(microsoftsim.App{ID: partnerApp, Home: home.ID(), Secrets: secrets, PartnerCenter: true})
	home.Consent(partnerApp, "DelegatedAdminRelationship.Read.All", "Directory.Read.All")
	for range o.tenants {
		t := p.cloud.AddTenant(microsoftsim.TenantOptions{Population: microsoftsim.Population{People: tenantPeople, Groups: 10, SKUs: 3}})
		t.Consent(customersApp, customerPermissions()...)
		p.cloud.AddCustomer(t)
		t.UserIDs() // made up beforehand
		p.customers = append(p.customers, t)
	}
	ca, err := p.cloud.WriteCA(o.dir)
	if err != nil {
		return err
	}
	cfg := csp.Defaults()
	cfg.Tenant = home.ID()
	cfg.App = csp.App{ClientID: customersApp, ClientSecret: settings.NewSecret(noSecret)}
	cfg.PartnerApp = csp.App{ClientID: partnerApp, ClientSecret: settings.NewSecret(noSecret)}
	cfg.Authority, cfg.Graph, cfg.PartnerCenter = p.cloud.URL(), p.cloud.URL(), p.cloud.URL()
	cfg.PartnerCenterScope = "https://api.partnercenter.microsoft.com/.default"
	// Terms of subscriptions take a request per tenant from Partner Center, whose quota (500 a minute) would be all
	// that is measured.
	cfg.Subscriptions = false
	cfg.CAFile, cfg.Timeout = settings.Path(ca), settings.Duration(tenantTimeout)
	now := func() time.Time { return time.Now().Add(time.Duration(p.clock.Load())) }
	source, err := csp.Factory().Open(cfg, connectors.Env{Connection: "customers", Log: slog.New(slog.DiscardHandler), Now: now})
	if err != nil {
		return err
	}
	p.conn = &engine.Connection{Name: "customers", Connector: "csp", Source: source, Rules: rules("Head office"), Guard: plan.DefaultGuard()}
	return nil
}

func (p *partner) close() {
	if p.conn != nil {
		_ = p.conn.Source.Close()
	}
	_ = p.cloud.Close()
}

// cycle is what one run over all tenants took.
type cycle struct {
	others time.Duration // until the last of those that are not broken was done
	all    time.Duration
	// requests of the program, and how many tenants failed
	requests, failed int
	writes           int64
}

// broken picks the tenants that are broken, spread over all.
func (p *partner) broken(o options) []*microsoftsim.Tenant {
	var list []*microsoftsim.Tenant
	for i := range o.broken {
		list = append(list, p.customers[(2*i+1)*len(p.customers)/(2*o.broken)])
	}
	return list
}

// once runs over all tenants. The broken ones must fail or not, as the caller says; the others must not.
func (p *partner) once(ctx context.Context, broken []*microsoftsim.Tenant, fail bool) (cycle, error) {
	p.store.writes.Store(0)
	began := time.Now()
	results := p.engine.RunConnection(ctx, p.conn, engine.Job{})
	c := cycle{all: time.Since(began), writes: p.store.writes.Load()}
	if len(results) != len(p.customers)+1 {
		return c, fmt.Errorf("%d tenants were run: %w", len(results), results[0].Err)
	}
	for _, r := range results {
		c.requests += r.Run.Requests
		is := slices.ContainsFunc(broken, func(t *microsoftsim.Tenant) bool { return t.ID() == r.Partition.Tenant })
		if r.Err != nil {
			c.failed++
		}
		if (r.Err != nil) != (is && fail) {
			return c, fmt.Errorf("tenant %s, broken %t: %w", r.Partition.Tenant, is && fail, r.Err)
		}
		if !is {
			c.others = max(c.others, r.Run.Ended.Sub(began))
		}
	}
	return c, nil
}

// row prints the median of cycles, and how it compares with the first of them all.
func (p *partner) row(name string, cycles []cycle, than time.Duration) time.Duration {
	slices.SortFunc(cycles, func(a, b cycle) int { return int(a.others - b.others) })
	c := cycles[len(cycles)/2]
	change := ""
	if than > 0 {
		change = fmt.Sprintf(" %+.1f %%", 100*(c.others.Seconds()/than.Seconds()-1))
	}
	_, _ = fmt.Fprintf(p.out, "%-44s %9.2fs %8.2fs %9d %11.2f %7d %7d %s\n", name, c.others.Seconds(), c.all.Seconds(), c.requests,
		float64(c.requests)/float64(len(p.customers)), c.writes, c.failed, change)
	return c.others
}

func (p *partner) measure(ctx context.Context, o options) error {
	broken := p.broken(o)
	p.cloud.ResetCounts()
	first, err := p.once(ctx, broken, false)
	if err != nil {
		return err
	}
	p.row("first sync", []cycle{first}, 0)
	_, _ = fmt.Fprintf(p.out, "\n%s\n\n", p.cloud.Requested())

	var idle, struck, following, again, revoked, refused []cycle
	one := func(into *[]cycle, fail bool) {
		if err == nil {
			var c cycle
			c, err = p.once(ctx, broken, fail)
			*into = append(*into, c)
		}
	}
	var ignored []cycle
	one(&ignored, false) // once more before anything is compared
	for range o.rounds {
		one(&idle, false)
		for _, t := range broken {
			t.Revoke(customersApp)
		}
		one(&revoked, true)
		one(&refused, true)
		for _, t := range broken {
			t.Consent(customersApp, customerPermissions()...)
		}
		one(&ignored, false)

		one(&idle, false)
		var releases []func()
		for _, t := range broken {
			releases = append(releases, p.cloud.BlackHole(t.ID()))
		}
		one(&struck, true)
		one(&following, true)
		p.clock.Add(int64(laneCloses))
		one(&again, true)
		for _, release := range releases {
			release()
		}
		p.clock.Add(int64(laneCloses))
		one(&ignored, false)
	}
	if err != nil {
		return err
	}
	than := p.row("idle cycle", idle, 0)
	p.row(fmt.Sprintf("%d withdraw their consent", o.broken), revoked, than)
	p.row("  the cycle after that", refused, than)
	p.row(fmt.Sprintf("%d begin to hang", o.broken), struck, than)
	p.row("  the cycle after that", following, than)
	p.row("  when they are asked again, and still hang", again, than)
	_, _ = fmt.Fprintf(p.out, "\nload %s\n", load())
	return nil
}
