package engine

import (
	"context"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/settle"
)

// History is how long it is kept what was sent, and how much of it for each tenant. What is zero is the default.
type History struct {
	Off   bool
	Age   time.Duration
	Bytes int64
}

// What is kept of what was sent where nobody said how long and how much.
const (
	HistoryAge   = 90 * 24 * time.Hour
	HistoryBytes = 64 << 20
)

// keep is how much is kept at a time.
func (h History) keep(now time.Time) settle.Keep {
	if h.Age == 0 {
		h.Age = HistoryAge
	}
	if h.Bytes == 0 {
		h.Bytes = HistoryBytes
	}
	return settle.Keep{Off: h.Off, Before: now.UTC().Add(-h.Age).Format(runTime), Bytes: h.Bytes}
}

// tooMuch reports whether more is kept of what was sent than is to be. An undo that was cut needs it still.
func (r *run) tooMuch(tx store.Reader) (bool, error) {
	if r.state.Undoing != nil {
		return false, nil
	}
	keep := r.keepAtEnd()
	first, _, size, err := tx.ActionsKept()
	return first != "" && (first < keep.Before || size > keep.Bytes), err
}

func (r *run) keepAtEnd() settle.Keep {
	keep := r.conn.History.keep(r.rec.Ended)
	if keep.Off {
		keep.Before, keep.Bytes = "~", 0 // behind all names
	}
	return keep
}

// forgetOld forgets what is too old of what was sent. It is no news of the run, so it is not stored for that.
func (r *run) forgetOld(ctx context.Context) error {
	if !r.forgets {
		return nil
	}
	keep := r.keepAtEnd()
	return r.engine.store.Update(ctx, r.part, func(tx store.Writer) error { return tx.ForgetActions(keep.Before, keep.Bytes) })
}

// runBegan is when a run began, by its name; zero for a name of another form.
func runBegan(run string) time.Time {
	at, _ := time.Parse(runTime, run[:min(len(run), len(runTime))])
	return at
}
