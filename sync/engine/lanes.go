package engine

import (
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

// lanes let many tenants take turns so that those which hang or fail do not delay the others: a tenant that
// failed last time, or that takes long, goes on in a lane of its own.
type lanes struct {
	fast, slow chan struct{}
	patience   patience.Patience // with a tenant in the fast lane
}

func newLanes() *lanes {
	return &lanes{
		fast: make(chan struct{}, tenantsAtOnce), slow: make(chan struct{}, slowTenants),
		patience: patience.Patience{First: slowAfter, Least: quickest, Most: slowAfter, Over: 8},
	}
}

// enter waits for a place and returns the function that gives it back.
func (l *lanes) enter(slow bool) (leave func()) {
	if slow {
		l.slow <- struct{}{}
		return func() { <-l.slow }
	}
	l.fast <- struct{}{}
	began, limit := time.Now(), l.patience.Limit()
	var mu sync.Mutex
	place := l.fast // nil once it was given back
	mu.Lock()
	defer mu.Unlock()
	var moving *time.Timer
	moving = time.AfterFunc(limit, func() {
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
			moving.Reset(limit)
		}
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		moving.Stop()
		if place == l.fast {
			l.patience.Learn(time.Since(began))
		}
		<-place
		place = nil
	}
}
