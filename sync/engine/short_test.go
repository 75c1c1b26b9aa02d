package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// shortRig has three devices, a group of three, and a source whose lists can be short.
func shortRig(t *testing.T) *rig {
	r := newRig(t)
	r.conn.Guard = nil
	r.wide, r.mayBeShort, r.skip = true, true, map[string]bool{}
	spec := wideSpec()
	spec.Groups = teamsSpec().Groups
	r.mapping(spec)
	for i := range 3 {
		id := fmt.Sprint(i)
		r.add(id, "P"+id)
		r.devices["pc"+id] = "p:" + id
		r.groups["g"] = append(r.groups["g"], "p:"+id)
	}
	r.sync()
	return r
}

// A list that lacks somebody once, at 200 and without a word, takes nothing away, and the run says what it did not believe.
func TestShortListOnce(t *testing.T) {
	r := shortRig(t)
	proven := r.state().Proven
	r.skip["pc1"], r.skip["p:1"] = true, true
	res := r.expect("short once", Clean)
	if notes := strings.Join(res.Run.Notes, "\n"); !strings.Contains(notes, "devices") || !strings.Contains(notes, "members") {
		t.Errorf("the run says %q", notes)
	}
	if !r.state().Proven.Equal(proven) {
		t.Error("a run that did not believe what it read claims to agree with the source")
	}
	clear(r.skip)
	r.expect("whole again", Clean)
	r.skip["pc2"], r.skip["p:2"] = true, true
	r.expect("short of others", Clean)
	r.skip = map[string]bool{"pc0": true, "p:0": true}
	r.expect("and of others again", Clean)
	if len(r.looks) > 0 {
		t.Errorf("asked one by one for %v, which nothing called for", r.looks)
	}
}

// What two lists in a row do not name is gone, at whatever price the state was stored in between.
func TestMissedTwiceIsGone(t *testing.T) {
	r := shortRig(t)
	delete(r.devices, "pc1")
	r.groups["g"] = []string{"p:0", "p:2"}
	r.expect("missed once", Clean)
	r.expect("missed twice", Clean, "update group g + -hq/1", "deactivate asset pc1")
	if fmt.Sprint(r.looks) != "[pc1]" {
		t.Errorf("asked one by one for %v", r.looks)
	}
	r.expect("and then nothing", Clean)
	if len(r.looks) != 1 {
		t.Errorf("asked again for %v", r.looks)
	}
}

// Lists that are short twice do not take away what is there when asked for by its id.
func TestMissedTwiceAndThere(t *testing.T) {
	r := shortRig(t)
	r.skip["pc1"] = true
	delete(r.devices, "pc2")
	r.expect("missed once", Clean)
	res := r.expect("missed twice", Clean, "deactivate asset pc2")
	if notes := strings.Join(res.Run.Notes, "\n"); !strings.Contains(notes, "still there") {
		t.Errorf("the run says %q", notes)
	}
	for range 3 {
		r.expect("still short", Clean)
	}
	delete(r.devices, "pc1")
	r.expect("gone now", Clean, "deactivate asset pc1")
}

// Where nobody can be asked one by one, two lists are enough.
func TestMissedTwiceUnasked(t *testing.T) {
	r := shortRig(t)
	r.blind = &fault.Error{Class: fault.Forbidden, Op: "get a device", Err: errors.New("403")}
	delete(r.devices, "pc1")
	r.expect("missed once", Clean)
	r.expect("missed twice", Clean, "deactivate asset pc1")
}

// Whoever is named is there, whatever else the list is worth: what was missed before that is forgotten.
func TestNamedBetweenTwoMisses(t *testing.T) {
	broken := &fault.Error{Class: fault.Invalid, Op: "read", Err: errors.New("it broke off")}
	for name, between := range map[string]func(*rig){
		"not at all": func(*rig) {},
		"by lists that prove nothing": func(r *rig) {
			r.doubts["devices"], r.doubts["groups"] = "a look says otherwise", "a look says otherwise"
			r.expect("named", Clean)
			clear(r.doubts)
		},
		"by lists that break off": func(r *rig) {
			for _, stream := range []string{"groups", "devices"} {
				r.conn.Source = &cutLists{world: r.world, stream: stream, err: broken}
				r.expect("named", Failed)
			}
			r.conn.Source = r.world
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := shortRig(t)
			miss := func() {
				delete(r.devices, "pc1")
				r.skip["p:1"] = true
			}
			miss()
			r.expect("missed", Clean)
			r.devices["pc1"] = "p:1"
			clear(r.skip)
			between(r)
			miss()
			if name != "not at all" {
				r.expect("missed for the first time", Clean)
			}
			r.expect("missed twice", Clean, "update group g + -hq/1", "deactivate asset pc1")
		})
	}
}

