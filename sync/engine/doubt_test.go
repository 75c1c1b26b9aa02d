package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
	"dirsyncd/sync/settle"
)

// teamsSpec makes users of all people and records of all groups.
func teamsSpec() mapping.Spec {
	return mapping.Spec{Name: "m", Rules: []mapping.RuleSpec{user("everyone", "enabled")},
		Groups: []mapping.RuleSpec{rule("teams", "true", directory.GroupRecord)}}
}

// Removals without proof that are approved take their places in groups along.
func TestRemovalsAreApprovedWithTheirGroups(t *testing.T) {
	r := newRig(t)
	r.mapping(teamsSpec())
	for i := range 3 {
		r.add(fmt.Sprint(i), "P")
	}
	r.groups["g"] = []string{"p:1", "p:2"}
	r.sync()
	r.hide["users"] = true
	held := r.expect("nobody listed", Held).Run.Held
	r.job = Job{Offline: true, Approve: held}
	r.expect("approved", Clean, "deactivate user 0", "deactivate user 1", "deactivate user 2", "update group g + -hq/1,hq/2")
}

// Who is missing without proof takes nothing from those who show or need them.
func TestOwnersAndManagersThatVanish(t *testing.T) {
	t.Run("owners", func(t *testing.T) {
		r := newRig(t)
		r.wide = true
		r.mapping(wideSpec())
		r.add("1", "P1")
		r.devices["pc"] = "p:1"
		r.sync()
		r.hide["users"] = true
		r.expect("nobody listed", Held)
	})
	t.Run("managers", func(t *testing.T) {
		r := newRig(t, user("the boss's", `manager.name == "Boss" or name == "Boss"`))
		r.people["1"] = person{name: "Boss"}
		r.people["2"] = person{name: "Two", manager: "p:1"}
		r.people["3"] = person{name: "Three"}
		r.sync()
		r.scope = "less"
		delete(r.people, "1")
		r.expect("the manager is out of an edited scope", Held)
	})
}

// An entry without an id, a resume point, and an error: the second attempt must not take anybody for gone.
func TestUnreadableEntryBeforeAResumePoint(t *testing.T) {
	r := newRig(t)
	r.conn.Guard = nil
	for i := range 12 {
		r.add(fmt.Sprintf("%02d", i), "P")
	}
	r.resumable = true
	r.engine.opts.Sleep = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	r.sync()
	delete(r.people, "01")
	r.conn.Source = &brokenOnce{world: r.world}
	got, res := r.sync()
	if got != "" || res.Run.Outcome != Parked || len(res.Run.Notes) == 0 {
		t.Errorf("%s, %s, %v, %v", got, res.Run.Outcome, res.Run.Notes, res.Err)
	}
}

// brokenOnce sends an entry without an id on the first page, every time, and breaks off on the third, once.
type brokenOnce struct {
	*world
	broken bool
}

func (b *brokenOnce) Read(ctx context.Context, req connectors.Request, emit func(*connectors.Page) error) error {
	pages := 0
	return b.world.Read(ctx, req, func(p *connectors.Page) error {
		pages++
		if pages == 1 && len(req.Cursor) == 0 && req.Stream == "users" {
			bad := &fault.Error{Class: fault.Invalid, Op: "read", Err: errors.New("no id")}
			p.Invalid = []connectors.Invalid{{Kind: directory.Person, Where: "entry 2", Err: bad}}
		}
		if pages == 3 && !b.broken {
			b.broken = true
			return &fault.Error{Class: fault.Transient, Op: "read", Err: errors.New("502")}
		}
		return emit(p)
	})
}

// A tenant that is done just as it would be moved to the slow lane gives back its own place, and no other.
func TestTenantQueueGivesBackPlaces(t *testing.T) {
	for round := range 200 {
		synctest.Test(t, func(t *testing.T) {
			q := newTenantQueue()
			for range 4 {
				go func() {
					_, release := q.acquire(t.Context(), false, nil)
					time.Sleep(slowAfter)
					release()
				}()
			}
			time.Sleep(time.Minute)
			if len(q.fast)+len(q.slow) != 0 {
				t.Fatalf("round %d: after all have left, %d and %d places are taken", round, len(q.fast), len(q.slow))
			}
		})
	}
}

