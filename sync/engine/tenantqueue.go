package engine

import (
	"context"
	"sync"
	"time"

	"dirsyncd/sync/patience"
)

const (
	// tenantsAtOnce is how many tenants of one connection are run at the same time.
	tenantsAtOnce = 8
	// slowTenants is how many more may be under way that do not get on.
	slowTenants = 32
	// slowAfter is the longest that a tenant keeps others waiting for its place, quickest the shortest; in between it is
	// measured by what tenants usually need.
	slowAfter, quickest = 250 * time.Millisecond, 25 * time.Millisecond
)

// Queue lets many take turns so that those which hang or fail do not delay the others: one that failed last time, that
// takes long, or that waits by itself, goes on in the slow lane. Those of newTenantQueue are the tenants of a connection,
// those of NewQueue connections.
type Queue struct {
	fast, slow chan struct{}
	patience   patience.Patience // with one in the fast lane
}

// impatient and patientest are how long a connection keeps others waiting for its place, by what connections usually need:
// a server that does not answer is not a long listing.
const (
	impatient   = 15 * time.Second
	patientest  = time.Minute
	slowPerFast = 4 // connections that may be under way and do not get on, for each that does
)

// NewQueue makes a queue in which so many connections are run at a time, beside those that do not get on.
func NewQueue(parallel int) *Queue {
	return &Queue{
		fast: make(chan struct{}, parallel), slow: make(chan struct{}, slowPerFast*parallel),
		patience: patience.Patience{First: patientest, Least: impatient, Most: patientest, Over: 8},
	}
}

// Acquire waits for a place until ctx ends, which is the error then. One that is slow from the start takes a place in the
// slow lane. What it does it must do under the context that comes back; release gives the place back. aside, if it is not nil, is called
// once when it keeps none of those waiting that get on: it is in the slow lane, or waits for that. It must return at once.
func (q *Queue) Acquire(ctx context.Context, slow bool, aside func()) (_ context.Context, release func(), err error) {
	inside, release := q.acquire(ctx, slow, aside)
	if ctx.Err() != nil {
		release()
		return ctx, nil, ctx.Err()
	}
	return inside, release, nil
}

func newTenantQueue() *Queue {
	return &Queue{
		fast: make(chan struct{}, tenantsAtOnce), slow: make(chan struct{}, slowTenants),
		patience: patience.Patience{First: slowAfter, Least: quickest, Most: slowAfter, Over: 8},
	}
}

// acquire is Acquire for those who look at the context themselves.
func (q *Queue) acquire(ctx context.Context, slow bool, aside func()) (_ context.Context, release func()) {
	if aside == nil {
		aside = func() {}
	}
	lane := q.fast
	if slow {
		lane = q.slow
		aside()
	}
	select {
	case lane <- struct{}{}:
	case <-ctx.Done(): // what it does without a place is nothing
		return ctx, func() {}
	}
	if slow {
		return ctx, func() { <-q.slow }
	}
	t := &turn{queue: q, aside: aside, place: q.fast, began: time.Now(), limit: q.patience.Limit()}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.moving = time.AfterFunc(t.limit, t.tooLong)
	return patience.WithWaits(ctx, t.waits), t.release
}

// turn is one tenant's, from the fast lane on.
type turn struct {
	queue  *Queue
	aside  func()
	began  time.Time
	limit  time.Duration
	moving *time.Timer

	mu    sync.Mutex
	place chan struct{} // the lane that it is in; nil when it has left
	// waited: it waited for a pace, or to try again. That is nobody's slowness.
	waited bool
}

// tooLong moves the tenant to the slow lane, or tries to after a while when that is full.
func (t *turn) tooLong() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.place == t.queue.fast && !t.move() {
		t.moving.Reset(t.limit)
	}
}

// waits takes note that the tenant is about to wait by itself. It needs no place in the fast lane for that.
func (t *turn) waits() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waited = true
	if t.place == t.queue.fast {
		t.move()
	}
}

// move changes to the slow lane if there is room. The caller holds the lock.
func (t *turn) move() bool {
	select {
	case t.queue.slow <- struct{}{}:
		<-t.place
		t.place = t.queue.slow
		t.aside()
		return true
	default:
		return false
	}
}

func (t *turn) release() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.moving.Stop()
	if t.place == t.queue.fast && !t.waited {
		t.queue.patience.Learn(time.Since(t.began))
	}
	<-t.place
	t.place = nil
}
