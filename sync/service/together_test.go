package service

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"dirsyncd/connectors/connectortest/memory"
	"dirsyncd/store"
	"dirsyncd/sync/api"
	"dirsyncd/sync/api/socket"
	"dirsyncd/sync/database/postgrestest"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/fleet"
	"dirsyncd/sync/fleet/postgres"
	"dirsyncd/sync/schedule"
	"dirsyncd/sync/targets"
)

// told is a target that says who told it what.
type told struct {
	worker string
	heard  chan<- [2]string // worker, key
}

func (*told) Describe() targets.Description { return targets.Description{} }
func (*told) Check(context.Context) error   { return nil }
func (*told) Reopen() error                 { return nil }
func (*told) Close() error                  { return nil }
func (t *told) Deliver(_ context.Context, work []targets.Delivery) ([]targets.Outcome, error) {
	for i := range work {
		t.heard <- [2]string{t.worker, work[i].Action.Key}
	}
	return make([]targets.Outcome, len(work)), nil
}

// common is a state that several daemons have.
type common struct{ store.Store }

// Close leaves it to the test.
func (common) Close() error { return nil }

// TestTwoWorkers: of two daemons that share a state each run is one's, and each action is delivered once, also when one of them stops.
func TestTwoWorkers(t *testing.T) {
	server := postgrestest.Start(t)
	db := server.Database(t)
	w := newWorld(t)
	defer w.store.Close()
	deliveries, log := make(chan [2]string, 1000), heard{make(chan slog.Record, 10000)}
	type daemon struct {
		signals, stop chan os.Signal
		ended         chan error
	}
	daemons := map[string]*daemon{}
	var all sync.WaitGroup
	defer all.Wait()
	ctx, end := context.WithCancel(t.Context())
	defer end()
	for _, name := range []string{"a", "b"} {
		pool, err := pgxpool.New(ctx, server.DSN(db.Name)+" application_name='dirsyncd "+name+"'")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(pool.Close)
		shared, err := postgres.Open(ctx, postgres.Options{Pool: pool, Schema: "fleet", Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
		if err != nil {
			t.Fatal(err)
		}
		w.parts.Targets = targets.Registry{targets.New("told", "says who told it what", func() *struct{} { return &struct{}{} },
			func(*struct{}, targets.Env) (targets.Target, error) { return &told{name, deliveries}, nil })}
		if err := os.WriteFile("config.yaml", fmt.Appendf(nil, togetherConfig, name), 0o600); err != nil {
			t.Fatal(err)
		}
		w.load(t)
		d := &daemon{make(chan os.Signal), make(chan os.Signal), make(chan error, 1)}
		launch := Launch{Options: w.options(), Config: w.cfg, Written: FixedOf(w.cfg), Signals: d.signals, Stop: d.stop, Cut: func() { t.Error("cut") }}
		launch.Log, launch.Store, launch.Fleet, launch.Worker = slog.New(log), common{w.store}, shared, name
		all.Go(func() { d.ended <- Run(ctx, launch) })
		log.until("started")
		daemons[name] = d
	}
	seen := map[string]bool{}
	hear := func(n int) (by map[string]int) {
		by = map[string]int{}
		for range n {
			d := <-deliveries
			if by[d[0]]++; seen[d[1]] {
				t.Errorf("%s was delivered twice", d[1])
			}
			seen[d[1]] = true
		}
		return by
	}
	hear(2) // ada, of either connection
	w.join("bob", "Bob")
	daemons["a"].signals <- syscall.SIGUSR1
	if by := hear(2); len(by) != 1 {
		t.Errorf("delivered by %v", by)
	}
	client, err := socket.Dial(t.Context(), "b.sock")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	st, err := client.Status(t.Context())
	for err == nil && len(st.Workers) < 2 { // one has started before it takes part
		st, err = client.Status(t.Context())
	}
	if err != nil || len(st.Workers) != 2 || st.Workers[0].Name != "a" || st.Workers[1].Name != "b" || st.Workers[0].State != "working" || st.Workers[0].Version != "1.2.3" {
		t.Errorf("%+v: %v", st, err)
	}
	drained := func(req api.DrainRequest, want int, states ...string) {
		t.Helper()
		n, err := client.Drain(t.Context(), req)
		if n != want || (err != nil) != (want == 0) {
			t.Errorf("%+v: %d, %v", req, n, err)
		}
		st, err := client.Status(t.Context())
		if err != nil || len(st.Workers) != 2 || st.Workers[0].State != states[0] || st.Workers[1].State != states[1] {
			t.Errorf("%+v: %+v, %v", req, st.Workers, err)
		}
	}
	drained(api.DrainRequest{}, 1, "working", "draining") // the one that is asked
	drained(api.DrainRequest{End: true}, 1, "working", "working")
	drained(api.DrainRequest{Worker: "nobody"}, 0, "working", "working")
	drained(api.DrainRequest{Worker: "a"}, 1, "draining", "working")
	w.join("dora", "Dora")
	daemons["a"].signals <- syscall.SIGUSR1 // a signal asks all
	hear(2)
	daemons["a"].stop <- syscall.SIGTERM
	if err := <-daemons["a"].ended; err != nil {
		t.Error(err)
	}
	close(daemons["a"].stop)
	w.join("carl", "Carl")
	daemons["b"].signals <- syscall.SIGUSR1
	if by := hear(2); by["b"] != 2 {
		t.Errorf("delivered by %v", by)
	}
	daemons["b"].stop <- syscall.SIGTERM
	if err := <-daemons["b"].ended; err != nil {
		t.Error(err)
	}
	close(daemons["b"].stop)
	if len(deliveries) > 0 {
		t.Errorf("%d more deliveries", len(deliveries))
	}
}

// TestWorkersWithOneConfiguration: how a process is reached, and how it reaches the state, is its own matter; all else is what workers have to have in common.
func TestWorkersWithOneConfiguration(t *testing.T) {
	w := newWorld(t)
	base := fmt.Sprintf(togetherConfig, "a")
	identity := func(text string) string {
		t.Helper()
		if err := os.WriteFile("config.yaml", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		w.load(t)
		s, err := New(w.cfg, Options{Parts: w.parts, Store: common{w.store}, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		plan, err := planOf(s.current())
		if err != nil || plan.Generation == "" {
			t.Fatal(err)
		}
		return plan.Generation
	}
	w.parts.Targets = targets.Registry{targets.New("told", "says who told it what", func() *struct{} { return &struct{}{} },
		func(*struct{}, targets.Env) (targets.Target, error) { return &told{}, nil })}
	defer w.store.Close()
	first := identity(base)
	for _, test := range []struct {
		was, is string
		same    bool
	}{
		{"control: a.sock", "control: b.sock", true},
		{"control: a.sock", "control: a.sock\nlisten: 127.0.0.1:9440\nlog: {level: debug}", true},
		{"control: a.sock", "control: a.sock\nreaders: {socket: r.sock, group: root}", true},
		{"control: a.sock", "control: a.sock\nweb: {url: \"https://a.example.test\", listen: 127.0.0.1:8443, proxies: [127.0.0.1]}", true},
		{"state: state.db", "state: {url: postgres://a@db/x, worker: south, connections: 3}", true},
		{"name: = name", "name: = name + name", false},
		{"targets: [journal]}", "targets: [journal], schedule: \"@hourly\"}", false},
		{"control: a.sock", "control: a.sock\nparallel: 3", false},
	} {
		text := strings.Replace(base, test.was, test.is, 1)
		if text == base {
			t.Fatalf("there is no %q", test.was)
		}
		if same := identity(text) == first; same != test.same {
			t.Errorf("with %q: the same: %t", test.is, same)
		}
	}
}

const togetherConfig = `state: state.db
control: %s.sock
connections:
  hq: {connector: memory, mapping: staff, targets: [journal]}
  lab: {connector: memory, mapping: staff, targets: [journal]}
mappings: {staff: {rules: [{name: everyone, user: {name: = name}}]}}
targets: {journal: {target: told}}
`

// TestHangingConnectionLeavesItsLane: with several workers, too, a connection that failed the last time and hangs now keeps none waiting.
func TestHangingConnectionLeavesItsLane(t *testing.T) {
	server := postgrestest.Start(t)
	db := server.Database(t)
	w := newWorld(t)
	defer w.store.Close()
	pool, err := pgxpool.New(t.Context(), server.DSN(db.Name)+" application_name='dirsyncd a'")
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	shared, err := postgres.Open(t.Context(), postgres.Options{Pool: pool, Schema: "fleet", Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	deliveries := make(chan [2]string, 1000)
	w.parts.Targets = targets.Registry{targets.New("told", "says who told it what", func() *struct{} { return &struct{}{} },
		func(*struct{}, targets.Env) (targets.Target, error) { return &told{"a", deliveries}, nil })}
	if err := os.WriteFile("config.yaml", fmt.Appendf(nil, "parallel: 1\n"+togetherConfig, "a"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.load(t)
	stop, ended := make(chan os.Signal), make(chan error, 1)
	launch := Launch{Options: w.options(), Config: w.cfg, Written: FixedOf(w.cfg), Signals: make(chan os.Signal), Stop: stop, Cut: func() { t.Error("cut") }}
	launch.Store, launch.Fleet, launch.Worker = common{w.store}, shared, "a"
	go func() { ended <- Run(t.Context(), launch) }()
	for range 2 {
		<-deliveries // ada, of either connection
	}

	want := func(connection string) {
		t.Helper()
		if n, err := shared.Want(t.Context(), fleet.Selector{Kind: fleet.List, Connection: connection}, fleet.Request{Want: fleet.Incremental, Cause: "test"}); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	until := func(connection string, so func(fleet.UnitState) bool) {
		t.Helper()
		for every := time.NewTicker(20 * time.Millisecond); ; <-every.C {
			list, err := shared.Units(t.Context(), fleet.Selector{Kind: fleet.List, Connection: connection})
			if err != nil || len(list) != 1 {
				t.Fatal(list, err)
			}
			if so(list[0]) {
				every.Stop()
				return
			}
		}
	}
	rests := func(u fleet.UnitState) bool { return u.Holder == "" && u.Want == 0 }
	until("hq", rests)
	until("lab", rests)
	failing := memory.FailWith(0, fault.Auth)
	failing.Times = 1
	w.source.Script(failing)
	want("hq")
	until("hq", func(u fleet.UnitState) bool { return rests(u) && u.Failing != "" })
	w.source.Script(memory.Misbehaviour{What: memory.Hang, Times: 1})
	w.join("bob", "Bob")
	reads := w.source.Reads()
	want("hq")
	for every := time.NewTicker(20 * time.Millisecond); w.source.Reads() == reads; <-every.C {
	}
	want("lab")
	<-deliveries // bob, of lab, which has the only lane
	until("hq", func(u fleet.UnitState) bool { return u.Holder == "a" })
	stop <- syscall.SIGTERM
	if err := <-ended; err != nil {
		t.Error(err)
	}
	close(stop)
}

// wishes is a fleet that notes what is wanted.
type wishes struct {
	fleet.Fleet
	ranks []fleet.Priority
}

func (w *wishes) Want(_ context.Context, _ fleet.Selector, r fleet.Request) (int, error) {
	w.ranks = append(w.ranks, r.Rank())
	return 1, nil
}

// First syncs let changes pass, and go before nobody.
func TestFirstSyncsGoLast(t *testing.T) {
	w := &wishes{}
	g := &together{fleet: w, log: slog.New(slog.DiscardHandler)}
	for _, trigger := range []schedule.Trigger{
		{Cause: schedule.CauseStartup}, {Cause: schedule.CauseSchedule}, {Cause: schedule.CauseFull, Full: true}, {Cause: schedule.CauseUSR1},
	} {
		g.Trigger("hq", trigger)
	}
	if want := []fleet.Priority{fleet.Bulk, fleet.Changes, fleet.Whole, fleet.Urgent}; !slices.Equal(w.ranks, want) {
		t.Errorf("%v, not %v", w.ranks, want)
	}
}
