package desk

import (
	"testing"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/plan"
	"dirsyncd/sync/targets/desktest"
)

// resend queues what an operator has sent again, the present state of every record, and lets the process do it.
func (w *world) resend() {
	w.tellAgain()
	w.rest(10 * time.Minute)
}

func (w *world) tellAgain() {
	w.t.Helper()
	err := w.store.Update(w.t.Context(), hq, func(tx store.Writer) error {
		for _, e := range w.people {
			nums, err := tx.Lookup([]string{e.key}, nil)
			if err != nil {
				return err
			}
			rec, _, err := tx.Record(e.kind, nums[0])
			if err != nil {
				return err
			}
			rec.Kind, rec.Key = e.kind, e.key
			origin := directory.Origin{Connection: "hq", Connector: "ldap"}
			a := plan.Again(&rec, origin.OfKey(e.key), directory.Stamp{Run: "again"}, time.Now().String(), nil, nil)
			if err := tx.Enqueue(helpdesk, a, time.Now()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// What is sent again to a place writes nothing where all is as it was, and finds out what the place has lost.
func TestSentAgain(t *testing.T) {
	scene(t, nil, func(t *testing.T, w *world) {
		for _, id := range []string{"u1", "u2", "u3"} {
			w.put(directory.UserRecord, id, "login="+id, "email="+id+"@x", "name="+id)
		}
		w.run()
		w.leave(directory.UserRecord, "u3")
		w.run()
		human := w.links()["user/hq/u2"].ID
		w.sim.Human(directory.UserRecord, human, "edit", func(t *desktest.Thing) { t.Fields["name"] = "Theirs" })
		writes := w.sim.Counts().Writes
		w.sim.Before = func(request string) {
			for _, th := range w.sim.Things(directory.UserRecord) {
				if (th.Person == "user/hq/u1" || th.Person == "user/hq/u2") && !th.Active {
					t.Error(request, th.Person, "is out of use")
				}
			}
		}
		w.resend()
		w.sim.Before = nil
		if n := w.sim.Counts().Writes - writes; n != 0 || len(w.waits()) != 0 {
			t.Errorf("%d writes, waits %v", n, w.waits())
		}
		w.sim.Human(directory.UserRecord, w.links()["user/hq/u1"].ID, "remove", nil)
		w.resend()
		if rs := w.reviews(); len(rs) != 1 || rs[0].Cause != string(Lost) || rs[0].Subject != "user/hq/u1" {
			t.Errorf("it is gone, and nobody is told: %+v", rs)
		}
	})
}

// Those who are out of use already are no leavers when that is sent again.
func TestSentAgainIsNoLeaver(t *testing.T) {
	scene(t, nil, func(t *testing.T, w *world) {
		for _, id := range []string{"u1", "u2", "u3", "u4", "u5"} {
			w.put(directory.UserRecord, id, "login="+id, "name="+id)
		}
		w.run()
		for _, id := range []string{"u1", "u2", "u3"} {
			w.leave(directory.UserRecord, id)
		}
		w.run()
		w.stop()
		w.rest(25 * time.Hour) // the day of those three is over
		most := 2
		w.opts.Guard = Guard{Deactivations: {Count: &most}}
		w.start()
		u4 := w.people["user/hq/u4"]
		delete(w.people, "user/hq/u4") // as if it were another connection's
		w.tellAgain()
		w.people["user/hq/u4"] = u4
		w.leave(directory.UserRecord, "u4")
		w.run()
		if l := w.links()["user/hq/u4"]; l.Active || len(w.waits()) != 0 {
			t.Errorf("one leaver is held as if there were four: %v", w.waits())
		}
	})
}

// What was handed over together was sent before that: the first survey shows it, and serves all of it.
func TestSentBeforeTheTurn(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	d := New(nil, "desk", desktest.NewSim(1), Options{Now: func() time.Time { now = now.Add(time.Second); return now }})
	d.turn = d.opts.Now()
	d.sent("user/hr/1")
	d.surveys[directory.UserRecord] = &survey{began: d.opts.Now()}
	if err := d.renew(t.Context(), d.kind(directory.UserRecord), d.sent("user/hr/2").Add(1)); err != nil {
		t.Fatal(err)
	}
	if d.surveys[directory.UserRecord] == nil {
		t.Error("the place is surveyed for each of them")
	}
}
