package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/plan"
)

const day = 24 * time.Hour

// aging is a rig whose clock the test moves.
type aging struct {
	*rig
	now time.Time
}

func newAging(t *testing.T, rules ...mapping.RuleSpec) *aging {
	t.Helper()
	a := &aging{rig: newRig(t, rules...), now: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)}
	a.engine.opts.Now = func() time.Time { return a.now }
	a.conn.History.Off = true // what is too old would be forgotten: a write
	return a
}

func (a *aging) pass(d time.Duration) { a.now = a.now.Add(d) }

// idle runs once, and fails when that writes, or asks for more than a few things.
func (a *aging) idle(what string) {
	a.Helper()
	writes, was := 0, a.engine.store
	counting := &counted{Store: &countingStore{a.store, &writes}, asked: &asked{times: map[string]int{}}}
	a.engine.store = counting
	a.job.Offline = true
	a.expect(what, Clean)
	a.engine.store = was
	if writes > 0 || counting.asked.total() > 60 {
		a.Errorf("%s: %d writes, asked %v", what, writes, counting.asked.times)
	}
}

func graceSpec(after time.Duration, rules ...mapping.RuleSpec) mapping.Spec {
	if len(rules) == 0 {
		rules = []mapping.RuleSpec{user("everyone", "enabled")}
	}
	return mapping.Spec{Name: "m", Rules: rules, LeaversOf: map[directory.RecordKind]mapping.Leaver{
		directory.UserRecord: {Do: mapping.DeactivateLeavers, DeleteAfter: after},
	}}
}

// TestGrace: a leaver is deactivated, and deleted when the time is over, although nothing is read or changed by then. A return
// within it is a reactivate, and nothing is deleted later.
func TestGrace(t *testing.T) {
	a := newAging(t)
	a.mapping(graceSpec(30 * day))
	for i := range 6 {
		a.add(fmt.Sprint(i), fmt.Sprintf("Person %d", i))
	}
	_, _ = a.sync()
	delete(a.people, "1")
	a.people["2"] = person{name: "Person 2", disabled: true}
	a.expect("two leave", Clean, "deactivate user 1", "deactivate user 2")
	a.pass(30*day - time.Second)
	a.idle("a second before")
	a.add("2", "Person 2")
	a.expect("one returns", Clean, "reactivate user 2")
	a.pass(time.Second)
	a.expect("at the end", Clean, "delete user 1")
	a.idle("over")
	if why := a.why(directory.UserRecord, "1"); !strings.Contains(why, "deleted: deactivated for 30d: no longer listed by the source") {
		t.Error(why)
	}
	a.add("1", "Person 1")
	a.expect("comes back for all that", Clean, "create user 1")
	a.pass(300 * day)
	a.idle("much later")
}

// TestGraceOfTheDisabled: whoever is there and has no record any more is deleted like one who is gone.
func TestGraceOfTheDisabled(t *testing.T) {
	a := newAging(t)
	a.mapping(graceSpec(30 * day))
	a.add("1", "One")
	a.add("2", "Two")
	_, _ = a.sync()
	a.people["1"] = person{name: "One", disabled: true}
	a.expect("disabled", Clean, "deactivate user 1")
	a.pass(29 * day)
	a.people["1"] = person{name: "Renamed", disabled: true}
	a.expect("what changes does not begin the time anew", Clean)
	a.pass(day)
	a.expect("over", Clean, "delete user 1")
	a.people["1"] = person{name: "Renamed"}
	a.expect("enabled again", Clean, "create user 1")
}

