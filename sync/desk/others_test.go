package desk

import (
	"context"
	"testing"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/targets"
	"dirsyncd/sync/targets/desktest"
)

// shared plays with two processes on one state: w delivers, and operators ask other.
func shared(t *testing.T, set func(*Options), play func(t *testing.T, w, other *world)) {
	t.Helper()
	scene(t, func(o *Options) {
		o.Shared = true
		if set != nil {
			set(o)
		}
	}, func(t *testing.T, w *world) {
		other := newWorld(t, w.store, 1)
		other.sim, other.opts, other.people = w.sim, w.opts, w.people
		defer func() {
			if other.stop != nil {
				other.stop()
			}
		}()
		play(t, w, other)
	})
}

// met has the first contact be over.
func met(w *world) {
	w.put(directory.UserRecord, "u0", "login=u0")
	w.run()
}

// soon is how long it takes at most until the process that delivers goes on with what an operator did elsewhere.
const soon = 10 * time.Second

func TestApprovedElsewhere(t *testing.T) {
	none := 0
	shared(t, func(o *Options) { o.Guard = Guard{Creations: {Count: &none}} }, func(t *testing.T, w, other *world) {
		met(w)
		for _, id := range []string{"u1", "u2", "u3"} {
			w.put(directory.UserRecord, id, "login="+id)
		}
		w.run()
		if n := w.waits()[string(targets.CauseGuard)]; n != 3 {
			t.Fatalf("%d wait", n)
		}
		other.start()
		if !other.approve() {
			t.Fatal("nothing is held")
		}
		other.rest(soon)
		if n := len(w.sim.Things(directory.UserRecord)); n != 4 || len(w.waits()) > 0 {
			t.Errorf("%d things; %v wait", n, w.waits())
		}
		// What is held is thrown away elsewhere: the place is looked at anew, and it is held again.
		w.put(directory.UserRecord, "u4", "login=u4")
		w.run()
		_, held, err := other.desk.Held(t.Context())
		if err != nil || held == nil {
			t.Fatal(held, err)
		}
		asked := w.sim.Counts().Requests
		if found, err := other.desk.Discard(t.Context(), held.Hash); err != nil || !found {
			t.Fatal(found, err)
		}
		other.rest(soon)
		if s := w.state(); s.Held == nil || w.sim.Counts().Requests == asked {
			t.Errorf("held %+v; the place was not looked at", s.Held)
		}
	})
}

func TestMetElsewhere(t *testing.T) {
	shared(t, func(o *Options) { o.Freely = false }, func(t *testing.T, w, other *world) {
		w.sim.Add(there("login=a"))
		w.put(directory.UserRecord, "u1", "login=a")
		w.run()
		other.start()
		if !other.approve() {
			t.Fatal("nothing is held")
		}
		other.rest(soon)
		if w.state().First.Done.IsZero() || len(w.waits()) > 0 || w.links()["user/hq/u1"].State != store.Linked {
			t.Errorf("%+v; %v wait", w.state().First, w.waits())
		}
	})
}

// during calls something once, while the place is asked, or written to.
type during struct {
	targets.Desk
	ask, apply func()
}

func (d *during) asked() {
	if fn := d.ask; fn != nil {
		d.ask = nil
		fn()
	}
}

func (d *during) Find(ctx context.Context, kind directory.RecordKind, key, value string) ([]targets.Entity, error) {
	d.asked()
	return d.Desk.Find(ctx, kind, key, value)
}

func (d *during) Survey(ctx context.Context, kind directory.RecordKind, yield func(*targets.Entity) error) (targets.Proof, error) {
	d.asked()
	return d.Desk.Survey(ctx, kind, yield)
}

func (d *during) Apply(ctx context.Context, jobs []targets.Job) ([]targets.Result, error) {
	if fn := d.apply; fn != nil {
		d.apply = nil
		fn()
	}
	return d.Desk.Apply(ctx, jobs)
}

