package desk

import (
	"testing"
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/targets/desktest"
)

// However badly a place searches, a joiner who is there already is found, or a human is asked: never made twice.
func TestBadSearches(t *testing.T) {
	for _, tt := range []struct {
		name   string
		fault  func(*desktest.Faults)
		review bool // a human is asked
	}{
		{"as it should be", func(*desktest.Faults) {}, false},
		{"the filter is ignored", func(f *desktest.Faults) { f.FilterIgnored = true }, false},
		{"case is minded", func(f *desktest.Faults) { f.CaseSensitive = true }, false},
		{"it cannot be searched", func(f *desktest.Faults) { f.CannotFind = []string{"mark", "anchor", "login", "email"} }, false},
		{"it can be searched once", func(f *desktest.Faults) { f.FewFinds = 1 }, false},
		{"it can be searched twice", func(f *desktest.Faults) { f.FewFinds = 2 }, false},
		{"it can be searched three times", func(f *desktest.Faults) { f.FewFinds = 3 }, false},
		{"it can be searched four times", func(f *desktest.Faults) { f.FewFinds = 4 }, false},
		{"it can be searched five times", func(f *desktest.Faults) { f.FewFinds = 5 }, false},
		{"the index is empty", func(f *desktest.Faults) { f.IndexEmpty = true }, false},
		{"lists are short", func(f *desktest.Faults) { f.ShortLists, f.IndexEmpty = true, true }, false},
		{"lists end, and nothing is found", func(f *desktest.Faults) { f.SurveyCap, f.IndexEmpty = 3, true }, true},
		{"rights shrink", func(f *desktest.Faults) { f.RightsShrink, f.IndexEmpty = true, true }, true},
		{"the inactive are hidden", func(f *desktest.Faults) { f.HideInactive = true }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			scene(t, nil, func(t *testing.T, w *world) {
				for _, id := range []string{"p1", "p2", "p3", "p4", "p5"} {
					w.put(directory.UserRecord, id, "login=l"+id, "email="+id+"@x", "name="+id)
				}
				w.run()
				w.rest(time.Hour) // what was surveyed is old
				joiner := there("login=ADA", "email=Ada@x", "name=Ada")
				joiner.Active = tt.name != "the inactive are hidden"
				w.sim.Add(joiner)
				w.sim.Set(tt.fault)
				w.put(directory.UserRecord, "u1", "login=ada", "email=ada@x", "name=Ada")
				w.run()
				p := w.person("user/hq/u1")
				if rs := w.reviews(); (len(rs) == 1) != tt.review || (p.Mark == "") != tt.review {
					t.Errorf("%+v, %+v, parked %q", p, rs, w.parked())
				}
			})
		})
	}
}
