package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/plan"
	"dirsyncd/sync/settle"
)

func TestJoinersMoversLeavers(t *testing.T) {
	r := newRig(t)
	for i := range 5 {
		r.add(fmt.Sprint(i), fmt.Sprintf("Person %d", i))
	}
	r.expect("first sync", Clean, "create user 0", "create user 1", "create user 2", "create user 3", "create user 4")
	r.expect("nothing new", Clean)
	r.people["2"] = person{name: "Renamed"}
	r.add("9", "Joiner")
	r.expect("a mover and a joiner", Clean, "update user 2 name:Person 2>Renamed", "create user 9")
	delete(r.people, "1")
	r.expect("a leaver", Clean, "deactivate user 1")
	r.expect("still gone", Clean)
	r.add("1", "Back Again")
	r.expect("a return", Clean, "reactivate user 1 name:Person 1>Back Again")
	r.people["3"] = person{name: "Person 3", disabled: true}
	r.expect("disabled: no rule applies", Clean, "deactivate user 3")
}

func TestNestedGroups(t *testing.T) {
	r := newRig(t, agent("desk", `"desk" in groups`), user("everyone", "enabled"))
	for _, id := range []string{"1", "2", "3", "4"} {
		r.add(id, "P"+id)
	}
	r.groups["desk"] = []string{"g:london", "p:1"}
	r.groups["london"] = []string{"p:2", "g:desk"} // a cycle is legal
	r.groups["other"] = []string{"p:3"}
	r.expect("first", Clean, "create agent 1", "create agent 2", "create user 3", "create user 4")

	r.groups["london"] = []string{"p:3", "g:desk"}
	r.expect("one leaves the inner group, one enters", Clean,
		"deactivate agent 2", "create user 2", "deactivate user 3", "create agent 3")

	r.groups["other"] = []string{"p:3", "p:4"}
	res := r.expect("a group that matters to nobody", Clean)
	if res.Run.Read != 7 {
		t.Errorf("read %d objects", res.Run.Read)
	}

	r.groups["desk"] = []string{"p:1"}
	r.expect("the inner group leaves the outer", Clean, "deactivate agent 3", "reactivate user 3")

	delete(r.groups, "desk")
	r.expect("the group is deleted", Clean, "deactivate agent 1", "create user 1")
}

func TestGroupsBeforePeopleAndInParts(t *testing.T) {
	r := newRig(t, agent("desk", `"desk" in groups`), user("everyone", "enabled"))
	r.parts = true
	r.add("1", "P1")
	r.groups["desk"] = []string{"p:1", "p:2", "g:sub"}
	r.groups["sub"] = []string{"p:3"}
	r.expect("2 and 3 are not there yet", Clean, "create agent 1")
	r.add("2", "P2")
	r.add("3", "P3")
	r.expect("now they are", Clean, "create agent 2", "create agent 3")
	r.groups["sub"] = nil
	r.expect("a part is missing", Clean, "deactivate agent 3", "create user 3")
}

// Somebody renamed keeps the memberships that the groups state by the new name, and people who have them as
// manager see the change.
func TestManagersAndHandles(t *testing.T) {
	r := newRig(t)
	r.mapping(mapping.Spec{Name: "m", Rules: []mapping.RuleSpec{user("everyone", "enabled")},
		Fields: map[directory.RecordKind][]mapping.FieldSpec{directory.UserRecord: {field("name", "= name"), field("boss", "= manager.name")}}})
	r.people["1"] = person{name: "Boss"}
	r.people["2"] = person{name: "Two", manager: "p:1"}
	r.people["3"] = person{name: "Three"}
	r.expect("first", Clean, "create user 1", "create user 2", "create user 3")
	r.people["1"] = person{name: "Chief"}
	r.expect("the manager changed", Clean, "update user 1 name:Boss>Chief", "update user 2 boss:Boss>Chief")
	r.people["1"] = person{name: "Chief", handle: "p:moved"}
	r.people["3"] = person{name: "Three", handle: "p:1"}
	r.expect("the handle means somebody else", Clean, "update user 2 boss:Chief>Three")
}

