package deliver

import (
	"context"
	"log/slog"
	"time"

	"dirsyncd/sync/fault"
)

// outage is why the whole target is left alone for a while.
type outage struct {
	attempts int
	err      error
	next     time.Time
}

// resting reports whether the whole target is left alone at the moment.
func (w *Worker) resting() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.outage != nil && w.opts.Now().Before(w.outage.next)
}

// nextTry returns when the earliest back-off ends.
func (w *Worker) nextTry() time.Time {
	if w.resting() {
		return w.snapshot().outage.next
	}
	var next time.Time
	for _, p := range w.parts {
		for _, b := range p.backoffs {
			if next.IsZero() || b.next.Before(next) {
				next = b.next
			}
		}
	}
	return next
}

// fail leaves the target alone for a while. The first failure is logged, and one of another class.
func (w *Worker) fail(err error) {
	now := w.opts.Now()
	class := fault.ClassOf(err)
	w.mu.Lock()
	old, o := w.outage, &outage{attempts: 1, err: err}
	if old == nil {
		w.since = now
	} else {
		o.attempts = old.attempts + 1
	}
	o.next = now.Add(w.opts.Backoff.wait(o.attempts, err))
	if old != nil && now.Before(old.next) {
		// Another call of the same attempt: it counts once, and the longer wait holds.
		o.attempts, o.next = old.attempts, later(old.next, now.Add(min(fault.After(err), longestTold)))
	}
	w.outage = o
	w.mu.Unlock()

	w.streak = 0
	w.opts.Metrics.Failed(class)
	level := slog.LevelWarn
	switch {
	case old != nil && fault.ClassOf(old.err) == class:
		level = slog.LevelDebug
	case !class.Retryable():
		level = slog.LevelError
	}
	w.opts.Log.Log(context.Background(), level, "target failing",
		"class", string(class), "err", err, "attempts", o.attempts, "retry_in", o.next.Sub(now).Round(time.Millisecond))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// succeed notes that the target takes actions.
func (w *Worker) succeed() {
	now := w.opts.Now()
	w.streak, w.accepted = 0, now
	w.mu.Lock()
	was, since := w.outage, w.since
	if was != nil {
		w.outage, w.since, w.recovered = nil, now, now
	}
	w.mu.Unlock()
	if was != nil {
		w.opts.Log.Info("target recovered", "failing_for", now.Sub(since).Round(time.Second), "attempts", was.attempts)
	}
}
