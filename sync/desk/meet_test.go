package desk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
	"dirsyncd/sync/targets/desktest"
)

// Nobody lists the tickets of a place for a part of the adoptions.
func TestAPartLooksAtNoTickets(t *testing.T) {
	scene(t, func(o *Options) { o.Freely = false }, func(t *testing.T, w *world) {
		half(w)
		w.sim.Before = func(request string) {
			if request == "survey ticket" {
				t.Error("all tickets were listed")
			}
		}
		w.put(directory.TicketRecord, "u0/ticket/joiner/1", "summary=New", "user=hq/u0")
		w.run()
		part, err := w.desk.Offer(t.Context(), nil, "login")
		if err != nil || part.Counts["user"]["adopt"] != 2 {
			t.Fatalf("%+v, %v", part, err)
		}
		if found, err := w.desk.Approve(t.Context(), part.Hash); !found || err != nil {
			t.Fatal(found, err)
		}
	})
}

// A ticket that another place had does not stand in the way of a new one that has its number.
func TestTicketAtAnotherPlace(t *testing.T) {
	scene(t, nil, func(t *testing.T, w *world) {
		w.join("u1")
		w.run()
		w.stop()
		w.sim, w.opts.Place = desktest.NewSim(1), "https://other.example"
		w.join("u2")
		w.sync()
		w.start()
		w.rest(3 * time.Hour)
		if got := w.tickets(); got["u2"] != 1 || len(got) != 1 {
			t.Errorf("tickets %v", got)
		}
		if len(w.reviews()) > 0 || len(w.waits()) > 0 {
			t.Errorf("waits %v, %+v", w.waits(), w.reviews())
		}
	})
}

// Who leaves in the midst of a swap and is kept as he is does not keep an interim value.
func TestKeptLeaverHasNoInterimValue(t *testing.T) {
	scene(t, func(o *Options) {
		swaps(o)
		o.Leavers = map[directory.RecordKind]Leaver{directory.UserRecord: {Do: EndKeep}}
	}, func(t *testing.T, w *world) {
		place := &halted{}
		w.place = func(d targets.Desk) targets.Desk {
			place.Desk = d
			return place
		}
		own(w, "u1", "u2")
		w.run()
		swapped(w, "u1", "u2")
		w.run()
		if got := w.person("user/hq/u2").Fields["email"]; !strings.HasSuffix(got, "@interim.invalid") {
			t.Fatalf("u2 has %s", got)
		}
		w.leave(directory.UserRecord, "u2")
		w.sync()
		place.open.Store(true)
		w.rest(30 * time.Hour)
		w.have(t, "u1=u2,u2@x", "u2=u1,u1@x")
		if p := w.person("user/hq/u2"); !p.Active || len(w.waits()) > 0 {
			t.Errorf("%+v, waits %v", p, w.waits())
		}
	})
}

// Who waited for a value and left is no reason for an interim one.
func TestNoInterimValueForALeaver(t *testing.T) {
	scene(t, func(o *Options) {
		swaps(o)
		o.Leavers = map[directory.RecordKind]Leaver{directory.UserRecord: {Do: EndKeep}}
	}, func(t *testing.T, w *world) {
		refuses := &refusesTitle{}
		w.place = func(d targets.Desk) targets.Desk {
			refuses.Desk = d
			return refuses
		}
		own(w, "u1", "u2")
		w.run()
		// u1 cannot be written, and u2 waits for what it is to give up.
		w.put(directory.UserRecord, "u1", "login=u1", "email=u1@x", "title=refused")
		w.put(directory.UserRecord, "u2", "login=u1", "email=u1@x")
		w.run()
		w.leave(directory.UserRecord, "u2")
		w.run()
		w.put(directory.UserRecord, "u1", "login=u2", "email=u2@x")
		refuses.nothing = true
		w.run()
		w.rest(3 * time.Hour)
		w.have(t, "u1=u1,u1@x", "u2=u2,u2@x")
		if rs := w.reviews(); len(rs) != 1 || rs[0].Cause != string(Taken) {
			t.Errorf("%+v, waits %v, parked %v", rs, w.waits(), w.parked())
		}
	})
}

// What is written once gets no interim value.
func TestNoInterimValueOfWhatIsWrittenOnce(t *testing.T) {
	scene(t, swaps, func(t *testing.T, w *world) {
		w.once = []string{"email"}
		own(w, "u1", "u2")
		w.run()
		swapped(w, "u1", "u2")
		w.run()
		w.rest(3 * time.Hour)
		w.have(t, "u1=u2,u1@x", "u2=u1,u2@x")
	})
}

