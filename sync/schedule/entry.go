package schedule

import (
	"reflect"
	"time"

	"github.com/robfig/cron/v3"
)

// Entry is one connection's schedule. Without Incremental and Full it runs only when triggered.
type Entry struct {
	Name string
	// Incremental and Full are schedules of Parse, or nil.
	Incremental, Full cron.Schedule
	// Jitter delays every scheduled run by a random time up to this, so that many do not start at once.
	Jitter time.Duration
}

// stepBack is how far a clock may be set back before the runs of that time are run again. Less is a
// correction, more means that the clock had been wrong.
const stepBack = time.Hour

// timer is one schedule of an entry and when it comes next. All times are of the wall clock.
type timer struct {
	schedule cron.Schedule
	jitter   time.Duration
	due      time.Time // when the schedule comes next; zero: never
	start    time.Time // due and jitter
	last     time.Time // the due time that was last served
}

func (t *timer) set(due time.Time) {
	t.due, t.start = due, Start(due, t.jitter)
}

// restart computes the next time as if there had been none before, except what was served lately.
func (t *timer) restart(now time.Time) {
	if t.schedule == nil {
		return
	}
	_, interval := t.schedule.(cron.ConstantDelaySchedule)
	from := now
	if ahead := t.last.Sub(now); !interval && ahead > 0 && ahead <= stepBack {
		from = t.last
	}
	t.set(t.schedule.Next(from).Round(0))
}

// serve reports whether the time has come, and if so goes on to the next one after now: what was missed in
// between is one run.
func (t *timer) serve(now time.Time) bool {
	if t.due.IsZero() || now.Before(t.start) {
		return false
	}
	t.last = t.due
	t.set(After(t.schedule, t.due, now))
	return true
}

// plan is an entry at work.
type plan struct {
	entry             Entry
	incremental, full timer
}

func newPlan(e Entry, now time.Time) *plan {
	p := &plan{entry: e}
	p.incremental = timer{schedule: e.Incremental, jitter: e.Jitter}
	p.full = timer{schedule: e.Full, jitter: e.Jitter}
	p.restart(now)
	return p
}

func (p *plan) restart(now time.Time) {
	p.incremental.restart(now)
	p.full.restart(now)
}

// serve returns the trigger whose time has come. When both schedules come together, the full one runs.
func (p *plan) serve(now time.Time) (Trigger, bool) {
	incremental, full := p.incremental.serve(now), p.full.serve(now)
	if full {
		return Trigger{Full: true, Cause: CauseFull}, true
	}
	return Trigger{Cause: CauseSchedule}, incremental
}

// next returns when the entry starts next by its schedules; zero when never.
func (p *plan) next() time.Time { return earlier(p.incremental.start, p.full.start) }

func (p *plan) same(e Entry) bool { return reflect.DeepEqual(p.entry, e) }

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
