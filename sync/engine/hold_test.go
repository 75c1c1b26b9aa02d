package engine

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/plan"
	"dirsyncd/sync/settle"
)

// company is a rig with so many people, 00 and on, all of them settled.
func company(t *testing.T, n int, rules ...mapping.RuleSpec) *rig {
	t.Helper()
	r := newRig(t, rules...)
	for i := range n {
		r.add(fmt.Sprintf("%02d", i), "P")
	}
	if _, res := r.sync(); res.Err != nil {
		t.Fatal(res.Err)
	}
	return r
}

func (r *rig) leave(from, to int) {
	for i := from; i < to; i++ {
		delete(r.people, fmt.Sprintf("%02d", i))
	}
}

func (r *rig) approve(what string, want ...string) {
	r.Helper()
	r.job = Job{Offline: true, Approve: r.state().Held.Hash}
	r.expect(what, Clean, want...)
	if held := r.state().Held; held != nil {
		r.Errorf("%s: still held: %+v", what, held)
	}
}

// Only what went beyond the limit waits. Who joins, changes or is away is nobody else's business, and leaves the hash as it is.
func TestHeldRemovalsLetTheRestThrough(t *testing.T) {
	r := company(t, 30)
	r.leave(0, 5)
	first := r.expect("five of thirty", Held)
	held := r.state().Held
	if !held.RemovalsOnly || fmt.Sprint(held.Counts) != "map[user:map[deactivate:5]]" {
		t.Errorf("held: %+v", held)
	}
	r.add("99", "New")
	r.people["10"] = person{name: "Other"}
	for range 2 {
		r.add(fmt.Sprint(len(r.people)+70), "Next")
		if res, _ := r.sync(); strings.Contains(res, "deactivate") || !strings.Contains(res, "create") {
			t.Errorf("got %s", res)
		}
	}
	now := r.state().Held
	if now.Hash != first.Run.Held || !now.Since.Equal(held.Since) || now.Run != held.Run {
		t.Errorf("the plan is %+v, was %+v", now, held)
	}
	if n := r.marks(); n != 5 {
		t.Errorf("%d objects are marked; five wait", n)
	}
	r.approve("approved", "deactivate user 00", "deactivate user 01", "deactivate user 02", "deactivate user 03", "deactivate user 04")
	r.mustFollow()
}

// Joiners make a held share smaller. It waits all the same.
func TestJoinersReleaseNothing(t *testing.T) {
	for _, c := range []struct{ people, leave int }{{10, 3}, {29, 3}, {39, 4}} {
		r := company(t, c.people)
		r.leave(0, c.leave)
		held := r.expect("too many", Held).Run.Held
		for i := range 20 {
			r.add(fmt.Sprint("new", i), "New")
		}
		got, res := r.sync()
		if res.Run.Held != held || strings.Contains(got, "deactivate") {
			t.Errorf("%d of %d: %s, held %q, was %q", c.leave, c.people, got, res.Run.Held, held)
		}
		for i := range 20 {
			r.add(fmt.Sprint("newer", i), "New")
		}
		r.leave(c.leave, c.leave+1)
		if got, res := r.sync(); res.Run.Held == "" || strings.Contains(got, "deactivate") {
			t.Errorf("one more of %d: %s", c.people, got)
		}
		// Thrown away, and said again: it is the same accident.
		if err := r.engine.Discard(t.Context(), r.part(), r.state().Held.Hash); err != nil {
			t.Fatal(err)
		}
		if got, res := r.sync(); res.Run.Held == "" || strings.Contains(got, "deactivate") {
			t.Errorf("discarded of %d: %s", c.people, got)
		}
		// Some are back: what is left is an everyday number of leavers.
		for i := range c.leave {
			r.add(fmt.Sprintf("%02d", i), "P")
		}
		r.expect("mended", Clean, fmt.Sprintf("deactivate user %02d", c.leave))
	}
}

