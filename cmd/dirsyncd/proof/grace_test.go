package proof

import (
	"testing"
	"time"

	"dirsyncd/sync/mapping"
)

// TestKilledWhenGraceEnds does the same as TestKilledAnywhere when time is all that changes: somebody leaves, and thirty days later
// their record is deleted, once, wherever the program was stopped.
func TestKilledWhenGraceEnds(t *testing.T) {
	t.Parallel()
	const days = 30 * 24 * time.Hour
	w := worlds()["files"](t)
	s := &sweep{t: t, world: w, place: newDesk(), rules: everythingWith(t, mapping.Leaver{Do: mapping.DeactivateLeavers, DeleteAfter: days})}
	s.run()
	w.leave(t)
	s.stage++
	s.run()
	told := len(s.place.keys)
	for _, later := range []time.Duration{days - time.Hour, days + time.Hour} {
		s.later = later
		s.stage++
		s.run()
		if got := len(s.place.keys) - told; later < days && got != 0 || later > days && got == 0 {
			t.Errorf("after %v: %d things more are told", later, got)
		}
	}
	t.Logf("%d points", s.points)
}
