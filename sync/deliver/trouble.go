package deliver

import (
	"context"
	"log/slog"
	"time"

	"dirsyncd/sync/fault"
)

// trouble is why the whole target is left alone for a while.
type trouble struct {
	attempts int
	err      error
	next     time.Time
}

// resting reports whether the whole target is left alone at the moment.
func (w *Worker) resting() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.trouble != nil && w.opts.Now().Before(w.trouble.next)
}

// nextTry returns when the earliest back-off ends.
func (w *Worker) nextTry() time.Time {
	if w.resting() {
		return w.snapshot().trouble.next
	}
	var next time.Time
	for _, p := range w.parts {
		for _, h := range p.holds {
			if next.IsZero() || h.next.Before(next) {
				next = h.next
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
	old, t := w.trouble, &trouble{attempts: 1, err: err}
	if old == nil {
		w.since = now
	} else {
		t.attempts = old.attempts + 1
	}
	t.next = now.Add(w.opts.Backoff.wait(t.attempts, err))
	if old != nil && now.Before(old.next) {
		// Another call of the same attempt: it counts once, and the longer wait holds.
		t.attempts, t.next = old.attempts, later(old.next, now.Add(min(fault.After(err), longestTold)))
	}
	w.trouble = t
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
		"class", string(class), "err", err, "attempts", t.attempts, "retry_in", t.next.Sub(now).Round(time.Millisecond))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// heal notes that the target takes actions.
func (w *Worker) heal() {
	now := w.opts.Now()
	w.streak, w.accepted = 0, now
	w.mu.Lock()
	was, since := w.trouble, w.since
	if was != nil {
		w.trouble, w.since, w.healed = nil, now, now
	}
	w.mu.Unlock()
	if was != nil {
		w.opts.Log.Info("target recovered", "failing_for", now.Sub(since).Round(time.Second), "attempts", was.attempts)
	}
}
