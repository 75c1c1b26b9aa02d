package engine

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// However many connections are due at once, no more than so many run, but one that hangs gives way to others, and so does
// one that is known to fail.
func TestQueueOfConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue(4)
		var now, most, ended atomic.Int32
		run := func(took time.Duration, slow bool) {
			_, release, err := q.Acquire(t.Context(), slow)
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
		_, release, err := q.Acquire(t.Context(), false)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				if _, _, err := q.Acquire(ctx, false); !errors.Is(err, context.Canceled) {
					t.Errorf("a place without a place: %v", err)
				}
			})
		}
		synctest.Wait()
		stop()
		all.Wait()
		release()
		if _, _, err := q.Acquire(ctx, false); err == nil {
			t.Error("somebody entered when everything had stopped")
		}
		if len(q.fast) != 0 {
			t.Error("a place was not given back")
		}
	})
}
