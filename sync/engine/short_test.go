package engine

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"dirsyncd/connectors"
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