// cutLists names everything that a stream has, and fails then.
type cutLists struct {
	*world
	stream string
	err    error
}

func (c *cutLists) Read(ctx context.Context, req connectors.Request, emit func(*connectors.Page) error) error {
	return c.world.Read(ctx, req, func(p *connectors.Page) error {
		if p.Proof != nil && req.Stream == c.stream {
			return c.err
		}
		return emit(p)
	})
}

// An incremental read that does not name a member in one list and names it as come after that has named it.
func TestNamedInADelta(t *testing.T) {
	t.Run("pages", func(t *testing.T) { namedInADelta(t, false) })
	t.Run("one page", func(t *testing.T) { namedInADelta(t, true) })
}

func namedInADelta(t *testing.T, together bool) {
	r := newRig(t)
	r.conn.Guard = nil
	r.mapping(teamsSpec())
	proof := &connectors.Proof{Scope: "all", Count: -1}
	r.groupDelta = func(emit func(*connectors.Page) error) error {
		members := []connectors.Members{{Group: "g", Add: []string{"p:0", "p:2"}, Whole: true, MayBeShort: true}}
		if !together {
			if err := emit(&connectors.Page{Members: members}); err != nil {
				return err
			}
			members = nil
		}
		members = append(members, connectors.Members{Group: "g", Add: []string{"p:1"}})
		return emit(&connectors.Page{Members: members, Cursor: []byte("g2"), Proof: proof})
	}
	for i := range 3 {
		r.add(fmt.Sprint(i), "P")
		r.groups["g"] = append(r.groups["g"], fmt.Sprintf("p:%d", i))
	}
	r.sync()
	r.expect("missed and named", Clean)
	r.mayBeShort, r.skip = true, map[string]bool{"p:1": true}
	r.expect("missed for the first time", Clean)
	r.expect("missed twice", Clean, "update group g + -hq/1")
}

// When those who were asked for are there, the list is short, and is not believed of those whom there was no asking.
func TestTooManyToAskFor(t *testing.T) {
	r := shortRig(t)
	for i := range 300 {
		r.devices[fmt.Sprintf("x%03d", i)] = "p:0"
	}
	r.sync()
	for i := range 300 {
		r.skip[fmt.Sprintf("x%03d", i)] = true
	}
	r.expect("missed once", Clean)
	r.expect("missed twice", Clean)
	if len(r.looks) == 0 || len(r.looks) > 100 {
		t.Errorf("%d were asked for", len(r.looks))
	}
	r.expect("missed thrice", Clean)
}

// Between the two sights somebody joins, and the group changes: that is told at once.
func TestShortListOfMembersAndAJoiner(t *testing.T) {
	r := shortRig(t)
	r.add("3", "P3")
	r.groups["g"] = []string{"p:0", "p:1", "p:2", "p:3"}
	r.skip["p:1"] = true
	r.expect("one is missing, one has come", Clean, "create user 3", "update group g +hq/3 -")
	r.groups["g"] = []string{"p:0", "p:2", "p:3"}
	r.expect("missed twice", Clean, "update group g + -hq/1")
}

