package service

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/connectortest/memory"
)

// Changes that come close together are one run, and many of them are not too many.
func TestDebounce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		changed := make(chan struct{}, 1)
		var runs []time.Duration
		began := time.Now()
		go debounce(ctx, changed, func() { runs = append(runs, time.Since(began)) }, func() time.Duration { return changePause })
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
		if len(runs) < 4 || len(runs) > 5 || runs[0] != debounceFor {
			t.Errorf("runs at %v", runs)
		}
		for i := 1; i < len(runs); i++ {
			if runs[i]-runs[i-1] < changePause {
				t.Errorf("two runs within %s: %v", runs[i]-runs[i-1], runs)
			}
		}
	})
}

// Tenants that appear are watched without a restart, those that are gone no longer, and one that is not to be watched
// ends nothing.
func TestWatchFollowsTheTenants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &watched{ids: []string{"a", "quiet"}}
		w := newWatchers(slog.New(slog.DiscardHandler), nil)
		ctx, stop := context.WithCancel(t.Context())
		over := make(chan struct{})
		go func() {
			w.watch(ctx, "forest", source)
			close(over)
		}()
		for _, step := range [][]string{{"a", "quiet"}, {"a", "b", "quiet"}, {"b"}, {"b", "a"}} {
			source.set(step)
			time.Sleep(relistAfter + time.Minute)
			synctest.Wait()
			slices.Sort(step)
			if got := source.watching(); !slices.Equal(got, slices.DeleteFunc(step, func(id string) bool { return id == "quiet" })) {
				t.Errorf("watching %v, want %v", got, step)
			}
		}
		stop()
		<-over
		if got := source.watching(); len(got) > 0 {
			t.Errorf("after the end: %v", got)
		}
		source.set([]string{"quiet"})
		w.watch(t.Context(), "forest", source) // ends by itself
	})
}

// TestIdleWatch: a source that goes on telling of changes which come to nothing is listened to less and less, and at once
// again when something comes.
func TestIdleWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatchers(slog.New(slog.DiscardHandler), nil)
		changed := make(chan struct{}, 1)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var something atomic.Bool
		var runs atomic.Int64
		go debounce(ctx, changed, func() {
			runs.Add(1)
			w.ran("hq", "", !something.Load())
		}, func() time.Duration { return w.pause("hq") })
		hour := func() int64 {
			before := runs.Load()
			for range 3600 {
				select {
				case changed <- struct{}{}:
				default:
				}
				time.Sleep(time.Second)
			}
			return runs.Load() - before
		}
		if first, second := hour(), hour(); first > 20 || second > 12 || second < 10 {
			t.Errorf("%d and %d runs in an hour in which nothing was found", first, second)
		}
		something.Store(true)
		if n := hour(); n < 250 {
			t.Errorf("%d runs in an hour with changes", n)
		}
	})
}

// watched is a source with tenants that can all be watched but quiet.
type watched struct {
	*memory.Connector
	mu   sync.Mutex
	ids  []string
	live []string
}

func (w *watched) set(ids []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ids = ids
}

func (w *watched) watching() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(slices.Values(w.live))
}

func (w *watched) Tenants(context.Context) (list []connectors.Tenant, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range w.ids {
		list = append(list, connectors.Tenant{ID: id})
	}
	return list, nil
}

func (w *watched) Watch(ctx context.Context, t connectors.Tenant, _ func()) error {
	if t.ID == "quiet" {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if slices.Contains(w.live, t.ID) {
		return errors.New("watched twice")
	}
	w.live = append(w.live, t.ID)
	w.mu.Unlock()
	<-ctx.Done()
	w.mu.Lock()
	w.live = slices.DeleteFunc(w.live, func(id string) bool { return id == t.ID })
	return ctx.Err()
}
