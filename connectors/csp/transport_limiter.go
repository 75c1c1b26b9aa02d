package csp

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"dirsyncd/sync/patience"
)

// concurrencyLimiter limits how many requests are under way at the same time, over all tenants. A request counts from
// when it is sent until its answer was read, unless it waits for the answer for much longer than is usual: those that
// hang must not keep the others waiting. How many those are is limited by how many tenants are read at once. It may be
// used by many goroutines.
type concurrencyLimiter struct {
	below    http.RoundTripper
	slots    chan struct{}
	patience patience.Patience // until an answer begins
}

// firstWait is how long a request counts before there was an answer to any.
const firstWait = 250 * time.Millisecond

func newConcurrencyLimiter(below http.RoundTripper, parallel int) *concurrencyLimiter {
	return &concurrencyLimiter{
		below: below, slots: make(chan struct{}, parallel),
		patience: patience.Patience{First: firstWait, Least: 50 * time.Millisecond, Most: 5 * time.Second, Over: 32},
	}
}

// RoundTrip implements http.RoundTripper.
func (l *concurrencyLimiter) RoundTrip(req *http.Request) (*http.Response, error) {
	release, err := take(l.slots, req)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	hangs := time.AfterFunc(l.patience.Limit(), release)
	resp, err := holdingOn(release, l.below, req)
	hangs.Stop()
	if err == nil {
		l.patience.Learn(time.Since(began))
	}
	return resp, err
}

// take waits for a slot and returns what gives it back, which may be called more than once.
func take(slots chan struct{}, req *http.Request) (release func(), err error) {
	select {
	case slots <- struct{}{}:
		return sync.OnceFunc(func() { <-slots }), nil
	case <-req.Context().Done():
		return nil, context.Cause(req.Context())
	}
}

// holdingOn sends a request and calls release when it has failed or its answer's body is closed, as whoever gets the
// answer must do.
func holdingOn(release func(), below http.RoundTripper, req *http.Request) (*http.Response, error) {
	resp, err := below.RoundTrip(req)
	if err != nil {
		release()
		return nil, err
	}
	resp.Body = &holding{resp.Body, release}
	return resp, nil
}

// holding gives its slot back when it is closed.
type holding struct {
	io.ReadCloser
	release func()
}

func (h *holding) Close() error {
	defer h.release()
	return h.ReadCloser.Close()
}