func TestGroupRecords(t *testing.T) {
	r := newRig(t)
	r.mapping(mapping.Spec{Name: "m", Rules: []mapping.RuleSpec{user("everyone", "enabled")},
		Groups: []mapping.RuleSpec{rule("teams", `name startsWith "team"`, directory.GroupRecord)}})
	r.add("1", "P1")
	r.add("2", "P2")
	r.groups["team a"] = []string{"p:1", "g:inner"}
	r.groups["inner"] = []string{"p:2"}
	r.expect("first", Clean, "create user 1", "create user 2", "create group team a +hq/1,hq/2 -")
	r.people["2"] = person{name: "P2", disabled: true}
	r.expect("who has no record is no member", Clean, "deactivate user 2", "update group team a + -hq/2")
	r.people["2"] = person{name: "P2"}
	r.add("3", "P3")
	r.groups["inner"] = []string{"p:2", "p:3"}
	r.expect("and back, with a new one", Clean, "reactivate user 2", "create user 3", "update group team a +hq/2,hq/3 -")
	r.add("4", "P4")
	r.groups["team a"] = []string{"g:inner", "p:4"}
	r.groups["team b"] = []string{"p:1"}
	delete(r.people, "3")
	r.expect("moves and a leaver", Clean, "deactivate user 3", "create user 4",
		"update group team a +hq/4 -hq/1,hq/3", "create group team b +hq/1 -")
}

// wideSpec makes records of every kind of object; people who hold a licence have it in a field.
func wideSpec() mapping.Spec {
	has := field("has", "= licences")
	has.Blank = mapping.ClearBlank
	return mapping.Spec{
		Name: "m", Rules: []mapping.RuleSpec{{
			Name: "everyone", When: mapping.TextSpec{Text: "enabled"},
			Records: map[directory.RecordKind][]mapping.FieldSpec{directory.UserRecord: {has}},
		}},
		Licences:  []mapping.RuleSpec{rule("sold", `name != "Free"`, directory.LicenceRecord)},
		Devices:   []mapping.RuleSpec{rule("owned", "owner.enabled ?? false", directory.AssetRecord)},
		Customers: []mapping.RuleSpec{rule("all", "true", directory.CustomerRecord)},
		Sites:     []mapping.RuleSpec{rule("all", "true", directory.SiteRecord)},
	}
}

func TestLicencesDevicesAndCustomers(t *testing.T) {
	r := newRig(t)
	r.wide = true
	r.mapping(wideSpec())
	r.licences["e3"], r.licences["free"] = "E3", "Free"
	r.customers["c1"] = "Acme"
	r.people["1"] = person{name: "P1", holds: []string{"e3", "free"}}
	r.people["2"] = person{name: "P2", holds: []string{"e3"}, disabled: true}
	r.devices["pc"], r.devices["stray"] = "p:1", "p:9"
	r.expect("first", Clean, "create customer c1", "create user 1", "create licence e3 +hq/1 -", "create asset pc")
	r.expect("idle", Clean)

	r.licences["e3"] = "Office E3"
	r.expect("a licence's new name reaches its holders", Clean, "update user 1 has:E3, Free>Free, Office E3", "update licence e3 name:E3>Office E3")
	r.people["2"] = person{name: "P2", holds: []string{"e3"}}
	r.expect("a holder gets a record", Clean, "create user 2", "update licence e3 +hq/2 -")
	r.people["1"] = person{name: "One", holds: []string{"free"}}
	r.expect("a holder gives it back; the owner's name reaches the device", Clean,
		"update user 1 has:Free, Office E3>Free name:P1>One", "update licence e3 + -hq/1", "update asset pc owner:P1>One")
	delete(r.people, "2")
	r.expect("a holder leaves", Clean, "deactivate user 2", "update licence e3 + -hq/2")
	r.people["9"] = person{name: "P9"}
	r.expect("a device's owner appears", Clean, "create user 9", "create asset stray")
	r.people["1"] = person{name: "One", holds: []string{"free"}, handle: "p:moved"}
	r.expect("the owner's handle means nobody now", Clean, "deactivate asset pc")
	r.people["1"] = person{name: "One", holds: []string{"free"}}
	r.expect("and the owner again", Clean, "reactivate asset pc")
	delete(r.devices, "pc")
	delete(r.customers, "c1")
	r.customers["c2"] = "Next"
	r.expect("things go", Clean, "create customer c2", "deactivate asset pc", "deactivate customer c1")
	delete(r.licences, "free")
	r.expect("a licence goes that one had", Clean, "update user 1 has:Free>")
}

