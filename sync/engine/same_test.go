package engine

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// newSameRig has three people and two groups, one of them empty, whose entries are known again.
func newSameRig(t *testing.T) *rig {
	t.Helper()
	r := newRig(t, agent("desk", `"desk" in groups`), user("everyone", "enabled"))
	r.basis = "b"
	r.add("1", "One")
	r.add("2", "Two")
	r.add("3", "Three")
	r.groups["desk"], r.groups["empty"] = []string{"p:1"}, nil
	r.job.Full = true
	r.expect("first", Clean, "create agent 1", "create user 2", "create user 3")
	return r
}

// mustTranslate runs, and demands of which objects the entries were translated.
func (r *rig) mustTranslate(what, ids string, actions ...string) Result {
	r.Helper()
	r.translated = nil
	res := r.expect(what, Clean, actions...)
	if got := strings.Join(r.translated, " "); got != ids {
		r.Errorf("%s: translated %q, want %q", what, got, ids)
	}
	if want := len(r.people) + len(r.groups) + len(r.before) + len(r.after); res.Run.Read != want {
		r.Errorf("%s: read %d objects, want %d", what, res.Run.Read, want)
	}
	return res
}

func TestSameEntriesAreNotTranslated(t *testing.T) {
	r := newSameRig(t)
	writes := 0
	r.engine.store = &countingStore{Store: r.store, n: &writes}
	r.mustTranslate("nothing new", "")
	if writes > 0 {
		t.Errorf("%d writes", writes)
	}
	r.people["2"] = person{name: "Renamed"}
	r.groups["empty"] = []string{"p:3"}
	r.mustTranslate("some are new", "2 empty", "update user 2 name:Two>Renamed")
	r.mustTranslate("and known from then on", "")
	r.groups["empty"] = nil
	r.mustTranslate("empty again", "empty")
	r.mustTranslate("known", "")
	r.groups["empty"] = []string{"p:2", "p:3"}
	r.mustTranslate("filled", "empty")
	r.groups["empty"] = []string{"p:3"}
	r.mustTranslate("somebody left", "empty")
	r.mustTranslate("the list is known as a whole only now", "empty")
	r.mustTranslate("known", "")

	delete(r.people, "3")
	r.mustTranslate("a leaver", "", "deactivate user 3")
	r.add("3", "Three")
	r.mustTranslate("who comes back as it was", "3", "reactivate user 3")
	r.mustTranslate("known", "")
}

// What is kept is matched a part at a time, beside the read. No part comes too late.
func TestSameEntriesOfSeveralParts(t *testing.T) {
	if os.Getenv(stateURL) != "" {
		t.Skip("of so many people one store is enough")
	}
	r := newRig(t, user("nobody", "false"))
	r.basis, r.job.Full, r.engine.chunk = "b", true, 2000
	for i := range 5_300 { // a part is of 5,000
		r.add(fmt.Sprintf("%04d", i), "N")
	}
	r.expect("first", Clean)
	r.mustTranslate("known", "")
	r.add("0007", "New")
	r.add("5299", "New")
	r.mustTranslate("one of the first and one of the last", "0007 5299")
}

// What else the entries are translated by makes all of them new.
func TestSameEntriesOfAnotherBasis(t *testing.T) {
	r := newSameRig(t)
	all := "1 2 3 desk empty"
	r.basis = "other"
	r.mustTranslate("another configuration", all)
	r.mustTranslate("known again", "")
	r.engine.opts.Program = func() string { return "other" }
	r.mustTranslate("another program", all)
	r.mustTranslate("known again", "")
	r.engine.opts.Program = func() string { return "" }
	r.mustTranslate("one that does not know itself", all)
}

// An entry is known for as long as its object is stored as it was made of it, whoever stores it.
func TestSameEntriesOfObjectsThatChangedOtherwise(t *testing.T) {
	r := newSameRig(t)
	changed := r.object("2")
	changed.SetText(directory.FieldName, "By delta")
	r.delta = func(emit func(*connectors.Page) error) error {
		return emit(&connectors.Page{Objects: []directory.Object{changed}, Cursor: []byte("next"), Proof: &connectors.Proof{Scope: r.scope, Count: -1}})
	}
	r.groupDelta = func(emit func(*connectors.Page) error) error {
		return emit(&connectors.Page{Members: []connectors.Members{{Group: "desk", Add: []string{"p:3"}}, {Group: "empty", Add: []string{"p:3"}}}, Cursor: []byte("next"), Proof: &connectors.Proof{Scope: r.scope, Count: -1}})
	}
	r.expect("a first cursor", Clean)
	r.job.Full = false
	r.expect("a delta", Clean, "update user 2 name:Two>By delta", "deactivate user 3", "create agent 3")
	r.job.Full = true
	r.mustTranslate("and all as before", "2 desk empty", "update user 2 name:By delta>Two", "deactivate agent 3", "reactivate user 3")
}

// Whoever is missing without proof is stored as he was. The same bytes say that he is there again.
func TestSameEntryOfWhomWasMissed(t *testing.T) {
	r := newSameRig(t)
	delete(r.people, "3")
	r.scope = "narrower"
	r.expect("out of the scope", Held)
	r.add("3", "Three")
	r.mustTranslate("there all the time", "3")
	r.mustTranslate("known", "")
}

