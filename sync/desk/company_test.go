package desk

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/targets/desktest"
)

// company makes a directory of n people of two customers. The first of them exist at the desk: half of those are recognised by
// their log-in, the others by their mail address only, which one in a hundred shares with somebody else there. One in ten is
// out of use at the desk. Forty there have the names of ours, and are others.
func company(w *world, n, exist int) {
	acme := w.sim.Add(desktest.Thing{Kind: directory.CustomerRecord, Person: "customer/hq/c1", Active: true, Fields: map[string]string{"name": "Acme"}})
	w.put(directory.CustomerRecord, "c1", "name=Acme")
	w.put(directory.CustomerRecord, "c2", "name=Beta")
	for i := range n {
		id := fmt.Sprintf("u%d", i)
		customer := "Acme"
		if i%3 == 2 {
			customer = "Beta"
		}
		w.put(directory.UserRecord, id, "name=Person "+id, "login=login"+id, "email="+id+"@example.test", "title=Engineer", "customer="+customer)
		if i < exist {
			t := desktest.Thing{Kind: directory.UserRecord, Person: "user/hq/" + id, Active: i%10 != 9,
				Fields: map[string]string{"name": "P. " + id, "email": id + "@Example.test", "phone": "+44 1"}, Refs: map[string]string{"customer": acme}}
			if i%2 == 0 {
				t.Fields["login"] = "LOGIN" + id
			}
			w.sim.Add(t)
			if i%100 == 51 { // somebody else has the same address
				t.Person, t.ID, t.Fields = "", "", map[string]string{"name": "Shared " + id, "email": id + "@example.test"}
				w.sim.Add(t)
			}
		}
	}
	for i := range 40 { // people that nobody of ours is
		w.sim.Add(desktest.Thing{Kind: directory.UserRecord, Person: fmt.Sprintf("foreign%d", i), Active: true,
			Fields: map[string]string{"name": fmt.Sprintf("Person u%d", i), "login": fmt.Sprintf("f%d", i), "email": fmt.Sprintf("f%d@other.test", i)}})
	}
	w.sim.Freeze()
}

func TestCompanyIsAdopted(t *testing.T) {
	st := openStore(t, statePath(t))
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, st, 1)
		company(w, 500, 300)
		w.sync()
		w.start()
		defer func() { w.stop() }()
		w.rest(time.Hour)
		if c := w.sim.Counts(); c.Writes != 0 {
			t.Fatalf("before the approval %d writes", c.Writes)
		}
		first, _, err := w.desk.Held(t.Context())
		if err != nil || first == nil {
			t.Fatal("nothing is held", err)
		}
		t.Logf("held: %v", first.Counts)
		w.approve()
		w.rest(2 * time.Hour)
		queued, parked := w.queued()
		t.Logf("waits %v, queued %d, parked %d %v, reviews %d, %+v", w.waits(), queued, parked, w.parked(), len(w.reviews()), w.sim.Counts())
		if queued != 0 || parked != 0 {
			t.Errorf("%d queued, %d parked", queued, parked)
		}
		if n := w.waits()["review"]; n != 3 || len(w.reviews()) != 3 {
			t.Errorf("%d wait for a review, of 3 that are ambiguous: %+v", n, w.reviews())
		}
		for _, u := range w.sim.Things(directory.UserRecord) {
			if u.Ours && u.Fields["phone"] == "" && u.Fields["title"] != "Engineer" || u.Ours && !u.Active {
				t.Errorf("adopted as %+v", u)
			}
		}
		check(t, w)
		writes := w.sim.Counts().Writes
		w.sync()
		w.rest(time.Hour)
		w.stop()
		w.start()
		w.rest(time.Hour)
		if again := w.sim.Counts().Writes; again != writes {
			t.Errorf("a second run wrote %d", again-writes)
		}
		check(t, w)
	})
}

func check(t *testing.T, w *world) {
	t.Helper()
	links := map[string]string{}
	for s, l := range w.links() {
		if l.State.String() == "linked" {
			links[s] = l.ID
		}
	}
	for _, p := range w.sim.Problems(links) {
		t.Error(p)
	}
	if w.desk != nil && w.desk.roster != nil {
		checkRoster(t, w.desk.roster)
	}
}

// checkRoster holds what the roster counts as it changes against the roster.
func checkRoster(t *testing.T, r *roster) {
	t.Helper()
	have, waiting := map[directory.RecordKind]int{}, map[directory.RecordKind]int{}
	for subject, e := range r.of {
		if e.id != "" {
			have[e.kind]++
		}
		if e.pending != 0 {
			waiting[e.kind]++
			if r.waiting[e.kind][subject] != e {
				t.Errorf("%s waits, and is not among those who do", subject)
			}
		}
	}
	for _, kind := range directory.RecordKinds() {
		if r.have[kind] != have[kind] || len(r.waiting[kind]) != waiting[kind] {
			t.Errorf("%s: %d linked and %d wait, not %d and %d", kind, have[kind], waiting[kind], r.have[kind], len(r.waiting[kind]))
		}
	}
}

// A place whose list takes longer than a delivery may is met all the same.
func TestSlowPlace(t *testing.T) {
	scene(t, nil, func(t *testing.T, w *world) {
		w.sim.Before = func(request string) {
			if request == "survey user" {
				time.Sleep(13 * time.Minute)
			}
		}
		w.sim.Add(there("login=a"))
		w.put(directory.UserRecord, "u1", "login=a")
		w.run()
		w.rest(2 * time.Hour)
		if p := w.person("user/hq/u1"); p.Mark != "hq/u1" {
			t.Errorf("%+v, waits %v", p, w.waits())
		}
	})
}