// TestGraceOfKinds: who became something else has not left, and every kind has its own time.
func TestGraceOfKinds(t *testing.T) {
	a := newAging(t)
	rules := []mapping.RuleSpec{agent("desk", `department == "desk"`), user("everyone", "enabled")}
	spec := graceSpec(30*day, rules...)
	spec.LeaversOf[directory.AgentRecord] = mapping.Leaver{Do: mapping.KeepLeavers}
	a.mapping(spec)
	for i := range 5 {
		a.add(fmt.Sprint(i), "P")
	}
	_, _ = a.sync()
	a.people["1"] = person{name: "P", department: "desk"}
	a.expect("becomes an agent", Clean, "deactivate user 1", "create agent 1")
	a.pass(400 * day)
	a.idle("is one for long")
	a.people["1"] = person{name: "P"}
	a.expect("and a user again; agents are kept", Clean, "reactivate user 1")
	delete(a.people, "1")
	a.expect("gone", Clean, "deactivate user 1")
	a.pass(30 * day)
	a.idle("an agent that is kept keeps the user")
	spec.LeaversOf[directory.AgentRecord] = mapping.Leaver{Do: mapping.DeactivateLeavers}
	a.mapping(spec)
	a.expect("what was decided when the object was forgotten stays", Clean)
}

// TestGraceIsEdited: a shorter time holds for those who left before, a longer one, too, and without one nobody is deleted.
func TestGraceIsEdited(t *testing.T) {
	for name, c := range map[string]struct {
		after time.Duration
		want  []string
		later []string
	}{
		"shorter": {after: 10 * day, want: []string{"delete user 1"}},
		"longer":  {after: 60 * day, later: []string{"delete user 1"}},
		"none":    {},
	} {
		a := newAging(t)
		a.mapping(graceSpec(30 * day))
		for i := range 5 {
			a.add(fmt.Sprint(i), "P")
		}
		_, _ = a.sync()
		delete(a.people, "1")
		a.expect("leaves", Clean, "deactivate user 1")
		a.pass(20 * day)
		a.mapping(graceSpec(c.after))
		a.expect(name+", edited", Clean, c.want...)
		a.idle(name + ", after the edit")
		a.pass(40 * day)
		a.expect(name+", later", Clean, c.later...)
	}
	// An edit that deletes what nobody expected waits, for as long as it takes.
	held := newAging(t)
	held.mapping(graceSpec(0))
	held.conn.Guard = plan.Guard{directory.Delete: {Count: new(0)}}
	for i := range 5 {
		held.add(fmt.Sprint(i), "P")
	}
	_, _ = held.sync()
	delete(held.people, "1")
	held.expect("leaves", Clean, "deactivate user 1")
	held.pass(40 * day)
	held.mapping(graceSpec(30 * day))
	first := held.expect("over at once", Held)
	if again := held.expect("still", Held); again.Run.Held != first.Run.Held {
		t.Errorf("%s, then %s", first.Run.Held, again.Run.Held)
	}
	held.mapping(graceSpec(0))
	held.expect("the edit is undone", Clean)
	if list := held.dues(); len(list) > 0 {
		t.Errorf("due: %v", list)
	}
	// A time that is written when somebody has left already counts from then.
	a := newAging(t)
	a.mapping(graceSpec(0))
	for i := range 5 {
		a.add(fmt.Sprint(i), "P")
	}
	_, _ = a.sync()
	delete(a.people, "1")
	a.expect("leaves", Clean, "deactivate user 1")
	a.pass(20 * day)
	a.mapping(graceSpec(30 * day))
	a.expect("written", Clean)
	a.pass(10 * day)
	a.expect("over", Clean, "delete user 1")
}

// TestGraceIsGuarded: what is to be deleted goes through the guard; approved later, it is the same plan.
func TestGraceIsGuarded(t *testing.T) {
	a := newAging(t)
	a.mapping(graceSpec(30 * day))
	a.conn.Guard = plan.Guard{directory.Delete: {Count: new(2)}}
	for i := range 20 {
		a.add(fmt.Sprint(i), "P")
	}
	_, _ = a.sync()
	for i := range 3 {
		delete(a.people, fmt.Sprint(i))
	}
	a.expect("three leave", Clean, "deactivate user 0", "deactivate user 1", "deactivate user 2")
	a.pass(day)
	delete(a.people, "3")
	a.expect("one more", Clean, "deactivate user 3")
	a.pass(29 * day)
	a.expect("three are due", Held)
	a.add("2", "P")
	a.expect("one of them returns, two are left", Clean, "delete user 0", "delete user 1", "reactivate user 2")
	for i := range 3 {
		delete(a.people, fmt.Sprint(10+i))
	}
	a.expect("three more leave", Clean, "deactivate user 10", "deactivate user 11", "deactivate user 12")
	a.pass(30*day - time.Hour)
	a.expect("one is due", Clean, "delete user 3")
	a.pass(time.Hour)
	held := a.expect("three are due again", Held)
	a.people["9"] = person{name: "Renamed"}
	a.expect("another one is renamed", Held, "update user 9 name:P>Renamed")
	a.pass(5 * time.Hour)
	writes := 0
	a.engine.store = &countingStore{a.store, &writes}
	a.job.Offline = true
	a.expect("nothing new", Held)
	if a.engine.store = a.store; writes > 0 {
		t.Errorf("an idle run of a held plan wrote %d times", writes)
	}
	res := a.engine.Approve(t.Context(), a.conn, connectors.Tenant{}, held.Run.Held)
	if got := a.drain(); res.Err != nil || got != "delete user 10; delete user 11; delete user 12" {
		t.Errorf("approved: %s, %v", got, res.Err)
	}
	a.idle("after that")
}

