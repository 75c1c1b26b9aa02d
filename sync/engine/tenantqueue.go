package engine

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// tenantsAtOnce is how many tenants of one connection are run at the same time.
	tenantsAtOnce = 8
	// slowTenants is how many more may be under way that do not get on.
	slowTenants = 32
	// slowAfter is the longest that a tenant keeps others waiting for its place. Where tenants usually need less, it is
	// four times the usual, but not less than quickest: short times vary too much to tell anything.
	slowAfter, quickest = 250 * time.Millisecond, 25 * time.Millisecond
)

// tenantQueue lets many tenants take turns so that those which hang or fail do not delay the others: a tenant that
// failed last time, or that takes long, goes on in a lane of its own.
type tenantQueue struct {
	fast, slow chan struct{}
	// usual is what tenants have needed in the fast lane, in nanoseconds: a moving average, 0 before the first.
	usual atomic.Int64
}

func newTenantQueue() *tenantQueue {
	return &tenantQueue{fast: make(chan struct{}, tenantsAtOnce), slow: make(chan struct{}, slowTenants)}
}

// patience is how long a tenant may keep its place in the fast lane.
func (q *tenantQueue) patience() time.Duration {
	usual := time.Duration(q.usual.Load())
	if usual == 0 {
		return slowAfter
	}
	return min(max(4*usual, quickest), slowAfter)
}

// learn takes the time that a tenant needed into account. Of two that come at once, one may not count.
func (q *tenantQueue) learn(took time.Duration) {
	usual := q.usual.Load()
	if usual == 0 {
		usual = int64(took)
	}
	q.usual.Store(max(usual+(int64(took)-usual)/8, 1))
}

// acquire waits for a place and returns the function that gives it back.
func (q *tenantQueue) acquire(slow bool) (release func()) {
	if slow {
		q.slow <- struct{}{}
		return func() { <-q.slow }
	}
	q.fast <- struct{}{}
	began, patience := time.Now(), q.patience()
	var mu sync.Mutex
	place := q.fast // nil once it was given back
	mu.Lock()
	defer mu.Unlock()
	var moving *time.Timer
	moving = time.AfterFunc(patience, func() {
		mu.Lock()
		defer mu.Unlock()
		if place == nil {
			return
		}
		select {
		case q.slow <- struct{}{}:
			<-place
			place = q.slow
		default: // that lane is full, too: stay for now
			moving.Reset(patience)
		}
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		moving.Stop()
		if place == q.fast {
			q.learn(time.Since(began))
		}
		<-place
		place = nil
	}
}
