package desk

import (
	"testing"
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/targets/desktest"
)

// Another address is another place, though its ids may be the same: links hold only where our mark is found.
func TestAnotherPlace(t *testing.T) {
	scene(t, func(o *Options) { o.Freely = false }, func(t *testing.T, w *world) {
		w.put(directory.UserRecord, "u1", "login=a")
		w.put(directory.UserRecord, "u2", "login=b")
		w.run()
		w.approve()
		w.rest(time.Minute)
		first, second := w.person("user/hq/u1"), w.person("user/hq/u2")
		w.stop()

		other := desktest.NewSim(2)
		second.Person = "user/hq/u2"
		other.Add(second) // it was taken along
		other.Add(desktest.Thing{Kind: directory.UserRecord, ID: first.ID, Person: "somebody", Active: true, Fields: map[string]string{"login": "z"}})
		other.Freeze()
		w.sim, w.opts.Place = other, "https://other.example"
		w.put(directory.UserRecord, "u1", "login=a", "title=Boss")
		w.put(directory.UserRecord, "u2", "login=b", "title=Chief")
		w.stop = nil
		w.run()
		if n := other.Counts().Writes; n != 0 || w.waits()["guard"] != 2 {
			t.Fatalf("%d writes, waits %v", n, w.waits())
		}
		w.approve()
		w.rest(time.Minute)
		check(t, w)
		if got := w.fields("user/hq/u1") + ", " + w.fields("user/hq/u2"); got != "login=a title=Boss, login=b title=Chief" {
			t.Error(got)
		}
	})
}

// Other keys are asked about again; links stay.
func TestOtherKeys(t *testing.T) {
	scene(t, func(o *Options) { o.Freely = false }, func(t *testing.T, w *world) {
		w.put(directory.UserRecord, "u1", "login=a")
		w.run()
		w.approve()
		w.rest(time.Minute)
		w.stop()
		w.opts.Matching, w.stop = "2", nil
		w.put(directory.UserRecord, "u1", "login=a", "title=Boss")
		w.put(directory.UserRecord, "u2", "login=b")
		w.run()
		if n := w.sim.Counts().Writes; n != 1 {
			t.Errorf("%d writes", n)
		}
		w.approve()
		w.rest(time.Minute)
		if n := w.sim.Counts().Writes; n != 3 || len(w.waits()) > 0 {
			t.Errorf("%d writes, waits %v", n, w.waits())
		}
	})
}

// A first contact in which something else would happen by the time that it is approved is held again; a place that does not show
// everything is not met at all.
func TestFirstContactChanges(t *testing.T) {
	scene(t, func(o *Options) { o.Freely = false }, func(t *testing.T, w *world) {
		w.sim.Set(func(f *desktest.Faults) { f.WrongCount = true })
		w.put(directory.UserRecord, "u1", "login=a")
		w.put(directory.UserRecord, "u2", "login=b")
		w.run()
		if w.approve() {
			t.Fatal("it was met")
		}
		w.sim.Mend()
		w.rest(2 * time.Hour)
		first, _, err := w.desk.Held(t.Context())
		if err != nil || first == nil {
			t.Fatal("nothing is held", err)
		}
		w.stop()
		w.sim.Add(there("login=a")) // somebody made her meanwhile
		w.start()
		w.rest(time.Minute)
		w.approve()
		w.rest(time.Minute)
		if _, _, err := w.desk.Held(t.Context()); err != nil || w.sim.Counts().Writes != 0 && len(w.sim.Things(directory.UserRecord)) != 2 {
			t.Errorf("%+v", w.sim.Things(directory.UserRecord))
		}
		w.approve()
		w.rest(time.Minute)
		check(t, w)
		w.person("user/hq/u1")
	})
}
