package engine

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestTenantQueueMovesOn: tenants that take long release their places to others as soon as the slow lane has room, and
// everybody's place comes back.
func TestTenantQueueMovesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newTenantQueue()
		var slow []func()
		for range slowTenants {
			slow = append(slow, q.acquire(true))
		}
		var fast []func()
		for range tenantsAtOnce {
			fast = append(fast, q.acquire(false))
		}
		entered := make(chan func(), 1)
		go func() { entered <- q.acquire(false) }()
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
				release := q.acquire(false)
				time.Sleep(c.usual)
				release()
			}
			release := q.acquire(false)
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