// Rules are edited, the run that applies them is cut, and the edit is reverted: nothing of it stays.
func TestRevertedRules(t *testing.T) {
	r := newRig(t)
	for i := range 8 {
		r.add(fmt.Sprint(i), "P")
	}
	r.sync()
	former := r.spec
	r.mapping(mapping.Spec{Name: "m", Rules: []mapping.RuleSpec{user("everyone", "enabled")},
		Fields: map[directory.RecordKind][]mapping.FieldSpec{directory.UserRecord: {field("name", `= name + "!"`), field("team", "= department")}}})
	r.cutAfter(2, connectors.Tenant{}, Job{Offline: true})
	r.mapping(former)
	got, _ := r.sync()
	if got == "" {
		t.Error("the records of the reverted rules stay")
	}
	r.mustFollow()
	r.expect("and then nothing", Clean)
}

// cutAfter runs until actions were queued so many times, and stops there.
func (r *rig) cutAfter(times int, tenant connectors.Tenant, job Job) {
	r.Helper()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	n := 0
	r.engine.opts.Queued = func(string) {
		if n++; n == times {
			cancel()
		}
	}
	if res := r.engine.Run(ctx, r.conn, tenant, job); res.Err == nil {
		r.Error("the run was not cut")
	}
	r.engine.opts.Queued = nil
	if tenant.ID == "" {
		r.drain()
	}
}

// A tenant whose very first run was cut, and which is no longer listed then, has records that wait for the operator.
func TestCutAndUnlisted(t *testing.T) {
	r := newRig(t)
	for i := range 8 {
		r.add(fmt.Sprint(i), "P")
	}
	r.conn.Source = &tenanted{world: r.world, list: []connectors.Tenant{{ID: "a"}}}
	r.cutAfter(2, connectors.Tenant{ID: "b"}, Job{})
	results := r.engine.RunConnection(t.Context(), r.conn, Job{})
	if got := outcomes(results); got != "a:clean b:held" {
		t.Errorf("got %s: %+v", got, results[len(results)-1])
	}
}

// refusing is a source whose credentials do not even list its tenants.
type refusing struct {
	*tenanted
	asked int
}

func (c *refusing) Tenants(context.Context) ([]connectors.Tenant, error) {
	c.asked++
	return nil, &fault.Error{Class: fault.Auth, Op: "sign in"}
}

func TestRefusedCredentialsAreLeftAloneBeforeTenantsAreListed(t *testing.T) {
	r := newRig(t)
	source := &refusing{tenanted: &tenanted{world: r.world}}
	r.conn.Source = source
	for range 5 {
		r.engine.RunConnection(t.Context(), r.conn, Job{Patient: true})
	}
	if source.asked != 1 {
		t.Errorf("asked %d times", source.asked)
	}
}

// A pass in several chunks leaves no mark behind, wherever it leads.
func TestFollowersLeaveNoMarks(t *testing.T) {
	r := newRig(t)
	r.mapping(mapping.Spec{Name: "m", Rules: []mapping.RuleSpec{user("everyone", "enabled")},
		Fields: map[directory.RecordKind][]mapping.FieldSpec{directory.UserRecord: {field("name", "= name"), field("boss", "= manager.name")}}})
	r.engine.chunk = 1
	for i := range 9 {
		p := person{name: fmt.Sprint("P", i)}
		if i > 0 {
			p.manager = fmt.Sprintf("p:%d", i-1)
		}
		r.people[fmt.Sprint(i)] = p
	}
	r.sync()
	r.people["0"] = person{name: "Chief"}
	r.expect("a long line of managers", Clean, "update user 0 name:P0>Chief", "update user 1 boss:P0>Chief")
	r.expect("and nothing more", Clean)
}