// Members that an incremental read of a whole list does not name are in doubt as well; whom the source names as
// removed has left. The next run reads in full.
func TestShortListInADelta(t *testing.T) {
	for _, named := range []bool{true, false} {
		t.Run(fmt.Sprintf("named %t", named), func(t *testing.T) {
			r := newRig(t)
			r.conn.Guard = nil
			r.mapping(teamsSpec())
			r.groupDelta = func(emit func(*connectors.Page) error) error {
				return emit(&connectors.Page{Cursor: []byte("g"), Proof: &connectors.Proof{Scope: "all", Count: -1}})
			}
			for i := range 3 {
				r.add(fmt.Sprint(i), "P")
				r.groups["g"] = append(r.groups["g"], fmt.Sprintf("p:%d", i))
			}
			r.sync()
			m := connectors.Members{Group: "g", Add: []string{"p:0", "p:2"}, Whole: true, MayBeShort: true}
			if named {
				m.Remove = []string{"p:1"}
			}
			r.groups["g"] = m.Add
			r.groupDelta = func(emit func(*connectors.Page) error) error {
				return emit(&connectors.Page{Members: []connectors.Members{m}, Cursor: []byte("g2"), Proof: &connectors.Proof{Scope: "all", Count: -1}})
			}
			if named {
				r.expect("named", Clean, "update group g + -hq/1")
				if r.state().WantFull {
					t.Error("a full read is wanted for what is certain")
				}
				return
			}
			r.expect("in doubt", Clean)
			if !r.state().WantFull {
				t.Error("nobody looks again")
			}
			r.expect("seen twice", Clean, "update group g + -hq/1")
			if r.state().WantFull {
				t.Error("a full read is wanted for ever")
			}
		})
	}
}

// What a count contradicts in an incremental read is looked at again by the next run, and then as the schedule says; whom
// the source names as removed has left, whatever it counts.
func TestCountContradictsADelta(t *testing.T) {
	r := newRig(t)
	r.conn.Guard = nil
	r.mapping(teamsSpec())
	tell := func(m ...connectors.Members) {
		r.groupDelta = func(emit func(*connectors.Page) error) error {
			return emit(&connectors.Page{Members: m, Cursor: []byte("g"), Proof: &connectors.Proof{Scope: "all", Count: -1}})
		}
	}
	tell()
	for i := range 3 {
		r.add(fmt.Sprint(i), "P")
		r.groups["g"] = append(r.groups["g"], fmt.Sprintf("p:%d", i))
	}
	r.sync()
	r.mayBeShort, r.skip, r.countedMore = true, map[string]bool{"p:1": true}, map[string]int{"g": 1}
	tell(connectors.Members{Group: "g", Add: []string{"p:0", "p:2"}, Whole: true, MayBeShort: true, CountedMore: 1})
	r.expect("in doubt", Clean)
	if !r.state().WantFull {
		t.Error("nobody looks again")
	}
	r.expect("read in full", Clean)
	if r.state().WantFull {
		t.Error("every run reads in full as long as the count does not agree")
	}
	r.expect("by a delta again", Clean)
	tell(connectors.Members{Group: "g", Add: []string{"p:0", "p:2"}, Remove: []string{"p:1"}, Whole: true, MayBeShort: true, CountedMore: 1})
	r.expect("named", Clean, "update group g + -hq/1")
}

// A group that cannot be read keeps its members, however they come; all else goes on.
func TestUnreadableGroup(t *testing.T) {
	for _, parts := range []bool{false, true} {
		r := shortRig(t)
		r.mayBeShort, r.parts = false, parts
		r.groups["h"] = []string{"p:0", "p:1"}
		r.sync()
		r.unreadable = map[string]bool{"g": true}
		r.groups["g"], r.groups["h"] = nil, []string{"p:0"}
		r.expect("one group cannot be read", Parked, "update group h + -hq/1")
		r.unreadable = nil
		r.expect("readable again", Clean, "update group g + -hq/0,hq/1,hq/2")
	}
}

// Who asked to be left alone for longer than a run waits is left alone by schedules for that long. What nobody has
// consented to is tried again every hour, however often somebody tries by hand.
func TestLeftAloneAsLongAsAsked(t *testing.T) {
	// Whom somebody asks by hand may ask for patience again.
	for class, want := range map[fault.Class]string{fault.Throttled: "[0 90 160]", fault.Auth: "[0 60 120 180]"} {
		t.Run(string(class), func(t *testing.T) {
			now := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
			r := newRig(t)
			r.engine.opts.Now = func() time.Time { return now }
			r.add("1", "P1")
			r.failAfter, r.err = 1, &fault.Error{Class: class, Op: "sign in", After: time.Hour}
			var minutes []int
			for m := 0; m < 200; m += 10 {
				if m == 30 || m == 100 {
					r.sync() // by hand
				}
				before := r.reads
				r.job = Job{Patient: true}
				r.sync()
				if r.reads > before {
					minutes = append(minutes, m)
				}
				now = now.Add(10 * time.Minute)
			}
			if got := fmt.Sprint(minutes); got != want {
				t.Errorf("tried in the minutes %s", got)
			}
		})
	}
}