// Licences that are missing without proof take nothing from anybody.
func TestVanishedLicencesAreHeld(t *testing.T) {
	r := newRig(t)
	r.wide = true
	r.mapping(wideSpec())
	r.licences["e3"] = "E3"
	r.people["1"] = person{name: "P1", holds: []string{"e3"}}
	r.expect("first", Clean, "create user 1", "create licence e3 +hq/1 -")
	r.hide["licences"] = true
	r.expect("none listed", Held)
	r.hide = map[string]bool{}
	r.expect("and back", Clean)
}

func TestTenantHasFewerStreams(t *testing.T) {
	r := newRig(t)
	r.wide = true
	r.mapping(wideSpec())
	r.customers["c1"] = "Acme"
	r.add("1", "P1")
	res := r.engine.Run(t.Context(), r.conn, connectors.Tenant{Streams: []string{"customers"}}, Job{})
	if got := r.drain(); res.Err != nil || got != "create customer c1" {
		t.Errorf("got %s, %v", got, res.Err)
	}
	// An offline run does not ask the source, and knows all the same.
	if res := r.engine.Run(t.Context(), r.conn, connectors.Tenant{}, Job{Offline: true}); res.Err != nil {
		t.Error(res.Err)
	}
}

func TestRuleEditReachesEverybodyWithoutASource(t *testing.T) {
	r := newRig(t)
	r.add("1", "P1")
	r.people["2"] = person{name: "P2", department: "Contractors"}
	r.expect("first", Clean, "create user 1", "create user 2")
	reads := r.reads
	r.rules(mapping.RuleSpec{Name: "out", When: mapping.TextSpec{Text: `department == "Contractors"`}, Ignore: true}, user("everyone", "enabled"))
	r.job = Job{Offline: true}
	r.expect("edited rules", Clean, "deactivate user 2")
	if r.reads != reads {
		t.Error("the source was asked")
	}
	r.job = Job{Offline: true}
	r.expect("again", Clean)
}

func TestRuleThatFailsParks(t *testing.T) {
	r := newRig(t)
	r.mapping(mapping.Spec{Name: "m", Rules: []mapping.RuleSpec{user("everyone", `int(department) > 0`)}})
	r.people["1"] = person{name: "One", department: "7"}
	r.people["2"] = person{name: "Two", department: "7"}
	r.expect("first", Clean, "create user 1", "create user 2")
	r.people["2"] = person{name: "Zwei", department: "x"}
	r.expect("nothing is concluded", Parked)
	r.expect("it stays parked", Parked)
	r.people["2"] = person{name: "Zwei", department: "8"}
	r.expect("mended", Clean, "update user 2 name:Two>Zwei team:7>8")
}

// Whatever a source does wrong: nobody is removed who is still there, and the run says what happened.
func TestAbsenceWithoutProofRemovesNobody(t *testing.T) {
	for _, c := range []struct {
		name     string
		breakIt  func(*rig)
		outcome  string
		wantNote string
	}{
		{"an error in mid-listing", func(r *rig) { r.failAfter, r.err = 2, &fault.Error{Class: fault.Auth, Op: "read"} }, Failed, ""},
		{"a listing without an end", func(r *rig) { r.noProof = true }, Failed, ""},
		{"an empty listing", func(r *rig) { r.hide["users"] = true }, Held, "listed no person at all"},
		{"a count that disagrees", func(r *rig) { r.count = 12; delete(r.people, "1") }, Clean, "counts 12"},
		{"an entry without an id", func(r *rig) {
			delete(r.people, "1")
			r.invalid = []connectors.Invalid{{Kind: directory.Person, Where: "cn=x", Err: &fault.Error{Class: fault.Invalid, Op: "read", Err: errors.New("no id")}}}
		}, Parked, "without a readable id"},
		{"an edited scope", func(r *rig) { r.scope = "less"; delete(r.people, "1") }, Held, "scope was edited"},
		{"parts that it does not know", func(r *rig) {
			delete(r.people, "1")
			r.unlisted = []connectors.Part{{Where: "ou=Branch", Holds: func(o *directory.Object) bool { return o.ID == "1" }}}
		}, Clean, "for what is in ou=Branch"},
		{"more leavers than the guard allows", func(r *rig) {
			for i := range 5 {
				delete(r.people, fmt.Sprint(i))
			}
		}, Held, ""},
		{"a panic in the connector", func(r *rig) { r.conn.Source = panicking{r.world} }, Failed, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			for i := range 30 {
				r.add(fmt.Sprint(i), "P")
			}
			if _, res := r.sync(); res.Err != nil {
				t.Fatal(res.Err)
			}
			whole := *r.world
			people := clone(r.people)
			c.breakIt(r)
			res := r.expect("broken", c.outcome)
			if notes := strings.Join(res.Run.Notes, "; "); !strings.Contains(notes, c.wantNote) {
				t.Errorf("notes: %q", notes)
			}
			r.expect("still broken", c.outcome)

			// The fault is gone; one person really left meanwhile.
			*r.world = whole
			r.people, r.hide, r.conn.Source = people, map[string]bool{}, r.world
			delete(r.people, "7")
			r.expect("mended", Clean, "deactivate user 7")
		})
	}
}