// A record whose name is its key is one record.
func TestNameThatIsTheKey(t *testing.T) {
	scene(t, nil, func(t *testing.T, w *world) {
		w.put(directory.CustomerRecord, "acme", "name=hq/acme")
		w.put(directory.UserRecord, "u1", "login=u1", "email=u1@x", "customer=hq/acme")
		w.run()
		w.rest(2 * time.Hour)
		if n := len(w.sim.Things(directory.UserRecord)); n != 1 || len(w.waits()) > 0 {
			t.Errorf("%d users, waits %v", n, w.waits())
		}
	})
}

// What was approved and ran out does not pay for what is done later.
func TestWhatRanOutCountsForTheDay(t *testing.T) {
	limit := 2
	scene(t, func(o *Options) { o.Guard = Guard{Creations: {Count: &limit}} }, func(t *testing.T, w *world) {
		w.put(directory.UserRecord, "first", "login=first")
		w.run()
		for i := range 4 {
			w.put(directory.UserRecord, fmt.Sprintf("a%d", i), fmt.Sprintf("login=a%d", i))
		}
		w.run()
		w.sim.Set(func(f *desktest.Faults) { f.Down = 1 })
		w.approve()
		for i := range 4 {
			w.leave(directory.UserRecord, fmt.Sprintf("a%d", i))
		}
		w.run()
		w.sim.Set(func(f *desktest.Faults) { f.Down = 0 })
		w.rest(8 * 24 * time.Hour)
		made := len(w.sim.Things(directory.UserRecord))
		for i := range 4 {
			w.put(directory.UserRecord, fmt.Sprintf("b%d", i), fmt.Sprintf("login=b%d", i))
			w.run()
		}
		if n := len(w.sim.Things(directory.UserRecord)) - made; n != 2 {
			t.Errorf("%d made in a day", n)
		}
	})
}

// Of what is approved no more is done than was, however much is handed over together.
func TestNoMoreThanWasApproved(t *testing.T) {
	none := 0
	scene(t, func(o *Options) { o.Guard = Guard{Creations: {Count: &none}} }, func(t *testing.T, w *world) {
		w.put(directory.UserRecord, "first", "login=first")
		w.run()
		w.put(directory.UserRecord, "a", "login=a")
		w.run()
		w.sim.Set(func(f *desktest.Faults) { f.Down = 1 })
		w.approve()
		for i := range 10 {
			w.put(directory.UserRecord, fmt.Sprintf("b%d", i), fmt.Sprintf("login=b%d", i))
		}
		w.run()
		w.sim.Set(func(f *desktest.Faults) { f.Down = 0 })
		w.rest(3 * time.Hour)
		if n := len(w.sim.Things(directory.UserRecord)); n != 2 {
			t.Errorf("%d things, 2 were approved, waits %v", n, w.waits())
		}
	})
}

// Who was chosen in a part, and leaves before he is adopted, is looked at again as he would be if he had stayed.
func TestChosenLeaverIsLookedAtAgain(t *testing.T) {
	scene(t, func(o *Options) { o.Freely = false }, func(t *testing.T, w *world) {
		half(w)
		w.run()
		part, err := w.desk.Offer(t.Context(), nil, "login")
		if err != nil {
			t.Fatal(err)
		}
		w.sim.Set(func(f *desktest.Faults) { f.Down = 1 })
		if found, err := w.desk.Approve(t.Context(), part.Hash); !found || err != nil {
			t.Fatal(found, err)
		}
		w.rest(10 * time.Minute)
		p := w.person("user/hq/u1")
		w.sim.Human(p.Kind, p.ID, "edit", func(t *desktest.Thing) { t.Fields["login"] = "other" })
		w.leave(directory.UserRecord, "u1")
		w.sync()
		w.sim.Set(func(f *desktest.Faults) { f.Down = 0 })
		w.rest(3 * time.Hour)
		w.approve()
		w.rest(3 * time.Hour)
		if p := w.person("user/hq/u1"); !p.Active {
			t.Errorf("somebody else is out of use: %+v", p)
		}
	})
}

