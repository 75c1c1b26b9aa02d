package engine

import (
	"testing"
	"testing/synctest"
	"time"

	"dirsyncd/connectors"
)

// TestLanesMoveOn: tenants that take long leave their places to others as soon as the slow lane has room, and
// everybody's place comes back.
func TestLanesMoveOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLanes()
		enter := func(slow bool) func() {
			_, leave := l.enter(t.Context(), slow)
			return leave
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
		for _, leave := range append(append(slow[1:], fast...), <-entered) {
			leave()
		}
		time.Sleep(10 * slowAfter)
		synctest.Wait()
		if len(l.fast)+len(l.slow) != 0 {
			t.Errorf("%d and %d places were not given back", len(l.fast), len(l.slow))
		}
	})
}

// TestLanesLearn: where tenants are quick, one that hangs is told from them soon.
func TestLanesLearn(t *testing.T) {
	for _, c := range []struct{ usual, patience time.Duration }{
		{time.Millisecond, quickest}, {20 * time.Millisecond, 80 * time.Millisecond}, {200 * time.Millisecond, slowAfter},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := newLanes()
			for range 20 {
				_, leave := l.enter(t.Context(), false)
				time.Sleep(c.usual)
				leave()
			}
			_, leave := l.enter(t.Context(), false)
			time.Sleep(c.patience - time.Millisecond)
			synctest.Wait()
			early := len(l.slow)
			time.Sleep(2 * time.Millisecond)
			synctest.Wait()
			if early != 0 || len(l.slow) != 1 {
				t.Errorf("usual %s: %d moved before %s, %d after", c.usual, early, c.patience, len(l.slow))
			}
			leave()
			if len(l.slow)+len(l.fast) != 0 {
				t.Error("the place was not given back")
			}
		})
	}
}

// TestLanesWaits: a tenant that waits for a pace keeps nobody waiting, and teaches nothing about how long tenants take.
func TestLanesWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLanes()
		for range 20 {
			_, leave := l.enter(t.Context(), false)
			time.Sleep(2 * quickest)
			leave()
		}
		usual := l.patience.Limit()
		began := time.Now()
		var leave []func()
		for range slowTenants + tenantsAtOnce {
			ctx, done := l.enter(t.Context(), false)
			connectors.Waits(ctx)
			leave = append(leave, done)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("tenants that wait kept others waiting for %s", took)
		}
		time.Sleep(time.Minute) // the last of them found no room in the slow lane
		for _, done := range leave {
			done()
		}
		if got := l.patience.Limit(); got != usual {
			t.Errorf("a wait was taken for slowness: %s, and %s before", got, usual)
		}
		if len(l.fast)+len(l.slow) != 0 {
			t.Error("a place was not given back")
		}
		ctx, done := l.enter(t.Context(), true)
		connectors.Waits(ctx)
		done()
		connectors.Waits(ctx)
	})
}