type panicking struct{ connectors.Connector }

func (panicking) Read(context.Context, connectors.Request, func(*connectors.Page) error) error {
	panic("a defect")
}

func clone(people map[string]person) map[string]person {
	c := map[string]person{}
	for id, p := range people {
		c[id] = p
	}
	return c
}

func TestTransientErrorsAreRetriedInTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.add("1", "P1")
		r.failAfter, r.err = 1, &fault.Error{Class: fault.Throttled, Op: "read", After: time.Minute}
		r.mendAfter = 3
		start := time.Now()
		r.expect("throttled twice", Clean, "create user 1")
		if took := time.Since(start); took < 2*time.Minute || took > 3*time.Minute {
			t.Errorf("waited %s; the source asked for a minute each time", took)
		}
	})
}

func TestScopeEditAddsAtOnceAndRemovesWhenApproved(t *testing.T) {
	r := newRig(t)
	for i := range 4 {
		r.add(fmt.Sprint(i), "P")
	}
	r.sync()
	r.scope = "another"
	delete(r.people, "1")
	r.add("9", "New")
	res := r.expect("the scope was edited", Held, "create user 9")
	r.expect("nobody decided yet", Held)
	if got := r.state().Held; got == nil || got.Hash != res.Run.Held || !got.RemovalsOnly {
		t.Fatalf("held: %+v", got)
	}
	r.job = Job{Offline: true, Approve: "0123456789ab"}
	res2 := r.expect("a wrong hash", Failed)
	if !errors.Is(res2.Err, settle.ErrPlanChanged) {
		t.Errorf("error: %v", res2.Err)
	}
	r.job = Job{Offline: true, Approve: res.Run.Held}
	r.expect("approved", Clean, "deactivate user 1")
	delete(r.people, "2")
	r.expect("the new scope is the measure now", Clean, "deactivate user 2")
}

func TestHeldPlan(t *testing.T) {
	r := newRig(t)
	for i := range 30 {
		r.add(fmt.Sprintf("%02d", i), "P")
	}
	r.sync()
	for i := range 5 {
		delete(r.people, fmt.Sprintf("%02d", i))
	}
	r.add("99", "New")
	first := r.expect("five of thirty wait, the joiner does not", Held, "create user 99")
	again := r.expect("the same plan has the same hash", Held)
	if first.Run.Held != again.Run.Held || r.state().Held.Run != first.Run.ID {
		t.Errorf("hashes %s, %s; held since run %s, want %s", first.Run.Held, again.Run.Held, r.state().Held.Run, first.Run.ID)
	}
	r.add("00", "P")
	next := r.expect("one came back: another plan supersedes it", Held)
	if next.Run.Held == first.Run.Held {
		t.Error("another plan has the same hash")
	}
	if err := r.engine.Discard(t.Context(), r.part(), first.Run.Held); fault.ClassOf(err) != fault.Conflict {
		t.Errorf("discarding the superseded plan: %v", err)
	}
	if err := r.engine.Discard(t.Context(), r.part(), next.Run.Held); err != nil {
		t.Fatal(err)
	}
	r.expect("the source still says so", Held)
	r.job = Job{Offline: true, Approve: r.state().Held.Hash}
	r.expect("approved", Clean, "deactivate user 01", "deactivate user 02", "deactivate user 03", "deactivate user 04")
	if r.state().Held != nil {
		t.Error("the plan is still held")
	}
}