// TestApproveForItsMoment: a plan is approved for the moment for which it was shown. What became due since is another one.
func TestApproveForItsMoment(t *testing.T) {
	a := newAging(t)
	a.mapping(graceSpec(30 * day))
	a.conn.Guard = plan.Guard{directory.Delete: {Count: new(0)}}
	for i := range 9 {
		a.add(fmt.Sprint(i), "P")
	}
	_, _ = a.sync()
	delete(a.people, "1")
	a.expect("one leaves", Clean, "deactivate user 1")
	a.pass(time.Hour)
	delete(a.people, "2")
	a.expect("another one", Clean, "deactivate user 2")
	a.pass(30*day - time.Hour)
	held := a.expect("the first is due", Held)
	a.pass(2 * time.Hour) // and the second one, too, which nobody has seen in the plan
	res := a.engine.Approve(t.Context(), a.conn, connectors.Tenant{}, held.Run.Held)
	if got := a.drain(); res.Err != nil || got != "delete user 1" {
		t.Errorf("approved: %s, %v", got, res.Err)
	}
	a.expect("the second one asks again", Held)
}

// TestTimeInRules: somebody becomes what a rule says of a date at the run at which that is so.
func TestTimeInRules(t *testing.T) {
	a := newAging(t, mapping.RuleSpec{Name: "stale", When: mapping.TextSpec{Text: `department != "" and older_than(date(department), "90d")`}, Ignore: true},
		user("leaves soon", `office == "" and title != "" and due_within(date(title), "14d")`), user("everyone", "enabled"))
	seen := func(id string, at time.Time) {
		a.people[id] = person{name: "P" + id, department: at.Format(time.RFC3339)}
	}
	for i := range 9 {
		seen(fmt.Sprint(i), a.now.Add(time.Duration(i)*time.Hour))
	}
	_, _ = a.sync()
	a.pass(90*day - time.Second)
	a.idle("a second before")
	a.pass(time.Second)
	a.expect("the first", Clean, "deactivate user 0")
	a.pass(30 * time.Minute)
	a.idle("nobody")
	seen("1", a.now)
	res := a.expect("seen again in time", Clean, fmt.Sprintf("update user 1 team:%s>%s", a.now.Add(-90*day+30*time.Minute).Format(time.RFC3339), a.now.Format(time.RFC3339)))
	if res.Run.Changed != 1 {
		t.Error(res.Run.Changed)
	}
	a.pass(2 * time.Hour)
	a.expect("the others, each at its time", Clean, "deactivate user 2")
	if why := a.why(directory.UserRecord, "3"); !strings.Contains(why, "active") {
		t.Error(why)
	}
	a.rules(user("everyone", "enabled"))
	a.expect("without the rule", Clean, "reactivate user 0", "reactivate user 2")
	a.pass(300 * day)
	a.idle("nothing is due any longer")
}

