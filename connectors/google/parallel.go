package google

import (
	"context"
	"sync"

	"dirsyncd/sync/fault"
)

// orderedParallel fetches n things with several requests on their way at once, and hands them over one after the other in
// their order, on the caller's goroutine. No more than parallel results wait at any time. The first error, of either
// function, ends it; when it returns, none of its goroutines is left.
func orderedParallel[T any](ctx context.Context, n, parallel int, fetch func(ctx context.Context, i int) (T, error), take func(i int, v T) error) error {
	type result struct {
		value T
		err   error
	}
	inner, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	results := make([]chan result, n)
	start := func(i int) {
		results[i] = make(chan result, 1)
		wg.Go(func() {
			var r result
			defer func() { results[i] <- r }()
			defer fault.Recover("read", &r.err)
			r.value, r.err = fetch(inner, i)
		})
	}
	for i := range min(n, parallel) {
		start(i)
	}
	for i := range n {
		r := <-results[i]
		results[i] = nil
		if r.err != nil {
			return r.err
		}
		if err := take(i, r.value); err != nil {
			return err
		}
		if next := i + parallel; next < n {
			start(next)
		}
	}
	return nil
}
