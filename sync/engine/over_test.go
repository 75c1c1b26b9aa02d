package engine

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/plan"
)

// days are runs on a clock of their own. Every run is that of a process that has just begun.
type days struct {
	*rig
	now time.Time
}

func newDays(t *testing.T, rules ...mapping.RuleSpec) *days {
	t.Helper()
	d := &days{rig: newRig(t, rules...), now: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)}
	d.conn.Over = plan.DefaultOver()
	return d
}

func (d *days) restart() {
	d.engine = New(d.store, Options{Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return d.now }})
}

// pass lets time go by and runs everything once. It returns why something is held.
func (d *days) pass(by time.Duration, conns ...*Connection) (reasons []string) {
	d.Helper()
	d.now = d.now.Add(by)
	d.restart()
	if len(conns) == 0 {
		conns = []*Connection{d.conn}
	}
	for _, c := range conns {
		for _, res := range d.engine.RunConnection(d.Context(), c, Job{Trigger: "schedule"}) {
			if res.Err != nil {
				d.Fatal(res.Err)
			}
			if res.Run.Held != "" {
				state := d.engine.stateOf(res.Partition)
				if err := state.load(d.Context()); err != nil {
					d.Fatal(err)
				}
				reasons = append(reasons, state.Held.Reasons...)
			}
		}
	}
	return reasons
}

// companies are tenants of one source with people of their own, by tenant.
type companies struct {
	*world
	of    map[string]map[string]person
	teams map[string]map[string][]string // groups with their members, by tenant
}

func newCompanies(tenants, people int) *companies {
	c := &companies{world: newWorld(), of: map[string]map[string]person{}, teams: map[string]map[string][]string{}}
	for i := range tenants {
		all := map[string]person{}
		for k := range people {
			all[fmt.Sprintf("%03d", k)] = person{name: "P"}
		}
		c.of[fmt.Sprintf("t%02d", i)] = all
	}
	return c
}

func (c *companies) Tenants(context.Context) (list []connectors.Tenant, err error) {
	for _, id := range slices.Sorted(maps.Keys(c.of)) {
		list = append(list, connectors.Tenant{ID: id})
	}
	return list, nil
}

func (c *companies) Read(ctx context.Context, req connectors.Request, emit func(*connectors.Page) error) error {
	one := newWorld()
	one.people, one.groups = c.of[req.Tenant.ID], c.teams[req.Tenant.ID]
	return one.Read(ctx, req, emit)
}

