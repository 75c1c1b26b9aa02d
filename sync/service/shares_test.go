package service

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"dirsyncd/connectors"
	"dirsyncd/connectors/connectortest/memory"
	"dirsyncd/store/bolt"
	"dirsyncd/sync/database/postgrestest"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/fleet"
	"dirsyncd/sync/fleet/postgres"
	"dirsyncd/sync/targets"
)

const (
	tenants = 40
	staff   = 5 // of each customer
)

const partnerConfig = `state: state.db
control: %s.sock
connections:
  partner: {connector: memory, mapping: staff, targets: [journal]}
mappings:
  staff:
    rules: [{name: everyone, user: {name: = name}}]
    guard:
      deactivate: &all {count: 1000}
      24h: {deactivate: *all}
      7d: {deactivate: *all, usual: 0}
      connection: {deactivate: {count: 10}, 24h: {deactivate: *all}, 7d: {deactivate: *all, usual: 0}}
targets: {journal: {target: told}}
`

// partner is a source of many tenants, and the daemons that read it.
type partner struct {
	*testing.T
	*world
	db      *postgrestest.Database
	server  *postgrestest.Server
	fleet   fleet.Fleet
	ctx     context.Context
	daemons map[string]*partnerDaemon
	reads   chan [2]string // worker, tenant
	told    chan [2]string // worker, key
	hangs   atomic.Pointer[string]
	meets   atomic.Pointer[meeting]
	opens   func(worker string, env connectors.Env) connectors.Connector // the source of a daemon
	pools   []*pgxpool.Pool
	all     sync.WaitGroup
}

type partnerDaemon struct {
	signals, stop chan os.Signal
	ended         chan error
}

// reading is a worker's reader of the source.
type reading struct {
	connectors.Connector
	p      *partner
	worker string
}

func (r *reading) Read(ctx context.Context, req connectors.Request, emit func(*connectors.Page) error) error {
	r.p.reads <- [2]string{r.worker, req.Tenant.ID}
	if m := r.p.meets.Load(); m != nil {
		m.wait(ctx, r.worker)
	}
	if who := r.p.hangs.Load(); who != nil && *who == r.worker {
		<-ctx.Done()
		return ctx.Err()
	}
	return r.Connector.Read(ctx, req, emit)
}

// meeting has two who read wait for each other: who is quick would be ready for the other's share.
type meeting struct {
	mu   sync.Mutex
	here map[string]bool
	both chan struct{}
}

func newMeeting() *meeting { return &meeting{here: map[string]bool{}, both: make(chan struct{})} }

func (m *meeting) wait(ctx context.Context, who string) {
	m.mu.Lock()
	if !m.here[who] {
		if m.here[who] = true; len(m.here) == 2 {
			close(m.both)
		}
	}
	m.mu.Unlock()
	select {
	case <-m.both:
	case <-ctx.Done():
	}
}

