package engine

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
)

// seatSpec has licences of the desk's for agents, so many of each kind.
func seatSpec(of map[string]int) mapping.Spec {
	return mapping.Spec{Name: "m", Rules: []mapping.RuleSpec{agent("desk", "enabled")},
		Fields: map[directory.RecordKind][]mapping.FieldSpec{directory.AgentRecord: {field("name", "= name"), field("licence", "= department")}},
		Seats:  map[directory.RecordKind]mapping.Seats{directory.AgentRecord: {Total: new(6), Field: "licence", Of: of}}}
}

// walking counts how often somebody goes over the records of a partition.
type walking struct {
	store.Store
	walks int
}

func (w *walking) View(ctx context.Context, p store.Partition, fn func(store.Reader) error) error {
	return w.Store.View(ctx, p, func(tx store.Reader) error { return fn(walkingReader{tx, w}) })
}

type walkingReader struct {
	store.Reader
	of *walking
}

func (r walkingReader) Records(kind directory.RecordKind, after store.Num, fn func(store.Num, directory.Record) bool) error {
	r.of.walks++
	return r.Reader.Records(kind, after, fn)
}

// mustCount compares what a partition has counted of its seats, if anything, with its records. It returns whether anything was.
func (r *rig) mustCount(what string, p store.Partition) (counted bool) {
	r.Helper()
	err := r.store.View(r.Context(), p, func(tx store.Reader) error {
		state, err := tx.Tenant()
		if err != nil {
			return err
		}
		for _, taken := range state.Taken {
			counted = true
			kind, _ := directory.ParseRecordKind(taken.Kind)
			found := map[string]int{}
			for value := range taken.Of {
				found[value] = 0
			}
			err := tx.Records(kind, 0, func(_ store.Num, rec directory.Record) bool {
				if v, ok := rec.Get(taken.Field); ok && rec.Active {
					if _, limited := taken.Of[v.String()]; limited {
						found[v.String()]++
					}
				}
				return true
			})
			if err != nil {
				return err
			}
			if !maps.Equal(found, taken.Of) {
				r.Errorf("%s: %s: counted %v of %s, there are %v", what, p, taken.Of, taken.Field, found)
			}
		}
		return nil
	})
	if err != nil {
		r.Fatal(err)
	}
	return counted
}