// What was undone waits beside what is beyond a limit, and joiners release neither.
func TestJoinersReleaseNothingBesideWhatWasUndone(t *testing.T) {
	r := company(t, 29)
	r.leave(28, 29)
	left := r.expect("one leaves", Clean, "deactivate user 28")
	r.mustUndo(left.Run.ID, "", "reactivate user 28")
	r.leave(0, 3)
	r.expect("too many", Held)
	for i := range 20 {
		r.add(fmt.Sprint("new", i), "New")
	}
	r.sync()
	if got, res := r.sync(); res.Run.Held == "" || strings.Contains(got, "deactivate") {
		t.Errorf("%s, held %q", got, res.Run.Held)
	}
}

// Who raises the limit means what waits.
func TestRaisedLimitReleases(t *testing.T) {
	r := company(t, 30)
	r.leave(0, 5)
	r.expect("five of thirty", Held)
	fifth := 20.0
	r.conn.Guard = plan.Guard{directory.Deactivate: {Percent: &fifth}}
	r.expect("a fifth may go", Clean, "deactivate user 00", "deactivate user 01", "deactivate user 02", "deactivate user 03", "deactivate user 04")
}

// Somebody whose kind changes is never both and never neither: both halves wait, or none.
func TestKindChangesWaitTogether(t *testing.T) {
	r := newRig(t, agent("desk", `"desk" in groups`), user("everyone", "enabled"))
	for i := range 16 {
		r.add(fmt.Sprintf("%02d", i), "P")
	}
	desk := []string{"p:00", "p:01", "p:02", "p:03", "p:04", "p:05", "p:06", "p:07", "p:08", "p:09", "p:10"}
	r.groups["desk"] = desk
	r.sync()
	r.groups["desk"] = desk[5:]
	r.people["00"] = person{name: "Renamed"}
	r.people["10"] = person{name: "Renamed"}
	res := r.expect("five of eleven agents", Held, "update agent 10 name:P>Renamed")
	if counts := fmt.Sprint(r.state().Held.Counts); counts != "map[agent:map[deactivate:5] user:map[create:5]]" {
		t.Errorf("held: %s", counts)
	}
	r.people["00"] = person{name: "Again"}
	if again := r.expect("an update of somebody who waits", Held); again.Run.Held != res.Run.Held {
		t.Error("another hash")
	}
	r.groups["desk"] = desk
	r.expect("back as it was", Clean, "update agent 00 name:P>Again")
	r.mustFollow()
}

// Who is held is still there in the eyes of others: nobody loses a manager, and no list a member, to an accident.
func TestOthersSeeWhoIsHeld(t *testing.T) {
	r := newRig(t)
	boss := field("boss", "= manager.name")
	boss.Blank = mapping.ClearBlank
	spec := teamsSpec()
	spec.Licences = []mapping.RuleSpec{rule("licences", "true", directory.LicenceRecord)}
	r.wide = true
	spec.Fields = map[directory.RecordKind][]mapping.FieldSpec{directory.UserRecord: {field("name", "= name"), boss},
		directory.GroupRecord: {field("name", "= name")}, directory.LicenceRecord: {field("name", "= name")}}
	r.mapping(spec)
	r.licences["e3"] = "E3"
	for i := range 20 {
		r.people[fmt.Sprintf("%02d", i)] = person{name: "P", manager: "p:00", holds: []string{"e3"}}
	}
	r.groups["team"] = []string{"p:00", "p:01", "p:02", "p:15"}
	r.sync()
	r.leave(0, 4)
	r.groups["team"] = []string{"p:15", "p:16"} // a server takes those who are gone out of its groups
	r.expect("four of twenty", Held, "update group team +hq/16 -")
	r.people["15"] = person{name: "New", manager: "p:00", holds: []string{"e3"}}
	delete(r.licences, "none")
	r.expect("somebody they led changes", Held, "update user 15 name:P>New")
	got, _ := func() (string, Result) {
		r.job = Job{Offline: true, Approve: r.state().Held.Hash}
		return r.sync()
	}()
	for _, want := range []string{"deactivate user 00", "update user 15 boss:P>", "update user 19 boss:P>", "update group team + -hq/00,hq/01,hq/02", "update licence e3 + -hq/00,hq/01,hq/02,hq/03"} {
		if !strings.Contains(got, want) {
			t.Errorf("approved: no %q in %s", want, got)
		}
	}
	if n := r.marks(); n != 0 {
		t.Errorf("%d marks are left", n)
	}
	r.mustFollow()
}

