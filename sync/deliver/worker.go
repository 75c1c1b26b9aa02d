// Package deliver empties the outbox into the targets: one Worker per target, so that a slow or dead target
// stops nobody else. Delivery is at least once, in order per record, under an idempotency key that never
// changes once an action may have been sent.
//
// Waiting actions of one record are folded into one. The transaction that folds them also claims them; from
// then on they are final, so that after a kill exactly the same is sent again. An action leaves the outbox
// in the transaction that records the target's answer, and in no other.
//
// A worker sleeps and sweeps (worker.go). A sweep goes over the partitions that have something waiting (sweep.go),
// claims a window of actions in a transaction (claim.go), sends it in calls (call.go) and judges the answers
// (verdict.go); what failed waits (outage.go, backoff.go). While the store fails, nothing is sent: see trouble.go. What
// the target itself says has to wait is kept beside the outbox (waits.go).
package deliver

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
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
	// Grace is how long calls that are under way may go on when the context ends or the worker is closed: what is cut is
	// sent again. Default 10 s.
	Grace time.Duration
	// Patience is how long Drain waits in all for back-offs to end. Default 10 s.
	Patience time.Duration
	// Afresh: the target's settings are others than before, so that it failed before says nothing. Otherwise a back-off that a
	// process before this one was in goes on.
	Afresh bool
	// Shared: other processes have workers for the target on the same store. One of them at a time delivers (tenure.go).
	Shared bool
	// Yields reports whether this process leaves delivering to others, of which one is there to take over. It is asked every second, and between
	// two calls. With Shared only; nil: never.
	Yields func() bool
	// Elsewhere: only other processes can reach the target. This worker looks, and waits for them. With Shared only.
	Elsewhere bool
	// Metrics is told what happens. Default: nobody.
	Metrics Metrics
}

// Worker delivers to one target, for all partitions. Its methods may be called concurrently.
type Worker struct {
	store  store.Store
	name   string
	target targets.Target
	waker  targets.Waker // the target, where it is one
	opts   Options
	// What the target says of itself, and what follows from that.
	batch     int
	parallel  int
	across    bool
	ranked    bool
	window    int // actions claimed at a time
	maxPlaces int // partitions at a time that have claimed actions

	wake  chan struct{}
	mutex chan struct{} // held during a sweep; a channel, so that waiting for it can be cut
	queue atomic.Int32  // how many wait for mutex
	// life ends with Close.
	life    context.Context
	end     context.CancelFunc
	closing sync.Once

	tenure tenure

	// What one sweep leaves to the next; owned by whoever holds mutex.
	parts     map[store.Partition]*partition
	spare     []*windowMemory // of windows to come; none between sweeps
	turns     []*partition    // in line, the next one first
	waits     waits
	memory    memoryOfOutage
	streak    int       // records in a row that failed by themselves
	refusals  int       // doubtful ones, of records in a row
	tookAny   bool      // the target has taken something
	begun     int       // calls so far
	taken     int       // the latest call of which the target took something, counted as in begun
	accepted  time.Time // when the target last took something
	recovered time.Time // when the target last recovered
	// What the log was told of parked actions: since when, how many by name, and how many are to be told as a number.
	tellingSince time.Time
	told, untold int

	mu      sync.Mutex // guards the fields below, which Status and Drain read beside a sweep
	woken   woken
	outage  *outage
	trouble *outage   // of the store
	since   time.Time // when the state last changed
	counts  Counts
}

// recordBackoff keeps the actions of one record back after one of them failed by itself.
type recordBackoff struct {
	attempts int
	first    time.Time // of the failures
	next     time.Time
	// behind: the target was at fault when it failed, and others are tried first, so that one that the target takes is
	// found; see release.
	behind bool
}

