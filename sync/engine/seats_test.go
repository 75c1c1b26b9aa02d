package engine

import (
	"fmt"
	"slices"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
)

// TestSeatsOfAllTenants: the seats are the desk's, so the tenants of a connection take them from one number, also when they run side by
// side; a tenant that has a mapping of its own has the seats of that one.
func TestSeatsOfAllTenants(t *testing.T) {
	r := newRig(t)
	spec := func(name string) mapping.Spec {
		return mapping.Spec{Name: name, Rules: []mapping.RuleSpec{agent("desk", "true")},
			Fields: map[directory.RecordKind][]mapping.FieldSpec{directory.AgentRecord: {field("name", "= name"), field("licence", "= department")}},
			Seats:  map[directory.RecordKind]mapping.Seats{directory.AgentRecord: {Total: new(6), Field: "licence", Of: map[string]int{"Full": 3}}}}
	}
	r.mapping(spec("m"))
	other := spec("other")
	other.Seats[directory.AgentRecord] = mapping.Seats{Total: new(1)}
	own, problems := mapping.Compile(other)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	r.conn.Overrides = []Override{{Tenant: "own", Rules: own}}
	r.people["1"] = person{name: "P1", department: "Full"}
	r.people["2"] = person{name: "P2", department: "Light"}
	source := &tenanted{world: r.world}
	r.conn.Source = source
	for i := range 5 {
		source.list = append(source.list, connectors.Tenant{ID: fmt.Sprint("t", i)})
	}
	source.list = append(source.list, connectors.Tenant{ID: "own"})
	made := func(what string, want int) {
		t.Helper()
		n := 0
		for _, res := range r.engine.RunConnection(t.Context(), r.conn, Job{}) {
			if res.Err != nil {
				t.Fatal(what, res.Err)
			}
			if res.Partition.Tenant != "own" {
				n += res.Run.Counts["agent"]["create"]
			} else if what == "first" && res.Run.Counts["agent"]["create"] != 1 {
				t.Errorf("%s: the one with a mapping of its own: %v", what, res.Run.Counts)
			}
		}
		if n != want {
			t.Errorf("%s: %d made, want %d", what, n, want)
		}
	}
	stands := func(tenant string) string {
		t.Helper()
		counts, err := r.engine.Seats(r.conn).Of(t.Context(), connectors.Tenant{ID: tenant})
		if err != nil {
			t.Fatal(err)
		}
		for i := range counts {
			counts[i].Waiting = 0
		}
		return fmt.Sprint(counts)
	}
	made("first", 6)
	made("again", 0)
	if got := stands("own"); got != "[{{agent  1 1} 0}]" {
		t.Errorf("of its own: %s", got)
	}
	total := stands("t0")
	if total != stands("t4") || total[:len("[{{agent  6 6} 0}")] != "[{{agent  6 6} 0}" {
		t.Errorf("together: %s and %s", total, stands("t4"))
	}
	// A plan of one tenant by itself sees what the others have.
	for _, tenant := range source.list[:5] {
		if res := r.engine.Run(t.Context(), r.conn, tenant, Job{}); len(res.Run.Counts) != 0 {
			t.Errorf("%s alone: %v", tenant.ID, res.Run.Counts)
		}
	}
	source.list = slices.DeleteFunc(source.list, func(c connectors.Tenant) bool { return c.ID == "own" })
	spec2 := spec("m")
	spec2.Seats[directory.AgentRecord] = mapping.Seats{Total: new(8), Field: "licence", Of: map[string]int{"Full": 3}}
	r.mapping(spec2)
	made("two more seats", 2)
}