// A bleed of half a percent in each cycle is held before a twentieth has gone, in every scope, however often the process begins anew.
func TestSlowBleedIsHeld(t *testing.T) {
	const cycle = time.Hour
	percent, few, hundred := 5.0, 0, 100
	id := func(n int) string { return fmt.Sprintf("%03d", n) }
	people := func(d *days, n int) {
		for i := range n {
			d.add(id(i), "P")
		}
	}
	for _, c := range []struct {
		name   string
		make   func(t *testing.T) (d *days, bleed func(cycle int), conns []*Connection)
		of     int // that may bleed
		per    int // in a cycle
		reason string
	}{
		{"a tenant's people", func(t *testing.T) (*days, func(int), []*Connection) {
			d := newDays(t)
			people(d, 400)
			return d, func(n int) { delete(d.people, id(2*n)); delete(d.people, id(2*n+1)) }, nil
		}, 400, 2, "deactivate 2 user records: with those of the last 24 hours 22 of 400, 5.5%; the limit is 5%"},
		{"all tenants of a connection", func(t *testing.T) (*days, func(int), []*Connection) {
			d := newDays(t)
			source := newCompanies(20, 20)
			d.conn.Source, d.conn.Shared, d.conn.SharedOver = source, plan.DefaultShared(), plan.DefaultSharedOver()
			for i := range d.conn.SharedOver {
				d.conn.SharedOver[i].Of = ", of all tenants together"
			}
			return d, func(n int) {
				for i := range 2 {
					delete(source.of[fmt.Sprintf("t%02d", (2*n+i)%20)], id(n/10))
				}
			}, nil
		}, 400, 2, ", of all tenants together"},
		{"all connections", func(t *testing.T) (*days, func(int), []*Connection) {
			d := newDays(t)
			var conns []*Connection
			var worlds []*world
			for i := range 8 {
				c, w := *d.conn, newWorld()
				for k := range 50 {
					w.people[id(k)] = person{name: "P"}
				}
				c.Name, c.Source = fmt.Sprint("c", i), w
				c.WholeOver = []plan.Over{{Within: 24 * time.Hour, Written: true, Of: ", of all connections together",
					Guard: plan.Guard{directory.Deactivate: {Percent: &percent, Minimum: 20, Few: &few}}}}
				conns, worlds = append(conns, &c), append(worlds, w)
			}
			return d, func(n int) {
				for i := range 2 {
					delete(worlds[(2*n+i)%8].people, id(n/4))
				}
			}, conns
		}, 400, 2, ", of all connections together"},
		{"memberships", func(t *testing.T) (*days, func(int), []*Connection) {
			d := newDays(t)
			people(d, 200)
			d.mapping(mapping.Spec{Name: "m", Rules: []mapping.RuleSpec{user("everyone", "enabled")}, Groups: []mapping.RuleSpec{rule("teams", "true", directory.GroupRecord)}})
			for i := range 200 {
				d.groups["a"], d.groups["b"] = append(d.groups["a"], "p:"+id(i)), append(d.groups["b"], "p:"+id(i))
			}
			d.conn.Over = []plan.Over{{Within: 7 * 24 * time.Hour, Memberships: plan.Limit{Percent: &percent, Few: &few}}}
			return d, func(int) { d.groups["a"], d.groups["b"] = d.groups["a"][1:], d.groups["b"][1:] }, nil
		}, 400, 2, "take 2 memberships away: with those of the last 7 days 22 of 400, 5.5%; the limit is 5%"},
		{"one group", func(t *testing.T) (*days, func(int), []*Connection) {
			d := newDays(t)
			people(d, 200)
			d.mapping(mapping.Spec{Name: "m", Rules: []mapping.RuleSpec{user("everyone", "enabled")}, Groups: []mapping.RuleSpec{rule("teams", "true", directory.GroupRecord)}})
			for i := range 200 {
				d.groups["a"], d.groups["b"] = append(d.groups["a"], "p:"+id(i)), append(d.groups["b"], "p:"+id(i))
			}
			d.conn.Over = []plan.Over{{Within: 7 * 24 * time.Hour, List: plan.Limit{Percent: &percent, Minimum: hundred}}}
			return d, func(int) { d.groups["a"] = d.groups["a"][1:] }, nil
		}, 200, 1, "take members from 1 group or licence that would have lost more than 5% of them in 7 days"},
		{"one field", func(t *testing.T) (*days, func(int), []*Connection) {
			d := newDays(t)
			people(d, 400)
			d.conn.Over = []plan.Over{{Within: 7 * 24 * time.Hour, Fields: map[string]plan.Limit{"team": {Percent: &percent}}}}
			return d, func(n int) {
				for i := range 2 {
					d.people[id(2*n+i)] = person{name: "P", department: "gone"}
				}
			}, nil
		}, 400, 2, "change team of 2 user records: with those of the last 7 days 22 of 400, 5.5%; the limit is 5%"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, bleed, conns := c.make(t)
			if why := d.pass(0, conns...); len(why) > 0 {
				t.Fatal("the first sync is held:", why)
			}
			for n := range 40 {
				bleed(n)
				why := d.pass(cycle, conns...)
				if len(why) == 0 {
					continue
				}
				if gone := n * c.per; 100*gone > 5*c.of || gone == 0 {
					t.Errorf("held when %d of %d had gone", gone, c.of)
				}
				if text := strings.Join(why, "\n"); !strings.Contains(text, c.reason) {
					t.Errorf("held: %s; want %s", text, c.reason)
				}
				return
			}
			t.Error("never held")
		})
	}
}

