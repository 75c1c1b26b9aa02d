package engine

import (
	"slices"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/plan"
)

// compiled is a mapping of some rules for people.
func compiled(t *testing.T, name string, rules ...mapping.RuleSpec) *mapping.Ruleset {
	t.Helper()
	set, problems := mapping.Compile(mapping.Spec{Name: name, Rules: rules})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return set
}

// TestOverrideOfATenant: one tenant has rules, limits and streams of its own, all others those of the connection.
func TestOverrideOfATenant(t *testing.T) {
	r := newRig(t, user("everyone", "enabled"))
	r.wide = true
	for _, id := range []string{"1", "2", "3", "4"} {
		r.add(id, "P"+id)
	}
	r.devices["d1"] = "p:1"
	source := &tenanted{world: r.world, list: []connectors.Tenant{{ID: "a", Name: "Harbour"}, {ID: "b", Name: "Hill", Domain: "hill.test"}, {ID: "c"}}}
	r.conn.Source = source
	none := 0
	r.conn.Overrides = []Override{
		{Tenant: "HILL.TEST", Rules: compiled(t, "hill", user("first", `name == "P1"`), user("nobody", `name == "X"`)), Guard: plan.Guard{directory.Deactivate: {Count: &none}}, Lists: plan.DefaultLists(), Without: []directory.Kind{directory.Device}},
		{Tenant: "elsewhere"},
	}
	results := r.engine.RunConnection(t.Context(), r.conn, Job{})
	for i, want := range []int{4, 1, 4} {
		if got := results[i].Run.Counts["user"]["create"]; got != want {
			t.Errorf("%s: %d users were made, want %d", results[i].Partition.Tenant, got, want)
		}
	}
	if got := results[1].Run.Rules["person"]; got["first"] != 1 || got[""] != 3 || results[1].Mapping != "hill" {
		t.Errorf("b by %s: %v", results[1].Mapping, got)
	}
	devices := func(tenant string) (n int) {
		err := r.store.View(t.Context(), store.Partition{Connection: "hq", Tenant: tenant}, func(tx store.Reader) (err error) {
			n, err = tx.Count(directory.Device)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if devices("a") != 1 || devices("b") != 0 {
		t.Errorf("devices of a: %d, of b: %d", devices("a"), devices("b"))
	}
	if got := r.conn.Unmet(source.list); !slices.Equal(got, []string{"elsewhere"}) {
		t.Errorf("unmet: %v", got)
	}

	delete(r.people, "1")
	results = r.engine.RunConnection(t.Context(), r.conn, Job{})
	if got := outcomes(results); got != "a:clean b:held c:clean" {
		t.Errorf("one of four leaves: %s", got)
	}
	reasons, err := r.engine.Why(t.Context(), r.conn, source.list[1], directory.UserRecord, "2")
	if err != nil || len(reasons) != 1 || len(reasons[0].Rules) != 2 || reasons[0].Rules[0].Rule != "first" {
		t.Errorf("why: %+v, %v", reasons, err)
	}
}

// TestLessOfATenant: what a tenant is no longer read for waits, as it does for a connection.
func TestLessOfATenant(t *testing.T) {
	r := newRig(t)
	r.wide = true
	r.spec.Devices = []mapping.RuleSpec{{Name: "all", Records: map[directory.RecordKind][]mapping.FieldSpec{directory.AssetRecord: {}}}}
	r.mapping(r.spec)
	r.add("1", "P1")
	r.devices["d1"] = "p:1"
	source := &tenanted{world: r.world, list: []connectors.Tenant{{ID: "a"}}}
	r.conn.Source = source
	if got := outcomes(r.engine.RunConnection(t.Context(), r.conn, Job{})); got != "a:clean" {
		t.Fatal(got)
	}
	r.conn.Overrides = []Override{{Tenant: "a", Without: []directory.Kind{directory.Device}}}
	results := r.engine.RunConnection(t.Context(), r.conn, Job{})
	if got := outcomes(results); got != "a:held" || results[0].Run.HeldCounts["asset"]["deactivate"] != 1 {
		t.Errorf("%s: %v", got, results[0].Run.HeldCounts)
	}
}

// TestMixedStreams: what comes in one stream with others cannot be left out.
func TestMixedStreams(t *testing.T) {
	r := newRig(t)
	r.wide = true
	for kind, mixed := range map[directory.Kind]bool{directory.Device: false, directory.Licence: false} {
		r.conn.Overrides = []Override{{Tenant: "a", Without: []directory.Kind{kind}}}
		if err := r.conn.Mixed(); (err != nil) != mixed {
			t.Errorf("%s: %v", kind, err)
		}
	}
	r.conn.Source = joined{r.world}
	r.conn.Overrides = []Override{{Tenant: "a", Without: []directory.Kind{directory.Licence}}}
	if err := r.conn.Mixed(); err == nil {
		t.Error("a kind was left out of a stream that lists others, too")
	}
}

// joined lists everything in one stream.
type joined struct{ *world }

func (joined) Describe() connectors.Description {
	return connectors.Description{Streams: []connectors.Stream{{Name: "all", Kinds: []directory.Kind{directory.Person, directory.Licence}}}}
}

// TestUndecided: a rule that nobody has met since it is as it is, is told of, and no longer once somebody has.
func TestUndecided(t *testing.T) {
	r := newRig(t, user("late", `department == "Late"`), user("everyone", "enabled"), user("never", "enabled"))
	r.add("1", "P1")
	undecided := func(want ...string) {
		t.Helper()
		tenants, err := r.engine.StoredTenants(t.Context(), "hq")
		if err != nil {
			t.Fatal(err)
		}
		var states []store.TenantState
		for _, tenant := range tenants {
			s := r.engine.stateOf(store.Partition{Connection: "hq", Tenant: tenant.ID})
			if err := s.load(t.Context()); err != nil {
				t.Fatal(err)
			}
			states = append(states, s.TenantState)
		}
		if got := r.conn.Undecided(tenants, states); !slices.Equal(got, want) {
			t.Errorf("undecided: %v, want %v", got, want)
		}
	}
	undecided()
	r.sync()
	undecided("person/late", "person/never")
	p := r.people["1"]
	p.department = "Late"
	r.people["1"] = p
	r.sync()
	undecided("person/never")
	r.add("2", "P2")
	if _, res := r.sync(); res.Run.Rules["person"]["everyone"] != 1 || len(res.Run.Rules["person"]) != 1 {
		t.Errorf("the run looked at %v", res.Run.Rules)
	}
	undecided("person/never")
	if _, res := r.sync(); res.Run.Rules != nil {
		t.Errorf("a run that looked at nobody counts %v", res.Run.Rules)
	}
	r.spec.Rules = r.spec.Rules[:2]
	r.mapping(r.spec)
	undecided() // not yet settled by these
	r.sync()
	undecided()
}

// TestAgainByAnOverride: what is told once more of a tenant leaves alone what the tenant's own rules set on create only; its seats are
// counted by them, too.
func TestAgainByAnOverride(t *testing.T) {
	r := newRig(t)
	r.add("1", "P1")
	once := field("note", "= name")
	once.On = mapping.OnCreate
	one := 1
	own, problems := mapping.Compile(mapping.Spec{Name: "own", Seats: map[directory.RecordKind]mapping.Seats{directory.UserRecord: {Total: &one}},
		Rules: []mapping.RuleSpec{{Name: "own", Records: map[directory.RecordKind][]mapping.FieldSpec{directory.UserRecord: {once}}}}})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	a := connectors.Tenant{ID: "a", Name: "Harbour"}
	r.conn.Source = &tenanted{world: r.world, list: []connectors.Tenant{a}}
	r.conn.Overrides = []Override{{Tenant: "harbour", Rules: own}}
	if got := outcomes(r.engine.RunConnection(t.Context(), r.conn, Job{})); got != "a:clean" {
		t.Fatal(got)
	}
	r.engine.opts.Queued = func(string) {}
	told, err := r.engine.Again(t.Context(), r.conn, "a", target, "seed", directory.UserRecord, "hq/a/1")
	if err != nil || !told {
		t.Fatal(told, err)
	}
	var last directory.Action
	err = r.store.View(t.Context(), store.Partition{Connection: "hq", Tenant: "a"}, func(tx store.Reader) error {
		return tx.Outbox(target, 0, func(q store.Queued) bool {
			last, err = directory.ParseAction(q.Data)
			return err == nil
		})
	})
	if err != nil || !slices.Equal(last.Once, []string{"note"}) {
		t.Errorf("set on create only: %v, %v", last.Once, err)
	}
	if seats, err := r.engine.Seats(r.conn).Of(t.Context(), a); err != nil || len(seats) != 1 || seats[0].Taken != 1 {
		t.Errorf("seats: %+v, %v", seats, err)
	}
}
