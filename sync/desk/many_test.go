package desk

import (
	"flag"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"dirsyncd/sync/directory"
)

var many = flag.Int("many", 2_000, "how many people the first contact of many has")

// The first contact of ten thousand people (-many 10000) costs under two minutes of own time and 200 MB; nearly half of them
// are there already.
func TestManyPeople(t *testing.T) {
	if testing.Short() {
		t.Skip("10,000 people")
	}
	st := openStore(t, statePath(t))
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, st, 1)
		company(w, *many, *many*45/100)
		w.sync()
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		peak := uint64(0)
		requests := 0
		w.sim.Before = func(string) {
			if requests++; requests%500 == 0 {
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				peak = max(peak, m.HeapInuse+m.StackInuse)
			}
		}
		own := cpu()
		w.start()
		w.rest(time.Hour)
		w.approve()
		w.rest(24 * time.Hour)
		took := cpu() - own
		runtime.GC()
		runtime.ReadMemStats(&after)
		t.Logf("%v of own time with the simulator's, peak %d MB of heap in use (of which %d MB before it began, simulator and directory), %d MB live at the end, %+v",
			took, peak>>20, before.HeapInuse>>20, after.HeapAlloc>>20, w.sim.Counts())
		if took > 2*time.Minute {
			t.Errorf("it took %v", took)
		}
		if own := int64(peak) - int64(before.HeapInuse); own > 200<<20 {
			t.Errorf("%d MB", own>>20)
		}
		adopted, made := 0, 0
		for _, l := range w.links() {
			switch {
			case l.Kind != directory.UserRecord || l.ID == "":
			case l.Owner.String() == "adopted":
				adopted++
			default:
				made++
			}
		}
		if adopted != *many*45/100-*many*45/10000 || made != *many*55/100 || len(w.reviews()) != *many*45/10000 {
			t.Errorf("%d adopted, %d made, %d reviews", adopted, made, len(w.reviews()))
		}
		check(t, w)
		w.stop()
	})
}
