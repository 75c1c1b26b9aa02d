package engine

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"dirsyncd/sync/patience"
)

// However many connections are due at once, no more than so many run, but one that hangs gives way to others, and so does
// one that is known to fail.
func TestQueueOfConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue(4)
		var now, most, ended atomic.Int32
		run := func(took time.Duration, slow bool) {
			_, release, err := q.Acquire(t.Context(), slow, nil)
			if err != nil {
				t.Error(err)
				return
			}
			defer release()
			if n := now.Add(1); n > most.Load() {
				most.Store(n)
			}
			time.Sleep(took)
			now.Add(-1)
			ended.Add(1)
		}
		var all sync.WaitGroup
		for range 200 {
			all.Go(func() { run(time.Second, false) })
		}
		all.Wait()
		if most.Load() != 4 {
			t.Errorf("%d connections at a time, want 4", most.Load())
		}

		began := time.Now()
		ended.Store(0)
		for range 6 {
			all.Go(func() { run(time.Hour, false) })
		}
		for range 3 {
			all.Go(func() { run(time.Hour, true) })
		}
		synctest.Wait()
		for range 100 {
			all.Go(func() { run(time.Second, false) })
		}
		time.Sleep(2 * patientest)
		synctest.Wait()
		if ended.Load() != 100 {
			t.Errorf("%d of 100 came through beside servers that hang, after %s", ended.Load(), time.Since(began))
		}
		all.Wait()
		if len(q.fast)+len(q.slow) != 0 {
			t.Errorf("%d and %d places were not given back", len(q.fast), len(q.slow))
		}
	})
}

// Whoever waits for a turn does not when everything stops.
func TestQueueEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue(1)
		_, release, err := q.Acquire(t.Context(), false, nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				if _, _, err := q.Acquire(ctx, false, nil); !errors.Is(err, context.Canceled) {
					t.Errorf("a place without a place: %v", err)
				}
			})
		}
		synctest.Wait()
		stop()
		all.Wait()
		release()
		if _, _, err := q.Acquire(ctx, false, nil); err == nil {
			t.Error("somebody entered when everything had stopped")
		}
		if len(q.fast) != 0 {
			t.Error("a place was not given back")
		}
	})
}

// Who has set a worker's lane apart for a connection hears once that it gives way.
func TestQueueTellsWhoGivesWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue(1)
		for _, test := range []struct {
			what string
			slow bool
			took time.Duration
			want int32
		}{
			{"quick", false, time.Second, 0},
			{"hangs", false, time.Hour, 1},
			{"failed the last time", true, time.Second, 1},
		} {
			var told atomic.Int32
			_, release, err := q.Acquire(t.Context(), test.slow, func() { told.Add(1) })
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(test.took)
			release()
			if told.Load() != test.want {
				t.Errorf("%s: told %d times", test.what, told.Load())
			}
		}
		var told atomic.Int32
		ctx, release, err := q.Acquire(t.Context(), false, func() { told.Add(1) })
		if err != nil {
			t.Fatal(err)
		}
		patience.Waits(ctx)
		patience.Waits(ctx)
		if release(); told.Load() != 1 {
			t.Errorf("waits by itself: told %d times", told.Load())
		}

		var all sync.WaitGroup
		told.Store(0)
		for range 3 * slowPerFast {
			all.Go(func() {
				_, release, err := q.Acquire(t.Context(), true, func() { told.Add(1) })
				if err != nil {
					t.Error(err)
					return
				}
				time.Sleep(time.Hour)
				release()
			})
		}
		synctest.Wait()
		if told.Load() != 3*slowPerFast {
			t.Errorf("%d of %d that failed have given way while most of them wait", told.Load(), 3*slowPerFast)
		}
		all.Wait()
	})
}
