package csp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"dirsyncd/connectors/internal/rest"
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

// tenantTransport is one tenant's bulkhead and circuit breaker. It takes few of the limiter's slots, and when the service
// takes the tenant's requests and never answers, nothing is sent for a while, and after that past the limiter until
// there is an answer: so a tenant that hangs costs the others nothing. It may be used by many goroutines.
type tenantTransport struct {
	limiter *concurrencyLimiter
	slots   chan struct{}
	now     func() time.Time

	mu        sync.Mutex
	openUntil time.Time // the breaker; nothing is sent until then
	hung      bool      // the last request was left without an answer
}

const (
	// perTenant is how many requests of one tenant may be under way.
	perTenant = 2
	// openFor is how long the breaker stays open.
	openFor = 2 * time.Minute
)

func newTenantTransport(l *concurrencyLimiter, now func() time.Time) *tenantTransport {
	return &tenantTransport{limiter: l, slots: make(chan struct{}, perTenant), now: now}
}

// RoundTrip implements http.RoundTripper.
func (t *tenantTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	t.mu.Lock()
	open, hung := t.now().Before(t.openUntil), t.hung
	t.mu.Unlock()
	if open {
		return nil, fmt.Errorf("the service has left this tenant's last request without an answer; it is asked again after %s: %w", openFor, rest.ErrNotSent)
	}
	release, err := take(t.slots, req)
	if err != nil {
		return nil, err
	}
	var below http.RoundTripper = t.limiter
	if hung {
		below = t.limiter.below
	}
	resp, err := holdingOn(release, below, req)
	var slow net.Error
	switch {
	case err == nil:
		t.record(time.Time{}, false)
	case req.Context().Err() == nil && errors.As(err, &slow) && slow.Timeout():
		t.record(t.now().Add(openFor), true)
	}
	return resp, err
}

func (t *tenantTransport) record(openUntil time.Time, hung bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.openUntil, t.hung = openUntil, hung
}