// An empty answer is no proof, however few people there are and whatever the guard allows.
func TestEmptyListingIsNoProof(t *testing.T) {
	r := newRig(t)
	many := 1000
	r.conn.Guard = plan.Guard{directory.Deactivate: {Count: &many}}
	r.add("1", "P1")
	r.add("2", "P2")
	r.sync()
	r.hide["users"] = true
	res := r.expect("nobody is listed", Held)
	r.job = Job{Offline: true, Approve: res.Run.Held}
	r.expect("the operator says that it is so", Clean, "deactivate user 1", "deactivate user 2")
}

// Groups that vanish without proof take nobody's role away.
func TestVanishedGroupsWait(t *testing.T) {
	for name, tc := range map[string]struct {
		breakIt func(*rig)
		because string
	}{
		"no groups": {
			func(r *rig) { r.hide["groups"] = true },
			"take everybody out of their groups: groups came without a single member",
		},
		"no members": {
			func(r *rig) {
				for id := range r.groups {
					r.groups[id] = nil
				}
			},
			"take everybody out of their groups: groups came without a single member",
		},
		"another scope": {
			func(r *rig) { r.scope, r.groups = "less", map[string][]string{} },
			"follow from an edited scope of groups: what is missing may only be out of sight, and the rules look at it",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, agent("desk", `"desk" in groups`), user("everyone", "enabled"))
			for i := range 40 {
				r.add(fmt.Sprint(i), "P")
				if i < 12 {
					r.groups["desk"] = append(r.groups["desk"], fmt.Sprintf("p:%d", i))
				}
			}
			// Not even a guard that lets everything pass may decide here.
			many := 1000
			r.conn.Guard = plan.Guard{directory.Deactivate: {Count: &many}}
			r.sync()
			members := r.groups["desk"]
			tc.breakIt(r)
			r.expect("vanished", Held)
			if got := r.state().Held.Reasons; len(got) == 0 || !slices.Contains(got, tc.because) {
				t.Errorf("held for %q, want %q among it", got, tc.because)
			}
			r.expect("still", Held)
			r.hide["groups"], r.scope = false, "all"
			r.groups["desk"] = members
			r.expect("back", Clean)
		})
	}
}

func TestDelta(t *testing.T) {
	r := newRig(t)
	var pages []*connectors.Page
	r.delta = func(emit func(*connectors.Page) error) error {
		for i, p := range pages {
			if i == len(pages)-1 {
				p.Proof = &connectors.Proof{Scope: r.scope, Count: -1}
			}
			if err := emit(p); err != nil {
				return err
			}
		}
		return nil
	}
	r.people["1"] = person{name: "One", department: "Old"}
	r.add("2", "Two")
	r.expect("first sync is full", Clean, "create user 1", "create user 2")

	pages = []*connectors.Page{{}}
	writes := countWrites(r)
	r.expect("an idle cycle", Clean)
	if *writes > 0 {
		t.Errorf("an idle cycle wrote %d times", *writes)
	}
	r.engine.opts.Now = func() time.Time { return time.Now().Add(time.Hour) }
	*writes = 0
	r.expect("an hour later", Clean)
	if *writes == 0 { // the groups stream has no delta
		t.Error("when groups were last read in full was not stored")
	}
	r.engine.opts.Now = time.Now

	partial := directory.Object{Kind: directory.Person, ID: "1", Partial: true}
	partial.SetText(directory.FieldName, "Uno")
	pages = []*connectors.Page{{Objects: []directory.Object{partial}, Cursor: []byte("next")}, {Removed: []directory.Ref{{Kind: directory.Person, ID: "2"}, {Kind: directory.Person, ID: "unknown"}}}}
	r.expect("a partial object keeps what it does not mention", Clean, "update user 1 name:One>Uno", "deactivate user 2")
	r.expect("a replay changes nothing", Clean)

	cleared := directory.Object{Kind: directory.Person, ID: "1", Partial: true}
	cleared.Set(directory.FieldName, directory.Text("Un"))
	pages = []*connectors.Page{{Objects: []directory.Object{partial, cleared}}}
	r.expect("the later of two wins", Clean, "update user 1 name:Uno>Un")

	r.delta = func(func(*connectors.Page) error) error { return &fault.Error{Class: fault.CursorExpired, Op: "read"} }
	r.people["1"] = person{name: "Ein", department: "Old"}
	delete(r.people, "2")
	r.add("3", "Three")
	if res := r.expect("an expired cursor is a full read", Clean, "update user 1 name:Un>Ein", "create user 3"); len(res.Run.Notes) != 1 {
		t.Errorf("what was odd: %q", res.Run.Notes)
	}
	r.delta = func(func(*connectors.Page) error) error {
		return &fault.Error{Class: fault.CursorExpired, Op: "read", Err: fmt.Errorf("people.csv %w", connectors.ErrListedAnew)}
	}
	r.add("4", "Four")
	if res := r.expect("a source that is listed anew whenever it has changed", Clean, "create user 4"); len(res.Run.Notes) != 0 {
		t.Errorf("nothing was odd: %q", res.Run.Notes)
	}
}

