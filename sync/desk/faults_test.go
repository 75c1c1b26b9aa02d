package desk

import (
	"fmt"
	"testing"
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/targets/desktest"
)

// What desks were seen to do beside refusing: nobody becomes two, what belongs to others stays, and a second run writes nothing.
func TestFaults(t *testing.T) {
	for name, c := range map[string]struct {
		fault  func(*desktest.Faults)
		parked int
	}{
		"null is ignored":         {func(f *desktest.Faults) { f.NullIgnored = true }, 0},
		"True, False and 95.0":    {func(f *desktest.Faults) { f.Words = true }, 0},
		"lists are replaced":      {func(f *desktest.Faults) { f.ArrayReplaced = true }, 0},
		"a quota":                 {func(f *desktest.Faults) { f.Quota = 30 }, 0},
		"few members in one":      {func(f *desktest.Faults) { f.MostMembers = 1 }, 1},
		"the clock is ahead":      {func(f *desktest.Faults) { f.ClockOff = 5 * time.Minute }, 0},
		"the clock is behind":     {func(f *desktest.Faults) { f.ClockOff = -5 * time.Minute }, 0},
		"the clock and the index": {func(f *desktest.Faults) { f.ClockOff, f.IndexLag = -5*time.Minute, time.Minute }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			scene(t, func(o *Options) { o.Clear, o.Settle = []string{"title"}, 2*time.Minute }, func(t *testing.T, w *world) {
				for i := range 3 {
					w.sim.Add(desktest.Thing{Kind: directory.UserRecord, Person: fmt.Sprint("foreign", i), Active: true, Fields: map[string]string{"login": fmt.Sprint("f", i), "title": "theirs"}})
				}
				w.sim.Freeze()
				w.sim.Set(c.fault)
				staff(w)
				for i := range 5 {
					w.put(directory.UserRecord, fmt.Sprintf("u%d", i), fmt.Sprintf("login=l%d", i), "title=Engineer", "vip=true", "desk=95", "customer=Acme")
				}
				w.run()
				w.rest(30 * time.Hour)
				w.put(directory.UserRecord, "u0", "login=l0", "title=", "vip=false", "desk=95", "customer=Acme")
				w.put(directory.GroupRecord, "g", "name=Team", "members=u1,u2,u3")
				w.leave(directory.UserRecord, "u4")
				w.run()
				w.rest(30 * time.Hour)
				writes := w.sim.Counts().Writes
				w.run()
				w.stop()
				w.start()
				w.rest(30 * time.Hour)
				if n := w.sim.Counts().Writes - writes; n > 0 {
					t.Errorf("a second run wrote %d", n)
				}
				for _, p := range w.problems(false) {
					t.Error(p)
				}
				if queued, parked := w.queued(); queued > 0 || parked > c.parked {
					t.Errorf("%d queued, %d parked: %q", queued, parked, w.parked())
				}
				if n := len(w.sim.Things(directory.UserRecord)); n != 5+1+3 {
					t.Errorf("%d people", n)
				}
				if _, lines := w.audit(Repair{}); c.parked == 0 && len(lines) > 1 {
					t.Errorf("%q", lines)
				}
			})
		})
	}
}

// A human who makes one of two accounts: the record's thing is the one that is left, and nobody is made.
func TestMerged(t *testing.T) {
	scene(t, nil, func(t *testing.T, w *world) {
		staff(w)
		w.run()
		ours := w.person("user/hq/u1")
		twin := w.sim.Add(desktest.Thing{Kind: directory.UserRecord, Person: "walk-in", Active: true, Fields: map[string]string{"login": "twin"}})
		if !w.sim.Merge(directory.UserRecord, twin, ours.ID) {
			t.Fatal("not merged")
		}
		people := len(w.sim.Things(directory.UserRecord))
		w.put(directory.UserRecord, "u1", "login=l1", "title=Manager", "customer=Acme")
		w.run()
		w.rest(30 * time.Hour)
		if n := len(w.sim.Things(directory.UserRecord)); n != people || w.links()["user/hq/u1"].ID != twin || w.person("user/hq/u1").Fields["title"] != "Manager" {
			t.Errorf("%d people, and not %d: %+v; waits %v", n, people, w.links()["user/hq/u1"], w.waits())
		}
		for _, p := range w.problems(false) {
			t.Error(p)
		}
	})
}
