// Package deliver empties the outbox into the targets: one Worker per target, so that a slow or dead target
// stops nobody else. Delivery is at least once, in order per record, under an idempotency key that never
// changes once an action may have been sent.
//
// Waiting actions of one record are folded into one. The transaction that folds them also claims them; from
// then on they are final, so that after a kill exactly the same is sent again. An action leaves the outbox
// in the transaction that records the target's answer, and in no other.
package deliver

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/targets"
)

// Options adjust a Worker. The zero value means the defaults.
type Options struct {
	// Log takes one line per parked action and per change of the target's state. Default: discarded.
	Log *slog.Logger
	// Now is the clock; timers follow the real one. Default time.Now.
	Now func() time.Time
	// Backoff is how long to wait after failures, of the target and of single records.
	Backoff Backoff
	// GiveUp is how long a single record's action is tried again before it is parked, counted from when it
	// was queued or the target last recovered. An outage of the whole target never parks. Default 24 h.
	GiveUp time.Duration
	// Timeout ends a Deliver call that takes longer. Default 5 min.
	Timeout time.Duration
	// Patience is how long Drain waits in all for back-offs to end. Default 10 s.
	Patience time.Duration
	// Metrics is told what happens. Default: nobody.
	Metrics Metrics
}

// Worker delivers to one target, for all partitions. Its methods may be called concurrently.
type Worker struct {
	store  store.Store
	name   string
	target targets.Target
	opts   Options
	batch  int
	lanes  int // Deliver calls at a time
	window int // actions claimed at a time

	wake chan struct{}
	turn chan struct{} // held during a pass; a channel, so that waiting for it can be cut

	// The rest of the pass's state; owned by whoever holds turn.
	parts     map[store.Partition]*partition
	streak    int       // records in a row that failed by themselves
	accepted  time.Time // when the target last took an action
	recovered time.Time // when the target last recovered

	mu     sync.Mutex // guards the fields below, which Status and Drain read beside a pass
	outage *outage
	since  time.Time // when the state last changed
	counts Counts
}

// partition is what the worker knows of one partition beside its outbox.
type partition struct {
	store.Partition
	backoffs map[string]*recordBackoff // by subject
}

// recordBackoff keeps the actions of one record back after one of them failed by itself.
type recordBackoff struct {
	attempts int
	first    time.Time // of the failures
	next     time.Time
}

// Sizes of what is in memory and in one transaction.
const (
	smallestWindow = 1000
	largestWindow  = 8000
	windowBytes    = 16 << 20
	// maxBackoffs bounds the records of a partition that wait by themselves: with so many, something is wrong
	// with the target, and no further ones are tried.
	maxBackoffs = 1000
)

// New makes a worker for the target with this name in the configuration. The store and the target stay the
// caller's.
func New(st store.Store, name string, target targets.Target, opts Options) *Worker {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Metrics == nil {
		opts.Metrics = noMetrics{}
	}
	opts.GiveUp = orDefault(opts.GiveUp, 24*time.Hour)
	opts.Timeout = orDefault(opts.Timeout, 5*time.Minute)
	opts.Patience = orDefault(opts.Patience, 10*time.Second)
	opts.Backoff = opts.Backoff.withDefaults()
	opts.Log = opts.Log.With("target", name)

	d := target.Describe()
	w := &Worker{
		store: st, name: name, target: target, opts: opts,
		batch: max(d.Batch, 1), lanes: max(d.Parallel, 1),
		wake: make(chan struct{}, 1), turn: make(chan struct{}, 1),
		parts: map[store.Partition]*partition{}, since: opts.Now(),
	}
	w.window = min(max(4*w.batch*w.lanes, smallestWindow), largestWindow)
	return w
}

func orDefault(d, def time.Duration) time.Duration {
	if d <= 0 {
		return def
	}
	return d
}

// Wake tells a running worker that actions were queued. It never blocks. A target in back-off stays in it.
func (w *Worker) Wake() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Retry ends every back-off: somebody believes that the cause is mended.
func (w *Worker) Retry(ctx context.Context) error {
	if err := w.takeTurn(ctx); err != nil {
		return err
	}
	for _, p := range w.parts {
		for _, b := range p.backoffs {
			b.next = time.Time{}
		}
	}
	w.mu.Lock()
	if w.outage != nil {
		w.outage.next = time.Time{}
	}
	w.mu.Unlock()
	w.giveTurn()
	w.Wake()
	return nil
}

