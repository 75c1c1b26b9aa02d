package deliver

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
)

// answer is what one Deliver call came to.
type answer struct {
	call  int // the number of the call
	batch []*entry
	// partitions are those of the batch, each once.
	partitions []*partition
	work       []targets.Delivery // what was handed over
	outcomes   []targets.Outcome
	wakes      int // how often something had been woken when the call began
	err        error
	took       time.Duration
}

// deliver makes one Deliver call; what it hands over is in the memory of work. A panic of the target is an error like any other: it must not take the
// other targets with it.
func (w *Worker) deliver(ctx context.Context, call int, batch []*entry, work []targets.Delivery) (a answer) {
	a.call, a.batch = call, batch
	a.work = slices.Grow(work, len(batch))
	for i, e := range batch {
		if i == 0 || e.from != batch[i-1].from {
			a.partitions = append(a.partitions, e.from)
		}
	}
	start := w.opts.Now()
	defer func() {
		if cause := recover(); cause != nil {
			a.outcomes, a.work, a.err = nil, nil, w.panicked(cause)
		}
		a.took = w.opts.Now().Sub(start)
	}()
	ctx, cancel := context.WithTimeout(ctx, w.opts.Timeout)
	defer cancel()
	for _, e := range batch {
		a.work = append(a.work, targets.Delivery{Action: *e.action, Again: e.again})
	}
	a.outcomes, a.err = w.target.Deliver(ctx, a.work)
	if a.err == nil && len(a.outcomes) != len(batch) {
		a.err = &fault.Error{
			Class: fault.Internal, Op: "deliver", Hint: "this is a defect: please report it",
			Err: fmt.Errorf("the target answered %d outcomes for %d actions", len(a.outcomes), len(batch)),
		}
	}
	return a
}

// withGrace returns a context for calls, which ends a while after ctx, and at once when somebody else delivers now.
func (w *Worker) withGrace(ctx context.Context) (_ context.Context, cut func()) {
	lasting, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		if overtaken(ctx) {
			cancel()
			return
		}
		timer := time.NewTimer(w.opts.Grace)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel()
		case <-lasting.Done():
		}
	})
	return lasting, func() { stop(); cancel() }
}

// panicked logs where a target panicked and classifies it. Only the text of the runtime's own errors is
// kept: any other value may hold personal data.
func (w *Worker) panicked(cause any) error {
	err := fmt.Errorf("the target panicked with a %T", cause)
	if r, ok := cause.(runtime.Error); ok {
		err = fmt.Errorf("the target panicked: %w", r)
	}
	w.opts.Log.Error("target panicked", "err", err, "stack", string(debug.Stack()))
	return &fault.Error{Class: fault.Internal, Op: "deliver", Err: err, Hint: "this is a defect: please report it"}
}
