package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/plan"
)

// arriving is somebody of whom a sign-in tells.
func arriving(id, name string) Arrival {
	o := directory.Object{Kind: directory.Person, ID: id}
	o.SetText(directory.FieldName, name)
	return Arrival{Object: o, By: "staff", Until: time.Now().Add(30 * 24 * time.Hour)}
}

func (r *rig) arrive(a Arrival) Arrived {
	r.Helper()
	got, err := r.engine.SettleOne(r.Context(), r.conn, connectors.Tenant{}, a)
	if err != nil {
		r.Fatal(err)
	}
	return got
}

func arrivalRig(t *testing.T) *rig {
	r := newRig(t, user("everyone", `department != "Contractors"`))
	r.add("1", "Ada")
	r.add("2", "Ben")
	r.expect("first sync", Clean, "create user 1", "create user 2")
	return r
}

// TestSettleOne: who signs in before the sync gets the record that the sync would make, and keeps it; the source has the last word from when it
// knows of them.
func TestSettleOne(t *testing.T) {
	r := arrivalRig(t)
	got := r.arrive(arriving("9", "Zoe"))
	if !got.Created || got.Record != "hq/9" || got.Waits {
		t.Errorf("arrived: %+v", got)
	}
	if said := r.drain(); said != "create user 9" {
		t.Errorf("queued: %s", said)
	}
	if again := r.arrive(arriving("9", "Zoe")); again.Created || again.Record != "hq/9" {
		t.Errorf("the second time: %+v", again)
	}
	s, err := r.engine.Standing(t.Context(), got.Owner)
	if err != nil || !s.There || !s.Enabled || len(s.Kinds) != 1 {
		t.Errorf("standing %+v, error %v", s, err)
	}
	r.expect("the source does not know of them", Clean)
	r.people["9"] = person{name: "Zoe", department: "Sales"}
	r.expect("it does now", Clean, "update user 9 team:>Sales")
	if o := r.object9(); o.BySignIn(time.Now()) {
		t.Errorf("after the source named them: %+v", o)
	}
	delete(r.people, "9")
	r.expect("and no longer", Clean, "deactivate user 9")
	if gone := r.arrive(arriving("9", "Zoe")); !gone.Gone || gone.Created {
		t.Errorf("gone: %+v", gone)
	}
	if said := r.drain(); said != "" {
		t.Errorf("queued of somebody gone: %s", said)
	}
}

// object9 is person 9 as stored; the zero object without one.
func (r *rig) object9() (o directory.Object) {
	r.Helper()
	err := r.store.View(r.Context(), r.part(), func(tx store.Reader) error {
		nums, err := tx.Lookup([]string{directory.IDHandle("9")}, nil)
		if err != nil {
			return err
		}
		row, ok, err := tx.Row(directory.Person, nums[0])
		if err != nil || !ok {
			return err
		}
		o, err = row.Object("test")
		return err
	})
	if err != nil {
		r.Fatal(err)
	}
	return o
}

// TestSettleOneWithoutARecord: whom the rules leave out is not stored.
func TestSettleOneWithoutARecord(t *testing.T) {
	r := arrivalRig(t)
	r.rules(user("everyone", `name != "Zoe"`))
	r.expect("edited rules", Clean)
	got := r.arrive(arriving("9", "Zoe"))
	if got.Created || got.Waits || got.Gone {
		t.Errorf("arrived: %+v", got)
	}
	if o := r.object9(); o.ID != "" || r.drain() != "" || r.marks() != 0 {
		t.Errorf("stored: %+v", o)
	}
	r.rules(user("everyone", `int(name) > 1`))
	if got := r.arrive(arriving("9", "Zoe")); got.Failed == nil || got.Created || r.object9().ID != "" {
		t.Errorf("rules that fail: %+v", got)
	}
}

// queueless is a store that queues nothing.
type queueless struct{ store.Store }

func (s queueless) Update(ctx context.Context, p store.Partition, fn func(store.Writer) error) error {
	return s.Store.Update(ctx, p, func(tx store.Writer) error { return fn(queuelessWriter{tx}) })
}

type queuelessWriter struct{ store.Writer }

func (queuelessWriter) Enqueue(string, *directory.Action, time.Time) error {
	return &fault.Error{Class: fault.Transient, Op: "write state", Err: errors.New("canceling statement due to user request")}
}