// Groups that are missing without proof are kept, even when nothing follows from that now.
func TestUnprovenGroupsAreKept(t *testing.T) {
	r := newRig(t)
	for i := range 3 {
		r.add(fmt.Sprint(i), "P")
	}
	r.groups["desk"] = []string{"p:1", "p:2"}
	r.sync()
	r.hide["groups"] = true
	r.sync()
	r.hide["groups"] = false
	r.rules(agent("desk", `"desk" in groups`), user("rest", "true"))
	got, _ := r.sync()
	want := "deactivate user 1; create agent 1; deactivate user 2; create agent 2"
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// What is planned is what is done, with leavers who keep their records, too.
func TestKeptLeaversLeaveTheirGroups(t *testing.T) {
	r := newRig(t)
	spec := teamsSpec()
	spec.Leavers = mapping.KeepLeavers
	r.mapping(spec)
	for i := range 4 {
		r.add(fmt.Sprint(i), "P")
	}
	r.groups["g"] = []string{"p:1", "p:2"}
	r.sync()
	delete(r.people, "1")
	r.add("9", "N")
	r.groups["g"] = []string{"p:1", "p:2", "p:9"}
	var planned []string
	for _, res := range r.engine.Preview(t.Context(), r.conn, Job{}, func(_ *connectors.Tenant, a *directory.Action) { planned = append(planned, say(a)) }) {
		if res.Run.Outcome != Clean {
			t.Errorf("outcome %s: %v", res.Run.Outcome, res.Err)
		}
	}
	if done := r.drain(); done != "create user 9; update group g +hq/9 -hq/1" {
		t.Errorf("done %q", done)
	}
	if want := []string{"create user 9", "update group g +hq/9 -hq/1"}; !slices.Equal(planned, want) {
		t.Errorf("planned %q", planned)
	}
}

// disordered is a store that fails in the worst way while a run is settling.
type disordered struct {
	store.Store
	views int
}

func (p *disordered) View(ctx context.Context, part store.Partition, fn func(store.Reader) error) error {
	if p.views--; p.views == 0 {
		panic("out of order")
	}
	return p.Store.View(ctx, part, fn)
}

func TestPanicsAreErrors(t *testing.T) {
	run := func(views int) (Result, int) {
		r := newRig(t)
		r.add("1", "P1")
		st := &disordered{Store: r.store, views: views}
		r.engine.store = st
		return r.engine.Run(t.Context(), r.conn, connectors.Tenant{}, Job{}), views - st.views
	}
	res, all := run(1000)
	if res.Err != nil || all < 8 {
		t.Fatalf("undisturbed: %d views, %v", all, res.Err)
	}
	for views := 1; views < all; views++ { // the last one is after the run
		if res, _ := run(views); fault.ClassOf(res.Err) != fault.Internal {
			t.Errorf("view %d of %d: %v", views, all, res.Err)
		}
	}
}

// A read that broke off has stored some pages and not others. Nothing is settled from that, until one comes to its end.
func TestHalfARead(t *testing.T) {
	r := newRig(t)
	r.engine.opts.Sleep = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	for i := range 6 {
		r.add(fmt.Sprint(i), "P")
	}
	r.sync()
	half := func() {
		t.Helper()
		for id := range r.people {
			r.add(id, r.people[id].name+"x")
		}
		r.failAfter, r.err = 2, &fault.Error{Class: fault.Auth, Op: "read users", Err: errors.New("401")}
		r.expect("broken off", Failed)
	}
	half()
	r.job = Job{Offline: true}
	_, res := r.sync()
	if res.Run.Outcome != Failed || fault.ClassOf(res.Err) != fault.Conflict {
		t.Errorf("offline: %s, %v", res.Run.Outcome, res.Err)
	}
	r.job, r.failAfter = Job{}, 0
	if got, _ := r.sync(); got == "" {
		t.Error("the whole read changed nothing")
	}
	r.job = Job{Offline: true}
	r.expect("offline after a whole read", Clean)

	// What the operator approves is what was shown, so it may go ahead.
	r.job = Job{}
	r.hide["users"] = true
	held := r.expect("nobody listed", Held).Run.Held
	delete(r.hide, "users")
	r.failAfter = 1
	r.people["0"] = person{name: "other"}
	r.expect("broken off at once", Failed)
	r.job = Job{Offline: true, Approve: held}
	if _, res := r.sync(); !errors.Is(res.Err, settle.ErrPlanChanged) {
		t.Errorf("another plan was approved: %s, %v", res.Run.Outcome, res.Err)
	}
	r.job, r.failAfter = Job{}, 0
	r.sync()
	r.mustFollow()
}

// Entries that cannot be read have a line each, once, without what could be a name.
func TestParkedEntriesAreLogged(t *testing.T) {
	r := newRig(t)
	var log strings.Builder
	r.engine.opts.Log = slog.New(slog.NewTextHandler(&log, nil))
	r.add("1", "P")
	r.sync()
	bad := &fault.Error{Class: fault.Invalid, Op: "read", Where: "cn=Jane Doe", Err: errors.New("no id")}
	r.invalid = []connectors.Invalid{{Kind: directory.Person, ID: "7", Where: "cn=Jane Doe", Err: bad}, {Kind: directory.Person, Where: "cn=Jane Roe", Err: bad}}
	r.sync()
	r.sync()
	for _, want := range []string{`msg=parked connection=hq run=`, `stage=read kind=person id=7 class=invalid`, `stage=read kind=person id="" class=invalid`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %q", want)
		}
	}
	if n := strings.Count(log.String(), "msg=parked "); n != 2 || strings.Contains(log.String(), "Jane") {
		t.Errorf("%d lines; %s", n, log.String())
	}
}

