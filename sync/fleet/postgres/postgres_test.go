package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"dirsyncd/sync/database/postgrestest"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/fleet"
	"dirsyncd/sync/fleet/postgres"
	"dirsyncd/sync/schedule"
)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		os.Exit(child())
	}
	os.Exit(m.Run())
}

const schema = "fleet_test"

// place is a database for one test.
type place struct {
	dsn    string
	pooled bool // as behind a pooler of transactions
	*postgrestest.Database
}

func newPlace(t *testing.T, s *postgrestest.Server) place {
	t.Helper()
	d := s.Database(t)
	return place{dsn: s.DSN(d.Name), Database: d}
}

// open opens the fleet as a process of its own would.
func (p place) open(t *testing.T, name string, log *slog.Logger) *postgres.Fleet {
	t.Helper()
	f, err := postgres.Open(t.Context(), postgres.Options{Pool: p.pool(t, name), Schema: schema, Log: log, PollOnly: p.pooled})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (p place) pool(t *testing.T, name string) *pgxpool.Pool {
	t.Helper()
	dsn := p.dsn + " application_name='dirsyncd " + name + "'"
	if p.pooled {
		dsn += " default_query_exec_mode=exec"
	}
	pool, err := pgxpool.New(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func logOf(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), nil))
}

// value reads one value.
func value[T any](t *testing.T, p place, query string, args ...any) (v T) {
	t.Helper()
	if err := p.DB.QueryRow(query, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v
}

// until waits until something is so. Nothing but the end of the test hurries it.
func until(t *testing.T, what string, so func() bool) {
	t.Helper()
	for !so() {
		select {
		case <-t.Context().Done():
			t.Fatalf("it never came to this: %s", what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// call is one run that a worker was asked for. It ends when told.
type call struct {
	worker string
	fleet.Held
	ctx context.Context
	end chan outcome
}

type outcome struct {
	finish fleet.Finish
	err    error
}

func (c *call) done()                  { c.end <- outcome{finish: fleet.Finish{Proven: true}} }
func (c *call) finish(f fleet.Finish)  { c.end <- outcome{finish: f} }
func (c *call) fail(err error)         { c.end <- outcome{err: err} }
func (c *call) is(u fleet.Unit) bool   { return c.Unit == u }
func (c *call) tenants(list ...string) { c.finish(fleet.Finish{Proven: true, Tenants: list}) }
func run(connection, tenant string) fleet.Unit {
	return fleet.Unit{Kind: fleet.Run, Connection: connection, Tenant: tenant}
}
func list(connection string) fleet.Unit { return fleet.Unit{Kind: fleet.List, Connection: connection} }

// crew are workers of a test, and the runs that they are asked for.
type crew struct {
	t     *testing.T
	place place
	log   *slog.Logger // of those that start from here on
	calls chan *call
}

func newCrew(t *testing.T, s *postgrestest.Server) *crew {
	return &crew{t: t, place: newPlace(t, s), log: logOf(t), calls: make(chan *call, 1000)}
}

// worker starts one. stop has it leave, and waits for that.
func (c *crew) worker(name string, lanes int, plan fleet.Plan) (f *postgres.Fleet, stop func()) {
	c.t.Helper()
	f = c.place.open(c.t, name, c.log)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		err := f.Work(ctx, fleet.Worker{Name: name, Program: "test", Lanes: lanes}, plan, func(ctx context.Context, h fleet.Held) (fleet.Finish, error) {
			it := &call{worker: name, Held: h, ctx: ctx, end: make(chan outcome, 1)}
			c.calls <- it
			select {
			case o := <-it.end:
				return o.finish, o.err
			case <-ctx.Done():
				return fleet.Finish{}, ctx.Err()
			}
		})
		if err != nil {
			c.t.Error(err)
		}
	})
	stop = func() { cancel(); wg.Wait() }
	c.t.Cleanup(stop)
	return f, stop
}

// next is the next run that somebody is asked for.
func (c *crew) next() *call {
	c.t.Helper()
	select {
	case it := <-c.calls:
		return it
	case <-c.t.Context().Done():
		c.t.Fatal("nobody was asked for anything")
		return nil
	}
}

// expect is the next run, which has to be this one.
func (c *crew) expect(u fleet.Unit) *call {
	c.t.Helper()
	it := c.next()
	if !it.is(u) {
		c.t.Fatalf("asked for %v, not for %v", it.Unit, u)
	}
	return it
}

// ready has a connection with tenants that all were run once.
func (c *crew) ready(connection string, tenants ...string) {
	c.t.Helper()
	c.expect(list(connection)).tenants(tenants...)
	for range tenants {
		c.next().done()
	}
	c.idle(connection)
}

// idle waits until nothing of a connection is wanted or worked on.
func (c *crew) idle(connection string) {
	c.t.Helper()
	until(c.t, "nothing to do", func() bool {
		return value[int](c.t, c.place, "select count(*) from "+schema+".unit where connection = $1 and (want <> 0 or holder is not null or job is not null)", connection) == 0
	})
}

func (c *crew) want(f *postgres.Fleet, of fleet.Selector, r fleet.Request) {
	c.t.Helper()
	if n, err := f.Want(c.t.Context(), of, r); err != nil || n == 0 {
		c.t.Fatalf("%d are wanted: %v", n, err)
	}
}

func (c *crew) state(f *postgres.Fleet, u fleet.Unit) fleet.UnitState {
	c.t.Helper()
	list, err := f.Units(c.t.Context(), fleet.Selector(u))
	if err != nil || len(list) != 1 {
		c.t.Fatalf("%v: %v", list, err)
	}
	return list[0]
}

func plan(generation string, units ...fleet.Planned) fleet.Plan {
	return fleet.Plan{Generation: generation, Units: units}
}

func connection(name string) fleet.Planned { return fleet.Planned{Unit: list(name)} }

func every(t *testing.T, name, spec string) fleet.Planned {
	t.Helper()
	s, err := schedule.Parse(spec, "")
	if err != nil {
		t.Fatal(err)
	}
	return fleet.Planned{Unit: list(name), Incremental: s, Spec: spec}
}

func TestFleet(t *testing.T) {
	t.Parallel()
	s := postgrestest.Start(t)
	var all sync.WaitGroup
	defer all.Wait()
	at := make(chan struct{}, 6)
	for name, test := range map[string]func(*testing.T, *postgrestest.Server){
		"whatever is wanted meanwhile is one more run": oneMore, "full wins": fullWins, "a new connection is run at once": newConnection,
		"left alone": leftAlone, "failing": failing, "so many of a connection": capped, "the connection with the least under way": fair, "waited long": aged,
		"places": places, "a stopped worker gives back": givesBack, "drain": drained, "configurations": generations, "a stranger waits": stranger,
		"finish with the last write": finishWithWrite, "a job that nobody took": neverTaken, "a job that somebody ended": endedJob, "deliveries": deliveries,
		"a connection that is gone": gone, "as behind a pooler": pooled, "another one fires": firing, "dies and comes back": reborn, "arguments": arguments, "a handler that panics": panics, "a busy place": boundBusy, "a job that nobody got": lostFetch, "a killed one before": ghost, "one that stopped while it decided": stopped, "a killed one of another name": renamed, "of the same name": namesakes, "asked for meanwhile": askedMeanwhile, "aside": aside, "aside when it stops": asideStops, "not begun": notBegun, "superseded": superseded,
		"nobody is left": nobodyLeft, "yields": yields, "a newer queue": newerQueue, "without the right to make schemas": noCreate, "what is done": cleared,
		"for one alone": forOneAlone, "portions": portions, "portions where a place is less": placeLess, "shares": shares, "shares in two places": boundShares, "published by a command": published, "upkeep": upkeep,
	} {
		// They wait most of the time, so that more of them run at a time than there are processors.
		at <- struct{}{}
		all.Go(func() {
			defer func() { <-at }()
			t.Run(name, func(t *testing.T) { test(t, s) })
		})
	}
}

// oneMore: two that ask while a unit is worked on are one run, after that.
func oneMore(t *testing.T, s *postgrestest.Server) {
	c := newCrew(t, s)
	f, _ := c.worker("a", 4, plan("g", connection("c")))
	c.ready("c", "t")
	tenant := fleet.Selector(run("c", "t"))
	c.want(f, tenant, fleet.Request{Want: fleet.Incremental, Cause: "first"})
	it := c.expect(run("c", "t"))
	c.want(f, tenant, fleet.Request{Want: fleet.Incremental, Cause: "second"})
	c.want(f, tenant, fleet.Request{Want: fleet.Incremental, Cause: "third"})
	if st := c.state(f, run("c", "t")); st.Holder != "a" || st.Doing != fleet.Incremental || st.Want != fleet.Incremental || st.Since.IsZero() {
		t.Errorf("%+v", st)
	}
	it.done()
	more := c.expect(run("c", "t"))
	if more.Request.Cause != "second" || more.Fence <= it.Fence {
		t.Errorf("%+v after the fence %d", more.Held, it.Fence)
	}
	more.done()
	c.idle("c")
	if n := len(c.calls); n != 0 {
		t.Errorf("%d more runs", n)
	}
	if st := c.state(f, run("c", "t")); st.Proven.IsZero() || st.Holder != "" {
		t.Errorf("%+v", st)
	}
}

func fullWins(t *testing.T, s *postgrestest.Server) {
	c := newCrew(t, s)
	f, _ := c.worker("a", 4, plan("g", connection("c")))
	c.ready("c", "t", "u")
	c.want(f, fleet.Selector(run("c", "t")), fleet.Request{Want: fleet.Incremental, Cause: "before"})
	it := c.expect(run("c", "t"))
	c.want(f, fleet.Selector{Connection: "c", Tenant: "t"}, fleet.Request{Want: fleet.Incremental, Cause: "schedule"})
	c.want(f, fleet.Selector{Connection: "c", Tenant: "t"}, fleet.Request{Want: fleet.Full, Cause: "full"})
	c.want(f, fleet.Selector{Connection: "c", Tenant: "t"}, fleet.Request{Want: fleet.Approve, Cause: "later"})
	it.done()
	it = c.expect(run("c", "t"))
	if it.Want != fleet.Incremental|fleet.Full|fleet.Approve || it.Want != it.Request.Want || it.Request.Cause != "full" {
		t.Errorf("%+v", it.Held)
	}
	it.done()
}

func newConnection(t *testing.T, s *postgrestest.Server) {
	c := newCrew(t, s)
	f, _ := c.worker("a", 4, plan("g", every(t, "c", "@daily"), fleet.Planned{Unit: fleet.Unit{Kind: fleet.Audit, Target: "x"}}))
	it := c.expect(list("c"))
	if it.Request.Cause != schedule.CauseStartup || it.Want != fleet.Incremental {
		t.Errorf("%+v", it.Held)
	}
	if st := c.state(f, list("c")); st.Next.IsZero() || st.Next.Hour() != 0 || st.Next.Minute() != 0 {
		t.Errorf("next %s", st.Next)
	}
	it.tenants()
	c.want(f, fleet.Selector{Kind: fleet.Audit}, fleet.Request{Want: fleet.Full, Cause: "an operator", Operator: true})
	c.expect(fleet.Unit{Kind: fleet.Audit, Target: "x"}).done()
	if n, err := f.Want(t.Context(), fleet.Selector{Connection: "nobody"}, fleet.Request{Want: fleet.Full}); n != 0 || err != nil {
		t.Error(n, err)
	}
}

// leftAlone: what is to be left alone is run by nobody but an operator.
func leftAlone(t *testing.T, s *postgrestest.Server) {
	c := newCrew(t, s)
	f, _ := c.worker("a", 1, plan("g", connection("c"), connection("d")))
	for range 2 {
		c.next().tenants()
	}
	c.idle("c")
	c.idle("d")
	c.want(f, fleet.Selector(list("c")), fleet.Request{Want: fleet.Incremental, Cause: "schedule"})
	c.expect(list("c")).finish(fleet.Finish{Failing: "authentication", LeaveAlone: time.Hour})
	c.idle("c")
	c.want(f, fleet.Selector(list("c")), fleet.Request{Want: fleet.Incremental, Cause: "schedule"})
	c.want(f, fleet.Selector(list("d")), fleet.Request{Want: fleet.Incremental, Cause: "schedule"})
	c.expect(list("d")).tenants() // and not c, which was wanted before it, and is wanted still
	if st := c.state(f, list("c")); st.Want != fleet.Incremental || st.NotBefore.IsZero() || st.Failing != "authentication" {
		t.Errorf("%+v", st)
	}
	c.want(f, fleet.Selector(list("c")), fleet.Request{Want: fleet.Incremental, Cause: "sync", Operator: true})
	c.expect(list("c")).tenants()
	c.idle("c")
	if st := c.state(f, list("c")); st.Failing != "" || !st.NotBefore.IsZero() || !st.FailingSince.IsZero() {
		t.Errorf("%+v", st)
	}
}

// failing: what fails says since when, and is not tried again by itself.
func failing(t *testing.T, s *postgrestest.Server) {
	c := newCrew(t, s)
	f, _ := c.worker("a", 1, plan("g", connection("c")))
	c.ready("c", "t")
	var since time.Time
	for i := range 2 {
		c.want(f, fleet.Selector(run("c", "t")), fleet.Request{Want: fleet.Incremental})
		c.expect(run("c", "t")).fail(&fault.Error{Class: fault.Forbidden, Op: "read", Err: errors.New("no")})
		c.idle("c")
		st := c.state(f, run("c", "t"))
		if st.Failing != string(fault.Forbidden) || st.FailingSince.IsZero() || st.Want != 0 || i > 0 && !st.FailingSince.Equal(since) {
			t.Errorf("%+v, first failed %s", st, since)
		}
		since = st.FailingSince
	}
}

// capped: all workers together work on no more units of a connection than it says.
func capped(t *testing.T, s *postgrestest.Server) {
	c := newCrew(t, s)
	few := connection("c")
	few.AtOnce = 3
	c.worker("a", 8, plan("g", few))
	c.worker("b", 8, plan("g", few))
	var tenants []string
	for i := range 20 {
		tenants = append(tenants, fmt.Sprintf("t%02d", i))
	}
	c.expect(list("c")).tenants(tenants...)
	var at []*call
	for range tenants {
		it := c.next()
		at = append(at, it)
		if busy := value[int](t, c.place, "select count(*) from "+schema+".unit where holder is not null"); busy > 3 {
			t.Errorf("%d are worked on", busy)
		}
		if len(at) == 3 { // nobody else begins before one of them has ended
			at[0].done()
			at = at[1:]
		}
	}
	for _, it := range at {
		it.done()
	}
	c.idle("c")
}

// fair: a connection with much to do does not make one wait that has little.
func fair(t *testing.T, s *postgrestest.Server) {
	c := newCrew(t, s)
	many := connection("many")
	many.AtOnce = 100
	f, _ := c.worker("a", 1, plan("g", many, connection("one")))
	var tenants []string
	for i := range 30 {
		tenants = append(tenants, fmt.Sprintf("t%02d", i))
	}
	for range 2 {
		if it := c.next(); it.is(list("many")) {
			it.tenants(tenants...)
		} else {
			it.tenants("t")
		}
	}
	for range 31 {
		c.next().done()
	}
	c.idle("many")
	c.idle("one")
	c.want(f, fleet.Selector{Kind: fleet.Run, Connection: "many"}, fleet.Request{Want: fleet.Incremental})
	it := c.next() // it keeps the lane, and at most two more were offered
	c.want(f, fleet.Selector{Kind: fleet.Run, Connection: "one"}, fleet.Request{Want: fleet.Incremental})
	for i := 0; !it.is(run("one", "t")); i++ {
		if i > 3 {
			t.Fatalf("%d runs of the other one came first", i)
		}
		it.done()
		it = c.next()
	}
	it.done()
}

// aged: who has waited for five minutes is urgent, whatever it is.
func aged(t *testing.T, s *postgrestest.Server) {
	c := newCrew(t, s)
	f, _ := c.worker("a", 1, plan("g", connection("c")))
	c.ready("c", "busy", "b", "fresh", "old", "next", "other")
	c.want(f, fleet.Selector(run("c", "busy")), fleet.Request{Want: fleet.Incremental})
	it := c.expect(run("c", "busy"))
	c.want(f, fleet.Selector(run("c", "b")), fleet.Request{Want: fleet.Incremental}) // fills what may be ahead
	until(t, "one is ahead", func() bool {
		return value[int](t, c.place, "select count(*) from "+schema+".unit where job is not null") == 2
	})
	for _, tenant := range []string{"fresh", "next", "other"} {
		c.want(f, fleet.Selector(run("c", tenant)), fleet.Request{Want: fleet.Incremental})
	}
	c.want(f, fleet.Selector(run("c", "old")), fleet.Request{Want: fleet.Incremental, Priority: fleet.Bulk})
	c.place.Exec("update " + schema + ".unit set wanted = clock_timestamp() - interval '6 minutes' where tenant = 'old'")
	it.done()
	// The one that is ahead may come first, and nobody else before who has waited.
	left := 4
	if it = c.next(); it.Unit == run("c", "b") {
		it.done()
		it, left = c.next(), 3
	}
	if it.Unit != run("c", "old") {
		t.Errorf("%v came before who had waited", it.Unit)
	}
	it.done()
	for ; left > 0; left-- {
		c.next().done()
	}
	c.idle("c")
}

// places: what is bound to a worker goes nowhere else.
func places(t *testing.T, s *postgrestest.Server) {
	c := newCrew(t, s)
	bound := connection("bound")
	bound.Places = []string{"b"}
	p := plan("g", bound, connection("free"))
	fa, _ := c.worker("a", 2, p)
	it := c.expect(list("free")) // and not the other, which nobody may take yet
	it.tenants()
	if st := c.state(fa, list("bound")); st.Want == 0 || st.Holder != "" {
		t.Errorf("%+v", st)
	}
	c.worker("b", 2, p)
	it = c.expect(list("bound"))
	it.tenants("t", "u", "v")
	if it.worker != "b" {
		t.Errorf("%s took it", it.worker)
	}
	for range 3 {
		if it := c.next(); it.worker != "b" {
			t.Errorf("%s took %v", it.worker, it.Unit)
		} else {
			it.done()
		}
	}
	c.idle("bound")
}

// forOneAlone: with a plan that is for one worker nobody joins another one, and one of the same name does.
func forOneAlone(t *testing.T, s *postgrestest.Server) {
	c := newCrew(t, s)
	p := plan("g", connection("hq"))
	p.Alone = "the file j"
	_, stop := c.worker("a", 1, p)
	c.expect(list("hq")).tenants()
	var alone *fleet.AloneError
	b := c.place.open(t, "b", logOf(t))
	refused := func() {
		t.Helper()
		err := b.Work(t.Context(), fleet.Worker{Name: "b", Program: "test", Lanes: 1}, p, func(context.Context, fleet.Held) (fleet.Finish, error) { return fleet.Finish{}, nil })
		if !errors.As(err, &alone) || alone.Other != "a" {
			t.Errorf("%v", err)
		}
	}
	refused()
	_, again := c.worker("a", 1, p)
	until(t, "a second one of the name", func() bool {
		return value[int](t, c.place, "select count(*) from "+schema+".worker where not dead") == 2
	})
	stop()
	refused()
	again()
	c.worker("b", 1, p)
	until(t, "the other one", func() bool {
		return value[string](t, c.place, "select coalesce(string_agg(name, ','), '') from "+schema+".worker where not dead") == "b"
	})
}

// portions: those who work on units of one connection have no more than everything together, whoever comes and goes, and an even part when
// nobody has for a while. One at a time has all of it.
func portions(t *testing.T, s *postgrestest.Server) {
	c := newCrew(t, s)
	bound := connection("bound")
	bound.Places = []string{"a"}
	p := plan("g", connection("csp"), bound, connection("hq"))
	fleets, stops := map[string]*postgres.Fleet{}, map[string]func(){}
	come := func(name string) {
		fleets[name], stops[name] = c.worker(name, 4, p)
	}
	// even waits until each has been told an even part. What is stored is never more than everything.
	even := func(n int) {
		t.Helper()
		until(t, fmt.Sprintf("an even part of %d", n), func() bool {
			var told float64
			for _, f := range fleets {
				told += f.Portion("csp")
			}
			if sum := value[float64](t, c.place, "select sum(portion) from "+schema+".worker where not dead"); sum > 1.0001 {
				t.Errorf("%d together have %f", n, sum)
			}
			for _, f := range fleets {
				if got := f.Portion("csp"); got < 0.999/float64(n) || got > 1.001/float64(n) {
					return false
				}
			}
			return told < 1.001
		})
	}
	come("a")
	for range 3 {
		switch it := c.next(); it.Unit.Connection {
		default:
			it.done()
		case "csp":
			it.tenants("t1", "t2", "t3", "t4", "t5", "t6", "t7", "t8", "t9", "t10", "t11", "t12")
		}
	}
	until(t, "the tenants", func() bool {
		return value[int](t, c.place, "select count(*) from "+schema+".unit where kind = 2") == 12
	})
	// Each of them works on a tenant.
	busy := map[string]*call{}
	work := func(n int) {
		t.Helper()
		for len(busy) < n {
			c.want(fleets["a"], fleet.Selector{Kind: fleet.Run, Connection: "csp"}, fleet.Request{Want: fleet.Incremental, Cause: "test"})
			it := c.next()
			if it.Unit.Connection == "csp" && it.Unit.Kind == fleet.Run && busy[it.worker] == nil {
				busy[it.worker] = it
				continue
			}
			it.done()
		}
	}
	work(1)
	even(1)
	come("b")
	work(2)
	even(2)
	come("c")
	until(t, "a part of a third", func() bool {
		return value[bool](t, c.place, "select exists (select 1 from "+schema+".worker where name = 'c' and not dead and portion > 0.33)")
	})
	if got := fleets["c"].Portion("csp"); got > 0.34 {
		t.Errorf("one that has had no unit of it yet may press it with %f", got)
	}
	work(3)
	even(3)
	if a, b := fleets["a"].Portion("hq"), fleets["a"].Portion("bound"); a != 1 || b != 1 {
		t.Errorf("a connection that is one unit has %f, and one that is bound %f", a, b)
	}
	if n, err := fleets["a"].Drain(t.Context(), "c"); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	until(t, "the drained one knows", func() bool {
		return value[bool](t, c.place, "select draining from "+schema+".worker where name = 'c' and not dead")
	})
	even(3) // it still works
	stops["c"]()
	delete(fleets, "c")
	even(2)
	stops["b"]()
	delete(fleets, "b")
	even(1)
}

// placeLess: whoever has a connection alone from now on has what others have left that still work on it.
func placeLess(t *testing.T, s *postgrestest.Server) {
	c := newCrew(t, s)
	bound := connection("c")
	bound.Places = []string{"a", "b"}
	a, _ := c.worker("a", 4, plan("g", bound))
	b, _ := c.worker("b", 4, plan("g", bound))
	c.patient()
	c.working(a, 2)
	c.expect(list("c")).tenants("1", "2")
	c.next()
	c.next()
	until(t, "half of it each", func() bool { return a.Portion("c") == 0.5 && b.Portion("c") == 0.5 })
	bound.Places = []string{"a"}
	if err := a.Follow(t.Context(), plan("g2", bound)); err != nil {
		t.Fatal(err)
	}
	if got := a.Portion("c"); got > 0.5 {
		t.Errorf("a has %f while b has %f", got, b.Portion("c"))
	}
}

// boundBusy: a place that is gone before it took what was offered to it is no reason to wait for it.
func boundBusy(t *testing.T, s *postgrestest.Server) {
	c := newCrew(t, s)
	bound := connection("bound")
	bound.Places, bound.AtOnce = []string{"a", "b"}, 100
	p := plan("g", bound)
	_, stopA := c.worker("a", 1, p)
	c.expect(list("bound")).tenants("t", "u", "v")
	c.next() // a has one, and another one ahead
	until(t, "two are offered", func() bool {
		return value[int](t, c.place, "select count(*) from "+schema+".unit where taker = 'a'") == 2
	})
	c.worker("b", 1, p)
	go stopA()
	seen := map[string]bool{}
	for len(seen) < 3 {
		if it := c.next(); it.worker == "b" {
			seen[it.Unit.Tenant] = true
			it.done()
		}
	}
	c.idle("bound")
}

// aside: what does not get on keeps its unit and no lane. That it takes long, and ends, changes nothing else.
func aside(t *testing.T, s *postgrestest.Server) {
	c := newCrew(t, s)
	f, _ := c.worker("a", 1, plan("g", connection("c"), connection("d"), connection("e")))
	for range 3 {
		c.next().tenants()
	}
	for _, name := range []string{"c", "d", "e"} {
		c.idle(name)
	}
	var hanging []*call
	for _, name := range []string{"c", "d"} {
		c.want(f, fleet.Selector(list(name)), fleet.Request{Want: fleet.Incremental, Cause: "schedule"})
		it := c.expect(list(name))
		it.Aside()
		it.Aside()
		hanging = append(hanging, it)
	}
	c.want(f, fleet.Selector(list("e")), fleet.Request{Want: fleet.Incremental, Cause: "schedule"})
	c.expect(list("e")).tenants()
	c.idle("e")
	c.want(f, fleet.Selector(list("c")), fleet.Request{Want: fleet.Full, Cause: "meanwhile"})
	for _, it := range hanging {
		if st := c.state(f, it.Unit); st.Holder != "a" || st.Doing != fleet.Incremental || it.ctx.Err() != nil {
			t.Errorf("%+v, %v", st, it.ctx.Err())
		}
	}
	c.want(f, fleet.Selector(list("e")), fleet.Request{Want: fleet.Incremental, Cause: "schedule"})
	busy := c.expect(list("e")) // keeps the only lane
	hanging[0].tenants()
	hanging[1].fail(&fault.Error{Class: fault.Transient, Op: "read", Err: errors.New("no answer")})
	c.idle("d")
	if st := c.state(f, list("d")); st.Failing != string(fault.Transient) || st.Proven.IsZero() {
		t.Errorf("%+v", st)
	}
	until(t, "the first one is given back", func() bool { return c.state(f, list("c")).Holder == "" })
	busy.tenants()
	if it := c.expect(list("c")); it.Request.Cause != "meanwhile" || it.Fence <= hanging[0].Fence {
		t.Errorf("%+v", it.Held)
	} else {
		it.tenants()
	}
	c.idle("c")
	until(t, "every job is completed", func() bool {
		return value[int](t, c.place, "select count(*) from "+schema+".river_job where state <> 'completed'") == 0
	})
}

// asideStops: a worker that is stopped gives back what is aside, too.
func asideStops(t *testing.T, s *postgrestest.Server) {
	c := newCrew(t, s)
	p := plan("g", connection("c"), connection("d"))
	_, stop := c.worker("a", 1, p)
	first := c.next()
	first.Aside()
	c.next()
	stop()
	if n := value[int](t, c.place, "select count(*) from "+schema+".unit where holder is not null or job is not null"); n != 0 {
		t.Errorf("%d units are still held", n)
	}
	c.worker("b", 2, p)
	for range 2 {
		again := c.next()
		if again.worker != "b" || again.is(first.Unit) && again.Fence <= first.Fence {
			t.Errorf("%+v", again)
		}
		again.tenants()
	}
	c.idle("c")
	c.idle("d")
}

// notBegun: what waits for a turn of its own when its worker is drained is told, and others do it.
func notBegun(t *testing.T, s *postgrestest.Server) {
	c := newCrew(t, s)
	p := plan("g", connection("c"))
	f, _ := c.worker("a", 1, p)
	it := c.expect(list("c"))
	it.Aside()
	if it.Takes.Err() != nil {
		t.Error("it takes nothing from the beginning on")
	}
	if n, err := f.Drain(t.Context(), "a"); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	<-it.Takes.Done()
	if it.ctx.Err() != nil {
		t.Error("what was begun is ended, too")
	}
	it.fail(fleet.ErrNotBegun)
	c.worker("b", 1, p)
	again := c.expect(list("c"))
	if again.worker != "b" || again.Want != it.Want || again.Request.Cause != it.Request.Cause {
		t.Errorf("%+v", again)
	}
	again.tenants()
	c.idle("c")
	if st := c.state(f, list("c")); st.Failing != "" {
		t.Errorf("%+v", st)
	}
}

// superseded: who has another configuration than the living workers hears of one of them; before there are any, or when none is left, of nobody.
func superseded(t *testing.T, s *postgrestest.Server) {
	c := newCrew(t, s)
	ask := func(hash, want string) {
		t.Helper()
		if got, err := postgres.Superseded(t.Context(), c.place.pool(t, "a command"), schema, hash); got != want || err != nil {
			t.Errorf("%s is superseded by %q, want %q: %v", hash, got, want, err)
		}
	}
	ask("g", "")
	_, stop := c.worker("a", 1, plan("g", connection("c")))
	c.expect(list("c")).tenants()
	c.idle("c")
	ask("g", "")
	ask("former", "a")
	ask("", "a")
	c.place.Exec("insert into " + schema + ".generation (hash, published, by_worker) values ('next', clock_timestamp(), 'another')")
	ask("former", "") // nobody has the current one
	ask("", "a")      // who lives, lives
	stop()
	ask("former", "")
	ask("", "")
}

// givesBack: a worker that is stopped gives back what it did not do, and others do it.
func givesBack(t *testing.T, s *postgrestest.Server) {
	c := newCrew(t, s)
	p := plan("g", connection("c"))
	_, stop := c.worker("a", 2, p)
	it := c.expect(list("c"))
	stop()
	if n := value[int](t, c.place, "select count(*) from "+schema+".unit where holder is not null or job is not null"); n != 0 {
		t.Errorf("%d units are still held", n)
	}
	if n := value[int](t, c.place, "select count(*) from "+schema+".worker where not dead"); n != 0 {
		t.Errorf("%d workers are still there", n)
	}
	c.worker("b", 2, p)
	again := c.expect(list("c"))
	if again.worker != "b" || again.Request.Cause != schedule.CauseStartup || again.Fence <= it.Fence || again.Want != it.Want {
		t.Errorf("%+v", again)
	}
	again.tenants()
	c.idle("c")
}

// drained: a drained worker finishes what it holds and takes nothing.
func drained(t *testing.T, s *postgrestest.Server) {
	c := newCrew(t, s)
	p := plan("g", connection("c"), fleet.Planned{Unit: fleet.Unit{Kind: fleet.Deliver, Target: "x"}})
	f, _ := c.worker("a", 1, p)
	var at, delivery *call
	for range 2 {
		if it := c.next(); it.Unit.Kind == fleet.Deliver {
			delivery = it
		} else {
			at = it
		}
	}
	if n, err := f.Drain(t.Context(), "a"); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	<-delivery.ctx.Done()
	at.tenants("t")
	until(t, "nothing is held", func() bool {
		return value[int](t, c.place, "select count(*) from "+schema+".unit where holder is not null") == 0
	})
	workers, err := f.Workers(t.Context())
	if err != nil || len(workers) != 1 || !workers[0].Draining || !workers[0].Current || len(workers[0].Holds) != 0 {
		t.Errorf("%+v: %v", workers, err)
	}
	c.worker("b", 1, p)
	for range 2 {
		if it := c.next(); it.worker != "b" {
			t.Errorf("%s took %v", it.worker, it.Unit)
		} else if it.is(run("c", "t")) {
			it.done()
		}
	}
	c.idle("c")
	if _, err := f.Resume(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Drain(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	if it := c.next(); it.worker != "a" || it.Unit.Kind != fleet.Deliver {
		t.Errorf("%s took %v", it.worker, it.Unit)
	}
}

// generations: when a worker follows another configuration the others finish what they hold and take nothing.
func generations(t *testing.T, s *postgrestest.Server) {
	c := newCrew(t, s)
	one, two := plan("one", connection("c")), plan("two", connection("c"), connection("new"))
	c.worker("a", 1, one)
	c.expect(list("c")).tenants("t", "u", "v")
	at := c.next()
	b, _ := c.worker("b", 1, one)
	other := c.next()
	if at.worker == other.worker {
		t.Fatalf("%s has both", at.worker)
	}
	until(t, "the third is offered", func() bool {
		return value[int](t, c.place, "select count(*) from "+schema+".unit where job is not null") == 3
	})
	if err := b.Follow(t.Context(), two); err != nil {
		t.Fatal(err)
	}
	if n := value[int](t, c.place, "select count(*) from "+schema+".unit u join "+schema+".river_job j on j.id = u.job where u.holder is null and j.queue = 'g1'"); n != 0 {
		t.Errorf("%d are still offered to those who take nothing", n)
	}
	if list, err := b.Workers(t.Context()); err != nil || len(list) != 2 || list[0].Current || !list[1].Current || len(list[0].Holds) != 1 {
		t.Errorf("%+v: %v", list, err)
	}
	at.done()
	other.done()
	for range 3 { // the third tenant; the new connection, and its tenant
		it := c.next()
		if it.worker != "b" {
			t.Errorf("%s took %v", it.worker, it.Unit)
		}
		if it.is(list("new")) {
			it.tenants("v")
		} else {
			it.done()
		}
	}
	c.idle("c")
	c.idle("new")
	for range 3 {
		c.want(b, fleet.Selector{Kind: fleet.Run, Connection: "c"}, fleet.Request{Want: fleet.Full})
		for range 3 {
			it := c.next()
			if it.worker != "b" {
				t.Errorf("%s took %v", it.worker, it.Unit)
			}
			it.done()
		}
		c.idle("c")
	}
}

// stranger: whoever starts with another configuration than that of the living waits until it is published.
func stranger(t *testing.T, s *postgrestest.Server) {
	c := newCrew(t, s)
	a, stop := c.worker("a", 1, plan("one", connection("c")))
	c.ready("c", "t")
	b, _ := c.worker("b", 1, plan("two", connection("c"), connection("d")))
	until(t, "b is there", func() bool {
		list, err := a.Workers(t.Context())
		return err == nil && len(list) == 2
	})
	list, _ := a.Workers(t.Context())
	if !list[0].Current || list[1].Current {
		t.Errorf("%+v", list)
	}
	c.want(a, fleet.Selector(run("c", "t")), fleet.Request{Want: fleet.Incremental})
	if it := c.expect(run("c", "t")); it.worker != "a" {
		t.Errorf("%s took it", it.worker)
	} else {
		it.done()
	}
	c.idle("c")
	stop()
	if err := b.Follow(t.Context(), plan("two", connection("c"), connection("d"))); err != nil {
		t.Fatal(err)
	}
	c.expect(fleet.Unit{Kind: fleet.List, Connection: "d"}).tenants()
}

// published: who waits with another configuration makes that the current one, without reading it anew, and the others wait, and say so.
func published(t *testing.T, s *postgrestest.Server) {
	c := newCrew(t, s)
	if _, err := c.place.open(t, "none", c.log).Publish(t.Context()); !errors.Is(err, fleet.ErrNoWorker) {
		t.Errorf("by no worker: %v", err)
	}
	var log said
	c.log = slog.New(slog.NewTextHandler(&log, nil))
	alone := plan("one", connection("c"))
	alone.Alone = "target \"x\""
	a, _ := c.worker("a", 1, alone)
	c.ready("c", "t")
	publish := func(f *postgres.Fleet, generation, by string, already bool) {
		t.Helper()
		p, err := f.Publish(t.Context())
		if err != nil || p.Generation != generation || p.By != by || p.Already != already || p.At.IsZero() {
			t.Errorf("%+v: %v", p, err)
		}
	}
	publish(a, "one", "a", true)
	c.log = logOf(t)
	b, _ := c.worker("b", 1, plan("two", connection("c"), connection("d")))
	until(t, "b is there", func() bool {
		list, err := a.Workers(t.Context())
		return err == nil && len(list) == 2
	})
	publish(a, "one", "a", true) // that it is for one alone matters to who is to change something
	publish(b, "two", "b", false)
	list, err := a.Workers(t.Context())
	if err != nil || len(list) != 2 || list[0].Current || !list[1].Current {
		t.Errorf("%+v: %v", list, err)
	}
	if it := c.expect(fleet.Unit{Kind: fleet.List, Connection: "d"}); it.worker != "b" {
		t.Errorf("%s took it", it.worker)
	} else {
		it.tenants()
	}
	until(t, "a says that it takes no more", func() bool {
		return log.has("its configuration is not the current one") && log.has("dirsyncd config publish")
	})
	publish(b, "two", "b", true)
	var other *fleet.AloneError
	if _, err := a.Publish(t.Context()); !errors.As(err, &other) || other.Other != "b" {
		t.Errorf("what is for one alone: %v", err)
	}
	if current := value[string](t, c.place, "select hash from "+schema+".generation order by id desc limit 1"); current != "two" {
		t.Errorf("%s is the current one", current)
	}
}

// upkeep: what others keep open counts as far as the role may see it, and so does what the tables have of what is done with.
func upkeep(t *testing.T, s *postgrestest.Server) {
	p := newPlace(t, s)
	const state = "state_of_test"
	p.Exec("create schema "+state+" authorization "+p.Reader, "create schema "+schema+" authorization "+p.Reader)
	plain := p
	plain.dsn = strings.NewReplacer("user="+postgrestest.Admin, "user="+p.Reader, "password="+postgrestest.AdminPassword, "password="+postgrestest.ReaderPassword).Replace(p.dsn)
	fleetOf := func(of place) *postgres.Fleet {
		t.Helper()
		f, err := postgres.Open(t.Context(), postgres.Options{Pool: of.pool(t, "a"), Schema: schema, State: state, Log: logOf(t)})
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	f := fleetOf(plain)
	look := func(f *postgres.Fleet) fleet.Upkeep {
		t.Helper()
		u, err := f.Upkeep(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	if u := look(f); u.OldestSnapshot != 0 || u.DeadRows["outbox"] != 0 || u.DeadRows["unit"] != 0 || len(u.DeadRows) != 2 {
		t.Errorf("where there is nothing yet: %+v", u)
	}
	// open begins a transaction that keeps rows.
	open := func(of place, begin string) (end func()) {
		t.Helper()
		conn, err := of.pool(t, "someone").Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(t.Context(), begin); err != nil {
			t.Fatal(err)
		}
		return func() {
			if _, err := conn.Exec(t.Context(), "rollback"); err != nil {
				t.Error(err)
			}
			conn.Release()
		}
	}
	for what, begin := range map[string]string{"a snapshot": "begin isolation level repeatable read; select 1", "a write": "begin; select pg_current_xact_id()"} {
		end := open(plain, begin)
		began := value[time.Time](t, p, "select min(xact_start) from pg_stat_activity where application_name = 'dirsyncd someone' and state = 'idle in transaction'")
		least := value[time.Time](t, p, "select clock_timestamp()").Sub(began)
		if u := look(f); u.OldestSnapshot < least || u.OldestSnapshot > time.Hour {
			t.Errorf("%s of its own role: %s, and it is %s at least", what, u.OldestSnapshot, least)
		}
		end()
	}
	end := open(plain, "begin") // which keeps nothing
	if u := look(f); u.OldestSnapshot != 0 {
		t.Errorf("nothing is kept: %s", u.OldestSnapshot)
	}
	end()
	end = open(p, "begin isolation level repeatable read; select 1")
	if u := look(f); u.OldestSnapshot != 0 {
		t.Errorf("of another role: %s", u.OldestSnapshot)
	}
	p.Exec("grant pg_read_all_stats to " + p.Reader)
	if u := look(f); u.OldestSnapshot == 0 {
		t.Error("of another role, which it may see: none")
	}
	end()
	p.Exec("create table "+state+".outbox (n int) with (autovacuum_enabled = false)", "insert into "+state+".outbox select generate_series(1, 30)", "delete from "+state+".outbox where n <= 7")
	until(t, "the database has counted", func() bool {
		p.Exec("select pg_stat_force_next_flush()")
		return look(f).DeadRows["outbox"] == 7
	})
}

// said is what the log of a worker was told.
type said struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func (s *said) has(part string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Contains(s.text.String(), part)
}

// nobodyLeft: a worker of a configuration that is not the current one does not take over when all others are gone, not even when it had to join
// anew: it says so, and what it is to do.
func nobodyLeft(t *testing.T, s *postgrestest.Server) {
	c := newCrew(t, s)
	_, stop := c.worker("a", 1, plan("one", connection("c")))
	c.ready("c", "t")
	var log said
	c.log = slog.New(slog.NewTextHandler(&log, nil))
	b, _ := c.worker("b", 1, plan("two", connection("c"), connection("d")))
	until(t, "it waits", func() bool { return log.has("reload this worker when its file is that of the others") })
	until(t, "it is settled", func() bool {
		return value[bool](t, c.place, "select clock_timestamp() > started + interval '9 seconds' from "+schema+".worker where name = 'b'")
	})
	stop()
	until(t, "it says that nobody is left", func() bool {
		return log.has("no worker is left") && log.has("start a worker with the current configuration")
	})
	list, err := b.Workers(t.Context())
	if err != nil || len(list) != 1 || list[0].Current {
		t.Fatalf("%+v: %v", list, err)
	}
	was := list[0].ID
	c.place.Exec("update " + schema + ".worker set expires = clock_timestamp() where name = 'b'")
	until(t, "it is back", func() bool {
		list, err = b.Workers(t.Context())
		return err == nil && len(list) == 1 && list[0].ID != was
	})
	if current := value[string](t, c.place, "select hash from "+schema+".generation order by id desc limit 1"); list[0].Current || current != "one" {
		t.Errorf("%+v, and %s is current", list, current)
	}
	if err := b.Follow(t.Context(), plan("two", connection("c"), connection("d"))); err != nil {
		t.Fatal(err)
	}
	c.expect(fleet.Unit{Kind: fleet.List, Connection: "d"}).tenants()
}

// yields: who takes no work leaves to others what any of them can do, if there is one.
func yields(t *testing.T, s *postgrestest.Server) {
	c := newCrew(t, s)
	p := plan("g", connection("c"))
	a, _ := c.worker("a", 1, p)
	c.ready("c", "t")
	if _, err := a.Drain(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	until(t, "it is drained", func() bool {
		list, err := a.Workers(t.Context())
		return err == nil && len(list) == 1 && list[0].Draining
	})
	if a.Yields() {
		t.Error("it leaves to others what nobody else does")
	}
	b, stop := c.worker("b", 1, p)
	until(t, "it leaves it to the other one", a.Yields)
	if b.Yields() {
		t.Error("so does the other one")
	}
	stop()
	until(t, "the other one is gone", func() bool { return !a.Yields() })
	if _, err := a.Resume(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	b, _ = c.worker("b", 1, p)
	until(t, "both are there", func() bool {
		list, err := b.Workers(t.Context())
		return err == nil && len(list) == 2
	})
	if err := b.Follow(t.Context(), plan("h", connection("c"))); err != nil {
		t.Fatal(err)
	}
	until(t, "one with a former configuration does", a.Yields)
	if b.Yields() {
		t.Error("so does the one with the new configuration")
	}
}

// newerQueue: a worker goes on while a newer program, which has begun to replace it, has changed the queue's tables; one that starts is told.
func newerQueue(t *testing.T, s *postgrestest.Server) {
	c := newCrew(t, s)
	f, _ := c.worker("a", 1, plan("g", connection("c")))
	c.ready("c", "t")
	c.place.Exec("insert into " + schema + ".river_migration (line, version) values ('main', 999)")
	c.want(f, fleet.Selector(run("c", "t")), fleet.Request{Want: fleet.Incremental})
	c.expect(run("c", "t")).done()
	c.idle("c")
	_, err := postgres.Open(t.Context(), postgres.Options{Pool: c.place.pool(t, "b"), Schema: schema, Log: logOf(t)})
	if f := (*fault.Error)(nil); !errors.As(err, &f) || f.Class != fault.Configuration || !strings.Contains(err.Error(), "999") || f.Hint == "" {
		t.Errorf("one that starts: %v", err)
	}
}

// noCreate: a role that may not make schemas makes do with one that is there; and so does one that has lost that right since.
func noCreate(t *testing.T, s *postgrestest.Server) {
	p := newPlace(t, s)
	p.dsn = strings.NewReplacer("user="+postgrestest.Admin, "user="+p.Reader, "password="+postgrestest.AdminPassword, "password="+postgrestest.ReaderPassword).Replace(p.dsn)
	pool := p.pool(t, "a")
	open := func(schema string) error {
		_, err := postgres.Open(t.Context(), postgres.Options{Pool: pool, Schema: schema, Log: logOf(t)})
		return err
	}
	if err := open("one"); err == nil || !strings.Contains(err.Error(), "42501") || !strings.Contains(fault.Hint(err), "GRANT CREATE ON DATABASE") || !strings.Contains(fault.Hint(err), "CREATE SCHEMA one") {
		t.Errorf("without a schema: %v", err)
	}
	p.Exec("create schema one authorization "+p.Reader, "grant create on database "+p.Name+" to "+p.Reader)
	for _, name := range []string{"one", "two"} {
		if err := open(name); err != nil {
			t.Fatal(err)
		}
	}
	p.Exec("revoke create on database " + p.Name + " from " + p.Reader)
	for _, name := range []string{"one", "two"} {
		if err := open(name); err != nil {
			t.Errorf("%s, which is there: %v", name, err)
		}
	}
}

// cleared: jobs that ended long ago go, and queues that nobody has looked into for long.
func cleared(t *testing.T, s *postgrestest.Server) {
	c := newCrew(t, s)
	f, stop := c.worker("a", 1, plan("g", connection("c")))
	c.ready("c", "t", "u")
	stop()
	c.place.Exec("update "+schema+".river_job set finalized_at = now() - interval '2 hours' where id = (select min(id) from "+schema+".river_job)",
		"insert into "+schema+".river_queue (name, created_at, updated_at) values ('g0', now() - interval '3 days', now() - interval '2 days')")
	jobs := value[int](t, c.place, "select count(*) from "+schema+".river_job")
	if err := f.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := value[int](t, c.place, "select count(*) from "+schema+".river_job"); n != jobs-1 {
		t.Errorf("%d of %d jobs are left", n, jobs)
	}
	if names := value[string](t, c.place, "select string_agg(name, ' ') from "+schema+".river_queue"); names != "g1" {
		t.Errorf("the queues are %s", names)
	}
}

// finishWithWrite: a unit is given back in the transaction of the handler's last write, or, should that fail, as the handler says.
func finishWithWrite(t *testing.T, s *postgrestest.Server) {
	c := newCrew(t, s)
	c.place.Exec("create table written (n int)")
	f, _ := c.worker("a", 1, plan("g", connection("c")))
	c.ready("c", "t")
	pool := c.place.pool(t, "last write")
	c.want(f, fleet.Selector(run("c", "t")), fleet.Request{Want: fleet.Incremental})
	it := c.expect(run("c", "t"))
	write := func(end error) error {
		return pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
			if err := postgres.Share(it.ctx, tx); err != nil {
				return err
			}
			if _, err := tx.Exec(t.Context(), "insert into written values (1)"); err != nil {
				return err
			}
			return errors.Join(postgres.Finish(it.ctx, tx, fleet.Finish{Failing: "throttled"}), end)
		})
	}
	rolledBack := errors.New("rolled back")
	if err := write(rolledBack); !errors.Is(err, rolledBack) {
		t.Fatal(err)
	}
	it.done()
	c.idle("c")
	if st := c.state(f, run("c", "t")); st.Failing != "" {
		t.Errorf("%+v", st)
	}
	c.want(f, fleet.Selector(run("c", "t")), fleet.Request{Want: fleet.Incremental})
	it = c.expect(run("c", "t"))
	if err := write(nil); err != nil {
		t.Fatal(err)
	}
	if st := c.state(f, run("c", "t")); st.Failing != "throttled" || st.Holder != "" {
		t.Errorf("%+v", st)
	}
	if state := value[string](t, c.place, "select state from "+schema+".river_job order by id desc limit 1"); state != "completed" {
		t.Errorf("the job is %s", state)
	}
	if err := write(nil); !errors.Is(err, fleet.ErrLost) || fault.ClassOf(err) != fault.Conflict {
		t.Errorf("written after it was given back: %v", err)
	}
	it.done()
	c.want(f, fleet.Selector(run("c", "t")), fleet.Request{Want: fleet.Incremental})
	c.expect(run("c", "t")).done()
	c.idle("c")
	if n := value[int](t, c.place, "select count(*) from written"); n != 1 {
		t.Errorf("%d were written", n)
	}
}

// neverTaken: a job that a worker fetched, which died before it took the unit, is discarded, and the unit is run by another job. What the
// dead one completes later changes nothing. The names and states of River's table are those of the version in go.mod.
func neverTaken(t *testing.T, s *postgrestest.Server) {
	c := newCrew(t, s)
	_, stop := c.worker("a", 1, plan("g", connection("c")))
	c.ready("c", "t")
	stop()
	c.place.Exec(
		"insert into "+schema+".river_job (kind, args, max_attempts, attempt, attempted_at, attempted_by, queue, state) select 'run_tenant', jsonb_build_object('unit', id), 1, 1, now(), array['00000000-0000-4000-8000-000000000000/1'], 'g1', 'running' from "+schema+".unit where tenant = 't'",
		"update "+schema+".unit set want = 2, wanted = now(), job = (select max(id) from "+schema+".river_job) where tenant = 't'")
	job := value[int64](t, c.place, "select job from "+schema+".unit where tenant = 't'")
	c.worker("b", 1, plan("g", connection("c")))
	it := c.expect(run("c", "t"))
	if state := value[string](t, c.place, "select state from "+schema+".river_job where id = $1", job); state != "discarded" {
		t.Errorf("the job is %s", state)
	}
	if now := value[int64](t, c.place, "select job from "+schema+".unit where tenant = 't'"); now == job {
		t.Error("the job runs twice")
	}
	it.done()
	c.idle("c")
}

// lostFetch: a job that a living worker fetched, whose answer did not reach it, is discarded after a while, and the unit is run by another one.
func lostFetch(t *testing.T, s *postgrestest.Server) {
	c := newCrew(t, s)
	f, _ := c.worker("a", 1, plan("g", connection("c")))
	c.ready("c", "t")
	list, err := f.Workers(t.Context())
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	c.place.Exec(
		"insert into "+schema+".river_job (kind, args, max_attempts, attempt, attempted_at, attempted_by, queue, state) select 'run_tenant', jsonb_build_object('unit', id), 1, 1, now() - interval '2 minutes', array['"+list[0].ID+"/1'], 'g1', 'running' from "+schema+".unit where tenant = 't'",
		"update "+schema+".unit set want = 2, wanted = now(), job = (select max(id) from "+schema+".river_job) where tenant = 't'")
	c.expect(run("c", "t")).done()
	c.idle("c")
}

// ghost: who starts with another configuration than that of a worker that has just been killed works by it as soon as that one counts as dead.
func ghost(t *testing.T, s *postgrestest.Server) {
	c := newCrew(t, s)
	c.place.open(t, "tables", logOf(t))
	c.place.Exec(
		"insert into "+schema+".generation (hash, published, by_worker) values ('zero', now(), 'ghost')",
		"insert into "+schema+".worker (id, name, program, hash, lanes, session, started, expires) values ('00000000-0000-4000-8000-000000000000', 'ghost', 'test', 'zero', 1, 'ghost', now(), clock_timestamp() + interval '4 seconds')")
	var log said
	c.log = slog.New(slog.NewTextHandler(&log, nil))
	c.worker("a", 1, plan("one", connection("c")))
	c.ready("c", "t")
	for _, no := range []string{"takes no more", "nothing is run", "takes work again"} {
		if log.has(no) {
			t.Errorf("while it waits it says %q:\n%s", no, log.String())
		}
	}
}

// stopped: a worker that stood still in the middle of a transaction in which it decided, with a lock on its own row at that, is buried by one
// that starts when no other lives.
func stopped(t *testing.T, s *postgrestest.Server) {
	c := newCrew(t, s)
	c.place.open(t, "tables", logOf(t))
	c.place.Exec("insert into " + schema + ".worker (id, name, program, hash, lanes, session, started, expires) values ('00000000-0000-4000-8000-000000000000', 'ghost', 'test', 'one', 1, 'dirsyncd ghost', now(), clock_timestamp() + interval '1 second')")
	conn, err := c.place.pool(t, "ghost").Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	for _, stmt := range []string{"begin", "select pg_advisory_xact_lock(hashtext('" + schema + ".decide'))", "select 1 from " + schema + ".worker for update"} {
		if _, err := conn.Exec(t.Context(), stmt); err != nil {
			t.Fatal(err)
		}
	}
	c.worker("a", 1, plan("one", connection("c")))
	c.ready("c", "t")
	if err := conn.Ping(t.Context()); err == nil {
		t.Error("its session goes on")
	}
}

// namesakes: a worker says that another one has its name, and does not take one for it that has just been killed.
func namesakes(t *testing.T, s *postgrestest.Server) {
	c := newCrew(t, s)
	c.place.open(t, "tables", logOf(t))
	c.place.Exec("insert into " + schema + ".worker (id, name, program, hash, lanes, session, started, expires) values ('00000000-0000-4000-8000-000000000000', 'a', 'test', 'one', 1, 'ghost', now(), clock_timestamp() + interval '4 seconds')")
	var first, second said
	c.log = slog.New(slog.NewTextHandler(&first, nil))
	p := plan("one", connection("c"))
	c.worker("a", 1, p)
	c.ready("c", "t")
	until(t, "the first one has looked", func() bool {
		return value[bool](t, c.place, "select clock_timestamp() > started + interval '9 seconds' from "+schema+".worker where name = 'a' and session <> 'ghost'")
	})
	if first.has("the same name") {
		t.Error("the first one takes a dead one for one of its name")
	}
	c.log = slog.New(slog.NewTextHandler(&second, nil))
	c.worker("a", 1, p)
	until(t, "it is said", func() bool { return second.has("another worker has the same name") })
}

// renamed: who starts under another name, with a plan that is for one worker, where one has just been killed waits until that one counts as dead.
func renamed(t *testing.T, s *postgrestest.Server) {
	c := newCrew(t, s)
	c.place.open(t, "tables", logOf(t))
	c.place.Exec("insert into " + schema + ".worker (id, name, program, hash, lanes, session, started, expires) values ('00000000-0000-4000-8000-000000000000', 'ghost', 'test', 'one', 1, 'ghost', now(), clock_timestamp() + interval '4 seconds')")
	p := plan("one", connection("c"))
	p.Alone = "the file j"
	f, _ := c.worker("a", 1, p)
	c.ready("c", "t")
	until(t, "it delivers", func() bool { return !f.Yields() })
}

// askedMeanwhile: what an operator asks for while a unit is worked on is done, even when that is to be left alone afterwards.
func askedMeanwhile(t *testing.T, s *postgrestest.Server) {
	c := newCrew(t, s)
	f, _ := c.worker("a", 1, plan("g", connection("c")))
	c.ready("c", "t")
	c.want(f, fleet.Selector(list("c")), fleet.Request{Want: fleet.Incremental, Cause: "schedule"})
	it := c.expect(list("c"))
	c.want(f, fleet.Selector(list("c")), fleet.Request{Want: fleet.Incremental, Cause: "sync", Operator: true})
	it.finish(fleet.Finish{Failing: "authentication", LeaveAlone: time.Hour})
	c.expect(list("c")).tenants()
	c.idle("c")
}

// endedJob: an operator who deletes or cancels a job ends no unit.
func endedJob(t *testing.T, s *postgrestest.Server) {
	c := newCrew(t, s)
	f, _ := c.worker("a", 1, plan("g", connection("c")))
	c.ready("c", "t", "u")
	c.want(f, fleet.Selector(run("c", "t")), fleet.Request{Want: fleet.Incremental})
	at := c.expect(run("c", "t"))
	c.want(f, fleet.Selector(run("c", "u")), fleet.Request{Want: fleet.Incremental})
	until(t, "it is ahead", func() bool {
		return value[int](t, c.place, "select count(*) from "+schema+".unit where job is not null and holder is null") == 1
	})
	c.place.Exec("delete from " + schema + ".river_job where id = (select job from " + schema + ".unit where tenant = 'u')")
	until(t, "it has another one", func() bool {
		return value[int](t, c.place, "select count(*) from "+schema+".unit u join "+schema+".river_job j on j.id = u.job where tenant = 'u'") == 1
	})
	c.place.Exec("update " + schema + ".river_job set state = 'cancelled', finalized_at = now() where id = (select job from " + schema + ".unit where tenant = 't')")
	at.done()
	c.expect(run("c", "u")).done()
	c.idle("c")
	if st := c.state(f, run("c", "t")); st.Proven.IsZero() {
		t.Errorf("%+v", st)
	}
}

// deliveries: each target has one worker, which keeps it.
func deliveries(t *testing.T, s *postgrestest.Server) {
	c := newCrew(t, s)
	var units []fleet.Planned
	for i := range 4 {
		units = append(units, fleet.Planned{Unit: fleet.Unit{Kind: fleet.Deliver, Target: fmt.Sprint(i)}})
	}
	units[3].Places = []string{"b"}
	_, stop := c.worker("a", 1, plan("g", units...))
	var have []string
	for range 3 {
		have = append(have, c.next().Unit.Target)
	}
	if slices.Sort(have); !slices.Equal(have, []string{"0", "1", "2"}) {
		t.Errorf("%q", have)
	}
	c.worker("b", 1, plan("g", units...))
	if it := c.next(); it.worker != "b" || it.Unit.Target != "3" {
		t.Errorf("%s has %v", it.worker, it.Unit)
	}
	stop()
	have = nil
	for range 3 {
		it := c.next()
		have = append(have, it.Unit.Target)
		if it.worker != "b" {
			t.Errorf("%s has %v", it.worker, it.Unit)
		}
	}
	if slices.Sort(have); !slices.Equal(have, []string{"0", "1", "2"}) {
		t.Errorf("%q", have)
	}
}

// gone: what the configuration does not name any more is forgotten, with its tenants, when nobody holds it.
func gone(t *testing.T, s *postgrestest.Server) {
	c := newCrew(t, s)
	f, _ := c.worker("a", 2, plan("g", connection("c"), connection("d")))
	var kept *call
	for range 2 {
		it := c.next()
		it.tenants("t")
	}
	for range 2 {
		if it := c.next(); it.Unit.Connection == "d" {
			kept = it
		} else {
			it.done()
		}
	}
	c.idle("c")
	if err := f.Follow(t.Context(), plan("h", connection("d"))); err != nil {
		t.Fatal(err)
	}
	units, err := f.Units(t.Context(), fleet.Selector{})
	if err != nil || len(units) != 2 || units[0].Unit != list("d") || units[1].Unit != run("d", "t") {
		t.Errorf("%+v: %v", units, err)
	}
	if err := f.Follow(t.Context(), plan("i")); err != nil {
		t.Fatal(err)
	}
	units, err = f.Units(t.Context(), fleet.Selector{})
	if err != nil || len(units) != 1 || units[0].Unit != run("d", "t") {
		t.Errorf("%+v: %v", units, err)
	}
	kept.done()
	until(t, "it is given back", func() bool {
		return value[int](t, c.place, "select count(*) from "+schema+".unit where holder is not null") == 0
	})
	if err := f.Follow(t.Context(), plan("j")); err != nil {
		t.Fatal(err)
	}
	if units, err := f.Units(t.Context(), fleet.Selector{}); err != nil || len(units) != 0 {
		t.Errorf("%+v: %v", units, err)
	}
}

// firing: what another worker is firing is left to that one.
func firing(t *testing.T, s *postgrestest.Server) {
	c := newCrew(t, s)
	p := plan("g", every(t, "c", "@yearly"), every(t, "d", "@every 1h"))
	_, stop := c.worker("a", 1, p)
	for range 2 {
		c.next().tenants()
	}
	c.idle("c")
	c.idle("d")
	stop()
	// A jitter, or that nobody was there, has it begin late. The time after it is that of the schedule all the same.
	c.place.Exec("update " + schema + ".unit set next = clock_timestamp(), due = date_trunc('second', clock_timestamp()) - interval '30 minutes'")
	was := value[time.Time](t, c.place, "select due from "+schema+".unit where connection = 'd'")
	tx, err := c.place.DB.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.Exec("select 1 from " + schema + ".unit where connection = 'c' for update"); err != nil {
		t.Fatal(err)
	}
	f, _ := c.worker("b", 1, p)
	it := c.expect(list("d"))
	if it.Request.Cause != schedule.CauseSchedule || it.Want != fleet.Incremental {
		t.Errorf("%+v", it.Held)
	}
	if now := value[time.Time](t, c.place, "select due from "+schema+".unit where connection = 'd'"); !now.Equal(was.Add(time.Hour)) {
		t.Errorf("after %s comes %s", was, now)
	}
	it.tenants()
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	c.expect(list("c")).tenants()
	c.idle("c")
	if st := c.state(f, list("c")); !st.Next.After(time.Now()) {
		t.Errorf("%+v", st)
	}
}

// reborn: a worker whose heartbeat was late ends what it does, and takes part under another id, drained as before.
func reborn(t *testing.T, s *postgrestest.Server) {
	c := newCrew(t, s)
	f, _ := c.worker("a", 1, plan("g", connection("c")))
	before := c.expect(list("c"))
	if _, err := f.Drain(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	// It knows when its next heartbeat was stored.
	expires := value[time.Time](t, c.place, "select expires from "+schema+".worker")
	until(t, "two heartbeats", func() bool {
		return value[time.Time](t, c.place, "select expires from "+schema+".worker").Sub(expires) > 2*time.Second
	})
	was, err := f.Workers(t.Context())
	if err != nil || len(was) != 1 {
		t.Fatal(was, err)
	}
	c.place.Exec("update " + schema + ".worker set expires = clock_timestamp()")
	<-before.ctx.Done()
	if cause := context.Cause(before.ctx); !errors.Is(cause, fleet.ErrLost) {
		t.Errorf("it ended with %v", cause)
	}
	var now []fleet.WorkerState
	until(t, "it is back", func() bool {
		now, err = f.Workers(t.Context())
		return err == nil && len(now) == 1 && now[0].ID != was[0].ID
	})
	if !now[0].Draining {
		t.Errorf("%+v", now)
	}
	if _, err := f.Resume(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	again := c.expect(list("c"))
	if again.Fence <= before.Fence || again.Want != before.Want || again.Request.Cause != before.Request.Cause {
		t.Errorf("%+v after %+v", again.Held, before.Held)
	}
	again.tenants()
	c.idle("c")
}

// pooled: a pooler of transactions carries neither prepared statements nor LISTEN.
func pooled(t *testing.T, s *postgrestest.Server) {
	c := newCrew(t, s)
	c.place.pooled = true
	f, stop := c.worker("a", 2, plan("g", every(t, "c", "@hourly"), fleet.Planned{Unit: fleet.Unit{Kind: fleet.Deliver, Target: "x"}, Places: []string{"a"}}))
	for range 2 {
		if it := c.next(); it.is(list("c")) {
			it.tenants("t", "u")
		}
	}
	for range 2 {
		c.next().finish(fleet.Finish{Failing: "transient"})
	}
	c.idle("c")
	c.want(f, fleet.Selector{Connection: "c", Tenant: "t"}, fleet.Request{Want: fleet.Full, Operator: true, Args: map[string]string{"a": "b"}})
	it := c.expect(run("c", "t"))
	it.Progress(t.Context(), "half of it")
	if st := c.state(f, run("c", "t")); st.Failing != "transient" || st.Progress != "half of it" || it.Request.Args["a"] != "b" {
		t.Errorf("%+v, %+v", st, it.Held)
	}
	it.done()
	c.idle("c")
	c.place.Exec("update " + schema + ".unit set next = clock_timestamp() where kind = 1")
	c.expect(list("c")).tenants()
	c.idle("c")
	if err := f.Follow(t.Context(), plan("h")); err != nil {
		t.Fatal(err)
	}
	if list, err := f.Workers(t.Context()); err != nil || len(list) != 1 || !list[0].Current {
		t.Errorf("%+v: %v", list, err)
	}
	stop()
}

// arguments of requests that become one are joined, and survive the one who had them.
func arguments(t *testing.T, s *postgrestest.Server) {
	c := newCrew(t, s)
	f, stop := c.worker("a", 1, plan("g", connection("c")))
	c.ready("c", "t")
	c.want(f, fleet.Selector(run("c", "t")), fleet.Request{Want: fleet.Approve, Args: map[string]string{"plan": "1", "by": "x"}})
	it := c.expect(run("c", "t"))
	if it.Request.Args["plan"] != "1" || it.Want != fleet.Approve {
		t.Errorf("%+v", it.Held)
	}
	c.want(f, fleet.Selector(run("c", "t")), fleet.Request{Want: fleet.Approve | fleet.Resend, Args: map[string]string{"plan": "2", "target": "y"}})
	stop()
	c.worker("b", 1, plan("g", connection("c")))
	it = c.expect(run("c", "t"))
	if a := it.Request.Args; len(a) != 3 || a["plan"] != "2" || a["by"] != "x" || a["target"] != "y" || it.Want != fleet.Approve|fleet.Resend {
		t.Errorf("%+v", it.Held)
	}
	it.done()
	c.idle("c")
}

// panics: a handler that panics has failed, and costs no more than its run.
func panics(t *testing.T, s *postgrestest.Server) {
	p := newPlace(t, s)
	f := p.open(t, "a", logOf(t))
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	wg.Go(func() {
		_ = f.Work(ctx, fleet.Worker{Name: "a", Lanes: 1}, plan("g", connection("c")), func(context.Context, fleet.Held) (fleet.Finish, error) { panic("in a handler") })
	})
	until(t, "it failed", func() bool {
		list, err := f.Units(t.Context(), fleet.Selector{})
		return err == nil && len(list) == 1 && list[0].Failing != "" && list[0].Holder == ""
	})
}

// TestMigrations: of several that start at once one makes the tables; a program refuses those of a newer one.
func TestMigrations(t *testing.T) {
	t.Parallel()
	p := newPlace(t, postgrestest.Start(t))
	var wg sync.WaitGroup
	for i := range 4 {
		pool := p.pool(t, fmt.Sprint(i))
		wg.Go(func() {
			if _, err := postgres.Open(t.Context(), postgres.Options{Pool: pool, Schema: schema, Log: logOf(t)}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	pool := p.pool(t, "late")
	open := func(schema string) error {
		_, err := postgres.Open(t.Context(), postgres.Options{Pool: pool, Schema: schema, Log: logOf(t)})
		return err
	}
	p.Exec("update " + schema + ".meta set version = version + 1")
	if err := open(schema); fault.ClassOf(err) != fault.Configuration {
		t.Errorf("newer tables: %v", err)
	}
	p.Exec("update "+schema+".meta set version = version - 1", "insert into "+schema+".river_migration (line, version) values ('main', 999)")
	if err := open(schema); fault.ClassOf(err) != fault.Configuration {
		t.Errorf("newer tables of the queue: %v", err)
	}
	for _, name := range []string{"", "Fleet", "a b", `a"; drop schema public; --`} {
		if err := open(name); fault.ClassOf(err) != fault.Configuration {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// patient has workers leave a second share to others however late they ask for it.
func (c *crew) patient() {
	c.place.Exec("create function "+schema+".late() returns trigger language plpgsql as $$ begin new.wanted := new.wanted + interval '1 hour'; return new; end $$",
		"create trigger late before insert or update on "+schema+".unit for each row when (new.kind = 2 and new.want <> 0 and new.wanted < clock_timestamp() + interval '1 minute') execute function "+schema+".late()")
}

// working waits until so many workers take work.
func (c *crew) working(f *postgres.Fleet, n int) {
	c.t.Helper()
	until(c.t, "all take work", func() bool {
		list, err := f.Workers(c.t.Context())
		return err == nil && len(list) == n && !slices.ContainsFunc(list, func(w fleet.WorkerState) bool { return !w.Current })
	})
}

// shares of a connection go to one worker each, as the connection was wanted and with what its lister says besides. The connection is listed again when all
// have been run; those that are not named again are forgotten, and so are those of a worker's that run it whole.
func shares(t *testing.T, s *postgrestest.Server) {
	c := newCrew(t, s)
	f, _ := c.worker("a", 4, plan("g", connection("c")))
	c.worker("b", 4, plan("g", connection("c")))
	c.patient()
	c.working(f, 2)
	it := c.expect(list("c"))
	for range 3 {
		c.want(f, fleet.Selector(list("c")), fleet.Request{Want: fleet.Full, Cause: "somebody", Operator: true})
		it.finish(fleet.Finish{Tenants: []string{"1", "2"}, Args: map[string]string{"round": it.Request.Cause}})
		one, two := c.next(), c.next()
		if one.worker == two.worker || one.Unit.Kind != fleet.Run || two.Unit.Kind != fleet.Run || one.Unit == two.Unit {
			t.Fatalf("%s has %v, %s has %v", one.worker, one.Unit, two.worker, two.Unit)
		}
		for _, share := range []*call{one, two} {
			if share.Want != it.Want || share.Request.Cause != it.Request.Cause || share.Request.Priority != it.Request.Rank() || share.Request.Args["round"] != it.Request.Cause {
				t.Errorf("%+v of %+v", share.Held, it.Held)
			}
		}
		one.done()
		if st := c.state(f, list("c")); st.Holder != "" || st.Want != fleet.Full {
			t.Errorf("%+v", st)
		}
		two.done()
		it = c.expect(list("c"))
	}
	it.tenants("2", "3")
	c.next().done()
	c.next().done()
	c.idle("c")
	units := func() (names string) {
		list, err := f.Units(t.Context(), fleet.Selector{Kind: fleet.Run})
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range list {
			names += u.Unit.Tenant
		}
		return names
	}
	if got := units(); got != "23" {
		t.Errorf("units %s", got)
	}
	c.want(f, fleet.Selector(list("c")), fleet.Request{Want: fleet.Incremental})
	c.expect(list("c")).finish(fleet.Finish{Failing: "transient"})
	c.idle("c")
	if got := units(); got != "23" {
		t.Errorf("after a failure: units %s", got)
	}
	c.want(f, fleet.Selector(list("c")), fleet.Request{Want: fleet.Incremental})
	c.expect(list("c")).tenants()
	c.idle("c")
	if got := units(); got != "" {
		t.Errorf("units %s", got)
	}
}

// boundShares are divided among those to whom the connection is bound; the last of these has all.
func boundShares(t *testing.T, s *postgrestest.Server) {
	c := newCrew(t, s)
	bound := connection("c")
	bound.Places = []string{"a", "b"}
	f, _ := c.worker("a", 4, plan("g", bound))
	_, stop := c.worker("b", 4, plan("g", bound))
	c.worker("x", 4, plan("g", bound))
	c.patient()
	c.working(f, 3)
	c.expect(list("c")).tenants("1", "2")
	one, two := c.next(), c.next()
	if by := one.worker + two.worker; by != "ab" && by != "ba" {
		t.Fatalf("%s and %s", one.worker, two.worker)
	}
	if one.worker == "b" {
		one, two = two, one
	}
	stop()
	again := c.expect(two.Unit)
	if again.worker != "a" || again.Want != two.Want {
		t.Errorf("%s: %+v", again.worker, again.Held)
	}
	again.done()
	one.done()
	c.idle("c")
}