// TestSettleOneThatCannotBeStored: what the store fails with is not said of the rules.
func TestSettleOneThatCannotBeStored(t *testing.T) {
	r := arrivalRig(t)
	whole := r.engine.store
	r.engine.store = queueless{whole}
	got, err := r.engine.SettleOne(t.Context(), r.conn, connectors.Tenant{}, arriving("9", "Zoe"))
	if fault.ClassOf(err) != fault.Transient || !strings.Contains(fmt.Sprint(err), "canceling statement") || got.Failed != nil {
		t.Errorf("%+v, error %v", got, err)
	}
	r.engine.store = whole
	if got := r.arrive(arriving("9", "Zoe")); !got.Created {
		t.Errorf("when it can: %+v", got)
	}
}

// TestSettleOneBeforeTheFirstSync: as long as nobody knows who is there, nobody is made.
func TestSettleOneBeforeTheFirstSync(t *testing.T) {
	r := newRig(t)
	if _, err := r.engine.SettleOne(t.Context(), r.conn, connectors.Tenant{}, arriving("9", "Zoe")); fault.ClassOf(err) != fault.Conflict {
		t.Errorf("before any sync: %v", err)
	}
	if r.drain() != "" || r.object9().ID != "" {
		t.Error("something was stored")
	}
}