// What is parked for everybody has few lines, and a number; what is held says why and what it would do.
func TestLogOfManyParkedAndOfHeld(t *testing.T) {
	r := newRig(t)
	var log strings.Builder
	r.engine.opts.Log = slog.New(slog.NewTextHandler(&log, nil))
	for i := range 40 {
		r.add(fmt.Sprintf("%02d", i), "P")
	}
	r.sync()
	spec := r.spec
	r.mapping(mapping.Spec{Name: "m", Rules: []mapping.RuleSpec{user("everyone", "enabled")},
		Fields: map[directory.RecordKind][]mapping.FieldSpec{directory.UserRecord: {field("name", `= int(name)`)}}})
	r.expect("a rule that fails", Parked)
	if n := strings.Count(log.String(), "msg=parked "); n != parkedLines+1 || !strings.Contains(log.String(), "msg=parked connection=hq") || !strings.Contains(log.String(), "more=30") {
		t.Errorf("%d lines; %s", n, log.String())
	}
	r.mapping(spec)
	r.sync()
	log.Reset()
	for i := range 20 {
		delete(r.people, fmt.Sprintf("%02d", i))
	}
	r.expect("half of them are gone", Held)
	for _, want := range []string{"why=", "deactivate 20 of 40 user records", "would=map[user:map[deactivate:20]]"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %q in %s", want, log.String())
		}
	}
}

// Who is listed again is there, also when the entry cannot be read: the removal that waits for approval is off.
func TestUnreadableAndThereAgain(t *testing.T) {
	r := newRig(t)
	for i := range 3 {
		r.add(fmt.Sprint(i), "P")
	}
	r.sync()
	r.hide["users"] = true
	r.expect("nobody listed", Held)
	r.hide["users"] = false
	delete(r.people, "1")
	r.invalid = []connectors.Invalid{{Kind: directory.Person, ID: "1", Where: "1", Err: &fault.Error{Class: fault.Invalid, Op: "read", Err: errors.New("damaged")}}}
	r.expect("listed again, one of them damaged", Parked)
}
