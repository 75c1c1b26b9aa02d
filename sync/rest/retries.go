package rest

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/patience"
)

// Retries are the attempts at one piece of work, and the waits between them. The zero value is a beginning. A
// Transport has one for every request; whoever asks for several things in one request has one for what of it is to be
// asked for again. It is used by one goroutine.
type Retries struct {
	// Attempts is how often the work is tried at most; 0 is 5.
	Attempts int
	// Patience is how long it may wait in all between the attempts; 0 is two minutes. A service that asks for
	// more gets it from the engine, which retries the whole stream later.
	Patience time.Duration
	// Sleep waits; nil is a timer.
	Sleep func(ctx context.Context, d time.Duration) error

	failed int
	waited time.Duration
}

// ErrNotSent is in the errors of a Base that did not send a request because the other side has just left one without
// an answer. Until the Base lets requests pass, to try again is of no use.
var ErrNotSent = errors.New("nothing was sent")

// Wait takes the error of an attempt. It returns nil when it is time for another one, and otherwise what the work
// ends with: the same error, because repeating cannot mend it or was tried often enough, or that of the context. It
// waits as long as the other side asked for, or else half of a doubling step and up to the other half by chance: many
// tenants that failed together do not come back together.
func (r *Retries) Wait(ctx context.Context, err error) error {
	if ctxErr := context.Cause(ctx); ctxErr != nil {
		return ctxErr
	}
	r.failed++
	var f *fault.Error
	if !errors.As(err, &f) || !f.Class.Retryable() || errors.Is(err, ErrNotSent) || r.failed >= cmp.Or(r.Attempts, 5) {
		return err
	}
	wait := f.After
	if wait == 0 {
		step := 500 * time.Millisecond << min(r.failed-1, 6)
		wait = step/2 + rand.N(step/2)
	}
	if r.waited += wait; r.waited > cmp.Or(r.Patience, 2*time.Minute) {
		return err
	}
	if r.Sleep == nil {
		return Sleep(ctx, wait)
	}
	return r.Sleep(ctx, wait)
}

// Sleep waits, or returns the cause of the context's end. All waits for a pace and before retries are made with it.
func Sleep(ctx context.Context, d time.Duration) error {
	patience.Waits(ctx)
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