// TestSettleOneThirtyDays: who is there for a sign-in alone is no longer when they do not come back.
func TestSettleOneThirtyDays(t *testing.T) {
	r := arrivalRig(t)
	now := time.Now()
	r.engine.opts.Now = func() time.Time { return now }
	a := arriving("9", "Zoe")
	a.Until = now.Add(30 * 24 * time.Hour)
	got := r.arrive(a)
	r.drain()
	now = now.Add(20 * 24 * time.Hour)
	if err := r.engine.Keep(t.Context(), r.conn, got.Owner, now.Add(30*24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := r.engine.Keep(t.Context(), r.conn, Owner{Partition: r.part(), ID: "1"}, now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	now = now.Add(29 * 24 * time.Hour)
	r.expect("29 days after they came back", Clean)
	now = now.Add(2 * 24 * time.Hour)
	r.expect("31 days after", Clean, "deactivate user 9")
}

// hanging is a world whose users hang after their first page until they are let go.
func (r *rig) hang() (hangs, goOn chan struct{}) {
	hangs, goOn = make(chan struct{}), make(chan struct{})
	r.conn.Source = slow{r.world, func(stream string, page int) {
		if stream == "users" && page == 1 {
			close(hangs)
			<-goOn
		}
	}}
	return hangs, goOn
}

// slow calls a function before each page.
type slow struct {
	*world
	before func(stream string, page int)
}

func (s slow) Read(ctx context.Context, req connectors.Request, emit func(*connectors.Page) error) error {
	page := 0
	return s.world.Read(ctx, req, func(p *connectors.Page) error {
		s.before(req.Stream, page)
		page++
		return emit(p)
	})
}

// TestSettleOneAmidARead: a read that hangs delays nobody, and whoever it brings later is the same.
func TestSettleOneAmidARead(t *testing.T) {
	for _, listed := range []bool{false, true} {
		r := arrivalRig(t)
		r.add("1", "Ada B")
		r.add("3", "Cid")
		if listed {
			r.people["9"] = person{name: "Zoe", department: "Sales"} // on a page after the hanging one
		}
		hangs, goOn := r.hang()
		var res Result
		var run sync.WaitGroup
		run.Go(func() { res = r.engine.Run(t.Context(), r.conn, connectors.Tenant{}, Job{}) })
		<-hangs
		if got := r.arrive(arriving("9", "Zoe")); !got.Created {
			t.Errorf("arrived: %+v", got)
		}
		if !r.state().HalfRead {
			t.Error("the read is half done, and nobody knows")
		}
		close(goOn)
		run.Wait()
		want := "create user 9; update user 1 name:Ada>Ada B; create user 3"
		if listed {
			want = "create user 9; update user 1 name:Ada>Ada B; update user 9 team:>Sales; create user 3" // in the order of their numbers
		}
		if said := r.drain(); said != want || res.Run.Outcome != Clean {
			t.Errorf("listed %t: %s, want %s; %s %v", listed, said, want, res.Run.Outcome, res.Err)
		}
		r.conn.Source = r.world
		r.expect("the next run", Clean)
	}
}

// TestSettleOneHalfRead: what a read that broke off has stored keeps nobody out, and stays half.
func TestSettleOneHalfRead(t *testing.T) {
	r := arrivalRig(t)
	r.people["9"] = person{name: "Zoe", department: "Sales"}
	r.add("3", "Cid")
	r.failAfter, r.err = 2, &fault.Error{Class: fault.Auth, Op: "read", Err: errors.New("revoked")}
	r.expect("a read that breaks off", Failed)
	if !r.state().HalfRead {
		t.Fatal("not half")
	}
	// The source has named 9: there is a row, and no record.
	got := r.arrive(arriving("9", "Other"))
	if !got.Created || r.drain() != "create user 9" || !r.state().HalfRead {
		t.Errorf("arrived: %+v", got)
	}
	o := r.object9()
	if name, _ := o.Get(directory.FieldName); name.Text() != "Zoe" {
		t.Errorf("what the source said was overwritten: %s", name)
	}
	r.failAfter = 0
	r.expect("the whole", Clean, "create user 3")
}

// beside calls a function once, before the n-th transaction of a run.
type beside struct {
	store.Store
	mu   *sync.Mutex
	n    *int
	call func()
}

func (b beside) step() {
	b.mu.Lock()
	*b.n--
	call := *b.n == 0
	b.mu.Unlock()
	if call {
		b.call()
	}
}

func (b beside) View(ctx context.Context, p store.Partition, fn func(store.Reader) error) error {
	b.step()
	return b.Store.View(ctx, p, fn)
}

func (b beside) Update(ctx context.Context, p store.Partition, fn func(store.Writer) error) error {
	b.step()
	return b.Store.Update(ctx, p, fn)
}

// TestSettleOneAtAnyMoment: somebody signs in between any two transactions of a run, be it that it reads and settles them, too, or that the source only
// names them as a member of a group that it settles. There is one record, and the lists are right after the next run.
func TestSettleOneAtAnyMoment(t *testing.T) {
	for _, c := range []struct{ listed, edited bool }{{true, false}, {false, false}, {true, true}, {false, true}} {
		at := 1
		for signsInAt(t, c.listed, c.edited, at) {
			at++
		}
		if at < 20 {
			t.Errorf("%+v: only %d moments", c, at)
		}
	}
}

// signsInAt is the test for one moment; false when the run was over before.
func signsInAt(t *testing.T, listed, edited bool, at int) bool {
	r := newRig(t)
	r.mapping(mapping.Spec{Name: "m", Rules: []mapping.RuleSpec{user("everyone", "enabled ?? true")}, Groups: []mapping.RuleSpec{rule("lists", "true", directory.GroupRecord)}})
	r.add("1", "Ada")
	r.groups["team"] = []string{"p:1", directory.IDHandle("9")}
	r.groups["all"] = []string{"g:team"}
	r.expect("first sync", Clean, "create user 1", "create group all +hq/1 -", "create group team +hq/1 -")
	if edited {
		r.mapping(mapping.Spec{Name: "m", Rules: []mapping.RuleSpec{user("all of them", "enabled ?? true")}, Groups: []mapping.RuleSpec{rule("lists", "true", directory.GroupRecord)}})
	}
	if listed {
		r.people["9"] = person{name: "Zoe"}
	}
	r.add("3", "Cid")
	r.groups["team"] = append(r.groups["team"], "p:3")
	plain, n, called := r.engine, at, false
	var failed error
	st := beside{r.store, &sync.Mutex{}, &n, func() {
		called = true
		_, failed = plain.SettleOne(t.Context(), r.conn, connectors.Tenant{}, arriving("9", "Zoe"))
	}}
	r.engine = New(st, plain.opts)
	r.engine.chunk = 2
	said, res := r.sync()
	r.engine = plain
	if !called {
		return false
	}
	if failed != nil || res.Run.Outcome != Clean {
		t.Fatalf("moment %d: %v; %s %v", at, failed, res.Run.Outcome, res.Err)
	}
	more, res := r.sync()
	if all := said + "; " + more; strings.Count(all, "create user 9") != 1 || strings.Count(all, "create user 3") != 1 || res.Run.Outcome != Clean {
		t.Errorf("listed %t, edited %t, moment %d: %s", listed, edited, at, all)
	}
	r.expect(fmt.Sprintf("listed %t, edited %t, moment %d: once more", listed, edited, at), Clean)
	r.mustList("team", 3)
	r.mustList("all", 3)
	h, err := plan.ParseHistory(r.state().Done)
	if n := h.Within(time.Now(), 24*time.Hour)[plan.Entry{Kind: directory.UserRecord, Op: directory.Create}]; n != 2 || err != nil {
		t.Errorf("listed %t, edited %t, moment %d: %d of 2 that were made are counted, error %v", listed, edited, at, n, err)
	}
	return true
}

// mustList checks how many members the record of a group has.
func (r *rig) mustList(group string, want int) {
	r.Helper()
	err := r.store.View(r.Context(), r.part(), func(tx store.Reader) error {
		nums, err := tx.Lookup([]string{directory.IDHandle(group)}, nil)
		if err != nil {
			return err
		}
		rec, _, err := tx.Record(directory.GroupRecord, nums[0])
		if len(rec.Members) != want {
			r.Errorf("group %s lists %d people, want %d", group, len(rec.Members), want)
		}
		return err
	})
	if err != nil {
		r.Fatal(err)
	}
}

// TestSettleOneCut: it is one transaction, so that there is all of it or nothing, and the next try makes it one.
func TestSettleOneCut(t *testing.T) {
	for _, after := range []bool{false, true} {
		r := arrivalRig(t)
		cut, plain := &cutStore{Store: r.store, left: 1, after: after}, r.engine
		r.engine = New(cut, plain.opts)
		if _, err := r.engine.SettleOne(t.Context(), r.conn, connectors.Tenant{}, arriving("9", "Zoe")); !errors.Is(err, errCut) {
			t.Fatalf("not cut: %v", err)
		}
		if cut.left != 0 {
			t.Errorf("%d transactions", 1-cut.left)
		}
		r.engine = plain
		if stored := r.object9().ID != ""; stored != after {
			t.Errorf("after %t: stored %t", after, stored)
		}
		if got := r.arrive(arriving("9", "Zoe")); got.Created == after {
			t.Errorf("the next try: %+v", got)
		}
		if said := r.drain(); said != "create user 9" {
			t.Errorf("after %t: %s", after, said)
		}
		r.expect("the next run", Clean)
	}
}

// TestSettleOneTwice: two sign-ins of one person at once make one.
func TestSettleOneTwice(t *testing.T) {
	r := arrivalRig(t)
	var both sync.WaitGroup
	got := make([]Arrived, 4)
	errs := make([]error, len(got))
	for i := range got {
		both.Go(func() {
			got[i], errs[i] = r.engine.SettleOne(t.Context(), r.conn, connectors.Tenant{}, arriving("9", "Zoe"))
		})
	}
	both.Wait()
	created := 0
	for i := range got {
		if got[i].Created {
			created++
		}
		if errs[i] != nil || got[i].Record != "hq/9" {
			t.Errorf("%+v, error %v", got[i], errs[i])
		}
	}
	if said := r.drain(); said != "create user 9" || created != 1 {
		t.Errorf("%d created: %s", created, said)
	}
}

// TestSettleOneBesideAHeldPlan: a plan that waits stays as it is, and can be approved afterwards.
func TestSettleOneBesideAHeldPlan(t *testing.T) {
	r := arrivalRig(t)
	r.add("3", "Cid")
	r.expect("a third", Clean, "create user 3")
	clear(r.people)
	r.add("5", "Eve")
	res := r.expect("all others are gone", Held, "create user 5")
	before := *r.state().Held
	if got := r.arrive(arriving("9", "Zoe")); !got.Created {
		t.Errorf("arrived: %+v", got)
	}
	if said := r.drain(); said != "create user 9" {
		t.Errorf("queued: %s", said)
	}
	if after := r.state().Held; after == nil || after.Hash != before.Hash || !after.Since.Equal(before.Since) {
		t.Errorf("held: %+v, before %+v", after, before)
	}
	approved := r.engine.Approve(t.Context(), r.conn, connectors.Tenant{}, res.Run.Held)
	if said := r.drain(); approved.Err != nil || strings.Count(said, "deactivate") != 3 || strings.Contains(said, "9") {
		t.Errorf("approved: %v, %s", approved.Err, said)
	}
}

// TestSettleOneBeyond: who comes when the limit of the day is used up waits for the operator.
func TestSettleOneBeyond(t *testing.T) {
	r := arrivalRig(t)
	a := arriving("9", "Zoe")
	a.Beyond = true
	for range 2 {
		if got := r.arrive(a); !got.Waits || got.Created {
			t.Errorf("arrived: %+v", got)
		}
	}
	a.Beyond = false // there is room by now, and the operator has not decided yet
	if got := r.arrive(a); !got.Waits || got.Created {
		t.Errorf("arrived: %+v", got)
	}
	r.add("3", "Cid")
	res := r.expect("the next run", Held, "create user 3")
	if h := r.state().Held; h == nil || len(h.Reasons) != 1 || !strings.Contains(h.Reasons[0], "1 person") {
		t.Errorf("held: %+v", h)
	}
	approved := r.engine.Approve(t.Context(), r.conn, connectors.Tenant{}, res.Run.Held)
	if said := r.drain(); approved.Err != nil || said != "create user 9" {
		t.Errorf("approved: %v, %s", approved.Err, said)
	}
	if r.state().Beyond {
		t.Error("somebody waits still")
	}
	r.expect("afterwards", Clean)
	if got := r.arrive(a); got.Waits || got.Record != "hq/9" {
		t.Errorf("arrived: %+v", got)
	}
}

// TestSettleOneBeyondAmidARun: nor does the run beside which they come let them in, or forget that they wait, where nothing else is limited.
func TestSettleOneBeyondAmidARun(t *testing.T) {
	for at := 1; ; at++ {
		r := newRig(t, user("everyone", `name != "Ada"`))
		r.conn.Guard = nil
		r.add("1", "Ada")
		r.expect("first sync", Clean)
		plain, n, called := r.engine, at, false
		var failed error
		r.engine = New(beside{r.store, &sync.Mutex{}, &n, func() {
			called = true
			a := arriving("9", "Zoe")
			a.Beyond = true
			_, failed = plain.SettleOne(t.Context(), r.conn, connectors.Tenant{}, a)
		}}, plain.opts)
		r.people["1"] = person{name: "Ada", department: "Sales"}
		said, _ := r.sync()
		r.engine = plain
		if !called {
			if at < 10 {
				t.Errorf("only %d moments", at)
			}
			return
		}
		more, res := r.sync()
		if all := said + "; " + more; failed != nil || strings.Contains(all, "create user 9") || res.Run.Outcome != Held {
			t.Errorf("moment %d: %s, then %s; %v", at, all, res.Run.Outcome, failed)
		}
	}
}

// TestSettleOneRun: what sign-ins make in one minute is one run of the history.
func TestSettleOneRun(t *testing.T) {
	r := arrivalRig(t)
	now := time.Date(2026, 3, 1, 12, 0, 10, 0, time.UTC)
	r.engine.opts.Now = func() time.Time { return now }
	for _, id := range []string{"7", "8"} {
		r.arrive(arriving(id, "N"+id))
		now = now.Add(10 * time.Second)
	}
	now = now.Add(time.Minute)
	r.arrive(arriving("9", "Zoe"))
	var runs []store.Run
	actions := 0
	err := r.store.View(t.Context(), r.part(), func(tx store.Reader) error {
		if err := tx.Runs(func(run store.Run) bool { runs = append(runs, run); return true }); err != nil {
			return err
		}
		return tx.RunActions(runs[1].ID, 0, func(int, directory.RunAction) bool { actions++; return true })
	})
	if err != nil || len(runs) != 3 || runs[1].Trigger != SignIn || runs[1].Read != 2 || runs[1].Counts["user"]["create"] != 2 || actions != 2 || runs[0].Read != 1 {
		t.Errorf("%d actions of %+v, error %v", actions, runs, err)
	}
}

// TestSettleOneWhomOthersName: those who named somebody before they came are looked at by the next run.
func TestSettleOneWhomOthersName(t *testing.T) {
	r := newRig(t)
	r.mapping(mapping.Spec{Name: "m", Rules: []mapping.RuleSpec{user("everyone", "enabled ?? true")},
		Fields: map[directory.RecordKind][]mapping.FieldSpec{directory.UserRecord: {field("manager", `= manager.name ?? ""`)}}})
	r.people["1"] = person{name: "Ada", manager: directory.IDHandle("9")}
	r.expect("first sync", Clean, "create user 1")
	r.arrive(arriving("9", "Zoe"))
	r.drain()
	r.expect("the next run", Clean, "update user 1 manager:>Zoe")
}

// TestSettleOneOfAHeldPlan: who waits in a plan that is held, with all who join, is not let in one by one.
func TestSettleOneOfAHeldPlan(t *testing.T) {
	r := arrivalRig(t)
	one := 1
	r.conn.Guard = plan.Guard{directory.Create: {Count: &one}}
	r.add("8", "Yan")
	r.add("9", "Zoe")
	res := r.expect("two at once", Held)
	if got := r.arrive(arriving("9", "Zoe")); !got.Waits || got.Created {
		t.Errorf("arrived: %+v", got)
	}
	if got := r.arrive(arriving("7", "Xia")); !got.Created {
		t.Errorf("somebody who is in no plan: %+v", got)
	}
	r.drain()
	if res := r.engine.Approve(t.Context(), r.conn, connectors.Tenant{}, res.Run.Held); res.Err != nil {
		t.Fatal(res.Err)
	}
	if said := r.drain(); said != "create user 8; create user 9" {
		t.Errorf("approved: %s", said)
	}
	none := 0
	r.conn.Guard = plan.Guard{directory.Create: {Count: &none}}
	if got := r.arrive(arriving("6", "Wes")); !got.Waits || got.Created {
		t.Errorf("where nobody comes unasked: %+v", got)
	}
}

// TestSettleOneByTheRulesOfTheTenant: a tenant may have rules of its own, which name it as the operator does; a sign-in knows its id only.
func TestSettleOneByTheRulesOfTheTenant(t *testing.T) {
	for _, by := range []string{"b", "HILL.TEST", "Hill"} {
		r := newRig(t, user("everyone", "true"))
		r.add("1", "Ada")
		r.conn.Source = &tenanted{world: r.world, list: []connectors.Tenant{{ID: "a", Name: "Harbour"}, {ID: "b", Name: "Hill", Domain: "hill.test"}}}
		r.conn.Overrides = []Override{{Tenant: by, Rules: compiled(t, "hill", user("Ada alone", `name == "Ada"`))}}
		r.engine.RunConnection(t.Context(), r.conn, Job{})
		for tenant, want := range map[string]bool{"a": true, "b": false} {
			got, err := r.engine.SettleOne(t.Context(), r.conn, connectors.Tenant{ID: tenant}, arriving("9", "Zoe"))
			if err != nil || got.Created != want {
				t.Errorf("%s, whose rules are by %s: %+v, error %v", tenant, by, got, err)
			}
		}
	}
}

// TestSettleOneOfWhomAPlanBringsBack: nor is who waits to come back.
func TestSettleOneOfWhomAPlanBringsBack(t *testing.T) {
	r := arrivalRig(t)
	r.people["1"] = person{name: "Ada", department: "Contractors"}
	r.add("3", "Cid")
	r.expect("one is left out", Clean, "deactivate user 1", "create user 3")
	none := 0
	r.conn.Guard = plan.Guard{directory.Reactivate: {Count: &none}}
	r.add("1", "Ada")
	res := r.expect("and back", Held)
	if got := r.arrive(arriving("1", "Ada")); !got.Waits || got.Active || got.Created {
		t.Errorf("arrived: %+v", got)
	}
	if said := r.drain(); said != "" {
		t.Errorf("queued: %s", said)
	}
	if res := r.engine.Approve(t.Context(), r.conn, connectors.Tenant{}, res.Run.Held); res.Err != nil || r.drain() != "reactivate user 1" {
		t.Errorf("approved: %v", res.Err)
	}
}

// TestSettleOneNotOfStrangers: rules can leave out whoever is there for a sign-in alone.
func TestSettleOneNotOfStrangers(t *testing.T) {
	r := arrivalRig(t)
	r.rules(user("of the directory", "attributes.signed_in_by == nil"))
	r.expect("edited rules", Clean)
	if got := r.arrive(arriving("9", "Zoe")); got.Created || got.Active || r.object9().ID != "" {
		t.Errorf("arrived: %+v", got)
	}
	r.rules(user("everyone", "true"))
	r.expect("edited rules", Clean)
	r.arrive(arriving("9", "Zoe"))
	r.drain()
	r.rules(user("of the directory", "attributes.signed_in_by == nil"))
	r.expect("edited once more", Clean, "deactivate user 9")
	r.add("9", "Zoe")
	r.expect("the directory names them", Clean, "reactivate user 9")
}
