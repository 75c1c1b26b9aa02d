package engine

import (
	"strings"
	"testing"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/plan"
)

func newBoards(t *testing.T, always ...string) *rig {
	t.Helper()
	r := newRig(t)
	board := rule("boards", `name startsWith "team"`, directory.GroupRecord)
	board.Always = always
	r.mapping(mapping.Spec{Name: "m", Rules: []mapping.RuleSpec{user("everyone", "enabled")}, Groups: []mapping.RuleSpec{board}})
	r.conn.Guard, r.conn.Lists = nil, plan.Lists{}
	return r
}

// TestAlwaysMembers: whom a rule wants in its groups is in them as long as he has a record, whatever the source lists.
func TestAlwaysMembers(t *testing.T) {
	r := newBoards(t, "hq/2", "hq/9", "elsewhere/1")
	r.add("1", "P1")
	r.add("2", "P2")
	r.groups["team"], r.groups["other"] = []string{"p:1"}, []string{"p:1"}
	r.expect("first", Clean, "create user 1", "create user 2", "create group team +hq/1,hq/2 -")
	r.expect("idle", Clean)
	r.groups["team"] = []string{"p:1", "p:2"}
	r.expect("the source lists him, too", Clean)
	r.groups["team"] = nil
	r.expect("and no longer", Clean, "update group team + -hq/1")
	r.add("9", "P9")
	r.expect("the other one comes", Clean, "create user 9", "update group team +hq/9 -")
	r.people["2"] = person{name: "P2", disabled: true}
	r.expect("one loses the record", Clean, "deactivate user 2", "update group team + -hq/2")
	r.people["2"] = person{name: "P2"}
	r.groups["team-b"] = []string{"p:1"}
	r.expect("and is back", Clean, "reactivate user 2", "update group team +hq/2 -", "create group team-b +hq/1,hq/2,hq/9 -")
	delete(r.people, "9")
	r.expect("one leaves", Clean, "deactivate user 9", "update group team + -hq/9", "update group team-b + -hq/9")
}

// TestAlwaysNobody: a key that is nobody's is told, once for each edit, by full runs, and by a plan.
func TestAlwaysNobody(t *testing.T) {
	r := newBoards(t, "hq/2", "hq/9", "elsewhere/1")
	r.add("1", "P1")
	r.add("2", "P2")
	r.groups["team"] = []string{"p:1"}
	said := func(when string, job Job, want int) {
		t.Helper()
		r.job = job
		_, res := r.sync()
		if n := strings.Count(strings.Join(res.Run.Notes, "\n"), "always names"); n != want || want > 0 && !strings.Contains(res.Run.Notes[0], "hq/9") {
			t.Errorf("%s: %q", when, res.Run.Notes)
		}
	}
	said("first", Job{}, 1)
	r.people["1"] = person{name: "Other"}
	said("a change", Job{}, 0)
	said("in full", Job{Full: true}, 1)
	r.add("9", "P9")
	said("he is there", Job{Full: true}, 0)
}

// TestAlwaysMembersAfterACut: a run is cut anywhere while they come and go.
func TestAlwaysMembersAfterACut(t *testing.T) {
	for _, after := range []bool{false, true} {
		for n := 1; ; n++ {
			r, fresh := newBoards(t, "hq/1", "hq/6"), newBoards(t, "hq/1", "hq/6")
			for _, id := range []string{"1", "2", "3", "4", "5"} {
				r.add(id, "P"+id)
			}
			r.groups["team"], r.groups["team-b"] = []string{"p:2"}, []string{"p:3"}
			r.sync()
			delete(r.people, "1")
			r.add("6", "P6")
			cut := &cutStore{Store: r.store, left: n, after: after}
			r.engine.store = cut
			r.sync()
			r.engine = New(r.store, r.engine.opts)
			r.sync()
			fresh.people, fresh.groups = r.people, r.groups
			fresh.sync()
			if got, want := r.active(), fresh.active(); got != want {
				t.Errorf("cut %d after %t:\n got %s\nwant %s", n, after, got, want)
			}
			if !cut.dead.Load() {
				break
			}
		}
	}
}