// A tenant that was never read is known by its name when it fails.
func TestFailingTenantHasItsName(t *testing.T) {
	r := newRig(t)
	r.failAfter, r.err = 1, &fault.Error{Class: fault.Auth, Op: "sign in"}
	r.add("1", "P1")
	r.engine.Run(t.Context(), r.conn, connectors.Tenant{Name: "Contoso", Domain: "contoso.test"}, Job{})
	if s := r.state(); s.Name != "Contoso" || s.Domain != "contoso.test" {
		t.Errorf("%q, %q", s.Name, s.Domain)
	}
}

// Where people are counted, only groups can be missing from a list of members.
func TestPeopleAreCounted(t *testing.T) {
	r := shortRig(t)
	r.peopleCounted = true
	r.groups["h"] = []string{"p:2"}
	r.groups["g"] = []string{"p:0", "p:1", "g:h"}
	r.sync()
	r.sync()
	r.skip["g:h"] = true
	r.groups["g"] = []string{"p:0", "g:h"}
	r.expect("a person left, a group is missing", Clean, "update group g + -hq/1")
	r.expect("and is missing again", Clean, "update group g + -hq/2")
}

// A group that a list leaves out keeps its members as long as it counts as there.
func TestShortListOfGroups(t *testing.T) {
	for _, parts := range []bool{false, true} {
		r := shortRig(t)
		r.parts = parts
		r.groups["h"] = []string{"p:0"}
		r.sync()
		r.skip["group g"] = true
		r.expect("missed once", Clean)
		clear(r.skip)
		r.expect("there again", Clean)
		delete(r.groups, "g")
		r.expect("gone, missed once", Clean)
		r.expect("missed twice", Clean, "deactivate group g")
	}
}

// Where the source's word about one object is definite, one list and that word are enough; without the word, two lists.
func TestDefiniteWord(t *testing.T) {
	r := shortRig(t)
	r.definite = true
	r.devices["pc3"] = "p:0"
	r.sync()
	r.skip["pc1"] = true
	delete(r.devices, "pc2")
	r.expect("one is left out, one is gone", Clean, "deactivate asset pc2")
	r.expect("still left out", Clean)
	r.blind = &fault.Error{Class: fault.Transient, Op: "get a device", Err: errors.New("503")}
	delete(r.devices, "pc0")
	r.expect("nobody can be asked", Clean)
	clear(r.skip)
	r.expect("nor now, and one list more lacks it", Clean, "deactivate asset pc0")
}

// Whom the source still counts is not gone, however many lists lack him.
func TestCountContradictsTheList(t *testing.T) {
	r := shortRig(t)
	proven := r.state().Proven
	r.skip["p:1"] = true
	r.countedMore = map[string]int{"g": 1}
	r.expect("missed once", Clean)
	for range 3 {
		res := r.expect("missed again", Clean)
		if notes := strings.Join(res.Run.Notes, "\n"); len(res.Run.Notes) != 1 || !strings.Contains(notes, "counts more members") {
			t.Errorf("the run says %q", notes)
		}
	}
	if !r.state().Proven.Equal(proven) {
		t.Error("a run that did not believe what it read claims to agree with the source")
	}
	r.add("3", "P3")
	r.groups["g"] = append(r.groups["g"], "p:3")
	r.expect("somebody comes meanwhile", Clean, "create user 3", "update group g +hq/3 -")
	clear(r.skip)
	r.countedMore = nil
	r.expect("whole again", Clean)
	r.groups["g"] = []string{"p:0", "p:2", "p:3"}
	r.countedMore = map[string]int{"g": 1}
	r.expect("the count lags", Clean)
	r.expect("and lags", Clean)
	r.countedMore = nil
	r.expect("the count agrees, and two lists lack somebody", Clean, "update group g + -hq/1")
}