// TestTimeAndFailure: whoever the rules fail for is looked at again when that could change, and at no other run.
func TestTimeAndFailure(t *testing.T) {
	a := newAging(t, user("new", `not older_than(date(department), "10d") and int(title ?? "x") > 1`), user("everyone", "enabled"))
	a.people["1"] = person{name: "P", department: a.now.Format(time.DateOnly)}
	if _, res := a.sync(); res.Run.Outcome != Parked {
		t.Fatal(res.Run)
	}
	a.pass(9 * day)
	if got, res := a.sync(); got != "" || res.Run.Outcome != Parked {
		t.Error(got, res.Run)
	}
	a.pass(day)
	a.expect("the condition does not get there any more", Clean, "create user 1")
}

// lifeStory moves time on: people leave, return and are deleted, and a rule about a date comes true.
func (a *aging) lifeStory() []func() {
	return []func(){
		func() {
			for i := range 7 {
				a.people[fmt.Sprint(i)] = person{name: fmt.Sprint("P", i)}
			}
			a.people["7"] = person{name: "P7", department: a.now.Format(time.DateOnly)}
			a.groups["team"] = []string{"p:1", "p:2", "p:7"}
		},
		func() {
			delete(a.people, "1")
			delete(a.people, "2")
			a.people["3"] = person{name: "P3", disabled: true}
		},
		func() { a.pass(10 * day); a.add("2", "Back") },
		func() { a.pass(20 * day) },
		func() { a.pass(90 * day) },
		func() { a.pass(90 * day) },
	}
}

func newLife(t *testing.T) *aging {
	a := newAging(t)
	spec := graceSpec(30*day, mapping.RuleSpec{Name: "stale", When: mapping.TextSpec{Text: `department != "" and older_than(date(department), "90d")`}, Ignore: true}, user("everyone", "enabled"))
	spec.Groups = []mapping.RuleSpec{rule("teams", `name == "team"`, directory.GroupRecord)}
	a.mapping(spec)
	a.conn.Guard, a.conn.Lists = nil, plan.Lists{}
	return a
}

// TestLifeCutAnywhere: what is due is neither lost nor done twice, wherever the run is cut.
func TestLifeCutAnywhere(t *testing.T) {
	whole := newLife(t)
	var want []string
	for _, change := range whole.lifeStory() {
		change()
		if _, res := whole.sync(); res.Err != nil {
			t.Fatal(res.Err)
		}
		want = append(want, whole.outcome())
	}
	last := want[len(want)-1]
	if !strings.Contains(last, "user/hq/1 active false rule everyone revision 3") || strings.Contains(last, "user/hq/7 active true") {
		t.Fatal(last)
	}
	cuts := 0
	for round := range want {
		for _, after := range []bool{false, true} {
			for n, more := 1, true; more; n++ {
				a := newLife(t)
				story := a.lifeStory()
				for _, change := range story[:round] {
					change()
					a.sync()
				}
				story[round]()
				cut := &cutStore{Store: a.store, left: n, after: after}
				a.engine.store = cut
				a.sync()
				a.engine = New(a.store, a.engine.opts)
				a.sync()
				if got := a.outcome(); got != want[round] {
					t.Errorf("round %d cut %d after %t:\n got %s\nwant %s", round, n, after, got, want[round])
				}
				more = cut.dead.Load()
				cuts++
			}
		}
	}
	if t.Logf("%d cuts", cuts); cuts < 30 {
		t.Errorf("only %d cuts", cuts)
	}
}

// why is the answer to why, in words.
func (a *aging) why(kind directory.RecordKind, who string) string {
	a.Helper()
	reasons, err := a.engine.Why(a.Context(), a.conn, connectors.Tenant{}, kind, who)
	if err != nil {
		return err.Error()
	}
	var words []string
	for _, r := range reasons {
		if r.Record != nil {
			words = append(words, r.Record.State+": "+r.Record.Reason)
		}
	}
	return strings.Join(words, "; ")
}

// dues lists what is due, by the objects' numbers.
func (a *aging) dues() (list []string) {
	a.Helper()
	err := a.store.View(a.Context(), a.part(), func(tx store.Reader) error {
		list = nil
		return tx.Due(time.Unix(1<<40, 0), func(at time.Time, kind directory.Kind, n store.Num) bool {
			list = append(list, fmt.Sprint(kind, " ", n, " ", at.Format(time.RFC3339)))
			return true
		})
	})
	if err != nil {
		a.Fatal(err)
	}
	return slices.Clip(list)
}