// Run delivers until the context ends, and returns nil then. What the target took by that time is recorded
// before Run returns.
func (w *Worker) Run(ctx context.Context) error {
	for {
		next, err := w.pass(ctx)
		if err != nil {
			return nil //nolint:nilerr // the only error is the end of the context, which is how Run ends
		}
		if !w.sleep(ctx, next) {
			return nil
		}
	}
}

// sleep waits until the time, if there is one, or until somebody wakes the worker. It returns false when the
// context ended.
func (w *Worker) sleep(ctx context.Context, until time.Time) bool {
	var due <-chan time.Time
	if !until.IsZero() {
		timer := time.NewTimer(until.Sub(w.opts.Now()))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-ctx.Done():
		return false
	case <-w.wake:
	case <-due:
	}
	return true
}

// Summary is what a Drain came to.
type Summary struct {
	Counts
	// Waiting is how many actions are left.
	Waiting int
	// Err is why the target takes none at the moment, or nil.
	Err error
}

// Counts returns what the worker has done since it was made.
func (w *Worker) Counts() Counts { return w.snapshot().counts }

// Drain delivers until nothing waits, or until what waits has to wait beyond Options.Patience from now on. The error
// is the end of the context or a failure to read the store; that the target fails is in the Summary. Drain may
// run beside Run; the two take turns, and the summary counts what both did meanwhile.
func (w *Worker) Drain(ctx context.Context) (Summary, error) {
	start, until := w.snapshot().counts, w.opts.Now().Add(w.opts.Patience)
	for {
		next, err := w.pass(ctx)
		if err != nil {
			return Summary{}, err
		}
		if next.IsZero() || next.After(until) {
			break
		}
		if !w.sleep(ctx, next) {
			return Summary{}, ctx.Err()
		}
	}
	st, err := w.Status(ctx)
	if err != nil {
		return Summary{}, err
	}
	now := w.snapshot()
	sum := Summary{Counts: now.counts.Minus(start), Waiting: st.Waiting}
	if now.outage != nil {
		sum.Err = now.outage.err
	}
	return sum, nil
}

func (w *Worker) takeTurn(ctx context.Context) error {
	select {
	case w.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *Worker) giveTurn() { <-w.turn }

// pass delivers all that can be delivered now. It returns when the next attempt at the rest is due, or the
// zero time when nothing waits for a time. The error is the end of the context.
func (w *Worker) pass(ctx context.Context) (time.Time, error) {
	if err := w.takeTurn(ctx); err != nil {
		return time.Time{}, err
	}
	defer w.giveTurn()
	for more := true; more && !w.resting(); {
		var err error
		if more, err = w.round(ctx); err != nil {
			if ctx.Err() != nil {
				return time.Time{}, ctx.Err()
			}
			w.fail(err)
		}
	}
	if ctx.Err() != nil {
		return time.Time{}, ctx.Err()
	}
	return w.nextTry(), nil
}

// round gives every partition a turn and reports whether one of them has more to deliver.
func (w *Worker) round(ctx context.Context) (more bool, err error) {
	parts, err := w.store.Partitions(ctx)
	if err != nil {
		return false, err
	}
	for _, key := range parts {
		if ctx.Err() != nil || w.resting() {
			return false, ctx.Err()
		}
		p := w.parts[key]
		if p == nil {
			p = &partition{Partition: key, backoffs: map[string]*recordBackoff{}}
			w.parts[key] = p
		}
		left, err := w.work(ctx, p)
		if err != nil {
			return false, err
		}
		more = more || left
	}
	return more, nil
}

// windowsPerTurn is how much one partition may deliver before the others are looked at.
const windowsPerTurn = 16

// work delivers from one partition, window by window; what became of one window is recorded in the
// transaction that claims the next. It reports whether the turn ended before the outbox did.
func (w *Worker) work(ctx context.Context, p *partition) (more bool, err error) {
	if ready, err := w.ready(ctx, p); err != nil || !ready {
		return false, err
	}
	var done []verdict
	for range windowsPerTurn {
		entries, err := w.commitAndClaim(ctx, p, done, true)
		if err != nil {
			return false, err
		}
		if len(entries) == 0 {
			return false, nil
		}
		if done, err = w.send(ctx, p, entries); err != nil {
			return false, err
		}
		if ctx.Err() != nil || w.resting() {
			return false, w.record(ctx, p, done)
		}
	}
	return true, w.record(ctx, p, done)
}

// record stores verdicts even when the context has ended: the target has answered.
func (w *Worker) record(ctx context.Context, p *partition, done []verdict) error {
	if len(done) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	_, err := w.commitAndClaim(ctx, p, done, false)
	return err
}
