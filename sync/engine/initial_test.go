package engine

import (
	"fmt"
	"strings"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/plan"
)

// firsts are those of whom a target is told as there all the time, and others those of whom it is not.
func (r *rig) firsts(name string) (firsts, others string) {
	r.Helper()
	var list [2][]string
	err := r.store.View(r.Context(), r.part(), func(tx store.Reader) error {
		list = [2][]string{}
		return tx.Outbox(name, 0, func(q store.Queued) bool {
			a, err := directory.ParseAction(q.Data)
			if err != nil {
				r.Fatal(err)
			}
			i := 1
			if a.Initial {
				i = 0
			}
			list[i] = append(list[i], a.Origin.ID)
			return true
		})
	})
	if err != nil {
		r.Fatal(err)
	}
	return strings.Join(list[0], " "), strings.Join(list[1], " ")
}

// queue syncs and leaves what is queued where it is.
func (r *rig) queue() Result { return r.engine.RunConnection(r.Context(), r.conn, Job{})[0] }

// What the first sync brings was there all the time, whatever cut it; who comes later is a joiner. A target that is new to the
// connection hears of both as there.
func TestInitial(t *testing.T) {
	for cut := 1; cut < 40; cut++ {
		for _, after := range []bool{false, true} {
			r := newRig(t, user("everyone", "enabled"))
			r.engine.chunk = 2
			for i := range 6 {
				r.add(fmt.Sprint(i), fmt.Sprint("P", i))
			}
			whole := r.store
			mortal := &cutStore{Store: whole, left: cut, after: after}
			r.engine.store = mortal
			r.engine.RunConnection(r.Context(), r.conn, Job{})
			r.engine.store = whole
			done := !mortal.dead.Load()
			if r.queue(); r.state().Initial {
				t.Errorf("cut at %d: it is not over", cut)
			}
			if firsts, others := r.firsts(target); firsts != "0 1 2 3 4 5" || others != "" {
				t.Errorf("cut at %d: %q, others %q", cut, firsts, others)
			}
			r.add("7", "Joiner")
			r.queue()
			if _, others := r.firsts(target); others != "7" {
				t.Errorf("cut at %d: others %q", cut, others)
			}
			r.conn.Targets = append(r.conn.Targets, "new")
			r.queue()
			if firsts, others := r.firsts("new"); firsts != "0 1 2 3 4 5 7" || others != "" {
				t.Errorf("a new target: %q, others %q", firsts, others)
			}
			if done {
				return
			}
		}
	}
	t.Error("the run never came to its end")
}

// What the guard holds of a first sync is part of it.
func TestInitialIsHeld(t *testing.T) {
	r := newRig(t, user("everyone", "enabled"))
	limit := 2
	r.conn.Guard = plan.Guard{directory.Create: {Count: &limit}}
	for i := range 6 {
		r.add(fmt.Sprint(i), fmt.Sprint("P", i))
	}
	held := r.queue()
	if held.Run.Outcome != Held {
		t.Fatalf("%+v", held.Run)
	}
	approved := r.engine.Approve(r.Context(), r.conn, connectors.Tenant{}, held.Run.Held)
	if firsts, others := r.firsts(target); firsts != "0 1 2 3 4 5" || others != "" || approved.Err != nil {
		t.Errorf("%q, others %q, %v", firsts, others, approved.Err)
	}
	r.conn.Guard = nil
	r.add("7", "Joiner")
	r.queue()
	if _, others := r.firsts(target); others != "7" {
		t.Errorf("others %q", others)
	}
}
