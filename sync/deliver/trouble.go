package deliver

import (
	"context"
	"time"
)

// Trouble of the store is none of the target's: that the target takes what is sent does not end it. Who cannot record
// an answer keeps it in memory, sends nothing more, and tries to record it again after a wait of its own. So a full
// disk does not make one action arrive twice, let alone again and again.

// storeRests reports whether the store is left alone after a failure, and until when.
func (w *Worker) storeRests() (until time.Time, rests bool) {
	trouble := w.snapshot().trouble
	if trouble == nil || !w.opts.Now().Before(trouble.next) {
		return time.Time{}, false
	}
	return trouble.next, true
}

// storeSaid takes what a sweep met at the store; nil is that all went well.
func (w *Worker) storeSaid(err error) {
	now := w.opts.Now()
	w.mu.Lock()
	old := w.trouble
	w.trouble = nil
	if err != nil {
		w.trouble = w.prolong(old, err)
	}
	if (old == nil) != (err == nil) {
		w.since = now
	}
	trouble := w.trouble.copied()
	w.mu.Unlock()
	switch {
	case trouble != nil:
		log := w.opts.Log.With("unrecorded", w.unrecorded())
		log.Log(context.Background(), w.failure(old, trouble), "deliveries cannot be recorded", trouble.attrs(now)...)
	case old != nil:
		w.opts.Log.Info("deliveries are recorded again", "attempts", old.attempts)
	}
}

// unrecorded is how many answers are kept in memory.
func (w *Worker) unrecorded() int {
	n := 0
	for _, p := range w.parts {
		n += len(p.done)
	}
	return n
}
