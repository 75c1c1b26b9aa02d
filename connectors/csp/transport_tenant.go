package csp

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"dirsyncd/sync/rest"
)

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
