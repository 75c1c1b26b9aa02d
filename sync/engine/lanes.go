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

// lanes let many tenants take turns so that those which hang or fail do not delay the others: a tenant that
// failed last time, or that takes long, goes on in a lane of its own.
type lanes struct {
	fast, slow chan struct{}
	// usual is what tenants have needed in the fast lane, in nanoseconds: a moving average, 0 before the first.
	usual atomic.Int64
}

func newLanes() *lanes {
	return &lanes{fast: make(chan struct{}, tenantsAtOnce), slow: make(chan struct{}, slowTenants)}
}

// patience is how long a tenant may keep its place in the fast lane.
func (l *lanes) patience() time.Duration {
	usual := time.Duration(l.usual.Load())
	if usual == 0 {
		return slowAfter
	}
	return min(max(4*usual, quickest), slowAfter)
}

// learn takes the time that a tenant needed into account. Of two that come at once, one may not count.
func (l *lanes) learn(took time.Duration) {
	usual := l.usual.Load()
	if usual == 0 {
		usual = int64(took)
	}
	l.usual.Store(max(usual+(int64(took)-usual)/8, 1))
}

// enter waits for a place and returns the function that gives it back.
func (l *lanes) enter(slow bool) (leave func()) {
	if slow {
		l.slow <- struct{}{}
		return func() { <-l.slow }
	}
	l.fast <- struct{}{}
	began, patience := time.Now(), l.patience()
	var mu sync.Mutex
	place := l.fast // nil once it was given back
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
		case l.slow <- struct{}{}:
			<-place
			place = l.slow
		default: // that lane is full, too: stay for now
			moving.Reset(patience)
		}
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		moving.Stop()
		if place == l.fast {
			l.learn(time.Since(began))
		}
		<-place
		place = nil
	}
}