func newPartner(t *testing.T) *partner {
	t.Helper()
	p := &partner{T: t, server: postgrestest.Start(t), world: &world{source: memory.NewTenantSource()}, daemons: map[string]*partnerDaemon{}, reads: make(chan [2]string, 1000), told: make(chan [2]string, 1000)}
	p.db = p.server.Database(t)
	t.Chdir(t.TempDir())
	for i := range tenants {
		id := fmt.Sprintf("t%02d", i)
		p.source.AddTenant(connectors.Tenant{ID: id, Name: id})
		for k := range staff {
			p.joins(id, fmt.Sprint("p", k))
		}
	}
	p.opens = func(worker string, _ connectors.Env) connectors.Connector { return &reading{p.people(), p, worker} }
	st, err := bolt.Open("state.db", bolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	p.store = &watchedStore{Store: st}
	ctx, end := context.WithCancel(context.WithoutCancel(t.Context()))
	p.ctx = ctx
	t.Cleanup(func() {
		end()
		p.all.Wait()
		for _, pool := range p.pools {
			pool.Close()
		}
		_ = st.Close()
	})
	return p
}

func (p *partner) people() connectors.Connector {
	return memory.Open(p.source, memory.Options{Kinds: []directory.Kind{directory.Person}})
}

func (p *partner) joins(tenant, id string) {
	o := directory.Object{Kind: directory.Person, ID: id}
	o.SetText(directory.FieldName, id)
	p.source.Put(tenant, o)
}

// open opens the fleet as a process of its own would.
func (p *partner) open(name string) fleet.Fleet {
	p.Helper()
	pool, err := pgxpool.New(p.ctx, p.server.DSN(p.db.Name)+" application_name='dirsyncd "+name+"'")
	if err != nil {
		p.Fatal(err)
	}
	p.pools = append(p.pools, pool)
	shared, err := postgres.Open(p.ctx, postgres.Options{Pool: pool, Schema: "fleet", Log: slog.New(slog.NewTextHandler(p.Output(), nil))})
	if err != nil {
		p.Fatal(err)
	}
	return shared
}

// start starts a daemon, and waits until it takes work.
func (p *partner) start(name string) {
	p.Helper()
	shared := p.open(name)
	if len(p.daemons) == 0 { // however late somebody asks for the second share, it is for who has none
		p.db.Exec("create function fleet.late() returns trigger language plpgsql as $$ begin new.wanted := new.wanted + interval '1 hour'; return new; end $$",
			"create trigger late before insert or update on fleet.unit for each row when (new.kind = 2 and new.want <> 0 and new.wanted < clock_timestamp() + interval '1 minute') execute function fleet.late()")
	}
	nothing := func() *struct{} { return &struct{}{} }
	p.parts.Connectors = connectors.Registry{connectors.New("memory", "a directory in memory", nothing, func(_ *struct{}, env connectors.Env) (connectors.Connector, error) {
		return p.opens(name, env), nil
	})}
	p.parts.Targets = targets.Registry{targets.New("told", "says who told it what", nothing, func(*struct{}, targets.Env) (targets.Target, error) { return &told{name, p.told}, nil })}
	if err := os.WriteFile("config.yaml", fmt.Appendf(nil, partnerConfig, name), 0o600); err != nil {
		p.Fatal(err)
	}
	p.load(p.T)
	d := &partnerDaemon{make(chan os.Signal), make(chan os.Signal), make(chan error, 1)}
	launch := Launch{Options: p.options(), Config: p.cfg, Written: FixedOf(p.cfg), Signals: d.signals, Stop: d.stop, Cut: func() { p.Error("cut") }}
	launch.Store, launch.Fleet, launch.Worker = common{p.store}, shared, name
	p.all.Go(func() { d.ended <- Run(p.ctx, launch) })
	p.daemons[name], p.fleet = d, shared
	p.until(name+" takes work", func() bool {
		list, err := shared.Workers(p.ctx)
		n := 0
		for _, w := range list {
			if w.Current {
				n++
			}
		}
		return err == nil && n == len(p.daemons)
	})
}

func (p *partner) until(what string, is func() bool) {
	p.Helper()
	for !is() {
		if p.Context().Err() != nil {
			p.Fatalf("it never came to this: %s", what)
		}
	}
}

// round awaits the reads of a run, that somebody has asked for, and returns how many each worker did. Each tenant is read once.
func (p *partner) round() (by map[string]int) {
	p.Helper()
	by = map[string]int{}
	seen := map[string]bool{}
	for range tenants {
		r := <-p.reads
		if by[r[0]]++; seen[r[1]] {
			p.Errorf("%s was read twice", r[1])
		}
		seen[r[1]] = true
	}
	p.idle()
	if len(p.reads) > 0 {
		p.Errorf("%d more reads", len(p.reads))
	}
	return by
}

// idle waits until nothing is wanted or worked on, and returns the shares that there are.
func (p *partner) idle() (shares []string) {
	p.Helper()
	p.until("nothing to do", func() bool {
		shares = nil
		units, err := p.fleet.Units(p.ctx, fleet.Selector{})
		for _, u := range units {
			if u.Want != 0 || u.Holder != "" {
				return false
			}
			if u.Unit.Kind == fleet.Run {
				shares = append(shares, u.Unit.Tenant)
			}
		}
		return err == nil
	})
	return shares
}

// TestSharesOfTwoWorkers: one worker runs all tenants of a connection as ever, two run one share each. In one run every tenant is run once, and all of them
// together lose no more than one worker lets them.
func TestSharesOfTwoWorkers(t *testing.T) {
	p := newPartner(t)
	p.start("a")
	if by := p.round(); by["a"] != tenants {
		t.Errorf("read by %v", by)
	}
	if shares := p.idle(); len(shares) > 0 {
		t.Errorf("alone, with shares %q", shares)
	}
	p.start("b")
	p.meets.Store(newMeeting())
	p.daemons["b"].signals <- syscall.SIGUSR1
	if by := p.round(); by["a"] == 0 || by["b"] == 0 {
		t.Errorf("read by %v", by)
	}
	if shares := strings.Join(p.idle(), ", "); shares != "1 of 2, 2 of 2" {
		t.Errorf("shares %s", shares)
	}
	for i := range tenants {
		p.source.Remove(fmt.Sprintf("t%02d", i), directory.Ref{Kind: directory.Person, ID: "p0"})
	}
	p.meets.Store(newMeeting())
	p.daemons["a"].signals <- syscall.SIGUSR2
	if by := p.round(); by["a"] == 0 || by["b"] == 0 {
		t.Errorf("read by %v", by)
	}
	residents, err := engine.Residents(t.Context(), p.store)
	active := 0
	for _, r := range residents {
		active += r.Active
	}
	if want := tenants*staff - 10; err != nil || active != want {
		t.Errorf("%d are left, want %d; %v", active, want, err)
	}
}

// TestShareOfAWorkerThatEnds is run by the other one, and nothing is told twice.
func TestShareOfAWorkerThatEnds(t *testing.T) {
	p := newPartner(t)
	p.start("a")
	p.round()
	p.start("b")
	hear := func(n int) {
		t.Helper()
		seen := map[string]bool{}
		for range n {
			d := <-p.told
			if seen[d[1]] {
				t.Errorf("%s was told twice", d[1])
			}
			seen[d[1]] = true
		}
	}
	hear(tenants * staff)
	for i := range tenants {
		p.joins(fmt.Sprintf("t%02d", i), "new")
	}
	a := "a"
	p.hangs.Store(&a)
	p.meets.Store(newMeeting()) // b does not run both shares while a is on its way
	p.daemons["b"].signals <- syscall.SIGUSR1
	by := map[string]int{}
	read := func() {
		r := <-p.reads
		if by[r[0]+" "+r[1]]++; by[r[0]+" "+r[1]] > 1 {
			t.Errorf("%s read %s twice", r[0], r[1])
		}
		by[r[0]]++
	}
	for by["a"] == 0 {
		read()
	}
	status, err := (&Service{fleet: p.fleet}).workers(t.Context())
	if err != nil || len(status) != 2 || len(status[0].Holds) != 1 || !strings.HasPrefix(status[0].Holds[0], "run partner (share ") || !strings.HasSuffix(status[0].Holds[0], " of 2)") {
		t.Errorf("%+v: %v", status, err)
	}
	p.daemons["a"].stop <- syscall.SIGTERM
	if err := <-p.daemons["a"].ended; err != nil {
		t.Error(err)
	}
	close(p.daemons["a"].stop)
	for by["b"] < tenants {
		read()
	}
	p.idle()
	for len(p.reads) > 0 {
		read()
	}
	if by["b"] != tenants {
		t.Errorf("b read %d tenants", by["b"])
	}
	hear(tenants)
	if len(p.told) > 0 {
		t.Errorf("%d more are told", len(p.told))
	}
}

// TestPartOf: what a unit of a share says is what is run, and what it cannot be is refused.
func TestPartOf(t *testing.T) {
	g := &together{}
	held := func(tenant, round string) fleet.Held {
		return fleet.Held{Unit: fleet.Unit{Kind: fleet.Run, Connection: "partner", Tenant: tenant}, Request: fleet.Request{Args: map[string]string{argRound: round}}}
	}
	for i, name := range sharesOf(engine.Round{Name: "r", Shares: 3}).Tenants {
		if p, err := g.partOf(held(name, "r")); err != nil || p.round != "r" || p.share != (engine.Share{Number: i + 1, Of: 3}) {
			t.Errorf("%q: %+v, %v", name, p, err)
		}
	}
	for _, name := range []string{"", "t", "0 of 2", "3 of 2", "1 of", "-1 of 2"} {
		if p, err := g.partOf(held(name, "r")); err == nil {
			t.Errorf("%q: %+v", name, p)
		}
	}
	if _, err := g.partOf(held("1 of 2", "")); err == nil {
		t.Error("in no round")
	}
}
