package desk

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/targets/desktest"
)

// A place that shows one page only proves nothing about who is there. Where the operator says so, each record is looked up by its
// keys: who is found is adopted, who is not found is made where the place was seen to find by them, and else a human is asked.
func TestByKeys(t *testing.T) {
	for name, c := range map[string]struct {
		keys   bool
		faults func(*desktest.Faults)
		want   string // of the first contact
		made   int
	}{
		"listed":             {false, func(*desktest.Faults) {}, "", 0},
		"by keys":            {true, func(*desktest.Faults) {}, "map[adopt:20 create:10]", 10},
		"cannot be searched": {true, func(f *desktest.Faults) { f.CannotFind = []string{"login", "email"} }, "map[review:25 adopt:5]", 0},
		"finds nobody":       {true, func(f *desktest.Faults) { f.IndexEmpty = true }, "map[review:25 adopt:5]", 0},
		"minds the case":     {true, func(f *desktest.Faults) { f.CaseSensitive = true }, "map[adopt:20 review:10]", 0},
	} {
		t.Run(name, func(t *testing.T) {
			scene(t, func(o *Options) { o.Freely, o.ByKeys = false, c.keys }, func(t *testing.T, w *world) {
				w.opts.Kinds = []directory.RecordKind{directory.UserRecord}
				for i := range 30 {
					login := fmt.Sprintf("l%d", i)
					w.put(directory.UserRecord, login, "login="+login, "name=N")
					if i < 20 {
						w.sim.Add(desktest.Thing{Kind: directory.UserRecord, Person: "user/hq/" + login, Active: true, Fields: map[string]string{"login": login}})
					}
				}
				w.sim.Add(desktest.Thing{Kind: directory.UserRecord, Person: "other", Active: true, Fields: map[string]string{"login": "other"}})
				w.sim.Set(func(f *desktest.Faults) { f.Doubt, f.SurveyCap = true, 5; c.faults(f) })
				time.Sleep(time.Hour)
				w.run()
				first, _, err := w.desk.Held(context.Background())
				if c.want == "" {
					if err := w.desk.Meet(context.Background()); first != nil || err == nil || !strings.Contains(fmt.Sprintf("%+v", err), "ignores what page") {
						t.Errorf("%+v, %v", first, err)
					}
					return
				}
				if err != nil || first == nil || len(first.Counts["user"]) == 0 || !sameCounts(first.Counts["user"], c.want) {
					t.Fatalf("%+v, %v; want %s", first, err, c.want)
				}
				before := len(w.sim.Things(directory.UserRecord))
				if !w.approve() {
					t.Fatal("not approved")
				}
				w.rest(2 * time.Hour)
				if made := len(w.sim.Things(directory.UserRecord)) - before; made != c.made {
					t.Errorf("%d made", made)
				}
				w.put(directory.UserRecord, "late", "login=late", "name=N") // comes when the first contact is over
				w.run()
				if problems := w.sim.Problems(nil); len(problems) > 0 {
					t.Error(problems)
				}
			})
		})
	}
}

func sameCounts(counts map[string]int, want string) bool {
	n := 0
	for what, count := range counts {
		if count > 0 {
			n++
			if !strings.Contains(want, fmt.Sprintf("%s:%d", what, count)) {
				return false
			}
		}
	}
	return n == strings.Count(want, ":")
}
