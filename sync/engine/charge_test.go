package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/plan"
)

// crew are engines of several processes, that run the tenants of one connection.
type crew struct {
	*days
	source  *companies
	engines []*Engine
}

// newCrew has an engine on each of some stores, of one state or, without any, two on one of their own.
func newCrew(t *testing.T, tenants, people int, on ...store.Store) *crew {
	c := &crew{days: newDays(t), source: newCompanies(tenants, people)}
	if len(on) == 0 {
		on = []store.Store{c.store, c.store}
	}
	c.store = on[0]
	c.conn.Source = c.source
	c.conn.Over, c.conn.Guard = nil, nil
	for _, s := range on {
		c.engines = append(c.engines, c.engineOn(s))
	}
	c.pass(0)
	return c
}

func (c *crew) engineOn(s store.Store) *Engine {
	e := New(s, Options{Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return c.now }})
	e.chunk = 2
	return e
}

// gone takes people away from a tenant, those with the numbers from one on.
func (c *crew) gone(tenant string, from, n int) {
	for i := range n {
		delete(c.source.of[tenant], fmt.Sprintf("%03d", from+i))
	}
}

func (c *crew) run(e *Engine, tenant, round string) Result {
	return e.Run(c.Context(), c.conn, connectors.Tenant{ID: tenant}, Job{Round: round, Trigger: "schedule"})
}

// expectRun runs a tenant. It deactivates so many or, for -1, has them wait.
func (c *crew) expectRun(what string, e *Engine, tenant, round string, want int) {
	c.Helper()
	c.now = c.now.Add(time.Second)
	res := c.run(e, tenant, round)
	if got := res.Run.Counts["user"]["deactivate"]; res.Err != nil || want >= 0 && (res.Run.Outcome != Clean || got != want) || want < 0 && (res.Run.Outcome != Held || got != 0) {
		c.Errorf("%s: %s with %d gone, want %d; %v", what, res.Run.Outcome, got, want, res.Err)
	}
}

// most limits what all tenants deactivate in a run.
func (c *crew) most(n int) {
	c.conn.Shared = plan.Shared{Guard: plan.Guard{directory.Deactivate: {Count: &n}}, Written: map[directory.Op]bool{directory.Deactivate: true}}
}

func (c *crew) mostWithin(n int) []plan.Over {
	return []plan.Over{{Within: 24 * time.Hour, Written: true, Guard: plan.Guard{directory.Deactivate: {Count: &n}}}}
}

// TestTogetherInSeveralProcesses: what two processes let the tenants of a connection do, that charge at the same time, is what one lets them do.
func TestTogetherInSeveralProcesses(t *testing.T) {
	for _, test := range []struct {
		name  string
		limit func(*crew)
	}{
		{"in a run", func(c *crew) { c.conn.Shared = plan.DefaultShared() }},
		{"in a day", func(c *crew) { c.conn.SharedOver = c.mostWithin(44) }},
		{"in a day, of all connections", func(c *crew) { c.conn.WholeOver = c.mostWithin(44) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCrew(t, 40, 22)
			test.limit(c)
			c.runTogether()
		})
	}
}

// runTogether has the engines run forty tenants at the same time, each of which loses two of its people: 44 may go.
func (c *crew) runTogether() {
	c.Helper()
	for tenant := range c.source.of {
		c.gone(tenant, 0, 2)
	}
	var gone, held atomic.Int64
	var lanes sync.WaitGroup
	for i, e := range c.engines {
		for lane := range 3 {
			lanes.Go(func() {
				for n := i*3 + lane; n < 40; n += 3 * len(c.engines) {
					res := c.run(e, fmt.Sprintf("t%02d", n), "one")
					gone.Add(int64(res.Run.Counts["user"]["deactivate"]))
					if res.Run.Held != "" {
						held.Add(1)
					}
					if res.Err != nil {
						c.Error(res.Err)
					}
				}
			})
		}
	}
	lanes.Wait()
	if gone.Load() != 44 || held.Load() != 18 {
		c.Errorf("%d are gone, want 44; %d plans are held, want 18", gone.Load(), held.Load())
	}
}

