package deliver

import (
	"context"
	"errors"
	"time"

	"dirsyncd/store"
)

// Among all processes that share a store one delivers to a target: two would send the same actions, each in an order of its own. The
// right to is a lease of the store. A worker takes it before its first sweep and keeps it until it is closed. Who lost it, because the process stood still for too long or could not reach the store, cuts what is under
// way and forgets what it remembers of the target: somebody else has delivered meanwhile.

const (
	// tenureTime is how long whoever delivers may stand still before somebody else takes over.
	tenureTime = 10 * time.Second
	// othersEvery is how often a Drain looks whether another process has delivered what waits.
	othersEvery = 200 * time.Millisecond
	// othersQueued is how often a worker looks for what other processes have queued.
	othersQueued = time.Second
)

// tenure is a worker's right to deliver.
type tenure struct {
	asking chan struct{} // held by whoever asks for the lease or looks at it
	// held is the context of the lease; nil before the first one.
	held  context.Context
	leave func()
	// swept is the lease of the last sweep; owned by whoever holds the worker's mutex.
	swept context.Context
}

// hold waits for the right to deliver, until ctx ends or the worker is closed. What is stored under the context that it returns is
// fenced. The error is that of ctx or of the store, or ErrClosed.
func (w *Worker) hold(ctx context.Context) (context.Context, error) {
	if !w.opts.Shared {
		return ctx, nil
	}
	if err := w.yield(ctx); err != nil {
		return nil, err
	}
	t := &w.tenure
	if w.opts.Elsewhere {
		select {
		case <-w.life.Done():
			return nil, ErrClosed
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	select {
	case t.asking <- struct{}{}:
		defer func() { <-t.asking }()
	case <-w.life.Done():
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if t.held != nil && t.held.Err() == nil {
		return t.held, nil
	}
	if w.life.Err() != nil {
		return nil, ErrClosed
	}
	t.letGo()
	life, end := context.WithCancel(w.life) // not ctx: the lease outlives whoever asked for it
	stop := context.AfterFunc(ctx, end)
	held, release, err := w.store.Lease(life, "deliver "+w.name, tenureTime)
	if err == nil {
		t.held, t.leave = held, func() { release(); end() }
	}
	if !stop() { // ctx has ended it
		if err == nil {
			t.letGo()
		}
		end()
		return nil, ctx.Err()
	}
	if err != nil {
		end()
		return nil, err
	}
	return held, nil
}

// letGo gives the lease back, if there is one.
func (t *tenure) letGo() {
	if t.leave != nil {
		t.leave()
		t.leave = nil
	}
}

// yields reports whether others are to deliver.
func (w *Worker) yields() bool { return w.opts.Shared && w.opts.Yields != nil && w.opts.Yields() }

// yield lets others deliver for as long as this process is to leave it to them: what is under way comes to its end first.
func (w *Worker) yield(ctx context.Context) error {
	for w.yields() {
		if err := w.lock(ctx); err != nil {
			return err
		}
		select {
		case w.tenure.asking <- struct{}{}:
			if w.tenure.leave != nil {
				w.opts.Log.Info("others deliver to the target from now on: this process takes no work, and another one does")
			}
			w.tenure.letGo()
			<-w.tenure.asking
		default: // who asks for the lease does not have it
		}
		w.unlock()
		if !w.sleep(ctx, w.opts.Now().Add(othersQueued)) {
			return ctx.Err()
		}
	}
	return nil
}

// endTenure lets others deliver. The worker is closed.
func (w *Worker) endTenure() {
	w.tenure.asking <- struct{}{}
	w.tenure.letGo()
	<-w.tenure.asking
}

// takeOver forgets what an earlier lease than this one left: others delivered since. The caller has the mutex.
func (w *Worker) takeOver(held context.Context) {
	if !w.opts.Shared {
		return
	}
	if was := w.tenure.swept; was != nil && was != held {
		w.forget()
	}
	w.tenure.swept = held
}

// sweepUnder begins a sweep under a lease: what it does ends with that, and with ctx. The caller has the mutex.
func (w *Worker) sweepUnder(ctx, held context.Context) (_ context.Context, done func()) {
	if !w.opts.Shared {
		return ctx, func() {}
	}
	sweeping, cancel := context.WithCancelCause(held)
	stop := context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
	return sweeping, func() { stop(); cancel(nil) }
}

// overtaken reports whether a sweep's context ended because somebody else may deliver now.
func overtaken(ctx context.Context) bool {
	return errors.Is(context.Cause(ctx), store.ErrLeaseLost)
}

// forget makes what the worker remembers that of a new one: others delivered since. The caller has the mutex.
func (w *Worker) forget() {
	w.parts, w.turns = map[store.Partition]*partition{}, nil
	w.waits, w.memory = waits{}, memoryOfOutage{}
	w.streak, w.refusals, w.tookAny = 0, 0, false
	w.mu.Lock()
	defer w.mu.Unlock()
	w.outage, w.trouble = nil, nil
}

// othersDeliver waits for the right to deliver, for no longer than Options.Patience, and for no longer than another process needs to
// deliver all that waits. It reports whether this worker has it then.
func (w *Worker) othersDeliver(ctx context.Context) (mine bool, err error) {
	if !w.opts.Shared {
		return true, nil
	}
	for end := time.Now().Add(w.opts.Patience); ; {
		waiting, cancel := context.WithTimeout(ctx, othersEvery)
		_, err := w.hold(waiting)
		patient := waiting.Err() != nil && ctx.Err() == nil
		cancel()
		if !patient || err == nil {
			return !errors.Is(err, ErrClosed), nil // what is wrong with the store the sweep finds, too
		}
		st, err := w.Status(ctx)
		if err != nil || st.Waiting == 0 || time.Now().After(end) {
			return false, err
		}
	}
}
