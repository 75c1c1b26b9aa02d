package patience

import "context"

type waitKey struct{}

// WithWaits calls fn whenever something under a context is about to wait by itself: for the pace of a service, or before
// it tries again. fn must return at once and may be called on any goroutine.
func WithWaits(ctx context.Context, fn func()) context.Context {
	return context.WithValue(ctx, waitKey{}, fn)
}

// Waits tells those who share places out that the caller will need none for a while. It is called before every wait that no
// answer of the other side is expected to end; who speaks HTTP does so by waiting with package rest.
func Waits(ctx context.Context) {
	if fn, ok := ctx.Value(waitKey{}).(func()); ok {
		fn()
	}
}