// killed is a store of a process that dies when it has stored so much after it charged something.
type killed struct {
	store.Store
	after atomic.Int64 // transactions
	armed atomic.Bool
}

func (k *killed) Ledger(ctx context.Context, name string, fn func([]byte) ([]byte, error)) error {
	err := k.Store.Ledger(ctx, name, fn)
	k.armed.Store(true)
	return err
}

func (k *killed) Update(ctx context.Context, p store.Partition, fn func(store.Writer) error) error {
	if k.armed.Load() && k.after.Add(-1) < 0 {
		return errCut
	}
	return k.Store.Update(ctx, p, fn)
}

func (c *crew) kill(what, tenant, round string, after int) {
	c.Helper()
	c.now = c.now.Add(time.Second)
	k := &killed{Store: c.store}
	k.after.Store(int64(after))
	if res := c.run(c.engineOn(k), tenant, round); !errors.Is(res.Err, errCut) {
		c.Errorf("%s: it lives: %+v", what, res)
	}
}

// TestKilledAfterItCharged: a process dies after a tenant's charge, at any moment. Others wait for what may be done yet; who does the rest pays
// for nothing twice, and pays for more.
func TestKilledAfterItCharged(t *testing.T) {
	for _, scope := range []string{"a run", "a day", "a day, of all connections"} {
		for after := range 3 { // of four people, two in a transaction
			t.Run(fmt.Sprint(scope, ", after ", after), func(t *testing.T) {
				c := newCrew(t, 6, 20)
				limit := func(n int) {
					switch scope {
					case "a run":
						c.most(n)
					case "a day":
						c.conn.SharedOver = c.mostWithin(n)
					default:
						c.conn.WholeOver = c.mostWithin(n)
					}
				}
				limit(6)
				a, b := c.engines[0], c.engines[1]
				c.gone("t00", 0, 4)
				c.kill("charged", "t00", "one", after)
				c.gone("t01", 0, 3)
				c.expectRun("three more than one may", b, "t01", "one", -1)
				c.gone("t02", 0, 1)
				c.expectRun("one more", a, "t02", "one", 1)
				if after < 2 {
					c.kill("the rest, cut again", "t00", "one", 0)
				}
				c.gone("t00", 4, 1) // meanwhile somebody else goes
				res := c.run(b, "t00", "one")
				if res.Err != nil || res.Run.Outcome != Clean {
					t.Fatalf("the rest: %+v", res)
				}
				c.gone("t03", 0, 1)
				c.expectRun("there is no room left", a, "t03", "one", -1)
				limit(7)
				c.expectRun("but for one", b, "t03", "one", 1)
				c.gone("t04", 0, 1)
				c.expectRun("and no more", a, "t04", "one", -1)
			})
		}
	}
}

// TestNextRunOfTheConnection: what a run of the connection may do begins anew with the next, and what is done in a day does not; who was cut in the one before is
// not forgotten in that.
func TestNextRunOfTheConnection(t *testing.T) {
	c := newCrew(t, 8, 20)
	c.most(4)
	c.conn.SharedOver = c.mostWithin(7)
	a, b := c.engines[0], c.engines[1]
	c.gone("t00", 0, 3)
	c.expectRun("first", a, "t00", "one", 3)
	c.gone("t01", 0, 2)
	c.expectRun("too much for the run", b, "t01", "one", -1)
	c.gone("t02", 0, 2)
	c.kill("in the next one", "t02", "two", 0)
	c.gone("t03", 0, 2)
	c.expectRun("with what is done yet to be", a, "t03", "two", 2)
	c.gone("t04", 0, 1)
	c.expectRun("too much for a day, with who was cut", b, "t04", "three", -1)
	c.expectRun("who was cut", a, "t02", "three", 2)
	c.gone("t05", 0, 1)
	c.expectRun("still too much", b, "t05", "four", -1)
	c.now = c.now.Add(49 * time.Hour)
	c.gone("t06", 0, 3)
	c.expectRun("two days later", b, "t06", "five", 3)
}