// After an edit of the rules only those are looked at again who wait.
func TestHeldRuleEditMarksOnlyWhoWaits(t *testing.T) {
	r := company(t, 40)
	for i := range 10 {
		r.people[fmt.Sprintf("%02d", i)] = person{name: "P", department: "Out"}
	}
	r.sync()
	r.rules(mapping.RuleSpec{Name: "out", When: mapping.TextSpec{Text: `department == "Out"`}, Ignore: true}, user("everyone", "enabled"))
	res := r.expect("ten of forty", Held)
	if n := r.marks(); n != 10 {
		t.Errorf("%d objects are marked; ten wait", n)
	}
	if r.state().RulesHash != r.conn.Rules.Hash() {
		t.Error("everybody would be settled again")
	}
	writes := 0
	r.engine.store = &countingStore{r.store, &writes}
	if again := r.expect("again", Held); again.Run.Held != res.Run.Held || writes != 0 {
		t.Errorf("the plan is %s, was %s; %d writes", again.Run.Held, res.Run.Held, writes)
	}
	r.rules(user("everyone", "enabled"))
	r.expect("the edit is undone", Clean)
}

// New records beyond their limit wait, and those who leave with them; changes do not.
func TestLimitOfCreates(t *testing.T) {
	r := company(t, 30)
	three := 3
	r.conn.Guard[directory.Create] = plan.Limit{Count: &three}
	for i := range 5 {
		r.add(fmt.Sprint("new", i), "New")
	}
	r.leave(0, 1)
	r.people["10"] = person{name: "Other"}
	r.expect("five of three", Held, "update user 10 name:P>Other")
	r.approve("approved", "deactivate user 00", "create user new0", "create user new1", "create user new2", "create user new3", "create user new4")
}

// A list that loses most of its members, and many that lose some, wait; who enters does not.
func TestMembershipLosses(t *testing.T) {
	twelve := func(from, to int) (list []string) {
		for i := from; i < to; i++ {
			list = append(list, fmt.Sprintf("p:%02d", i))
		}
		return list
	}
	t.Run("most of a list", func(t *testing.T) {
		r := company(t, 30)
		r.mapping(teamsSpec())
		r.groups["team"], r.groups["other"] = twelve(0, 12), twelve(0, 30)
		r.sync()
		r.groups["team"] = append(twelve(8, 12), "p:20")
		first := r.expect("eight of twelve", Held, "update group team +hq/20 -")
		if reasons := fmt.Sprint(r.state().Held.Reasons); !strings.Contains(reasons, "take more than 50% of their members from 1 group or licence") {
			t.Error(reasons)
		}
		r.groups["team"] = append(twelve(8, 12), "p:20", "p:21", "p:22", "p:23", "p:24", "p:25")
		r.leave(29, 30)
		again := r.expect("five more members, and somebody leaves", Held, "deactivate user 29", "update group other + -hq/29", "update group team +hq/21,hq/22,hq/23,hq/24,hq/25 -")
		if first.Run.Held != again.Run.Held {
			t.Error("another hash")
		}
		if n := r.marks(); n != 1 {
			t.Errorf("%d marks for one group that waits", n)
		}
		r.approve("approved", "update group team + -hq/00,hq/01,hq/02,hq/03,hq/04,hq/05,hq/06,hq/07")
		r.mustFollow()
	})
	t.Run("some of many", func(t *testing.T) {
		r := company(t, 30)
		r.mapping(teamsSpec())
		for i := range 6 {
			r.groups[fmt.Sprint("g", i)] = twelve(0, 9)
		}
		r.sync()
		for i := range 6 {
			r.groups[fmt.Sprint("g", i)] = twelve(1, 9)
		}
		r.expect("six of fifty-four memberships", Held)
		if reasons := fmt.Sprint(r.state().Held.Reasons); !strings.Contains(reasons, "take 6 of 54 memberships away, 11.1%; the limit is 10%") {
			t.Error(reasons)
		}
		r.groups["g0"] = twelve(0, 9)
		if got, res := r.sync(); res.Run.Outcome != Clean || strings.Count(got, "-hq/00") != 5 {
			t.Errorf("five: %s %s", res.Run.Outcome, got)
		}
	})
	t.Run("leavers count once", func(t *testing.T) {
		r := company(t, 30)
		r.mapping(teamsSpec())
		r.groups["team"] = twelve(0, 3)
		r.groups["g"] = twelve(0, 12)
		r.sync()
		r.leave(0, 3)
		r.expect("three leave, and so three groups", Clean, "deactivate user 00", "deactivate user 01", "deactivate user 02", "update group g + -hq/00,hq/01,hq/02", "update group team + -hq/00,hq/01,hq/02")
	})
}

