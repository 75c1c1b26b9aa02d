package deliver

import (
	"cmp"
	"context"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
)

// State is a target's state in one word.
type State string

// The states.
const (
	Idle    State = "idle"    // nothing waits
	OK      State = "ok"      // actions wait or are under way
	Failing State = "failing" // the target takes nothing at the moment
)

// Status is how a target does.
type Status struct {
	State State     `json:"state"`
	Since time.Time `json:"since"` // when it began or stopped to fail, or when the worker was made
	// Error and Class say why the target fails; Hint what to do about it.
	Error string `json:"error,omitempty"`
	Class string `json:"class,omitempty"`
	Hint  string `json:"hint,omitempty"`
	// Attempts failed in a row; NextTry is when the next one is due.
	Attempts int       `json:"attempts,omitempty"`
	NextTry  time.Time `json:"next_try,omitzero"`
	// Waiting actions, and when the oldest of them was queued.
	Waiting int       `json:"waiting"`
	Oldest  time.Time `json:"oldest,omitzero"`
	// Waits are the actions that the target said have to wait, by cause; they are not among Waiting.
	Waits map[targets.Cause]int `json:"waits,omitempty"`
}

// Status reads how many actions wait, and says how the target does.
func (w *Worker) Status(ctx context.Context) (Status, error) {
	var st Status
	parts, err := w.store.Waiting(ctx, w.name)
	if err != nil {
		return st, err
	}
	for _, p := range parts {
		err := w.store.View(ctx, p, func(tx store.Reader) error {
			depth, oldest, err := tx.OutboxDepth(w.name)
			if err != nil {
				return err
			}
			st.Waiting += depth
			if depth > 0 && (st.Oldest.IsZero() || oldest.Before(st.Oldest)) {
				st.Oldest = oldest
			}
			return nil
		})
		if err != nil {
			return st, err
		}
	}
	if err := w.countWaits(ctx, &st); err != nil {
		return st, err
	}
	now := w.snapshot()
	st.Since = now.since
	failing := cmp.Or(now.trouble, now.outage)
	switch {
	case failing != nil:
		st.State = Failing
		st.Error, st.Class = failing.err.Error(), string(fault.ClassOf(failing.err))
		st.Hint, st.Attempts, st.NextTry = fault.Hint(failing.err), failing.attempts, failing.next
	case st.Waiting > 0:
		st.State = OK
	default:
		st.State = Idle
	}
	return st, nil
}

// moment is the part of a worker's state that others may look at.
type moment struct {
	outage  *outage
	trouble *outage
	since   time.Time
	counts  Counts
}

func (w *Worker) snapshot() moment {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := moment{since: w.since, counts: w.counts}
	m.outage, m.trouble = w.outage.copied(), w.trouble.copied()
	return m
}
