package desk

import (
	"testing"
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/targets/desktest"
)

// join puts somebody and the ticket about that into the directory.
func (w *world) join(id string) {
	w.put(directory.UserRecord, id, "login="+id, "email="+id+"@x", "name="+id)
	w.put(directory.TicketRecord, id+"/ticket/joiner/1", "summary=New "+id, "user=hq/"+id)
}

// tickets are those at the desk, by the name of the person they refer to.
func (w *world) tickets() map[string]int {
	names, all := map[string]string{}, map[string]int{}
	for _, u := range w.sim.Things(directory.UserRecord) {
		names[u.ID] = u.Fields["login"]
	}
	for _, t := range w.sim.Things(directory.TicketRecord) {
		all[names[t.Refs["user"]]]++
	}
	return all
}

// A ticket is made once the person is there, and refers to them; nobody lists tickets for that, and none is written again.
func TestTicketRefersToThePerson(t *testing.T) {
	scene(t, nil, func(t *testing.T, w *world) {
		w.sim.Before = func(request string) {
			if request == "survey ticket" {
				t.Error("all tickets were listed")
			}
		}
		w.put(directory.UserRecord, "u0", "login=u0", "email=u0@x", "name=u0")
		w.run()
		w.join("u1")
		w.run()
		if got := w.tickets(); len(got) != 1 || got["u1"] != 1 {
			t.Errorf("tickets %v, waits %v", got, w.waits())
		}
		writes := w.sim.Counts().Writes
		if _, err := w.desk.Audit(t.Context(), nil, Repair{}, func(d Difference) error { t.Error(d); return nil }); err != nil {
			t.Error(err)
		}
		w.leave(directory.TicketRecord, "u1/ticket/joiner/1")
		w.run()
		if w.sim.Counts().Writes != writes {
			t.Error("a ticket was written again")
		}
	})
}

// While a human is asked who somebody is, the ticket waits; who was there already is no joiner, and a new one is.
func TestTicketAndAdoption(t *testing.T) {
	for _, adopts := range []bool{true, false} {
		// Somebody else of the name has another log-in, and gives the address up.
		login := map[bool]string{true: "u1", false: "namesake"}[adopts]
		scene(t, func(o *Options) { o.After = AfterReview }, func(t *testing.T, w *world) {
			w.put(directory.UserRecord, "u0", "login=u0", "email=u0@x", "name=u0")
			w.run()
			there := w.sim.Add(desktest.Thing{Kind: directory.UserRecord, Fields: map[string]string{"login": login, "email": "u1@x", "name": "u1"}, Active: true})
			w.join("u1")
			w.run()
			if got := w.tickets(); len(got) != 0 || w.waits()["reference"] != 1 {
				t.Fatalf("tickets %v, waits %v", got, w.waits())
			}
			if !adopts {
				w.sim.Human(directory.UserRecord, there, "another address", func(t *desktest.Thing) { t.Fields["email"] = "namesake@x" })
			}
			if _, err := w.desk.Decide(t.Context(), Decision{Number: w.reviews()[0].Number, Accept: adopts, New: !adopts, ID: there}); err != nil {
				t.Fatal(err)
			}
			w.rest(3 * time.Hour)
			want := 1
			if adopts {
				want = 0
			}
			if got := w.tickets(); got["u1"] != want || len(got) != want {
				t.Errorf("adopts %t: tickets %v, waits %v", adopts, got, w.waits())
			}
		})
	}
}

// A ticket whose answer was lost is found by its mark, by a search or in a list, and not made twice.
func TestTicketAfterALostAnswer(t *testing.T) {
	for name, set := range map[string]func(*desktest.Faults){
		"found":           func(*desktest.Faults) {},
		"not searchable":  func(f *desktest.Faults) { f.CannotFind = []string{"mark"} },
		"the index lags":  func(f *desktest.Faults) { f.IndexLag = 20 * time.Minute },
		"finds nothing":   func(f *desktest.Faults) { f.IndexEmpty = true },
		"filters ignored": func(f *desktest.Faults) { f.FilterIgnored = true },
	} {
		scene(t, nil, func(t *testing.T, w *world) {
			for _, id := range []string{"u0", "u1", "u2"} {
				w.put(directory.UserRecord, id, "login="+id, "email="+id+"@x", "name="+id)
			}
			w.run()
			w.sim.Set(func(f *desktest.Faults) { set(f); f.EffectWithoutAnswer = 1 })
			for _, id := range []string{"u0", "u1", "u2"} {
				w.join(id)
			}
			w.run()
			w.sim.Set(func(f *desktest.Faults) { f.EffectWithoutAnswer = 0 })
			w.rest(3 * time.Hour)
			if got := w.tickets(); got["u0"] != 1 || got["u1"] != 1 || got["u2"] != 1 {
				t.Errorf("%s: tickets %v, waits %v, parked %v", name, got, w.waits(), w.parked())
			}
		})
	}
}

// The ticket of somebody who leaves does not wait for a thing that is gone or never was.
func TestTicketOfALeaver(t *testing.T) {
	scene(t, func(o *Options) {
		o.Leavers = map[directory.RecordKind]Leaver{directory.UserRecord: {Do: EndDelete}}
	}, func(t *testing.T, w *world) {
		w.put(directory.UserRecord, "u0", "login=u0", "email=u0@x", "name=u0")
		w.run()
		w.leave(directory.UserRecord, "u0")
		w.run()
		w.put(directory.TicketRecord, "u0/ticket/leaver/1", "summary=Leaver u0", "user=hq/u0")
		w.put(directory.TicketRecord, "u9/ticket/leaver/1", "summary=Leaver u9", "user=hq/u9")
		w.run()
		if n := len(w.sim.Things(directory.TicketRecord)); n != 2 {
			t.Errorf("%d tickets, waits %v", n, w.waits())
		}
	})
}