// What an operator approved does not count, and the count begins anew with it.
func TestApprovalBeginsTheCountAnew(t *testing.T) {
	d := newDays(t)
	for i := range 200 {
		d.add(fmt.Sprintf("%02d", i), "P")
	}
	d.pass(0)
	d.leave(10, 20)
	if why := d.pass(time.Hour); len(why) > 0 {
		t.Fatal("one run by itself is held:", why)
	}
	d.leave(20, 21)
	if why := d.pass(time.Hour); len(why) == 0 {
		t.Fatal("not held, together with the run before")
	}
	d.leave(21, 30)
	d.pass(time.Hour)
	if res := d.engine.Approve(t.Context(), d.conn, connectors.Tenant{}, d.state().Held.Hash); res.Err != nil || res.Run.Counts["user"]["deactivate"] != 10 {
		t.Fatalf("approved: %+v", res)
	}
	d.leave(30, 31)
	if why := d.pass(time.Hour); len(why) > 0 {
		t.Error("held after an approval:", why)
	}
	h, err := plan.ParseHistory(d.state().Done)
	if err != nil {
		t.Fatal(err)
	}
	if got := h.Within(d.now, 24*time.Hour)[plan.Entry{Kind: directory.UserRecord, Op: directory.Deactivate}]; got != 1 {
		t.Errorf("%d count after the approval, want 1", got)
	}
}

// Neither a first sync nor what an operator approved is usual, or counts.
func TestWhatDoesNotCount(t *testing.T) {
	d := newDays(t)
	fifty := 50
	d.conn.Over = append(d.conn.Over, plan.Over{Within: 24 * time.Hour, Guard: plan.Guard{directory.Create: {Count: &fifty}}, Together: map[directory.Op]bool{directory.Create: true}})
	for i := range 100 {
		d.add(fmt.Sprintf("%02d", i), "P")
	}
	d.pass(0)
	d.add("new", "P")
	if why := d.pass(time.Hour); len(why) > 0 {
		t.Error("who comes after the first sync is held:", why)
	}
	d.leave(10, 40)
	d.pass(time.Hour)
	if res := d.engine.Approve(t.Context(), d.conn, connectors.Tenant{}, d.state().Held.Hash); res.Err != nil {
		t.Fatal(res.Err)
	}
	d.leave(40, 41)
	d.pass(time.Hour)
	h, err := plan.ParseHistory(d.state().Done)
	if err != nil {
		t.Fatal(err)
	}
	later := d.now.AddDate(0, 0, 40)
	if most, known := h.Usual(later, func(e plan.Entry) bool { return e.Op == directory.Deactivate }); !known || most != 1 {
		t.Errorf("usual is %d, %t; want 1", most, known)
	}
}

// Whoever edits a limit of all tenants has what waits judged anew, as with every other limit.
func TestEditedLimitOverTimeReleases(t *testing.T) {
	d := newDays(t)
	limit := func(n int) []plan.Over {
		return []plan.Over{{Within: 24 * time.Hour, Written: true, Guard: plan.Guard{directory.Deactivate: {Count: &n}}}}
	}
	d.conn.Over, d.conn.SharedOver, d.conn.WholeOver = nil, limit(1), limit(3)
	for i := range 200 {
		d.add(fmt.Sprintf("%02d", i), "P")
	}
	d.pass(0)
	d.leave(10, 12)
	for range 2 {
		if len(d.pass(time.Hour)) == 0 {
			t.Fatal("not held by the limit of all tenants")
		}
	}
	d.conn.SharedOver = limit(10)
	if why := d.pass(time.Hour); len(why) > 0 {
		t.Fatal("held still:", why)
	}
	d.leave(12, 14)
	if len(d.pass(time.Hour)) == 0 {
		t.Fatal("not held by the limit of all connections")
	}
	d.conn.WholeOver = limit(10)
	if why := d.pass(time.Hour); len(why) > 0 {
		t.Fatal("held still:", why)
	}
}