// A source that always counts somebody whom it does not list is believed when its count goes down with its list.
func TestSomebodyIsCountedAndNeverListed(t *testing.T) {
	r := shortRig(t)
	r.countedMore = map[string]int{"g": 2}
	r.expect("two more are counted", Clean)
	r.groups["g"] = []string{"p:0", "p:2"}
	r.expect("missed once", Clean)
	r.expect("missed twice", Clean, "update group g + -hq/1")
	r.skip["p:0"] = true
	r.countedMore["g"] = 3
	for range 3 {
		r.expect("another one is counted and not listed", Clean)
	}
	clear(r.skip)
	r.countedMore = nil
	r.expect("all are listed", Clean)
	r.skip["p:0"] = true
	r.countedMore = map[string]int{"g": 1}
	for range 3 {
		r.expect("what was known of the count is no excuse any longer", Clean)
	}
}

// Where the source counts more people than it lists, only its word about one of them counts, however often he is missing.
func TestCountContradictsTheWholeList(t *testing.T) {
	r := shortRig(t)
	r.definite, r.blind = true, &fault.Error{Class: fault.Transient, Op: "get a user", Err: errors.New("503")}
	r.skip["person 1"], r.moreListed = true, 1
	for range 3 {
		res := r.expect("nobody can be asked", Clean)
		if notes := strings.Join(res.Run.Notes, "\n"); !strings.Contains(notes, "counts 1 object more") {
			t.Errorf("the run says %q", notes)
		}
	}
	r.blind = nil
	delete(r.people, "2")
	r.expect("one is there and one is not", Clean, "deactivate user 2", "update group g + -hq/2", "deactivate asset pc2")
	r.moreListed = 0
	delete(r.people, "1")
	r.expect("the count agrees", Clean, "deactivate user 1", "update group g + -hq/1", "deactivate asset pc1")
}

// A count that is always too large is no reason for ever.
func TestPeopleWhoAreCountedAndNeverListed(t *testing.T) {
	r := shortRig(t)
	r.delta = func(emit func(*connectors.Page) error) error {
		return emit(&connectors.Page{Cursor: []byte("u"), Proof: &connectors.Proof{Scope: "all", Count: -1}})
	}
	r.moreListed = 3
	r.job.Full = true
	r.expect("three more are counted", Clean)
	if !r.state().WantFull {
		t.Error("somebody may be missing, and nobody looks again")
	}
	r.job.Full = false
	for range 2 {
		r.expect("again", Clean)
		if r.state().WantFull {
			t.Error("every run reads in full")
		}
	}
}

// Parts of a list of members of which one is missing: who seems to have left is looked for in the list itself.
func TestPartOfMembersMissing(t *testing.T) {
	r := shortRig(t)
	r.mayBeShort, r.parts = false, true
	r.groups["h"] = []string{"p:0", "p:1"}
	r.sync()
	whole := map[string][]string{"g": {"p:0", "p:1", "p:2"}, "h": {"p:0", "p:1"}}
	var broken error
	r.lookIn = func(group string) ([]string, error) { return whole[group], broken }
	r.groups["g"] = []string{"p:0"}
	res := r.expect("a part is missing", Clean)
	if notes := strings.Join(res.Run.Notes, "\n"); !strings.Contains(notes, "left out 2 memberships of 1 group") {
		t.Errorf("the run says %q", notes)
	}
	r.expect("and again", Clean)
	whole["g"] = []string{"p:0", "p:2"}
	r.expect("somebody left", Clean, "update group g + -hq/1")
	r.groups["g"], r.groups["h"] = whole["g"], []string{"p:1"}
	broken = errors.New("503")
	r.expect("nobody can be asked, missed once", Clean)
	r.expect("missed twice", Clean, "update group h + -hq/0")
	r.looks, broken = nil, nil
	delete(r.people, "2")
	r.groups["g"] = []string{"p:0"}
	r.expect("who is gone is not asked for", Clean, "deactivate user 2", "update group g + -hq/2", "deactivate asset pc2")
	if len(r.looks) > 0 {
		t.Errorf("asked %v", r.looks)
	}
}

