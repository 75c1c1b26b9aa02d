package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"dirsyncd/connectors"
	"dirsyncd/sync/api"
	"dirsyncd/sync/api/socket"
	"dirsyncd/sync/database/postgrestest"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/fleet"
	"dirsyncd/sync/fleet/postgres"
	"dirsyncd/sync/targets"
)

// here is the configuration of a target that needs something of its machine.
type here struct{}

func (*here) Local() string { return "a drum" }

// toldOf is a target that says who told it of what.
type toldOf struct {
	told
	heard chan<- [2]string // worker, connection
}

func (t *toldOf) Deliver(_ context.Context, work []targets.Delivery) ([]targets.Outcome, error) {
	for i := range work {
		t.heard <- [2]string{t.worker, work[i].Action.Origin.Connection}
	}
	return make([]targets.Outcome, len(work)), nil
}

// band are daemons of a test that share a state.
type band struct {
	t          *testing.T
	world      *world
	dsn        string
	deliveries chan [2]string // worker, connection
}

// member is one of them.
type member struct {
	fleet         *postgres.Fleet
	log           heard
	signals, stop chan os.Signal
	ended         chan error
}

func newBand(t *testing.T) *band {
	server := postgrestest.Start(t)
	b := &band{t: t, world: newWorld(t), dsn: server.DSN(server.Database(t).Name), deliveries: make(chan [2]string, 1000)}
	t.Cleanup(func() { _ = b.world.store.Close() })
	return b
}

// join starts a daemon.
func (b *band) join(name, text string) *member {
	b.t.Helper()
	w, ctx := b.world, b.t.Context()
	pool, err := pgxpool.New(ctx, b.dsn+" application_name='dirsyncd "+name+"'")
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(pool.Close)
	shared, err := postgres.Open(ctx, postgres.Options{Pool: pool, Schema: "fleet", Log: slog.New(slog.NewTextHandler(b.t.Output(), nil))})
	if err != nil {
		b.t.Fatal(err)
	}
	open := func(name string) targets.Target { return &toldOf{told{worker: name}, b.deliveries} }
	w.parts.Targets = targets.Registry{
		targets.New("told", "says who told it what", func() *struct{} { return &struct{}{} }, func(*struct{}, targets.Env) (targets.Target, error) { return open(name), nil }),
		targets.New("here", "needs its machine", func() *here { return &here{} }, func(*here, targets.Env) (targets.Target, error) { return open(name), nil })}
	b.write("control: " + name + ".sock\n" + text)
	w.load(b.t)
	m := &member{shared, heard{make(chan slog.Record, 10000)}, make(chan os.Signal), make(chan os.Signal), make(chan error, 1)}
	launch := Launch{Options: w.options(), Config: w.cfg, Written: FixedOf(w.cfg), Signals: m.signals, Stop: m.stop, Cut: func() { b.t.Error("cut") }}
	launch.Log, launch.Store, launch.Fleet, launch.Worker = slog.New(m.log), common{w.store}, shared, name
	ctx, end := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() { m.ended <- Run(ctx, launch) })
	b.t.Cleanup(func() { end(); running.Wait() })
	return m
}