// TestNeverDoneIsForgotten: what somebody charged who never came back counts for a day.
func TestNeverDoneIsForgotten(t *testing.T) {
	c := newCrew(t, 4, 20)
	c.conn.SharedOver = c.mostWithin(3)
	c.gone("t00", 0, 3)
	c.kill("charged", "t00", "one", 0)
	c.gone("t01", 0, 1)
	c.now = c.now.Add(20 * time.Hour)
	c.expectRun("it may be done yet", c.engines[1], "t01", "two", -1)
	c.now = c.now.Add(5 * time.Hour)
	c.gone("t02", 0, 1)
	c.expectRun("it will not", c.engines[1], "t02", "three", 1)
}

// TestUnlimitedCostsNoCharge: a run that does nothing that any limit of all is about looks at no account.
func TestUnlimitedCostsNoCharge(t *testing.T) {
	c := newCrew(t, 5, 20)
	c.conn.Shared, c.conn.SharedOver = plan.DefaultShared(), plan.DefaultSharedOver()
	c.spec.Fields = map[directory.RecordKind][]mapping.FieldSpec{directory.UserRecord: {field("name", "= name")}}
	none := &killed{Store: c.store}
	e := c.engineOn(none)
	run := func(what string, charges bool) {
		t.Helper()
		none.after.Store(1 << 30)
		none.armed.Store(false)
		c.now = c.now.Add(time.Hour)
		for _, res := range e.RunConnection(t.Context(), c.conn, Job{Trigger: "schedule"}) {
			if res.Err != nil {
				t.Error(what, res.Err)
			}
		}
		if none.armed.Load() != charges {
			t.Errorf("%s: an account was looked at: %t", what, !charges)
		}
	}
	run("nothing new", false)
	c.source.of["t00"]["new"] = person{name: "N"}
	c.source.of["t01"]["001"] = person{name: "Other"}
	run("a joiner, and a change", false)
	c.gone("t00", 1, 1)
	run("a leaver", true)
	run("nothing new again", false)
}

// TestDamagedAccount: it begins anew, and what was done still counts in a day.
func TestDamagedAccount(t *testing.T) {
	c := newCrew(t, 4, 20)
	c.conn.SharedOver = c.mostWithin(3)
	c.gone("t00", 0, 2)
	c.expectRun("first", c.engines[0], "t00", "one", 2)
	if err := c.store.Ledger(t.Context(), sharedScope(c.conn).ledger, func([]byte) ([]byte, error) { return []byte("{"), nil }); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	e := c.engineOn(c.store)
	e.opts.Log = slog.New(slog.NewTextHandler(&log, nil))
	c.gone("t01", 0, 2)
	c.expectRun("two more", e, "t01", "one", -1)
	if strings.Count(log.String(), "is damaged, and begins anew") != 1 {
		t.Error(log.String())
	}
	c.gone("t02", 0, 1)
	c.expectRun("one more", c.engines[1], "t02", "one", 1)
}

// TestNeverDoneByAClockThatWasAhead: what somebody charged whose clock was far ahead is nothing that others wait for until then.
func TestNeverDoneByAClockThatWasAhead(t *testing.T) {
	c := newCrew(t, 4, 20)
	c.conn.SharedOver = c.mostWithin(3)
	today := c.now
	c.now = c.now.Add(300 * 24 * time.Hour)
	c.gone("t00", 0, 3)
	c.kill("charged", "t00", "one", 0)
	c.now = today
	c.gone("t01", 0, 1)
	c.expectRun("the clock is right again", c.engines[1], "t01", "two", 1)
}

// paired is a store of which two ask for a ledger at the same time, the first time.
type paired struct {
	store.Store
	first atomic.Int64
	both  sync.WaitGroup
	looks atomic.Int64
}

func (c *paired) Ledger(ctx context.Context, name string, fn func([]byte) ([]byte, error)) error {
	err := c.Store.Ledger(ctx, name, fn)
	if c.first.Add(1) <= 2 {
		c.both.Done()
		c.both.Wait()
	}
	return err
}

func (c *paired) Partitions(ctx context.Context, connections ...string) ([]store.Partition, error) {
	c.looks.Add(1)
	return c.Store.Partitions(ctx, connections...)
}