// Whom a list of an incremental read does not name is asked for by himself.
func TestLeaversAreAskedForInADelta(t *testing.T) {
	r := newRig(t)
	r.conn.Guard = nil
	r.mapping(teamsSpec())
	var page connectors.Page
	r.groupDelta = func(emit func(*connectors.Page) error) error {
		p := page
		p.Cursor, p.Proof = []byte("g"), &connectors.Proof{Scope: "all", Count: -1}
		return emit(&p)
	}
	for i := range 4 {
		r.add(fmt.Sprint(i), "P")
		r.groups["g"] = append(r.groups["g"], fmt.Sprintf("p:%d", i))
	}
	r.sync()
	var asked []string
	list := func(handles ...string) {
		asked = nil
		page.Members = []connectors.Members{{Group: "g", Add: handles, Whole: true, MayBeShort: true}}
	}
	there := map[string]bool{}
	page.LookMembersOf = func(_ context.Context, group string, ids []string) (found []string, err error) {
		for _, id := range ids {
			asked = append(asked, group+" "+id)
			if there[id] {
				found = append(found, id)
			}
		}
		return found, r.blind
	}
	list("p:0", "p:2", "p:3")
	r.groups["g"] = []string{"p:0", "p:2", "p:3"}
	r.expect("somebody left", Clean, "update group g + -hq/1")
	if fmt.Sprint(asked) != "[g 1]" || r.state().WantFull {
		t.Errorf("asked for %v, wants a full read: %t", asked, r.state().WantFull)
	}
	list("p:0", "p:3")
	there["2"] = true
	res := r.expect("somebody was left out", Clean)
	if notes := strings.Join(res.Run.Notes, "\n"); !strings.Contains(notes, "left out 1 membership") || !r.state().WantFull {
		t.Errorf("the run says %q, wants a full read: %t", notes, r.state().WantFull)
	}
	r.expect("read in full", Clean)
	r.blind = &fault.Error{Class: fault.Transient, Op: "get", Err: errors.New("503")}
	list("p:0", "p:2")
	r.expect("nobody can be asked", Clean)
	if !r.state().WantFull {
		t.Error("nobody looks again")
	}
	r.expect("and is listed", Clean)
}

// A list that goes on lacking people of whom nobody can tell is looked at again by the next run, and then as the schedule
// says: who is read from a cursor is not read in full for ever.
func TestCountContradictsForEver(t *testing.T) {
	for name, missed := range map[string]func(*rig){
		"nobody can be asked": func(r *rig) {
			r.blind = &fault.Error{Class: fault.Forbidden, Op: "get a user", Err: errors.New("403")}
			delete(r.people, "7")
		},
		"more than can be asked for": func(r *rig) {
			for i := range connectors.MostLooks + 20 {
				r.skip[fmt.Sprint("person ", i)] = true
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.conn.Guard, r.skip = nil, map[string]bool{}
			r.delta = func(emit func(*connectors.Page) error) error {
				return emit(&connectors.Page{Cursor: []byte("u"), Proof: &connectors.Proof{Scope: "all", Count: -1}})
			}
			for i := range connectors.MostLooks + 50 {
				r.add(fmt.Sprint(i), "P")
			}
			r.sync()
			missed(r)
			r.moreListed, r.job = 3, Job{Full: true}
			r.expect("missed once", Clean)
			r.expect("missed twice", Clean)
			r.expect("missed thrice", Clean)
			if r.state().WantFull {
				t.Errorf("a full read is wanted for ever: %s", r.state().Why)
			}
		})
	}
}

// Of more than can be asked for it is not always the same who are asked: whoever is gone is found out in the end.
func TestOthersAreAskedForEveryTime(t *testing.T) {
	r := shortRig(t)
	now := time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)
	r.engine.opts.Now = func() time.Time { return now }
	for i := range connectors.MostLooks + 50 {
		r.devices[fmt.Sprintf("x%03d", i)] = "p:0"
		r.skip[fmt.Sprintf("x%03d", i)] = true
	}
	r.devices["z"] = "p:0"
	skip := r.skip
	r.skip = map[string]bool{}
	r.sync()
	r.skip = skip
	delete(r.devices, "z")
	for range 40 {
		now = now.Add(24 * time.Hour)
		_, res := r.sync()
		if res.Run.Counts[directory.AssetRecord.String()][directory.Deactivate.String()] == 1 {
			return
		}
	}
	t.Error("who is gone was never asked for")
}