// A source that loses its place in the middle of a full read is read from the beginning, but not for ever.
func TestFullReadThatLosesItsPlace(t *testing.T) {
	begin := func(t *testing.T) (r *rig, slept *int) {
		r, slept = newRig(t), new(int)
		r.engine.opts.Sleep = func(context.Context, time.Duration) error { *slept++; return nil }
		r.resumable, r.failAfter = true, 1
		r.err = &fault.Error{Class: fault.CursorExpired, Op: "read", Err: errors.New("410")}
		return r, slept
	}
	t.Run("once", func(t *testing.T) {
		r, slept := begin(t)
		for i := range 5 {
			r.add(fmt.Sprint(i), "P")
		}
		r.mendAfter = 2
		res := r.expect("read again", Clean, "create user 0", "create user 1", "create user 2", "create user 3", "create user 4")
		if len(res.Run.Notes) != 1 || *slept > 0 {
			t.Errorf("notes %q, waited %d times", res.Run.Notes, *slept)
		}
	})
	t.Run("where there is no place to go on from", func(t *testing.T) { // after an entry that is not readable none is stored
		r, _ := begin(t)
		r.invalid = []connectors.Invalid{{Kind: directory.Person, ID: "x", Where: "x", Err: errors.New("odd")}}
		r.mendAfter = 2
		if _, res := r.sync(); res.Run.Outcome == Failed || r.reads != 3 {
			t.Errorf("%v after %d reads: %v", res.Run.Outcome, r.reads, res.Err)
		}
	})
	t.Run("always", func(t *testing.T) {
		r, slept := begin(t)
		for i := range 5 {
			r.add(fmt.Sprint(i), "P")
		}
		r.mendAfter = 50
		r.expect("given up", Failed)
		if r.reads != 4 || *slept != 2 {
			t.Errorf("%d reads, waited %d times", r.reads, *slept)
		}
		r.failAfter = 0
		r.expect("the next run", Clean, "create user 0", "create user 1", "create user 2", "create user 3", "create user 4")
	})
}

// Refused credentials are not tried by every schedule: that would lock the account.
func TestRefusedCredentialsAreLeftAlone(t *testing.T) {
	now := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	r := newRig(t)
	r.engine.opts.Now = func() time.Time { return now }
	r.add("1", "P1")
	r.failAfter, r.err = 1, &fault.Error{Class: fault.Auth, Op: "bind"}
	tried := func() bool {
		before := r.reads
		r.job = Job{Patient: true}
		r.sync()
		return r.reads > before
	}
	var hours []int
	for h := range 30 {
		if tried() {
			hours = append(hours, h)
		}
		now = now.Add(time.Hour)
	}
	if got := fmt.Sprint(hours); got != "[0 1 3 7 15]" {
		t.Errorf("tried in the hours %s", got)
	}
	// A clock that was ahead, and is set right, keeps nobody away for longer than the longest pause.
	for !tried() {
		now = now.Add(time.Hour)
	}
	now = now.Add(-30 * 24 * time.Hour)
	if !tried() {
		t.Error("left alone until a time that a wrong clock wrote")
	}
	r.failAfter = 0
	r.expect("a person who asks is obeyed", Clean, "create user 1")
	if r.state().Failing != nil || !tried() {
		t.Error("still left alone after it worked")
	}
}

// What is missing without proof is looked for again by a full read, although the source could tell changes.
func TestUnprovenAbsenceIsReadAgainInFull(t *testing.T) {
	r := newRig(t)
	r.delta = func(emit func(*connectors.Page) error) error {
		return emit(&connectors.Page{Proof: &connectors.Proof{Scope: r.scope, Count: -1}})
	}
	for i := range 4 {
		r.add(fmt.Sprint(i), "P")
	}
	r.sync()
	r.hide["users"] = true
	r.job = Job{Full: true}
	r.expect("an empty listing", Held)
	r.hide["users"] = false
	r.expect("a delta would not show that they are back", Clean)
	if r.state().WantFull {
		t.Error("the next run is to read in full once more")
	}
}