// What was held goes on waiting when the time is over in which it was too much.
func TestHeldOverTimeStaysHeld(t *testing.T) {
	d := newDays(t)
	for i := range 200 {
		d.add(fmt.Sprintf("%02d", i), "P")
	}
	d.pass(0)
	d.leave(10, 20)
	d.pass(time.Hour)
	d.leave(20, 22)
	if len(d.pass(time.Hour)) == 0 {
		t.Fatal("not held")
	}
	if len(d.pass(20*24*time.Hour)) == 0 {
		t.Error("let go without anybody having been asked")
	}
}

// Thirty days of a company in which people come, move and leave as they do hold nothing.
func TestHealthyMonthIsNeverHeld(t *testing.T) {
	seeds := 3
	if testing.Short() {
		seeds = 1
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(uint64(seed), 7))
			d := newDays(t)
			d.mapping(mapping.Spec{Name: "m", Rules: []mapping.RuleSpec{user("everyone", "enabled")}, Groups: []mapping.RuleSpec{rule("teams", "true", directory.GroupRecord)}})
			next := 0
			hire := func() {
				d.people[fmt.Sprintf("%04d", next)] = person{name: "P", department: "new"}
				next++
			}
			for range 150 + rnd.IntN(100) {
				hire()
			}
			someone := func() string {
				ids := slices.Sorted(maps.Keys(d.people))
				return ids[rnd.IntN(len(ids))]
			}
			for g := range 6 {
				for range 25 {
					d.groups[fmt.Sprint(g)] = append(d.groups[fmt.Sprint(g)], "p:"+someone())
				}
			}
			d.pass(0)
			for cycle := range 30 * 4 {
				if rnd.IntN(16) == 0 { // some seven in a month, of about two hundred
					delete(d.people, someone())
				}
				if rnd.IntN(12) == 0 {
					hire()
				}
				for range rnd.IntN(3) {
					who := someone()
					p := d.people[who]
					p.department = fmt.Sprint("team ", rnd.IntN(6))
					d.people[who] = p
					g := fmt.Sprint(rnd.IntN(6))
					if m := d.groups[g]; len(m) > 10 && rnd.IntN(2) == 0 {
						d.groups[g] = slices.Delete(slices.Clone(m), 0, 1)
					} else {
						d.groups[g] = append(slices.Clone(m), "p:"+who)
					}
				}
				if why := d.pass(6 * time.Hour); len(why) > 0 {
					t.Fatalf("cycle %d of a healthy month is held: %s", cycle, why)
				}
			}
		})
	}
}

// A run that changes nothing costs no write for the limits, and reads nothing but the tenant's own state.
func TestIdleRunsCountNothing(t *testing.T) {
	d := newDays(t)
	d.add("1", "P")
	d.pass(0)
	d.add("2", "P")
	d.pass(time.Hour)
	writes := countWrites(d.rig)
	before := d.state().Done
	d.pass(time.Hour)
	if *writes > 0 || len(before) == 0 {
		t.Errorf("%d writes, %d bytes counted", *writes, len(before))
	}
}