func (b *band) write(text string) {
	b.t.Helper()
	if err := os.WriteFile("config.yaml", []byte("state: state.db\n"+text), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

func (b *band) dial(name string) *socket.Client {
	b.t.Helper()
	client, err := socket.Dial(b.t.Context(), name+".sock")
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { client.Close() })
	return client
}

func (m *member) end() error {
	m.stop <- syscall.SIGTERM
	defer close(m.stop)
	return <-m.ended
}

const boundConfig = `connections:
  hq: {connector: memory, mapping: staff, targets: [journal], workers: [a]}
  lab: {connector: memory, mapping: staff, targets: [journal], workers: [b]}
mappings: {staff: {rules: [{name: everyone, user: {name: = name}}]}}
targets: {journal: {target: told, workers: [b]}}
`

// TestBoundToWorkers: what is for some workers others leave alone, by schedule and when asked, and say who does it.
func TestBoundToWorkers(t *testing.T) {
	band := newBand(t)
	a := band.join("a", boundConfig)
	a.log.until("started", "run ended")
	client := band.dial("a")
	st, err := client.Status(t.Context())
	if err != nil || fmt.Sprint(st.Unstaffed) != "[{connection lab [b]} {target journal [b]}]" || st.Targets[0].Waiting != 1 {
		t.Errorf("%+v, %+v, %v", st.Unstaffed, st.Targets, err)
	}
	refused := func(what string, err error) {
		t.Helper()
		if fault.ClassOf(err) != fault.Configuration || !strings.Contains(err.Error(), `worker "b" alone`) {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err = client.Sync(t.Context(), api.SyncRequest{Connections: []string{"lab"}}, nil)
	refused("sync", err)
	_, err = client.Plan(t.Context(), api.PlanRequest{Connections: []string{"lab"}}, func(api.PlannedAction) {})
	refused("plan", err)
	if _, err = client.Plan(t.Context(), api.PlanRequest{Connections: []string{"lab"}, Offline: true}, func(api.PlannedAction) {}); err != nil {
		t.Errorf("plan offline: %v", err)
	}
	plan, err := client.Plan(t.Context(), api.PlanRequest{}, func(api.PlannedAction) {})
	if err != nil || len(plan.Runs) != 1 || plan.Runs[0].Connection != "hq" || fmt.Sprint(plan.Elsewhere) != "[{lab [b] false}]" {
		t.Errorf("plan of all: %+v, %v", plan, err)
	}
	b := band.join("b", boundConfig)
	b.log.until("started")
	heard := map[[2]string]int{}
	for range 2 { // one was read by a, and both are delivered by b
		heard[<-band.deliveries]++
	}
	band.world.join("bob", "Bob")
	result, err := client.Sync(t.Context(), api.SyncRequest{}, nil)
	if err != nil || len(result.Runs) != 1 || result.Runs[0].Connection != "hq" || fmt.Sprint(result.Elsewhere) != "[{lab [b] true}]" {
		t.Errorf("%+v, %v", result, err)
	}
	if len(result.Delivered) != 1 || !result.Delivered[0].Others || fmt.Sprint(result.Delivered[0].Workers) != "[b]" {
		t.Errorf("nobody says who delivers: %+v", result.Delivered)
	}
	for range 2 { // what a was asked for, too, and could not do
		heard[<-band.deliveries]++
	}
	if heard[[2]string{"b", "hq"}] != 2 || heard[[2]string{"b", "lab"}] != 2 {
		t.Errorf("%v", heard)
	}
	if st, err = client.Status(t.Context()); err != nil || len(st.Unstaffed) != 0 || len(st.Workers) != 2 {
		t.Errorf("%+v, %v", st, err)
	}
	for _, m := range []*member{a, b} {
		if err := m.end(); err != nil {
			t.Error(err)
		}
	}
}

const dongleConfig = `state: state.db
connections:
  hq: {connector: dongle, mapping: staff, targets: [journal], workers: [%s]}
mappings: {staff: {rules: [{name: everyone, user: {name: = name}}]}}
targets: {journal: {target: file, file: {path: changes.jsonl}}}
`

// TestComesHere: a connection of another worker, which could not be opened here, is opened when a reload brings it here.
func TestComesHere(t *testing.T) {
	w := newWorld(t)
	opened, plugged := 0, false
	w.parts.Connectors = append(w.parts.Connectors, connectors.New("dongle", "sits in a socket", func() *struct{} { return &struct{}{} },
		func(*struct{}, connectors.Env) (connectors.Connector, error) {
			opened++
			if !plugged {
				return nil, errors.New("there is no dongle")
			}
			return unopenedSource{unopened{errors.New("the dongle was asked")}}, nil
		}))
	load := func(workers string) {
		t.Helper()
		if err := os.WriteFile("config.yaml", fmt.Appendf(nil, dongleConfig, workers), 0o600); err != nil {
			t.Fatal(err)
		}
		w.load(t)
	}
	load("b")
	opts := w.options()
	opts.Shared, opts.Worker = true, "a"
	s, err := New(w.cfg, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	load("a")
	if err := s.reload(t.Context(), "config.yaml", nobodyElse); err == nil || !strings.Contains(err.Error(), "there is no dongle") {
		t.Errorf("it is for this worker, and the dongle is not here: %v", err)
	}
	plugged = true
	if err := s.reload(t.Context(), "config.yaml", nobodyElse); err != nil {
		t.Fatal(err)
	}
	if _, err := s.current().connections["hq"].Source.Tenants(t.Context()); err == nil || !strings.Contains(err.Error(), "the dongle was asked") {
		t.Errorf("when it is asked: %v", err)
	}
	if opened != 3 {
		t.Errorf("it was opened %d times", opened)
	}
}

const keptConfig = `connections:
  hq: {connector: memory, mapping: staff, targets: [journal]}
mappings: {staff: {rules: [{name: everyone, user: {name: = name}}]}}
targets: {journal: {target: told, workers: [a]}}
`

// TestKeepsItsTarget: the only worker that may deliver to a target goes on when it is drained and others take work.
func TestKeepsItsTarget(t *testing.T) {
	band := newBand(t)
	a := band.join("a", keptConfig)
	<-band.deliveries
	b := band.join("b", keptConfig)
	b.log.until("started")
	client := band.dial("b")
	if _, err := client.Drain(t.Context(), api.DrainRequest{Worker: "a"}); err != nil {
		t.Fatal(err)
	}
	for !a.fleet.Yields() { // what others can do, too
		select {
		case <-t.Context().Done():
			t.Fatal("it was never told that it is drained")
		case <-time.After(10 * time.Millisecond):
		}
	}
	for _, name := range []string{"bob", "cy", "dan"} {
		band.world.join(name, name)
		if _, err := client.Sync(t.Context(), api.SyncRequest{}, nil); err != nil {
			t.Fatal(err)
		}
		if got := <-band.deliveries; got != [2]string{"a", "hq"} {
			t.Errorf("%s: %v", name, got)
		}
	}
	for _, m := range []*member{a, b} {
		if err := m.end(); err != nil {
			t.Error(err)
		}
	}
}

const unplacedConfig = `connections:
  hq: {connector: memory, mapping: staff, targets: [journal]}
mappings: {staff: {rules: [{name: everyone, user: {name: = name}}]}}
targets: {journal: {target: here%s}}
`

// TestUnplaced: one worker needs no places. A second one is refused while something of one machine has none.
func TestUnplaced(t *testing.T) {
	band := newBand(t)
	a := band.join("a", fmt.Sprintf(unplacedConfig, ""))
	<-band.deliveries
	b := band.join("b", fmt.Sprintf(unplacedConfig, ""))
	err := <-b.ended
	var other *fleet.AloneError
	if !errors.As(err, &other) || other.Other != "a" || fault.ClassOf(err) != fault.Configuration || !strings.Contains(err.Error(), `target "journal"`) {
		t.Errorf("%v", err)
	}
	close(b.stop)
	band.write("control: a.sock\n" + fmt.Sprintf(unplacedConfig, ", workers: [a]"))
	a.signals <- syscall.SIGHUP
	a.log.until("configuration reloaded")
	b = band.join("b", fmt.Sprintf(unplacedConfig, ", workers: [a]"))
	b.log.until("started")
	for st, client := (api.Status{}), band.dial("a"); len(st.Workers) < 2; { // it registers after it has started
		if st, err = client.Status(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	band.write("control: a.sock\n" + fmt.Sprintf(unplacedConfig, ""))
	a.signals <- syscall.SIGHUP
	a.log.until("the configuration was refused; the present one stays")
	for _, m := range []*member{a, b} {
		if err := m.end(); err != nil {
			t.Error(err)
		}
	}
}