// countWrites counts the transactions of the rig's engine from now on.
func countWrites(r *rig) *int {
	n := 0
	r.engine.store = &countingStore{Store: r.store, n: &n}
	return &n
}

type countingStore struct {
	store.Store
	n *int
}

func TestNewTargetLearnsEveryRecord(t *testing.T) {
	r := newRig(t)
	r.add("1", "P1")
	r.add("2", "P2")
	r.expect("first", Clean, "create user 1", "create user 2")
	r.conn.Targets = []string{"old", target}
	r.people["2"] = person{name: "Zwei"}
	delete(r.people, "1")
	r.add("3", "P3")
	got, _ := r.sync()
	if got != "deactivate user 1; update user 2 name:P2>Zwei; create user 3" {
		t.Errorf("the known target: %s", got)
	}
	var told []string
	err := r.store.View(t.Context(), r.part(), func(tx store.Reader) error {
		return tx.Outbox("old", 0, func(q store.Queued) bool {
			a, _ := directory.ParseAction(q.Data)
			told = append(told, say(&a))
			return true
		})
	})
	want := "create user 1; create user 2; deactivate user 1; update user 2 name:P2>Zwei; create user 3"
	if got := strings.Join(told, "; "); err != nil || got != want {
		t.Errorf("the new target: %s, %v", got, err)
	}
}

// Somebody leaves while a full read is in doubt. Changes alone would never tell: the next run reads in full.
func TestDoubtIsReadAgainInFull(t *testing.T) {
	for name, doubt := range map[string]func(*rig){
		"an entry without an id": func(r *rig) {
			r.invalid = []connectors.Invalid{{Kind: directory.Person, Where: "cn=x", Err: &fault.Error{Class: fault.Invalid, Op: "read", Err: errors.New("no id")}}}
		},
		"another count": func(r *rig) { r.count = 99 },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.conn.Guard = nil
			r.delta = func(emit func(*connectors.Page) error) error {
				return emit(&connectors.Page{Cursor: []byte("delta"), Proof: &connectors.Proof{Scope: "all", Count: -1}})
			}
			r.add("1", "One")
			r.add("2", "Two")
			r.sync()
			delete(r.people, "2")
			doubt(r)
			r.job = Job{Full: true}
			if got, res := r.sync(); got != "" || len(res.Run.Notes) == 0 {
				t.Errorf("in doubt: %s, notes %v", got, res.Run.Notes)
			}
			r.invalid, r.count = nil, -1
			r.expect("the next run", Clean, "deactivate user 2")
			if res := r.expect("and the one after", Clean); res.Run.Mode == "full" && res.Run.Read > 1 {
				t.Errorf("it read in full again: %+v", res.Run)
			}
		})
	}
}

// tenanted is a world with several tenants that are all alike.
type tenanted struct {
	*world
	list []connectors.Tenant
	err  error
	bad  map[string]func(context.Context) error
}

func (w *tenanted) Tenants(context.Context) ([]connectors.Tenant, error) { return w.list, w.err }

func (w *tenanted) Read(ctx context.Context, req connectors.Request, emit func(*connectors.Page) error) error {
	if bad := w.bad[req.Tenant.ID]; bad != nil {
		return bad(ctx)
	}
	calm := *w.world // reads run side by side
	return calm.Read(ctx, req, emit)
}

func outcomes(results []Result) string {
	var words []string
	for _, r := range results {
		words = append(words, r.Partition.Tenant+":"+r.Run.Outcome)
	}
	return strings.Join(words, " ")
}