// TestSeatsAreNotCountedAnew: runs, the status and plans read no records to know how many seats are taken, be somebody waiting or not; after the
// seats have changed, and in a state of a former version, they are counted once.
func TestSeatsAreNotCountedAnew(t *testing.T) {
	r := newRig(t)
	r.mapping(seatSpec(map[string]int{"Full": 3}))
	source := &tenanted{world: r.world}
	r.conn.Source = source
	for i := range 3 {
		source.list = append(source.list, connectors.Tenant{ID: fmt.Sprint("t", i)})
	}
	for i := range 2 {
		r.people[fmt.Sprint("f", i)] = person{name: "F", department: "Full"}
	}
	r.people["l"] = person{name: "L", department: "Light"}
	w := &walking{Store: r.store}
	r.engine.store = w
	stands := func(what, want string, walks bool) {
		t.Helper()
		w.walks = 0
		for _, res := range r.engine.RunConnection(t.Context(), r.conn, Job{}) {
			if res.Err != nil {
				t.Fatal(res.Err)
			}
		}
		counts, err := r.engine.Seats(r.conn).Of(t.Context(), source.list[0])
		for i := range counts {
			counts[i].Waiting = 0
		}
		if got := fmt.Sprint(counts); err != nil || got != want {
			t.Errorf("%s: %s, error %v, want %s", what, got, err, want)
		}
		if (w.walks > 0) != walks {
			t.Errorf("%s: records were gone over %d times", what, w.walks)
		}
		for _, tenant := range source.list {
			if !r.mustCount(what, store.Partition{Connection: "hq", Tenant: tenant.ID}) {
				t.Errorf("%s: %s has counted nothing", what, tenant.ID)
			}
		}
	}
	r.people["l2"] = person{name: "L2", department: "Light"}
	stands("the first run", "[{{agent  6 6} 0} {{agent Full 3 3} 0}]", true)
	stands("some wait", "[{{agent  6 6} 0} {{agent Full 3 3} 0}]", false)
	r.people["f0"] = person{name: "F", department: "Light"}
	stands("a licence is another one", "[{{agent  6 6} 0} {{agent Full 3 1} 0}]", false)
	r.mapping(seatSpec(map[string]int{"Full": 3, "Light": 5}))
	stands("other seats", "[{{agent  6 6} 0} {{agent Full 3 1} 0} {{agent Light 5 5} 0}]", true)
	stands("again", "[{{agent  6 6} 0} {{agent Full 3 1} 0} {{agent Light 5 5} 0}]", false)
	for _, tenant := range source.list {
		err := r.store.Update(t.Context(), store.Partition{Connection: "hq", Tenant: tenant.ID}, func(tx store.Writer) error {
			state, err := tx.Tenant()
			if err != nil {
				return err
			}
			state.Taken = nil
			return tx.PutTenant(state)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	stands("a state of a former version", "[{{agent  6 6} 0} {{agent Full 3 1} 0} {{agent Light 5 5} 0}]", true)
	stands("and again", "[{{agent  6 6} 0} {{agent Full 3 1} 0} {{agent Light 5 5} 0}]", false)
}

// seatStory changes who takes which seats, and which there are.
func (r *rig) seatStory() []func() {
	put := func(id, licence string) { r.people[id] = person{name: "P" + id, department: licence} }
	return []func(){
		func() {
			for i := range 5 {
				put(fmt.Sprint(i), []string{"Full", "Light", "None"}[i%3])
			}
		},
		func() { put("0", "Light"); put("1", "Full"); put("5", "Full") }, // two swap, and one comes
		func() {
			r.people["3"] = person{name: "P3", department: "Full", disabled: true}
			delete(r.people, "4")
			put("6", "Full")
		},
		func() { r.mapping(seatSpec(map[string]int{"Full": 2, "None": 9})); put("2", "Full") },
		func() {
			r.mapping(mapping.Spec{Name: "m", Rules: seatSpec(nil).Rules, Fields: seatSpec(nil).Fields})
			put("7", "Full")
		},
		func() { r.mapping(seatSpec(map[string]int{"Full": 2, "Light": 2})); put("8", "Light") },
	}
}

// TestSeatsCutAnywhere: wherever a run is cut, what is counted of the seats is right or not there, and the runs after it come to what they come to
// undisturbed.
func TestSeatsCutAnywhere(t *testing.T) {
	begin := func() *rig {
		r := newRig(t)
		r.mapping(seatSpec(map[string]int{"Full": 2, "Light": 2}))
		r.conn.Guard = nil
		return r
	}
	whole := begin()
	var want []string
	var taken [][]store.TakenSeats
	for _, change := range whole.seatStory() {
		change()
		for range 2 { // who waits gets a seat that was given up in the run before
			if _, res := whole.sync(); res.Err != nil {
				t.Fatal(res.Err)
			}
			whole.mustCount("undisturbed", whole.part())
		}
		want, taken = append(want, whole.outcome()), append(taken, whole.state().Taken)
	}
	cuts := 0
	for round := range want {
		for _, after := range []bool{false, true} {
			for n, more := 1, true; more; n++ {
				r := begin()
				story := r.seatStory()
				for _, change := range story[:round] {
					change()
					r.sync()
					r.sync()
				}
				story[round]()
				cut := &cutStore{Store: r.store, left: n, after: after}
				r.engine.store = cut
				r.sync()
				what := fmt.Sprintf("round %d cut %d after %t", round, n, after)
				r.mustCount(what, r.part())
				r.engine = New(r.store, r.engine.opts)
				r.sync()
				r.sync()
				if got := r.outcome(); got != want[round] {
					t.Errorf("%s:\n got %s\nwant %s", what, got, want[round])
				}
				if r.mustCount(what, r.part()); !reflect.DeepEqual(r.state().Taken, taken[round]) {
					t.Errorf("%s: counted %v, want %v", what, r.state().Taken, taken[round])
				}
				more = cut.dead.Load()
				cuts++
			}
		}
	}
	if t.Logf("%d cuts", cuts); cuts < 40 {
		t.Errorf("only %d cuts", cuts)
	}
}