// Where tickets have no mark, a human who is asked whether one was made can say that none is to be made any more.
func TestUnmarkedTicketIsNotMadeAgain(t *testing.T) {
	scene(t, nil, func(t *testing.T, w *world) {
		for i := range w.sim.Kinds {
			if w.sim.Kinds[i].Kind == directory.TicketRecord {
				w.sim.Kinds[i].Marked = false
			}
		}
		w.put(directory.UserRecord, "u1", "login=u1", "email=u1@x", "name=u1")
		w.run()
		w.sim.Set(func(f *desktest.Faults) { f.EffectWithoutAnswer = 1 })
		w.join("u1")
		w.run()
		w.sim.Set(func(f *desktest.Faults) { f.EffectWithoutAnswer = 0 })
		w.rest(3 * time.Hour)
		rs := w.reviews()
		if len(rs) != 1 || rs[0].Cause != string(Unsure) {
			t.Fatalf("%+v", rs)
		}
		if _, err := w.desk.Decide(t.Context(), Decision{Number: rs[0].Number}); err != nil {
			t.Fatal(err)
		}
		w.rest(30 * time.Hour)
		if got := w.tickets(); got["u1"] != 1 || len(w.waits()) > 0 || len(w.reviews()) > 0 {
			t.Errorf("tickets %v, waits %v, %+v", got, w.waits(), w.reviews())
		}
	})
}

// refusesTitle is a desk that takes no title "refused" for now.
type refusesTitle struct {
	targets.Desk
	nothing bool
}

func (r *refusesTitle) Apply(ctx context.Context, jobs []targets.Job) ([]targets.Result, error) {
	var out []targets.Result
	for i := range jobs {
		if !r.nothing && slices.ContainsFunc(jobs[i].Fields, func(f directory.Field) bool { return f.Value.String() == "refused" }) {
			out = append(out, targets.Result{Err: &fault.Error{Class: fault.Transient, Op: "write", Err: errors.New("502")}})
			continue
		}
		one, err := r.Desk.Apply(ctx, jobs[i:i+1])
		if err != nil {
			return nil, err
		}
		out = append(out, one...)
	}
	return out, nil
}

// hidesInactive is a place that does not list who is out of use, and still gives nobody else what such a one has.
type hidesInactive struct{ targets.Desk }

func (h *hidesInactive) Survey(ctx context.Context, kind directory.RecordKind, yield func(*targets.Entity) error) (targets.Proof, error) {
	proof, err := h.Desk.Survey(ctx, kind, func(e *targets.Entity) error {
		if !e.Active {
			return nil
		}
		return yield(e)
	})
	return proof, err
}

// An account that was made anew at the source meets what the former one has: the human who is asked sees it.
func TestMadeAnewAtTheSource(t *testing.T) {
	scene(t, nil, func(t *testing.T, w *world) {
		w.place = func(d targets.Desk) targets.Desk { return &hidesInactive{d} }
		own(w, "u1")
		w.run()
		w.leave(directory.UserRecord, "u1")
		w.run()
		w.put(directory.UserRecord, "u2", "login=u1", "email=u1@x")
		w.rest(3 * time.Hour)
		w.run()
		rs := w.reviews()
		if len(rs) != 1 || len(rs[0].Candidates) != 1 || rs[0].Cause != string(Taken) {
			t.Fatalf("%+v, waits %v", rs, w.waits())
		}
	})
}

// Who refers by its key to a record that has ended is told that, and goes on when that is back.
func TestReferenceToEnded(t *testing.T) {
	scene(t, func(o *Options) {
		o.Leavers = map[directory.RecordKind]Leaver{directory.CustomerRecord: {Do: EndDelete}}
	}, func(t *testing.T, w *world) {
		w.put(directory.CustomerRecord, "acme", "name=Acme")
		w.run()
		w.leave(directory.CustomerRecord, "acme")
		w.run()
		w.put(directory.UserRecord, "u1", "login=u1", "email=u1@x", "customer=hq/acme")
		w.run()
		err := w.store.View(t.Context(), hq, func(tx store.Reader) error {
			waits, err := tx.WaitsOf(helpdesk, []string{"user/hq/u1"})
			if len(waits) != 1 || !strings.Contains(waits[0].Text, "has ended") {
				t.Errorf("waits %+v, links %+v", waits, w.links())
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		w.put(directory.CustomerRecord, "acme", "name=Acme")
		w.run()
		if p := w.person("user/hq/u1"); !p.Active || len(w.waits()) > 0 {
			t.Errorf("%+v, waits %v", p, w.waits())
		}
	})
}
