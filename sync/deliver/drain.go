package deliver

import (
	"cmp"
	"context"
)

// Summary is what a Drain came to.
type Summary struct {
	Counts
	// Waiting is how many actions are left.
	Waiting int
	// Others: another process delivers to the target. What it has delivered is not counted.
	Others bool
	// Err is why the target takes none at the moment, ErrClosed when the worker takes it none any more, or nil.
	Err error
}

// Drain delivers what waits, or what does not have to wait beyond Options.Patience from now on. The error is the end
// of the context or a failure to read the store; that the target fails is in the Summary. Drain may run beside Run;
// the two take turns, and the summary counts what both did meanwhile.
func (w *Worker) Drain(ctx context.Context) (Summary, error) {
	defer w.Wake() // for Run: what came meanwhile, and back-offs that it does not know of
	start, until := w.snapshot().counts, w.opts.Now().Add(w.opts.Patience)
	open, done := w.untilClosed(ctx)
	defer done()
	mine, err := w.othersDeliver(open)
	if ctx.Err() != nil {
		return Summary{}, ctx.Err()
	}
	if err != nil {
		return Summary{}, err
	}
	for mine {
		next, err := w.drainOnce(open, false)
		if ctx.Err() != nil {
			return Summary{}, ctx.Err()
		}
		if err != nil || next.IsZero() || next.After(until) || !w.sleep(open, next) {
			break
		}
	}
	st, err := w.Status(ctx)
	if err != nil {
		return Summary{}, err
	}
	now := w.snapshot()
	sum := Summary{Counts: now.counts.Minus(start), Waiting: st.Waiting, Others: !mine && w.life.Err() == nil}
	if failing := cmp.Or(now.trouble, now.outage); failing != nil {
		sum.Err = failing.err
	}
	if w.life.Err() != nil {
		sum.Err = ErrClosed
	}
	return sum, nil
}