// TestKeep: a record that the mapping keeps is neither deactivated nor deleted, also when its object is gone for long; without the
// entry it is what it would have been.
func TestKeep(t *testing.T) {
	a := newAging(t)
	spec := graceSpec(30 * day)
	spec.Keep = []mapping.KeepSpec{{Name: "board", When: mapping.TextSpec{Text: `team == "Board"`}}, {Name: "by hand", Keys: []string{"hq/2"}}}
	a.mapping(spec)
	for i := range 7 {
		a.add(fmt.Sprint(i), "P")
	}
	a.people["1"] = person{name: "Chair", department: "Board"}
	a.people["3"] = person{name: "Late"}
	_, _ = a.sync()
	delete(a.people, "1")
	delete(a.people, "2")
	delete(a.people, "3")
	a.expect("one of three goes", Clean, "deactivate user 3")
	a.people["1"] = person{name: "Chair", department: "Board", disabled: true}
	a.expect("disabled is no difference", Clean)
	delete(a.people, "1")
	a.expect("gone again", Clean)
	a.pass(90 * day)
	spec.Keep = append(spec.Keep, mapping.KeepSpec{Name: "late", Keys: []string{"hq/3"}})
	a.mapping(spec)
	a.expect("in the time of grace, too", Clean)
	a.idle("nothing waits")
	spec.Keep = spec.Keep[:1]
	a.mapping(spec)
	a.expect("two entries are taken out", Clean, "deactivate user 2", "delete user 3")
	a.add("1", "Chair")
	a.people["1"] = person{name: "Chair", department: "Sales"}
	a.expect("comes back and is on no board", Clean, "update user 1 team:Board>Sales")
	delete(a.people, "1")
	a.expect("and goes", Clean, "deactivate user 1")
}

// TestKeepUntil: what is kept until a date goes at the run at which that is over.
func TestKeepUntil(t *testing.T) {
	a := newAging(t)
	spec := graceSpec(0)
	spec.Keep = []mapping.KeepSpec{{Name: "until", When: mapping.TextSpec{Text: `team != "" and not past(date(team))`}}}
	a.mapping(spec)
	for i := range 5 {
		a.people[fmt.Sprint(i)] = person{name: "P", department: a.now.Add(10 * day).Format(time.RFC3339)}
	}
	_, _ = a.sync()
	delete(a.people, "1")
	a.expect("kept", Clean)
	a.pass(10*day - time.Second)
	a.idle("still")
	a.pass(time.Second)
	a.expect("over", Clean, "deactivate user 1")
}

