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
)

// gate limits how many requests are under way at the same time, over all tenants. A request counts from when it is
// sent until its answer was read. It may be used by many goroutines.
type gate struct {
	below http.RoundTripper
	slots chan struct{}
}

func newGate(below http.RoundTripper, parallel int) *gate {
	return &gate{below, make(chan struct{}, parallel)}
}

// RoundTrip implements http.RoundTripper.
func (g *gate) RoundTrip(req *http.Request) (*http.Response, error) {
	return through(g.slots, g.below, req)
}

// through sends a request while holding a slot. Whoever gets an answer must close its body.
func through(slots chan struct{}, below http.RoundTripper, req *http.Request) (*http.Response, error) {
	select {
	case slots <- struct{}{}:
	case <-req.Context().Done():
		return nil, context.Cause(req.Context())
	}
	resp, err := below.RoundTrip(req)
	if err != nil {
		<-slots
		return nil, err
	}
	resp.Body = &holding{ReadCloser: resp.Body, slots: slots}
	return resp, nil
}

// holding gives its slot back when it is closed.
type holding struct {
	io.ReadCloser
	slots chan struct{}
	once  sync.Once
}

func (h *holding) Close() error {
	err := h.ReadCloser.Close()
	h.once.Do(func() { <-h.slots })
	return err
}

// lane is the road of one tenant through the gate. It holds few of the gate's slots, and when the service takes the
// tenant's requests and never answers, the lane is closed for a while: so a tenant that hangs costs the others
// nothing. It may be used by many goroutines.
type lane struct {
	gate  http.RoundTripper
	slots chan struct{}
	now   func() time.Time

	mu     sync.Mutex
	closed time.Time // until then
}

const (
	// perTenant is how many requests of one tenant may be under way.
	perTenant = 2
	// closedFor is how long a lane stays closed.
	closedFor = 2 * time.Minute
)

func newLane(g http.RoundTripper, now func() time.Time) *lane {
	return &lane{gate: g, slots: make(chan struct{}, perTenant), now: now}
}

// RoundTrip implements http.RoundTripper.
func (l *lane) RoundTrip(req *http.Request) (*http.Response, error) {
	l.mu.Lock()
	shut := l.now().Before(l.closed)
	l.mu.Unlock()
	if shut {
		return nil, fmt.Errorf("the service has left this tenant's last request without an answer; it is asked again after %s", closedFor)
	}
	resp, err := through(l.slots, l.gate, req)
	var slow net.Error
	if err != nil && req.Context().Err() == nil && errors.As(err, &slow) && slow.Timeout() {
		l.mu.Lock()
		l.closed = l.now().Add(closedFor)
		l.mu.Unlock()
	}
	return resp, err
}
