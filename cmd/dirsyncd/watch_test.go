package main

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// Changes that come close together are one run, and many of them are not too many.
func TestFold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		changed := make(chan struct{}, 1)
		var runs []time.Duration
		began := time.Now()
		go fold(ctx, changed, func() { runs = append(runs, time.Since(began)) })
		tell := func() {
			select {
			case changed <- struct{}{}:
			default:
			}
		}
		for range 5 {
			tell()
			time.Sleep(100 * time.Millisecond)
		}
		synctest.Wait()
		time.Sleep(20*time.Second - time.Since(began))
		for range 250 { // a busy 25 seconds
			tell()
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(time.Minute)
		stop()
		synctest.Wait()
		if len(runs) < 4 || len(runs) > 5 || runs[0] != foldFor {
			t.Errorf("runs at %v", runs)
		}
		for i := 1; i < len(runs); i++ {
			if runs[i]-runs[i-1] < changePause {
				t.Errorf("two runs within %s: %v", runs[i]-runs[i-1], runs)
			}
		}
	})
}