// What became of plans that somebody may still have the hash of.
func TestFormerPlans(t *testing.T) {
	r := company(t, 30)
	r.leave(0, 5)
	first := r.expect("five", Held).Run.Held
	r.leave(5, 6)
	second := r.expect("six", Held).Run.Held
	r.job = Job{Offline: true, Approve: first}
	if _, res := r.sync(); !errors.Is(res.Err, settle.ErrPlanChanged) || !strings.Contains(res.Err.Error(), second) {
		t.Errorf("the former plan: %v", res.Err)
	}
	r.approve("approved", "deactivate user 00", "deactivate user 01", "deactivate user 02", "deactivate user 03", "deactivate user 04", "deactivate user 05")
	r.leave(6, 10)
	third := r.expect("four of 24", Held).Run.Held
	for i := range 10 {
		r.add(fmt.Sprintf("%02d", i), "P")
	}
	r.sync()
	var got []string
	for _, f := range r.state().Former {
		got = append(got, f.Hash+" "+f.How)
	}
	if want := fmt.Sprint([]string{third + " " + store.PlanSettled, second + " " + store.PlanApproved, first + " " + store.PlanReplaced}); fmt.Sprint(got) != want {
		t.Errorf("former: %v, want %s", got, want)
	}
}

// Whatever waits for whatever time: once somebody approved it, the records are those of a fresh start, and who followed the
// events has the same picture.
func TestRandomHoldsAgreeWithAFreshStart(t *testing.T) {
	rounds := 60
	if testing.Short() {
		rounds = 8
	}
	held := 0
	for i := range rounds {
		seed := uint64(i)
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 5))
			r := randomStory(t, rnd)
			one, none := 1, 0
			r.conn.Guard = plan.Guard{directory.Deactivate: {Count: &one}, directory.Delete: {Count: &one}}
			r.conn.Lists = plan.Lists{Count: &none}
			if rnd.IntN(3) == 0 {
				r.conn.Guard[directory.Update] = plan.Limit{Count: &one}
			}
			for range 15 {
				res := r.randomRun(rnd)
				if res.Run.Held == "" {
					continue
				}
				held++
				switch rnd.IntN(5) {
				case 0:
					if err := r.engine.Discard(t.Context(), r.part(), res.Run.Held); err != nil {
						t.Error(err)
					}
				case 1:
					r.job = Job{Offline: true, Approve: res.Run.Held}
					if _, res := r.sync(); res.Err != nil {
						t.Error(res.Err)
					}
				}
			}
			r.likeAFreshStart()
		})
	}
	if held < rounds {
		t.Errorf("only %d plans were held", held)
	}
}

// A run that holds something and is cut at any transaction comes to what it comes to undisturbed, and holds the same.
func TestCutWhileHeld(t *testing.T) {
	begin := func(edit bool) *rig {
		r := newStory(t, false, false)
		one, none := 1, 0
		r.conn.Guard, r.conn.Lists = plan.Guard{directory.Deactivate: {Count: &one}}, plan.Lists{Count: &none}
		r.story()[0]()
		r.sync()
		delete(r.people, "1")
		delete(r.people, "7")
		r.groups["team"] = []string{"p:4", "p:10"}
		r.groups["inner"] = []string{"p:2"}
		r.people["8"] = person{name: "8", manager: "p:0", holds: []string{"e3"}}
		r.add("10", "Joiner")
		if edit {
			r.spec.Rules = []mapping.RuleSpec{agent("desk", `"desk" in groups`), user("a few", `enabled and name != "P5"`)}
			r.mapping(r.spec)
		}
		return r
	}
	for _, edit := range []bool{false, true} {
		whole := begin(edit)
		whole.sync()
		hash, want := whole.state().Held.Hash, whole.outcome()
		whole.job = Job{Offline: true, Approve: hash}
		whole.sync()
		approved := whole.outcome()
		cuts := 0
		for n, more := 1, true; more; n++ {
			for _, after := range []bool{false, true} {
				r := begin(edit)
				cut := &cutStore{Store: r.store, left: n, after: after}
				r.engine.store = cut
				r.sync()
				r.engine = New(r.store, r.engine.opts)
				if _, res := r.sync(); res.Err != nil || res.Run.Held != hash || r.outcome() != want {
					t.Errorf("edit %t cut %d after %t: %v, held %q, want %q\n got %s\nwant %s", edit, n, after, res.Err, res.Run.Held, hash, r.outcome(), want)
				}
				r.job = Job{Offline: true, Approve: hash}
				if _, res := r.sync(); res.Err != nil || r.outcome() != approved {
					t.Errorf("edit %t cut %d after %t: approved: %v\n got %s\nwant %s", edit, n, after, res.Err, r.outcome(), approved)
				}
				more = cut.dead.Load()
				cuts++
			}
		}
		if cuts < 12 {
			t.Errorf("only %d cuts", cuts)
		}
	}
}

