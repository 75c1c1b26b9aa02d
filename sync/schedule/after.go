package schedule

import (
	"math/rand/v2"
	"time"

	"github.com/robfig/cron/v3"
)

// After returns when a schedule comes next that came at due and is served now: what was missed in between is one run. It is zero when
// the schedule does not come again.
func After(s cron.Schedule, due, now time.Time) time.Time {
	next := s.Next(due)
	if !next.After(now) {
		next = s.Next(now)
	}
	return next.Round(0)
}

// Start is when what is due begins: a random time later, up to a jitter.
func Start(due time.Time, jitter time.Duration) time.Time {
	if jitter > 0 && !due.IsZero() {
		due = due.Add(rand.N(jitter + 1))
	}
	return due
}