// TestOneLooksForAll: of those in a process whose account is to be read anew one reads it.
func TestOneLooksForAll(t *testing.T) {
	c := newCrew(t, 4, 20)
	c.conn.WholeOver = c.mostWithin(3)
	s := &paired{Store: c.store}
	s.both.Add(2)
	e := c.engineOn(s)
	var lanes sync.WaitGroup
	for i := range 2 {
		lanes.Go(func() {
			run := charging{part: store.Partition{Connection: "ad", Tenant: fmt.Sprintf("t%02d", i)}, run: newRunID(c.now), round: "one",
				done: plan.Done{{Kind: directory.UserRecord, Op: directory.Deactivate}: 2}}
			if _, err := e.charge(t.Context(), wholeScope(c.conn), run); err != nil {
				t.Error(err)
			}
		})
	}
	lanes.Wait()
	if n := s.looks.Load(); n != 1 {
		t.Errorf("%d looked", n)
	}
}

// TestRefusedIsNotCharged: what the limits of all connections keep back is not charged to the connection's other tenants.
func TestRefusedIsNotCharged(t *testing.T) {
	for _, again := range []bool{false, true} {
		c := newCrew(t, 4, 20)
		c.most(4)
		c.conn.WholeOver = c.mostWithin(3)
		c.gone("t00", 0, 2)
		if again { // what it has charged already is not done either
			c.kill("charged", "t00", "one", 0)
		}
		c.gone("t00", 2, 2)
		c.expectRun("too much for all connections", c.engines[0], "t00", "one", -1)
		c.gone("t01", 0, 3)
		want := 3
		if again { // all connections know of two until they look again
			c.now = c.now.Add(2 * wholeFor)
		}
		c.expectRun("as many as the connection may", c.engines[1], "t01", "one", want)
		c.gone("t02", 0, 1)
		c.expectRun("and no more", c.engines[0], "t02", "one", -1)
	}
}

// TestWhatGoesAheadIsCharged: of a plan of which some goes beyond a shared limit, all else goes ahead, and counts: the next tenants find that room
// taken.
func TestWhatGoesAheadIsCharged(t *testing.T) {
	two, four := 2, 4
	within := func(o plan.Over) []plan.Over {
		o.Within, o.Written = 24*time.Hour, true
		return []plan.Over{o}
	}
	lists := plan.Over{Memberships: plan.Limit{Count: &two}}
	leave := func(c *crew, tenant string) {
		c.gone(tenant, 0, 2)
		c.source.teams[tenant]["team"] = c.source.teams[tenant]["team"][:2]
	}
	join := func(c *crew, tenant string) {
		c.source.of[tenant]["002"], c.source.of[tenant]["003"] = person{name: "Q"}, person{name: "Q"}
		for i := range 3 {
			c.source.of[tenant][fmt.Sprint("new", i)] = person{name: "N"}
		}
	}
	for _, test := range []struct {
		name   string
		limit  func(*crew)
		change func(*crew, string)
		counts string // of what goes ahead
	}{
		{"memberships beyond a limit of the connection", func(c *crew) { c.most(four); c.conn.SharedOver = within(lists) }, leave, "map[user:map[deactivate:2]]"},
		{"memberships beyond a limit of all connections", func(c *crew) { c.most(four); c.conn.WholeOver = within(lists) }, leave, "map[user:map[deactivate:2]]"},
		{"removals in a day, memberships beyond a limit of all connections", func(c *crew) {
			lists := lists
			lists.Guard = plan.Guard{directory.Deactivate: {Count: &four}}
			c.conn.WholeOver = within(lists)
		}, leave, "map[user:map[deactivate:2]]"},
		{"joiners beyond a limit of the connection", func(c *crew) {
			c.conn.SharedOver = within(plan.Over{Guard: plan.Guard{directory.Create: {Count: &two}, directory.Update: {Count: &four}}})
		}, join, "map[user:map[update:2]]"},
		{"joiners beyond a limit of the connection, and a field", func(c *crew) {
			c.conn.SharedOver = within(plan.Over{Guard: plan.Guard{directory.Create: {Count: &two}}, Fields: map[string]plan.Limit{"name": {Count: &four}}})
		}, join, "map[user:map[update:2]]"},
		{"joiners beyond a limit of all connections", func(c *crew) {
			c.conn.Shared = plan.Shared{Guard: plan.Guard{directory.Update: {Count: &four}}, Written: map[directory.Op]bool{directory.Update: true}}
			c.conn.WholeOver = within(plan.Over{Guard: plan.Guard{directory.Create: {Count: &two}}})
		}, join, "map[user:map[update:2]]"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCrew(t, 4, 20)
			c.conn.Lists = plan.Lists{}
			c.mapping(mapping.Spec{Name: "m", Rules: []mapping.RuleSpec{user("everyone", "enabled")}, Groups: []mapping.RuleSpec{rule("teams", "true", directory.GroupRecord)}})
			for tenant := range c.source.of {
				c.source.teams[tenant] = map[string][]string{"team": {"p:010", "p:011", "p:012", "p:013", "p:014"}}
			}
			if why := c.pass(0); len(why) > 0 {
				t.Fatal("teams are held:", why)
			}
			c.engines[1] = c.engineOn(c.store)
			test.limit(c)
			for i, tenant := range []string{"t00", "t01", "t02"} {
				test.change(c, tenant)
				c.now = c.now.Add(time.Second)
				want := test.counts
				if i == 2 {
					want = "map[]"
				}
				if res := c.run(c.engines[i%2], tenant, "one"); res.Err != nil || res.Run.Outcome != Held || fmt.Sprint(res.Run.Counts) != want {
					t.Errorf("%s: %s with %v, want %s; %v", tenant, res.Run.Outcome, res.Run.Counts, want, res.Err)
				}
			}
		})
	}
}