// Forty tenants that each lose what one may lose are an accident. Nobody waits for another, so some have gone when it shows.
func TestLimitOfAllTenantsTogether(t *testing.T) {
	r := newRig(t)
	r.engine.chunk = 100
	r.conn.Shared = plan.DefaultShared()
	for i := range 22 {
		r.add(fmt.Sprintf("%02d", i), "P")
	}
	source := &tenanted{world: r.world}
	r.conn.Source = source
	for i := range 40 {
		source.list = append(source.list, connectors.Tenant{ID: fmt.Sprintf("t%02d", i)})
	}
	run := func(what string, wantGone, wantHeld int) (held []Result) {
		t.Helper()
		gone := 0
		for _, res := range r.engine.RunConnection(t.Context(), r.conn, Job{}) {
			gone += res.Run.Counts["user"]["deactivate"]
			if res.Run.Held != "" {
				held = append(held, res)
			}
			if res.Err != nil {
				t.Fatal(res.Err)
			}
		}
		if gone != wantGone || len(held) != wantHeld {
			t.Errorf("%s: %d are gone, want %d; %d plans are held, want %d", what, gone, wantGone, len(held), wantHeld)
		}
		return held
	}
	run("first", 0, 0)
	r.leave(0, 2)
	held := run("nine of a hundred, everywhere", 44, 18) // a twentieth of 880
	p := held[0].Partition
	var reasons []string
	if err := r.store.View(t.Context(), p, func(tx store.Reader) error {
		s, err := tx.Tenant()
		reasons = s.Held.Reasons
		return err
	}); err != nil || !strings.Contains(fmt.Sprint(reasons), "deactivate 46 of 880 user records, 5.2%; the limit is 5%, of all tenants together") {
		t.Errorf("reasons: %v, %v", reasons, err)
	}
	run("they go on waiting", 0, 18)
	if err := r.engine.Discard(t.Context(), p, held[0].Run.Held); err != nil {
		t.Fatal(err)
	}
	run("one was thrown away, and is said again", 0, 18)
	if res := r.engine.Approve(t.Context(), r.conn, connectors.Tenant{ID: p.Tenant}, held[0].Run.Held); res.Run.Counts["user"]["deactivate"] != 2 {
		t.Errorf("approved: %+v", res)
	}
	r.add("00", "P")
	r.add("01", "P")
	run("all are back", 0, 0)
	r.leave(5, 6)
	run("one of each of forty", 40, 0)

	// What the operator wrote counts for few tenants, too.
	five := 5
	r.conn.Shared.Guard[directory.Deactivate] = plan.Limit{Count: &five}
	r.conn.Shared.Written = map[directory.Op]bool{directory.Deactivate: true}
	source.list = source.list[:3]
	r.leave(6, 8)
	gone, waits := 0, 0
	for _, res := range r.engine.RunConnection(t.Context(), r.conn, Job{})[:3] {
		gone += res.Run.Counts["user"]["deactivate"]
		if res.Run.Held != "" {
			waits++
		}
	}
	if gone != 4 || waits != 1 {
		t.Errorf("two of each of three: %d are gone, %d plans wait", gone, waits)
	}
}