// What a run has stored by the time another one asks counts once, and not as what it is about to do, too.
func TestAllConnectionsCountARunOnce(t *testing.T) {
	d := newDays(t)
	percent, few := 5.0, 0
	var conns []*Connection
	var worlds []*world
	for i := range 3 {
		c, w := *d.conn, newWorld()
		for k := range 100 {
			w.people[fmt.Sprintf("%03d", k)] = person{name: "P"}
		}
		c.Name, c.Source = fmt.Sprint("c", i), w
		c.WholeOver = []plan.Over{{Within: 24 * time.Hour, Written: true, Guard: plan.Guard{directory.Deactivate: {Percent: &percent, Minimum: 20, Few: &few}}}}
		conns, worlds = append(conns, &c), append(worlds, w)
	}
	d.pass(0, conns...)
	d.now = d.now.Add(time.Hour)
	run := func(c *Connection) { // in a process that goes on
		for _, res := range d.engine.RunConnection(t.Context(), c, Job{Trigger: "schedule"}) {
			if res.Err != nil || res.Run.Outcome != Clean {
				t.Errorf("%s: %s, %v", c.Name, res.Run.Outcome, res.Err)
			}
		}
	}
	gone := func(w *world, n int) {
		for k := range n {
			delete(w.people, fmt.Sprintf("%03d", k))
		}
	}
	gone(worlds[0], 6)
	gone(worlds[1], 6)
	gone(worlds[2], 3)
	meanwhile := func() { // the first run has stored what it does, and has not ended
		d.now = d.now.Add(2 * wholeFor)
		run(conns[1])
	}
	d.engine = New(d.store, Options{Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return d.now }, Queued: func(string) {
		once := meanwhile
		if meanwhile = nil; once != nil {
			once()
		}
	}})
	run(conns[0])
	run(conns[2])
}

// A plan that waits lets nothing else past the limits of all connections, and what waits is not counted as if it went ahead.
func TestLimitsOfAllBesideAHeldPlan(t *testing.T) {
	for _, all := range []bool{false, true} {
		d := newDays(t)
		none, two := 0, 2
		limit := []plan.Over{{Within: 24 * time.Hour, Written: true, Guard: plan.Guard{directory.Deactivate: {Count: &two}}, Fields: map[string]plan.Limit{"team": {Count: &two}}}}
		if all {
			d.conn.WholeOver = limit
		} else {
			d.conn.SharedOver = limit
		}
		d.conn.Guard = plan.Guard{directory.Deactivate: {Count: &none}}
		for i := range 20 {
			d.add(fmt.Sprintf("%02d", i), "P")
		}
		d.pass(0)
		d.leave(0, 3)
		if why := d.pass(time.Hour); len(why) != 1 || !strings.Contains(why[0], "the limit is 0") {
			t.Fatalf("not held for the limit of a run alone: %v", why)
		}
		for i := 10; i < 15; i++ {
			d.people[fmt.Sprintf("%02d", i)] = person{name: "P", department: "gone"}
		}
		for range 2 {
			if why := d.pass(time.Hour); len(why) != 2 || !strings.Contains(strings.Join(why, "\n"), "change team of 5 user records") {
				t.Errorf("all connections %t: held for %q", all, why)
			}
		}
		d.drain()
	}
}

// A plan that waits as a whole takes nothing of what others may do.
func TestWholePlanThatWaitsIsNotCounted(t *testing.T) {
	d := newDays(t, user("desk", `department == "Desk"`), user("everyone", "enabled"))
	two := 2
	d.conn.WholeOver = []plan.Over{{Within: 24 * time.Hour, Written: true, Guard: plan.Guard{directory.Deactivate: {Count: &two}}}}
	d.says["users"] = []string{"department: departmentNumber", "id: uuid"}
	other := *d.conn
	w := newWorld()
	other.Name, other.Source = "other", w
	for i := range 20 {
		id := fmt.Sprintf("%02d", i)
		d.add(id, "P")
		w.people[id] = person{name: "P"}
	}
	d.pass(0, d.conn, &other)
	d.says["users"] = []string{"department: ou", "id: uuid"}
	d.leave(0, 2)
	delete(w.people, "00")
	d.now = d.now.Add(time.Hour)
	d.restart()
	for _, c := range []*Connection{d.conn, &other} { // of one process
		want := Clean
		if c == d.conn {
			want = Held
		}
		if res := d.engine.RunConnection(t.Context(), c, Job{})[0]; res.Run.Outcome != want || res.Err != nil {
			t.Errorf("%s: %s, want %s; %v", c.Name, res.Run.Outcome, want, res.Err)
		}
	}
	d.heldFor("department of users comes from ou")
}