// TestChargeOfAClockThatIsBehind: a run whose clock is behind that of the tenant's run before has charged something. It is not done by what was
// stored before, nor by somebody who signs in meanwhile.
func TestChargeOfAClockThatIsBehind(t *testing.T) {
	c := newCrew(t, 4, 20)
	c.conn.SharedOver = c.mostWithin(4)
	a, b := c.engines[0], c.engines[1]
	c.now = c.now.Add(time.Minute)
	c.gone("t00", 0, 1)
	c.expectRun("by a clock that is ahead", b, "t00", "one", 1)
	c.now = c.now.Add(-8 * time.Second)
	c.gone("t00", 1, 3)
	c.kill("charged", "t00", "one", 0)
	c.gone("t01", 0, 1)
	c.expectRun("it may be done yet", b, "t01", "two", -1)
	c.now = c.now.Add(2 * time.Minute)
	zoe := arriving("zoe", "Zoe")
	zoe.Object.Set(directory.FieldEnabled, directory.Bool(true))
	if got, err := a.SettleOne(t.Context(), c.conn, connectors.Tenant{ID: "t00"}, zoe); err != nil || !got.Created {
		t.Fatalf("a sign-in: %+v, %v", got, err)
	}
	c.gone("t02", 0, 1)
	c.expectRun("still", b, "t02", "three", -1)
}

// TestNeverDoneEndsWithTheNextRun: what was charged and is no longer to be done counts until the tenant's next run has ended, also where a former
// version has charged it.
func TestNeverDoneEndsWithTheNextRun(t *testing.T) {
	for _, former := range []bool{false, true} {
		c := newCrew(t, 4, 20)
		c.conn.SharedOver = c.mostWithin(3)
		c.gone("t00", 0, 3)
		c.kill("charged", "t00", "one", 0)
		if former {
			c.ledger(func(a *account) { a.Open[0].Newest = nil })
		}
		c.gone("t01", 0, 1)
		c.expectRun("it may be done yet", c.engines[1], "t01", "two", -1)
		for i := range 3 {
			c.source.of["t00"][fmt.Sprintf("%03d", i)] = person{name: "Q"}
		}
		c.expectRun("they are back", c.engineOn(c.store), "t00", "two", 0)
		c.gone("t02", 0, 3)
		c.expectRun("it will not be done", c.engines[0], "t02", "three", 3)
	}
}

// ledger edits the account of the connection.
func (c *crew) ledger(edit func(*account)) {
	c.Helper()
	err := c.store.Ledger(c.Context(), sharedScope(c.conn).ledger, func(was []byte) ([]byte, error) {
		a, _ := parseAccount(was)
		edit(&a)
		return a.encode(was)
	})
	if err != nil {
		c.Fatal(err)
	}
}
