package desk

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/targets/desktest"
)

// What was done in a day counts after a restart, too.
func TestGuardCountsSurvive(t *testing.T) {
	limit := 3
	scene(t, func(o *Options) { o.Guard = Guard{Creations: {Count: &limit}} }, func(t *testing.T, w *world) {
		w.put(directory.UserRecord, "first", "login=first")
		w.run() // the first contact counts for itself
		for i := range 3 {
			w.put(directory.UserRecord, fmt.Sprintf("u%d", i), fmt.Sprintf("login=l%d", i))
		}
		w.run()
		w.stop()
		w.start()
		w.put(directory.UserRecord, "u3", "login=l3")
		w.run()
		if n := len(w.sim.Things(directory.UserRecord)); n != 4 || w.waits()["guard"] != 1 {
			t.Errorf("%d made, waits %v", n, w.waits())
		}
		w.approve()
		w.rest(10 * time.Minute)
		if n := len(w.sim.Things(directory.UserRecord)); n != 5 {
			t.Errorf("%d made after the approval", n)
		}
		w.rest(25 * time.Hour)
		w.put(directory.UserRecord, "u4", "login=l4")
		w.run()
		if n := len(w.sim.Things(directory.UserRecord)); n != 6 {
			t.Errorf("%d made the day after", n)
		}
	})
}

// What adoptions overwrite is one question, not one each.
func TestOverwritesAreHeldTogether(t *testing.T) {
	none := 0
	scene(t, func(o *Options) { o.Guard, o.Adopt = Guard{Overwrites: {Count: &none}}, AdoptOverwrite }, func(t *testing.T, w *world) {
		w.put(directory.UserRecord, "first", "login=first")
		w.run() // the first contact is over
		for i := range 30 {
			login := fmt.Sprintf("l%d", i)
			w.sim.Add(desktest.Thing{Kind: directory.UserRecord, Person: "user/hq/" + login, Active: true, Fields: map[string]string{"login": login, "title": "Boss"}})
			w.put(directory.UserRecord, login, "login="+login, "title=Engineer")
		}
		writes := w.sim.Counts().Writes
		w.run()
		_, held, err := w.desk.Held(context.Background())
		if err != nil || held == nil || held.Counts["user"]["overwrite"] != 30 || w.sim.Counts().Writes != writes {
			t.Fatalf("%+v, %v, %d writes", held, err, w.sim.Counts().Writes-writes)
		}
		if !w.approve() {
			t.Fatal("not approved")
		}
		w.rest(10 * time.Minute)
		for i := range 30 {
			if got := w.person(fmt.Sprintf("user/hq/l%d", i)).Fields["title"]; got != "Engineer" {
				t.Errorf("%d: %s", i, got)
			}
		}
		if _, held, err = w.desk.Held(context.Background()); err != nil || held != nil || len(w.waits()) != 0 {
			t.Errorf("%+v, %v, %v", held, err, w.waits())
		}
	})
}

// What is held is counted once for all that is handed over, and not by each of it.
func TestGuardCountsOnce(t *testing.T) {
	const people = 2000
	d := New(nil, "desk", desktest.NewSim(1), Options{})
	d.roster = newRoster()
	all := make([]*work, people)
	for i := range all {
		a := &directory.Action{Op: directory.Create, Kind: directory.UserRecord, Record: fmt.Sprintf("hr/%d", i)}
		all[i] = &work{Action: a, subject: directory.Subject(a.Kind, a.Record), kind: d.kind(a.Kind)}
		d.roster.put(&known{subject: all[i].subject, kind: a.Kind, pending: a.Op})
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, w := range all {
		if !d.guarded(w, Creations) {
			t.Fatalf("%s is made", w.subject)
		}
	}

	d.holdAll(&d.state)
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 20<<20 {
		t.Errorf("%d MB for %d that are held", n>>20, people)
	}
	if h := d.state.Held; h == nil || h.Counts["user"]["create"] != people {
		t.Errorf("held: %+v", h)
	}
}

// Who is written again and again is known to be linked once.
func TestLinkedOnce(t *testing.T) {
	r := newRoster()
	for range 3 {
		r.put(&known{subject: "user/hr/1", kind: directory.UserRecord, id: "7"})
	}
	if n := len(r.linked[directory.UserRecord]); n != 1 {
		t.Errorf("it is there %d times", n)
	}
}

// What was approved stays so when the guard holds something else before all of it is done; that is a question of its own, whose end
// does not end what was approved.
func TestHoldLeavesWhatWasApproved(t *testing.T) {
	now := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	d := New(nil, "desk", desktest.NewSim(1), Options{Now: func() time.Time { return now }})
	user := directory.UserRecord
	left := func(what string, creations, deactivations int) {
		t.Helper()
		if c, g := d.left(user, Creations), d.left(user, Deactivations); c != creations || g != deactivations {
			t.Errorf("%s: %d creations and %d deactivations are left, want %d and %d", what, c, g, creations, deactivations)
		}
	}
	approve := func() {
		t.Helper()
		hash := d.state.Held.Hash
		for range 2 { // the second time it is approved already
			if !approveHeld(&d.state, hash, now) {
				t.Fatal("not approved, or not twice")
			}
		}
	}
	d.hold(&d.state, user, Creations, "create 5 users in a day; the limit is 2", []string{"1", "2", "3", "4", "5"})
	left("held", 0, 0)
	approve()
	left("approved", 5, 0)
	if !spend(&d.state, user, Creations, now) {
		t.Error("not spent")
	}
	d.hold(&d.state, user, Deactivations, "deactivate 3 users in a day; the limit is 2", []string{"6", "7", "8"})
	left("something else is held", 4, 0)
	if len(d.state.Held.Counts["user"]) != 1 {
		t.Errorf("asked again: %v", d.state.Held.Counts)
	}
	approve()
	left("both", 4, 3)
	d.hold(&d.state, user, Overwrites, "overwrite 3 users in a day; the limit is 2", []string{"9"})
	d.state.Held = nil // thrown away
	left("thrown away", 4, 3)
	now = now.Add(allowed)
	left("too late", 0, 0)
	d.hold(&d.state, user, Deactivations, "deactivate 1 users in a day; the limit is 0", []string{"6"})
	approve()
	left("after that", 0, 1)
	// As versions before left it.
	d.state.Granted, d.state.Held = nil, &store.HeldWork{Hash: "x", Approved: "x", Since: now, Counts: map[string]map[string]int{"user": {"create": 2}}}
	left("of a version before", 2, 0)
	d.hold(&d.state, user, Deactivations, "deactivate 1 users in a day; the limit is 0", []string{"6"})
	left("of a version before, and something else is held", 2, 0)
}
