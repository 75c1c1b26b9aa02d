package deliver

import (
	"context"
	"log/slog"
	"time"

	"dirsyncd/sync/fault"
)

// outage is why a target, or one partition at it, is left alone for a while.
type outage struct {
	attempts int
	err      error
	next     time.Time
	// recalled: it was met by a process before this one (recall.go).
	recalled bool
}

func (o *outage) copied() *outage {
	if o == nil {
		return nil
	}
	c := *o
	return &c
}

// resting reports whether the whole target is left alone at the moment.
func (w *Worker) resting() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.outage != nil && w.opts.Now().Before(w.outage.next)
}

// nextTry returns, after a sweep, when the next one is due: when the earliest back-off ends. It is the zero time when
// there is none.
func (w *Worker) nextTry() time.Time {
	now := w.snapshot()
	outage := now.outage
	switch {
	case now.trouble != nil:
		return now.trouble.next
	case outage != nil && (w.resting() || len(w.turns) > 0):
		return outage.next
	case len(w.turns) > 0, w.release(): // all others were tried
		return w.opts.Now()
	}
	var next time.Time
	earlier := func(t time.Time) {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	if due := w.waits.after(w.waits.looked); !due.IsZero() {
		earlier(due)
	}
	for _, p := range w.parts {
		if p.outage != nil {
			earlier(p.outage.next)
			continue
		}
		for _, b := range p.backoffs {
			earlier(b.next)
		}
	}
	return next
}

// prolong returns the outage after one more failure; old is nil for the first one.
func (w *Worker) prolong(old *outage, err error) *outage {
	now := w.opts.Now()
	o := &outage{attempts: 1, err: err}
	if old != nil {
		o.attempts = old.attempts + 1
	}
	o.next = now.Add(w.opts.Backoff.wait(o.attempts, err))
	if old != nil && now.Before(old.next) {
		// Another call of the same attempt: it counts once, and the longer wait holds.
		o.attempts, o.next = old.attempts, later(old.next, now.Add(min(fault.After(err), longestTold)))
	}
	return o
}

// callFailed leaves the target alone for a while, or the one partition that is at fault.
func (w *Worker) callFailed(parts []*partition, err error) {
	if p := parts[0]; len(parts) == 1 && w.ownFault(p) {
		old := p.outage
		p.outage = w.prolong(old, err)
		w.tell(w.opts.Log.With("partition", p.String()), old, p.outage)
	} else {
		w.fail(err)
	}
	w.suspect(parts)
}

// suspect remembers that a call with actions of these partitions failed as a whole.
func (w *Worker) suspect(parts []*partition) {
	for _, p := range parts {
		p.more = true
		if p.failedAt == 0 {
			p.failedAt = w.begun
		}
	}
}

// ownFault reports whether a partition goes on failing while the target takes what was sent after it failed first,
// so that its failures say nothing about the target.
func (w *Worker) ownFault(p *partition) bool { return p.failedAt > 0 && w.taken > p.failedAt }

// fail leaves the target alone for a while.
func (w *Worker) fail(err error) {
	w.mu.Lock()
	old := w.outage
	w.outage = w.prolong(old, err)
	now := *w.outage
	if old == nil {
		w.since = w.opts.Now()
	}
	w.mu.Unlock()
	w.streak = 0
	w.tell(w.opts.Log, old, &now)
}

// tell logs the first failure, and one of another class.
func (w *Worker) tell(log *slog.Logger, old, o *outage) {
	log.Log(context.Background(), w.failure(old, o), "target failing", o.attrs(w.opts.Now())...)
}

// failure counts a failure, and says how loud it is.
func (w *Worker) failure(old, o *outage) slog.Level {
	class := fault.ClassOf(o.err)
	w.opts.Metrics.Failed(class)
	switch {
	case old != nil && fault.ClassOf(old.err) == class:
		return slog.LevelDebug
	case !class.Retryable():
		return slog.LevelError
	default:
		return slog.LevelWarn
	}
}

func (o *outage) attrs(now time.Time) []any {
	return []any{"class", string(fault.ClassOf(o.err)), "err", o.err, "attempts", o.attempts,
		"retry_in", o.next.Sub(now).Round(time.Millisecond)}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// succeed notes that the target takes actions.
func (w *Worker) succeed(call int, done []verdict) {
	now := w.opts.Now()
	w.streak, w.accepted, w.taken = 0, now, max(w.taken, call)
	for _, v := range done {
		if p := v.from; p.outage != nil {
			w.opts.Log.Info("target recovered", "partition", p.String(), "attempts", p.outage.attempts)
		}
		v.from.failedAt, v.from.outage = 0, nil
	}
	w.mu.Lock()
	was, since := w.outage, w.since
	if was != nil {
		w.outage, w.since, w.recovered = nil, now, now
	}
	w.mu.Unlock()
	if was != nil {
		w.release()
		w.opts.Log.Info("target recovered", "failing_for", now.Sub(since).Round(time.Second), "attempts", was.attempts)
	}
}