// Tenants come and go: what one had that the source no longer lists waits for the operator.
func TestUnlistedTenant(t *testing.T) {
	r := newRig(t)
	r.add("1", "P1")
	r.groups["g"] = []string{"p:1"}
	source := &tenanted{world: r.world, list: []connectors.Tenant{{ID: "a"}, {ID: "b", Name: "B"}}}
	r.conn.Source = source
	run := func(what, want string) []Result {
		t.Helper()
		results := r.engine.RunConnection(t.Context(), r.conn, Job{})
		if got := outcomes(results); got != want {
			t.Errorf("%s: got %s, want %s", what, got, want)
		}
		return results
	}
	listed := func(what string, want ...string) {
		t.Helper()
		for _, tenant := range []string{"a", "b", "c"} {
			got, err := r.engine.Listed(t.Context(), store.Partition{Connection: "hq", Tenant: tenant})
			if err != nil || got != slices.Contains(want, tenant) {
				t.Errorf("%s: %s listed: %v, error %v", what, tenant, got, err)
			}
		}
	}
	listed("before")
	run("first", "a:clean b:clean")
	listed("first", "a", "b")
	source.err = &fault.Error{Class: fault.Transient, Op: "list tenants"}
	run("the list fails", ":failed")
	listed("the list fails", "a", "b")
	source.err = nil
	run("and is back", "a:clean b:clean")
	if r.engine.isFailing(t.Context(), store.Partition{Connection: "hq"}) {
		t.Error("the connection still counts as failing")
	}
	source.list = source.list[:1]
	run("b is not listed", "a:clean b:held")
	listed("b is not", "a")
	held := run("nor now", "a:clean b:held")[1].Run.Held
	source.list = []connectors.Tenant{{ID: "a"}, {ID: "b", Name: "B"}}
	run("b is back", "a:clean b:clean")
	listed("b is back", "a", "b")
	source.list = source.list[:1]
	if again := run("and gone again", "a:clean b:held")[1].Run.Held; again != held {
		t.Errorf("the plan is %s, was %s", again, held)
	}
	if res := r.engine.Approve(t.Context(), r.conn, connectors.Tenant{ID: "b"}, held); res.Run.Outcome != Clean || res.Run.Counts["user"]["deactivate"] != 1 {
		t.Errorf("approved: %+v", res)
	}
	run("it stays away", "a:clean b:clean")
	listed("it stays away", "a")
}

// Tenants that hang keep nobody waiting but themselves.
func TestHangingTenantsDelayNobody(t *testing.T) {
	r := newRig(t)
	r.add("1", "P1")
	source := &tenanted{world: r.world, bad: map[string]func(context.Context) error{}}
	r.conn.Source = source
	for i := range 100 {
		source.list = append(source.list, connectors.Tenant{ID: fmt.Sprint(i)})
	}
	release := make(chan struct{})
	for i := range 3 * tenantsAtOnce {
		source.bad[fmt.Sprint(i)] = func(context.Context) error {
			<-release
			return &fault.Error{Class: fault.Auth, Op: "read"}
		}
	}
	synctest.Test(t, func(t *testing.T) {
		release = make(chan struct{})
		go func() {
			time.Sleep(time.Hour)
			close(release)
		}()
		began := time.Now()
		clean := 0
		for _, res := range r.engine.RunConnection(context.Background(), r.conn, Job{}) {
			if res.Run.Outcome == Clean {
				clean++
			}
		}
		if clean != 100-3*tenantsAtOnce {
			t.Errorf("%d tenants are clean", clean)
		}
		if took := r.slowest(began); took > 3*slowAfter+time.Second {
			t.Errorf("the others waited for %s", took)
		}
	})
}

// A connector that hangs does not hold its tenant up for ever.
func TestStalledSource(t *testing.T) {
	r := newRig(t)
	hang := &tenanted{world: r.world, list: []connectors.Tenant{{}}, bad: map[string]func(context.Context) error{}}
	hang.bad[""] = func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}
	r.conn.Source = hang
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		res := r.engine.Run(context.Background(), r.conn, connectors.Tenant{}, Job{})
		if fault.ClassOf(res.Err) != fault.Transient || !strings.Contains(res.Err.Error(), "nothing came for") {
			t.Errorf("got %v", res.Err)
		}
		if took := time.Since(began); took > 5*time.Hour {
			t.Errorf("gave up after %s", took)
		}
	})
}

// slowest returns when the last clean tenant was done.
func (r *rig) slowest(since time.Time) (longest time.Duration) {
	r.Helper()
	parts, err := r.store.Partitions(context.Background())
	if err != nil {
		r.Fatal(err)
	}
	for _, p := range parts {
		err := r.store.View(context.Background(), p, func(tx store.Reader) error {
			state, err := tx.Tenant()
			if state.Failing == nil {
				longest = max(longest, state.Proven.Sub(since))
			}
			return err
		})
		if err != nil {
			r.Fatal(err)
		}
	}
	return longest
}
