package engine

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/sync/patience"
)

// TestTenantQueueMovesOn: tenants that take long release their places to others as soon as the slow lane has room, and
// everybody's place comes back.
func TestTenantQueueMovesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newTenantQueue()
		enter := func(slow bool) func() {
			_, release := q.acquire(t.Context(), slow, nil)
			return release
		}
		var slow []func()
		for range slowTenants {
			slow = append(slow, enter(true))
		}
		var fast []func()
		for range tenantsAtOnce {
			fast = append(fast, enter(false))
		}
		entered := make(chan func(), 1)
		go func() { entered <- enter(false) }()
		time.Sleep(10 * slowAfter)
		if len(entered) > 0 {
			t.Fatal("there was no place, and somebody entered")
		}
		slow[0]() // the first of those who wait to move does so the next time
		time.Sleep(slowAfter)
		synctest.Wait()
		if len(entered) == 0 {
			t.Fatal("nobody moved when there was room")
		}
		for _, release := range append(append(slow[1:], fast...), <-entered) {
			release()
		}
		time.Sleep(10 * slowAfter)
		synctest.Wait()
		if len(q.fast)+len(q.slow) != 0 {
			t.Errorf("%d and %d places were not given back", len(q.fast), len(q.slow))
		}
	})
}

// TestTenantQueueLearns: where tenants are quick, one that hangs is told from them soon.
func TestTenantQueueLearns(t *testing.T) {
	for _, c := range []struct{ usual, patience time.Duration }{
		{time.Millisecond, quickest}, {20 * time.Millisecond, 80 * time.Millisecond}, {200 * time.Millisecond, slowAfter},
	} {
		synctest.Test(t, func(t *testing.T) {
			q := newTenantQueue()
			for range 20 {
				_, release := q.acquire(t.Context(), false, nil)
				time.Sleep(c.usual)
				release()
			}
			_, release := q.acquire(t.Context(), false, nil)
			time.Sleep(c.patience - time.Millisecond)
			synctest.Wait()
			early := len(q.slow)
			time.Sleep(2 * time.Millisecond)
			synctest.Wait()
			if early != 0 || len(q.slow) != 1 {
				t.Errorf("usual %s: %d moved before %s, %d after", c.usual, early, c.patience, len(q.slow))
			}
			release()
			if len(q.slow)+len(q.fast) != 0 {
				t.Error("the place was not given back")
			}
		})
	}
}

// TestTenantQueueAndWaits: a tenant that waits for a pace keeps nobody waiting, and teaches nothing about how long tenants take.
func TestTenantQueueAndWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newTenantQueue()
		for range 20 {
			_, release := q.acquire(t.Context(), false, nil)
			time.Sleep(2 * quickest)
			release()
		}
		usual := q.patience.Limit()
		began := time.Now()
		var release []func()
		for range slowTenants + tenantsAtOnce {
			ctx, done := q.acquire(t.Context(), false, nil)
			patience.Waits(ctx)
			release = append(release, done)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("tenants that wait kept others waiting for %s", took)
		}
		time.Sleep(time.Minute) // the last of them found no room in the slow lane
		for _, done := range release {
			done()
		}
		if got := q.patience.Limit(); got != usual {
			t.Errorf("a wait was taken for slowness: %s, and %s before", got, usual)
		}
		if len(q.fast)+len(q.slow) != 0 {
			t.Error("a place was not given back")
		}
		ctx, done := q.acquire(t.Context(), true, nil)
		patience.Waits(ctx)
		done()
		patience.Waits(ctx)
	})
}

// TestRunTellsOfItsWaits: a run that waits before it tries a stream again gives its place to others at once.
func TestRunTellsOfItsWaits(t *testing.T) {
	r := newRig(t)
	for i := range 12 {
		r.add(fmt.Sprintf("%02d", i), "P")
	}
	told, slept := 0, 0
	r.engine.opts.Sleep = func(ctx context.Context, _ time.Duration) error {
		if slept++; told != slept {
			t.Errorf("wait number %d came before it was told", slept)
		}
		return ctx.Err()
	}
	r.conn.Source = &brokenOnce{world: r.world}
	r.engine.Run(patience.WithWaits(t.Context(), func() { told++ }), r.conn, connectors.Tenant{}, Job{})
	if slept != 1 {
		t.Errorf("%d waits", slept)
	}
}
