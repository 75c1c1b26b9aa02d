package bolt

import (
	"context"
	"errors"
	"sync"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/fault"
)

// leases are those that are held, by name. One process has the file, so that they need not be in it: none outlives the
// process. A lease itself is what elsewhere is its fencing number: whoever takes over has another one.
type leases struct {
	mu   sync.Mutex
	held map[string]*lease
	now  func() time.Time
}

type lease struct {
	name    string
	ttl     time.Duration
	expires time.Time
	renewal *time.Timer
	// writing: a transaction under it is not over. Nobody takes it over meanwhile, even when its holder gave it back.
	writing, released bool
	// free is closed when those who wait may take it.
	free chan struct{}
	end  context.CancelCauseFunc // ends the holder's context
}

// leaseKey is the key of a context's holding of a store.
type leaseKey struct{ s *Store }

// holding is a lease, and those that its context had before.
type holding struct {
	*lease
	outer *holding
}

func (s *Store) holding(ctx context.Context) *holding {
	h, _ := ctx.Value(leaseKey{s}).(*holding)
	return h
}

// Lease implements store.Store. Whoever holds a lease is alive, since the process is: one is overtaken only when the
// process stood still for longer than ttl.
func (s *Store) Lease(ctx context.Context, name string, ttl time.Duration) (context.Context, func(), error) {
	outer := s.holding(ctx)
	for h := outer; h != nil; h = h.outer {
		if h.name == name {
			return nil, nil, misuse("lease %q is asked for by its holder", name)
		}
	}
	if name == "" || ttl <= 0 {
		return nil, nil, misuse("there is no lease %q for %s", name, ttl)
	}
	mine := &lease{name: name, ttl: ttl, free: make(chan struct{})}
	under, end := context.WithCancelCause(context.WithValue(ctx, leaseKey{s}, &holding{mine, outer}))
	mine.end = end
	for {
		if err := ended(under, "wait for a lease"); err != nil {
			end(nil)
			return nil, nil, err
		}
		free, left := s.leases.take(mine)
		if free == nil {
			return under, func() { s.leases.release(mine) }, nil
		}
		waitFor(ctx, free, left)
	}
}

// waitFor waits until a channel is closed, but no longer than for a time or until the context ends.
func waitFor(ctx context.Context, done <-chan struct{}, left time.Duration) {
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// take takes a lease that nobody holds, or whose holder did not renew it in time. When there is a holder it returns what
// to wait for, and when at the latest it is worth another look.
func (l *leases) take(mine *lease) (free <-chan struct{}, left time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if held := l.held[mine.name]; held != nil {
		left := held.expires.Sub(l.now())
		if held.writing {
			return held.free, held.ttl
		}
		if left > 0 {
			return held.free, left
		}
		held.end(store.ErrLeaseLost)
		l.drop(held)
	}
	if l.held == nil {
		l.held = map[string]*lease{}
	}
	l.held[mine.name] = mine
	mine.expires = l.now().Add(mine.ttl)
	mine.renewal = time.AfterFunc(mine.ttl/3, func() { l.renew(mine) })
	return nil, 0
}

func (l *leases) renew(mine *lease) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[mine.name] == mine {
		mine.expires = l.now().Add(mine.ttl)
		mine.renewal.Reset(mine.ttl / 3)
	}
}

func (l *leases) release(mine *lease) {
	l.mu.Lock()
	defer l.mu.Unlock()
	mine.released = true
	mine.end(nil)
	if !mine.writing {
		l.drop(mine)
	}
}

// drop lets go of a lease, if it is still held.
func (l *leases) drop(mine *lease) {
	if l.held[mine.name] == mine {
		mine.renewal.Stop()
		delete(l.held, mine.name)
		close(mine.free)
	}
}

// fence begins a transaction under the leases of a context, or refuses it when one of them is not held any longer.
// Nobody takes them over before the returned function is called. The caller has the token of the one writer.
func (s *Store) fence(ctx context.Context, op string) (end func(), err error) {
	h := s.holding(ctx)
	if h == nil {
		return func() {}, nil
	}
	l := &s.leases
	l.mu.Lock()
	defer l.mu.Unlock()
	for o := h; o != nil; o = o.outer {
		if l.held[o.name] != o.lease {
			return nil, lost(op)
		}
	}
	for o := h; o != nil; o = o.outer {
		o.writing = true
	}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		for o := h; o != nil; o = o.outer {
			if o.writing = false; o.released {
				l.drop(o.lease)
			}
		}
	}, nil
}

// ended returns why a context has ended; nil when it has not.
func ended(ctx context.Context, op string) error {
	if errors.Is(context.Cause(ctx), store.ErrLeaseLost) {
		return lost(op)
	}
	return ctx.Err()
}

func lost(op string) error {
	return &fault.Error{Class: fault.Conflict, Op: op, Err: store.ErrLeaseLost}
}
