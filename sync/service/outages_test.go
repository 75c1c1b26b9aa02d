package service

import (
	"os"
	"strings"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/connectors/connectortest/memory"
	"dirsyncd/sync/api"
	"dirsyncd/sync/deliver"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
	"dirsyncd/sync/targets/desktest"
)

// What a target answered to the last sync is known to a later command, until it has taken what waited then.
func TestStatusKnowsOfAnOutage(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	if err := os.Mkdir("changes.jsonl", 0o700); err != nil { // no file can be written there
		t.Fatal(err)
	}
	sync := func() {
		t.Helper()
		if _, err := w.open(t).Sync(ctx, api.SyncRequest{}, nil); err != nil {
			t.Fatal(err)
		}
	}
	status := func() api.TargetStatus {
		t.Helper()
		st, err := w.open(t).Status(ctx) // a process that has asked nobody
		if err != nil || st.Daemon || len(st.Targets) != 1 {
			t.Fatalf("%+v, %v", st, err)
		}
		return st.Targets[0]
	}
	sync()
	first := status()
	if first.State != string(deliver.Failing) || first.Waiting != 2 || first.Error == "" || first.Since.IsZero() {
		t.Fatalf("%+v", first)
	}
	sync()
	if again := status(); !again.Since.Equal(first.Since) {
		t.Errorf("it has failed since %s, and then since %s", first.Since, again.Since)
	}
	if err := os.Remove("changes.jsonl"); err != nil {
		t.Fatal(err)
	}
	sync()
	if st := status(); st.Error != "" || st.State != "unknown" || st.Waiting != 0 {
		t.Errorf("%+v", st)
	}
}

// Of several targets that are looked at, one that cannot be asked keeps nobody from hearing of the others.
func TestAdoptGoesOn(t *testing.T) {
	two := strings.NewReplacer("targets: [help]", "targets: [broken, help]", "targets:\n", "targets:\n  broken: {target: dead, dead: {}}\n").Replace(oneDesk)
	w, sim := deskWorld(t, oneDesk)
	dead := desktest.NewSim(1)
	type block struct{}
	w.parts = Parts{Connectors: connectors.Registry{memory.FactoryOf(w.source, memory.Options{})}, Targets: targets.Registry{
		targets.NewDesk("sim", "for tests", func() *block { return &block{} }, func(*block) targets.DeskDescription { return sim.Describe() },
			func(*block, targets.Env) (targets.Desk, error) { return sim, nil }),
		targets.NewDesk("dead", "for tests", func() *block { return &block{} }, func(*block) targets.DeskDescription { return dead.Describe() },
			func(*block, targets.Env) (targets.Desk, error) { return dead, nil }),
	}}
	if err := os.WriteFile("config.yaml", []byte(two), 0o600); err != nil {
		t.Fatal(err)
	}
	w.load(t)
	dead.Set(func(f *desktest.Faults) { f.Down = 1 })
	s := w.open(t)
	if _, err := s.Sync(t.Context(), api.SyncRequest{}, nil); err != nil {
		t.Fatal(err)
	}
	list, err := s.Adopt(t.Context(), api.AdoptRequest{})
	if err != nil || len(list) != 2 || list[0].Target != "broken" || list[0].Error == "" || list[0].Hash != "" || list[1].Target != "help" || list[1].Hash == "" || list[1].Error != "" {
		t.Errorf("%+v, %v", list, err)
	}
	if _, err := s.Adopt(t.Context(), api.AdoptRequest{Target: "broken"}); !fault.ClassOf(err).Retryable() {
		t.Errorf("by its name: %v", err)
	}
	if _, err := s.Adopt(t.Context(), api.AdoptRequest{Key: "logn"}); fault.ClassOf(err) != fault.Configuration || !strings.Contains(err.Error(), `"logn"`) {
		t.Errorf("a key that no target has: %v", err)
	}
}

// A connection of which others are made reads people, and makes nobody's users.
func TestContributorsReadPeople(t *testing.T) {
	m := newMerged(t, "leader")
	m.put(m.hr, "1", "name", "Ada", "employee_id", "1")
	m.put(m.hr, "2", "name", "Bob", "employee_id", "2")
	person, user := directory.Person.String(), directory.UserRecord.String()
	check := func(what string, runs []api.Run) {
		t.Helper()
		for i := range runs {
			r := &runs[i]
			want, not := person, user
			if r.Connection == "people" {
				want, not = user, person
			}
			if r.Connection != "people" && r.Connection != "hr" {
				continue
			}
			if r.Counts[want]["create"] != 2 || r.Counts[not] != nil || (r.Rules != nil) != (r.Connection == "people") {
				t.Errorf("%s: %s: %+v", what, r.Connection, r)
			}
		}
	}
	kinds := map[string]string{}
	plan, err := m.service.Plan(t.Context(), api.PlanRequest{Connections: []string{"hr"}}, func(a api.PlannedAction) { kinds[a.Connection] = a.Kind })
	m.must(err)
	if check("plan", plan.Runs); kinds["hr"] != person {
		t.Errorf("planned: %v", kinds)
	}
	check("sync", m.sync(true))
	runs, err := m.service.Runs(t.Context(), api.RunsRequest{})
	if err != nil || len(runs) == 0 {
		t.Fatal(runs, err)
	}
	check("runs", runs)
	st, err := m.service.Status(t.Context())
	m.must(err)
	for _, c := range st.Connections {
		if c.Name == "hr" && (len(c.Tenants) != 1 || len(c.Tenants[0].Records) > 0 || c.Tenants[0].Objects[person] != 2 || len(c.Undecided) > 0) {
			t.Errorf("status: %+v", c)
		}
	}
}