// TestSeats: who would take a seat that is not there waits, and nobody else does; a seat that somebody leaves is taken at the next
// run by whoever waits longest; nobody loses one.
func TestSeats(t *testing.T) {
	a := newAging(t)
	spec := mapping.Spec{Name: "m", Rules: []mapping.RuleSpec{agent("desk", `department == "desk"`), user("everyone", "enabled")},
		Seats: map[directory.RecordKind]mapping.Seats{directory.AgentRecord: {Total: new(2)}}}
	a.mapping(spec)
	desk := func(id string) { a.people[id] = person{name: "P" + id, department: "desk"} }
	for i := range 6 {
		a.add(fmt.Sprint(i), "P")
	}
	desk("1")
	desk("2")
	desk("4")
	seats := func(what, want string) {
		t.Helper()
		counts, err := a.engine.Seats(a.conn).Of(t.Context(), connectors.Tenant{})
		if got := fmt.Sprint(counts, err); got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	run := func(what string, marks int, want ...string) []string {
		t.Helper()
		got, res := a.sync()
		if w := strings.Join(want, "; "); got != w || res.Err != nil || a.marks() != marks {
			t.Errorf("%s: %v, %d marks\n got %s\nwant %s", what, res.Err, a.marks(), got, w)
		}
		return res.Run.Notes
	}
	notes := run("a first sync", 1, "create user 0", "create agent 1", "create agent 2", "create user 3", "create user 5")
	if len(notes) != 1 || notes[0] != "1 waits for a seat of kind agent: 2 of 2 are taken" {
		t.Errorf("%q", notes)
	}
	seats("first", "[{{agent  2 2} 1}] <nil>")
	if notes = run("nothing new", 1); len(notes) > 0 {
		t.Errorf("said again: %q", notes)
	}
	desk("0") // a user, who stays one for so long
	run("another one, with a lower number", 2)
	a.add("7", "P7")
	delete(a.people, "1")
	run("one leaves, and somebody who needs no seat comes", 2, "deactivate agent 1", "create user 7")
	run("the first in the queue", 1, "create agent 4")
	desk("1")
	run("a return waits, too", 2)
	spec.Seats = map[directory.RecordKind]mapping.Seats{directory.AgentRecord: {Total: new(3)}}
	a.mapping(spec)
	run("one more seat, in the order of waiting", 1, "deactivate user 0", "create agent 0")
	spec.Seats = map[directory.RecordKind]mapping.Seats{directory.AgentRecord: {Total: new(1)}}
	a.mapping(spec)
	run("fewer than are taken: nobody loses theirs", 1)
	seats("too few", "[{{agent  1 3} 1}] <nil>")
	a.people["1"] = person{name: "P1"}
	run("no longer wanted", 0, "create user 1")
	a.idle("nobody waits")
	spec.Seats = nil
	a.mapping(spec)
	run("not counted any longer", 0)
}

// TestSeatsByField: each value of a field has seats of its own.
func TestSeatsByField(t *testing.T) {
	a := newAging(t, agent("desk", "true"))
	a.mapping(mapping.Spec{Name: "m", Rules: []mapping.RuleSpec{agent("desk", "true")}, Fields: map[directory.RecordKind][]mapping.FieldSpec{directory.AgentRecord: {field("licence", "= department")}},
		Seats: map[directory.RecordKind]mapping.Seats{directory.AgentRecord: {Field: "licence", Of: map[string]int{"Full": 1, "Light": 1}}}})
	full := func(id, licence string) { a.people[id] = person{name: "P", department: licence} }
	full("1", "Full")
	full("2", "Full")
	full("3", "Light")
	full("4", "None")
	if got, _ := a.sync(); got != "create agent 1; create agent 3; create agent 4" {
		t.Error(got)
	}
	full("3", "Full")
	full("4", "Light")
	if got, _ := a.sync(); got != "" {
		t.Error("there is neither a full nor a light one left:", got)
	}
	delete(a.people, "1")
	if got, _ := a.sync(); got != "deactivate agent 1" {
		t.Error(got)
	}
	if got, _ := a.sync(); got != "create agent 2" {
		t.Error(got)
	}
	full("3", "Other")
	_, _ = a.sync()
	if got, _ := a.sync(); got != "update agent 4 licence:None>Light" {
		t.Error(got)
	}
}

// TestApproveGoesBackForNobody: the moment of a plan that waits is not before what was done besides since.
func TestApproveGoesBackForNobody(t *testing.T) {
	a := newAging(t)
	started := user("started", `department == "" or past(date(department))`)
	a.rules(started)
	for i := range 9 {
		a.add(fmt.Sprint(i), "P")
	}
	a.people["9"] = person{name: "P9", department: a.now.Add(day).Format(time.DateOnly)}
	_, _ = a.sync()
	a.scope = "another"
	delete(a.people, "1")
	held := a.expect("one is missing without proof", Held)
	a.pass(2 * day)
	a.job.Offline = true
	a.expect("somebody starts", Held, "create user 9")
	a.rules(started, user("nobody", `name == "X"`))
	res := a.engine.Approve(t.Context(), a.conn, connectors.Tenant{}, held.Run.Held)
	if got := a.drain(); res.Err != nil || got != "deactivate user 1" {
		t.Errorf("approved: %s, %v", got, res.Err)
	}
}

// TestApproveAfterACut: what a run stored before it was killed was decided for its moment, too.
func TestApproveAfterACut(t *testing.T) {
	a := newAging(t)
	started := user("started", `department == "" or past(date(department))`)
	a.rules(started)
	for i := range 9 {
		a.add(fmt.Sprint(i), "P")
	}
	a.people["9"] = person{name: "P9", department: a.now.Add(day).Format(time.DateOnly)}
	_, _ = a.sync()
	a.scope = "another"
	delete(a.people, "1")
	held := a.expect("one is missing without proof", Held)
	a.pass(2 * day)
	a.job.Offline = true
	whole := a.engine.store
	a.engine.store = &cutStore{Store: whole, left: 1, after: true}
	if got, _ := a.sync(); got != "create user 9" {
		t.Fatalf("before the cut: %s", got)
	}
	a.engine = New(whole, a.engine.opts)
	a.rules(started, user("nobody", `name == "X"`))
	res := a.engine.Approve(t.Context(), a.conn, connectors.Tenant{}, held.Run.Held)
	if got := a.drain(); res.Err != nil || got != "deactivate user 1" {
		t.Errorf("approved: %s, %v", got, res.Err)
	}
}

// TestSeatsThatAreSwapped: who only takes the seat that another one gives up, and the other way round, need not wait. Nobody takes more
// seats by that than there are, and who wants one of them waits on.
func TestSeatsThatAreSwapped(t *testing.T) {
	a := newAging(t, agent("desk", "true"))
	a.mapping(mapping.Spec{Name: "m", Rules: []mapping.RuleSpec{agent("desk", "true")}, Fields: map[directory.RecordKind][]mapping.FieldSpec{directory.AgentRecord: {field("licence", "= department")}},
		Seats: map[directory.RecordKind]mapping.Seats{directory.AgentRecord: {Field: "licence", Of: map[string]int{"Full": 1, "Light": 1, "Part": 1}, Total: new(5)}}})
	has := func(id, licence string) { a.people[id] = person{name: "P", department: licence} }
	run := func(what, want string) {
		t.Helper()
		if got, res := a.sync(); got != want || res.Err != nil {
			t.Errorf("%s: %v\n got %s\nwant %s", what, res.Err, got, want)
		}
	}
	has("1", "Full")
	has("2", "Light")
	has("3", "Part")
	has("4", "Full")
	run("one waits", "create agent 1; create agent 2; create agent 3")
	has("1", "Light")
	has("2", "Full")
	run("two swap", "update agent 1 licence:Full>Light; update agent 2 licence:Light>Full")
	has("1", "Part")
	has("2", "Light")
	has("3", "Full")
	run("three in a ring", "update agent 1 licence:Light>Part; update agent 2 licence:Full>Light; update agent 3 licence:Part>Full")
	has("5", "Other")
	has("1", "Full")
	has("2", "Part")
	run("no ring, and one needs no other seat", "create agent 5")
	has("3", "Other")
	run("somebody gives one up", "update agent 3 licence:Full>Other")
	run("the first in the queue", "create agent 4")
}

// A journal that is kept for those who look at no records says that there were some: who looks at records later, or looked before, must
// not take its silence for peace.
func TestJournalOfUntoldRecords(t *testing.T) {
	r := newRig(t)
	r.conn.Followed = true
	r.add("1", "P1")
	r.sync()
	for _, fields := range [][]string{nil, {"name"}} {
		r.conn.FollowedFields = fields
		var after uint64
		journal := func(fn func(e store.JournalEntry)) {
			t.Helper()
			err := r.store.View(t.Context(), r.part(), func(tx store.Reader) (err error) {
				if fn != nil {
					err = tx.Journal(after, func(_ uint64, entries []store.JournalEntry) bool {
						for _, e := range entries {
							fn(e)
						}
						return true
					})
				}
				if err == nil {
					_, after, err = tx.JournalBounds()
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		journal(nil)
		r.add("1", fmt.Sprint("P1 of ", len(fields)))
		r.add("2", fmt.Sprint("P2 of ", len(fields)))
		r.sync()
		untold, told := 0, 0
		journal(func(e store.JournalEntry) {
			switch {
			case e.Record == directory.UserRecord && e.Num == 0:
				untold++
			case e.Record != 0:
				told++
			}
		})
		if fields == nil && (untold != 1 || told != 0) || fields != nil && (untold != 0 || told != 2) {
			t.Errorf("%v: %d records by name, %d times without", fields, told, untold)
		}
	}
}