// An approval that comes while the first contact is looked at once more is not lost.
func TestApprovedWhileItIsLookedAt(t *testing.T) {
	shared(t, func(o *Options) { o.Freely = false }, func(t *testing.T, w, other *world) {
		place := &during{}
		w.place = func(d targets.Desk) targets.Desk { place.Desk = d; return place }
		w.sim.Add(there("login=a"))
		w.put(directory.UserRecord, "u1", "login=a")
		w.run()
		other.start()
		other.rest(w.opts.withDefaults().Fresh) // the list is too old by then
		place.ask = func() { other.approve() }
		if err := w.desk.Meet(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.rest(soon)
		if first := w.state().First; place.ask != nil || first.Done.IsZero() || len(w.waits()) > 0 {
			t.Errorf("%+v; %v wait", first, w.waits())
		}
	})
}

func TestDecidedElsewhere(t *testing.T) {
	shared(t, nil, func(t *testing.T, w, other *world) {
		first, _ := two(w)
		w.run()
		other.start()
		rs := other.reviews()
		if len(rs) != 1 {
			t.Fatalf("%d reviews", len(rs))
		}
		if _, err := other.desk.Decide(t.Context(), Decision{Number: rs[0].Number, Fingerprint: rs[0].Fingerprint, Accept: true, ID: first}); err != nil {
			t.Fatal(err)
		}
		other.rest(soon)
		if got := w.fields("user/hq/u1"); got != "email=a@x login=a name=First" || len(w.waits()) > 0 {
			t.Error(got, w.waits())
		}
		check(t, w)
	})
}

// What a human says while the record is under way holds: it is not overwritten by what was found out before.
func TestDecidedUnderWay(t *testing.T) {
	shared(t, nil, func(t *testing.T, w, other *world) {
		place := &during{}
		w.place = func(d targets.Desk) targets.Desk { place.Desk = d; return place }
		first, second := two(w)
		w.run()
		other.start()
		r := other.reviews()[0]
		// It becomes clear by itself whose the first one is, and a human says that it is not.
		w.sim.Human(directory.UserRecord, second, "edit", func(t *desktest.Thing) { t.Fields["email"] = "other@x" })
		place.apply = func() {
			if _, err := other.desk.Decide(context.Background(), Decision{Number: r.Number, ID: first}); err != nil {
				t.Error(err)
			}
		}
		w.rest(25 * time.Hour)
		if l := w.links()["user/hq/u1"]; place.apply != nil || l.ID == first {
			t.Errorf("%+v", l)
		}
	})
}

// An approval that comes while the guard looks at the same records once more is not held again, nor granted twice.
func TestApprovedWhileItIsHeldAgain(t *testing.T) {
	none := 0
	shared(t, func(o *Options) { o.Guard = Guard{Creations: {Count: &none}} }, func(t *testing.T, w, other *world) {
		place := &during{Desk: w.sim}
		w.sim.Now = time.Now
		w.desk, other.desk = New(w.store, helpdesk, place, w.opts), New(w.store, helpdesk, w.sim, w.opts)
		w.stop, other.stop = func() { _ = w.desk.Close() }, func() { _ = other.desk.Close() }
		if waits, err := w.hand(action(directory.Create, hq, "first")); err != nil || waits != 0 { // the first contact is over
			t.Fatal(waits, err)
		}
		three, _ := holdThree(t, w)
		time.Sleep(w.opts.withDefaults().Fresh)
		place.ask = func() { other.approve() }
		if _, err := w.hand(three...); err != nil {
			t.Fatal(err)
		}
		if s := w.state(); place.ask != nil || s.Held != nil || s.Granted.Counts["user"]["create"] != 3 {
			t.Errorf("held %+v, granted %+v", s.Held, s.Granted)
		}
		if waits, err := w.hand(three...); err != nil || waits != 0 {
			t.Errorf("%d wait, %v", waits, err)
		}
	})
}

// Who delivers reads anew whose a thing is when that was undone elsewhere.
func TestUndoneElsewhere(t *testing.T) {
	shared(t, nil, func(t *testing.T, w, other *world) {
		w.sim.Add(there("login=a"))
		w.put(directory.UserRecord, "u1", "login=a")
		w.run()
		linked := func() bool {
			r := w.desk.roster
			return r != nil && r.of["user/hq/u1"] != nil && r.of["user/hq/u1"].id != ""
		}
		if !linked() {
			t.Fatal("it is not linked")
		}
		other.start()
		if err := other.desk.Undo(t.Context(), "user/hq/u1"); err != nil {
			t.Fatal(err)
		}
		other.rest(soon)
		if linked() {
			t.Error("who delivers has the former link")
		}
	})
}

// Who delivers again, after another process did, knows whom that one linked.
func TestDeliveredElsewhere(t *testing.T) {
	shared(t, nil, func(t *testing.T, w, other *world) {
		thing := w.sim.Add(there("login=b"))
		w.sim.Now = time.Now
		for _, p := range []*world{w, other} {
			p.desk = New(p.store, helpdesk, p.sim, p.opts)
			p.stop = func() { _ = p.desk.Close() }
		}
		for _, step := range []struct {
			by     *world
			id     string
			waits  int
			linked bool
		}{{w, "a", 0, true}, {other, "b", 0, true}, {w, "c", 1, false}} {
			a := action(directory.Create, hq, step.id)
			if step.id == "c" {
				a.Fields = action(directory.Create, hq, "b").Fields // somebody else's log-in
			}
			if waits, err := step.by.hand(a); err != nil || waits != step.waits {
				t.Fatal(step.id, waits, err)
			}
			if linked := w.links()["user/hq/"+step.id].State == store.Linked; linked != step.linked {
				t.Errorf("%s: %+v", step.id, w.links())
			}
		}
		for _, th := range w.sim.Things(directory.UserRecord) {
			if th.ID == thing && th.Mark != "hq/b" {
				t.Errorf("the thing of b has the mark %q", th.Mark)
			}
		}
	})
}