// maxBackoffs bounds the records of a partition that wait by themselves: with so many, something is wrong with the
// target, and no further ones are tried.
const maxBackoffs = 1000

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
	opts.Grace = orDefault(opts.Grace, 10*time.Second)
	opts.Patience = orDefault(opts.Patience, 10*time.Second)
	opts.Backoff = opts.Backoff.withDefaults()
	opts.Log = opts.Log.With("target", name)

	d := target.Describe()
	w := &Worker{
		store: st, name: name, target: target, opts: opts,
		batch: max(d.Batch, 1), parallel: max(d.Parallel, 1), across: d.AcrossPartitions, ranked: d.Ranked,
		wake: make(chan struct{}, 1), mutex: make(chan struct{}, 1),
		tenure: tenure{asking: make(chan struct{}, 1)},
		parts:  map[store.Partition]*partition{}, since: opts.Now(),
	}
	w.life, w.end = context.WithCancel(context.Background())
	w.window = min(max(4*w.batch*w.parallel, smallestWindow), largestWindow)
	w.maxPlaces = max(2*w.parallel, fewestPlaces)
	if t, ok := target.(targets.Waker); ok {
		w.waker = t
		t.WakeBy(w.WakeWaiting)
	}
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
	if err := w.lock(ctx); errors.Is(err, ErrClosed) {
		return nil
	} else if err != nil {
		return err
	}
	for _, p := range w.parts {
		if p.outage != nil {
			p.outage.next = time.Time{}
		}
		for _, b := range p.backoffs {
			b.next, b.behind = time.Time{}, false
		}
	}
	w.mu.Lock()
	for _, o := range []*outage{w.outage, w.trouble} {
		if o != nil {
			o.next = time.Time{}
		}
	}
	w.mu.Unlock()
	w.unlock()
	w.Wake()
	return nil
}

// ErrClosed is why a Drain was ended by Close.
var ErrClosed = errors.New("the target was set up anew, and what waits is delivered there")

// Close ends Run and every Drain, and those that are yet to come. When it returns the target is left alone for good;
// that may take Options.Grace.
func (w *Worker) Close() {
	w.end()
	w.closing.Do(func() {
		w.mutex <- struct{}{}
		w.endTenure()
	})
}

// untilClosed returns a context that ends with Close, too.
func (w *Worker) untilClosed(ctx context.Context) (_ context.Context, done func()) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(w.life, cancel)
	return ctx, func() { stop(); cancel() }
}

// Run delivers until the context ends or the worker is closed, and returns nil then, after calls that are under way have
// come to their end or Options.Grace is over. What the target took by that time is recorded before Run returns.
func (w *Worker) Run(ctx context.Context) error {
	ctx, done := w.untilClosed(ctx)
	defer done()
	for {
		next, err := w.drainOnce(ctx, true)
		if err != nil {
			return nil //nolint:nilerr // the only error is the end of the context, which is how Run ends
		}
		if w.opts.Shared { // nobody wakes this worker for what another process has queued
			if look := w.opts.Now().Add(othersQueued); next.IsZero() || look.Before(next) {
				next = look
			}
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

// Counts returns what the worker has done since it was made.
func (w *Worker) Counts() Counts { return w.snapshot().counts }

// lock waits for the turn of whoever calls. A closed worker gives none and does not keep anybody waiting.
func (w *Worker) lock(ctx context.Context) error {
	w.queue.Add(1)
	defer w.queue.Add(-1)
	select {
	case w.mutex <- struct{}{}:
		return nil
	case <-w.life.Done():
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *Worker) unlock() { <-w.mutex }

// drainOnce delivers all that can be delivered now, which for a standing sweep includes what comes meanwhile. It
// returns when the next sweep is due, or the zero time when nothing waits for a time. The error is the end of the
// context or of the worker.
func (w *Worker) drainOnce(ctx context.Context, standing bool) (time.Time, error) {
	held, err := w.hold(ctx)
	if errors.Is(err, ErrClosed) {
		return time.Time{}, err
	}
	if err := w.lock(ctx); err != nil {
		return time.Time{}, err
	}
	defer w.unlock()
	if err == nil {
		w.takeOver(held)
	}
	if at, rests := w.storeRests(); rests {
		return at, nil
	}
	if err == nil {
		sweeping, done := w.sweepUnder(ctx, held)
		defer done()
		s := sweep{Worker: w, standing: standing, answers: make(chan answer)}
		err = s.run(sweeping)
		if ctx.Err() == nil && overtaken(sweeping) {
			w.opts.Log.Warn("another process delivers to the target now: this one stood still for too long, or could not reach the state")
			return w.opts.Now(), nil
		}
	}
	if ctx.Err() != nil {
		return time.Time{}, ctx.Err()
	}
	w.storeSaid(err)
	return w.nextTry(), nil
}