// Members whose lists are known count as listed.
func TestSameGroupsHaveMembers(t *testing.T) {
	r := newSameRig(t)
	for i := range manyMembers {
		r.groups["desk"] = append(r.groups["desk"], fmt.Sprint("p:x", i))
	}
	r.mustTranslate("many members", "desk")
	if res := r.mustTranslate("known", ""); len(res.Run.Notes) > 0 {
		t.Errorf("notes %q", res.Run.Notes)
	}
	r.people["1"] = person{name: "Renamed"}
	if res := r.mustTranslate("and one person", "1", "update agent 1 name:One>Renamed"); len(res.Run.Notes) > 0 {
		t.Errorf("notes %q", res.Run.Notes)
	}
}

// manyMembers are so many that nobody believes it when they are all gone.
const manyMembers = 20

// Whoever shares a handle is told of at each read.
func TestSameEntriesThatShareAHandle(t *testing.T) {
	r := newSameRig(t)
	r.people["2"] = person{name: "Two", handle: "uid:x"}
	r.people["3"] = person{name: "Three", handle: "uid:x"}
	first := r.mustTranslate("a log-in name twice", "2 3")
	second := r.mustTranslate("told again", "2 3")
	told := func(res Result) bool {
		return slices.ContainsFunc(res.Run.Notes, func(n string) bool { return strings.Contains(n, "not unique") })
	}
	if !told(first) || !told(second) {
		t.Errorf("notes %q, then %q", first.Run.Notes, second.Run.Notes)
	}
}

// An entry that comes twice in one read, and otherwise the second time: the later one holds, also where it is as it was.
func TestSameEntryTwice(t *testing.T) {
	for name, place := range map[string]func(r *rig, o []directory.Object){
		"before": func(r *rig, o []directory.Object) { r.before = o },
		"after":  func(r *rig, o []directory.Object) { r.after = o },
	} {
		t.Run(name, func(t *testing.T) {
			r := newSameRig(t)
			other := r.object("1")
			other.SetText(directory.FieldName, "Other")
			place(r, []directory.Object{other})
			want := []string(nil)
			if name == "after" {
				want = []string{"update agent 1 name:One>Other"}
			}
			r.engine.opts.Sleep = func(context.Context, time.Duration) error { return nil }
			r.expect("twice", Clean, want...)
		})
	}
}

// A group's entry is known for as long as its members are those that were made of it, whoever has changed them since.
func TestSameGroupWhoseMembersChangedOtherwise(t *testing.T) {
	t.Run("by a delta", func(t *testing.T) {
		r := newSameRig(t)
		r.mustTranslate("known", "")
		r.groupDelta = func(emit func(*connectors.Page) error) error {
			return emit(&connectors.Page{Members: []connectors.Members{{Group: "desk", Add: []string{"p:1", "p:3"}, Whole: true}}, Cursor: []byte("next"), Proof: &connectors.Proof{Scope: r.scope, Count: -1}})
		}
		r.expect("a first cursor", Clean)
		r.job.Full = false
		r.expect("a delta with the whole list", Clean, "deactivate user 3", "create agent 3")
		r.job.Full = true
		r.mustTranslate("and as before", "desk", "deactivate agent 3", "reactivate user 3")
	})
	t.Run("by another basis", func(t *testing.T) {
		r := newSameRig(t)
		r.basis = "other"
		r.groups["desk"] = []string{"p:1", "p:3"}
		r.expect("another configuration", Clean, "deactivate user 3", "create agent 3")
		r.basis = "b"
		r.groups["desk"] = []string{"p:1"}
		r.expect("the first one again", Clean, "deactivate agent 3", "reactivate user 3")
	})
}

// bytesKept is how much is kept of the entries of people.
func (r *rig) bytesKept() (n int) {
	r.Helper()
	err := r.store.View(r.Context(), r.part(), func(tx store.Reader) error {
		return tx.Seen("users same", func(chunk []byte) bool { n += len(chunk); return true })
	})
	if err != nil {
		r.Fatal(err)
	}
	return n
}

// Triples that are of no use are not kept for ever.
func TestSameEntriesAreMadeAnew(t *testing.T) {
	r := newSameRig(t)
	r.conn.Guard = nil
	for i := range 400 {
		r.add(fmt.Sprint("n", i), "N")
	}
	r.sync()
	most := 0
	for i := range 8 {
		r.basis = fmt.Sprint(i)
		r.sync()
		most = max(most, r.bytesKept())
	}
	if limit := 5 * 400 * 24 * 2; most > limit {
		t.Errorf("%d bytes are kept, want at most %d", most, limit)
	}
	r.mustTranslate("known", "")
}

// Those of leavers are of no use: a school whose pupils come and go keeps no more of them than of those who are there.
func TestSameEntriesOfLeavers(t *testing.T) {
	r := newSameRig(t)
	r.conn.Guard = nil
	const pupils = 400
	most := 0
	for year := range 9 {
		for i := range pupils {
			delete(r.people, fmt.Sprint(year-1, " ", i))
			r.add(fmt.Sprint(year, " ", i), "N")
		}
		r.sync()
		most = max(most, r.bytesKept())
	}
	if limit := 7 * pupils * 24; most > limit {
		t.Errorf("%d bytes are kept, want at most %d", most, limit)
	}
	r.mustTranslate("known", "")
}
