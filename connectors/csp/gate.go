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

// gate limits how many requests are under way at the same time, over all tenants. A request counts from when it is
// sent until its answer was read, unless it waits for the answer for much longer than is usual: those that hang must
// not keep the others waiting. How many those are is limited by how many tenants are read at once. It may be used by
// many goroutines.
type gate struct {
	below    http.RoundTripper
	slots    chan struct{}
	patience patience.Patience // until an answer begins
}

// firstWait is how long a request counts before there was an answer to any.
const firstWait = 250 * time.Millisecond

func newGate(below http.RoundTripper, parallel int) *gate {
	return &gate{
		below: below, slots: make(chan struct{}, parallel),
		patience: patience.Patience{First: firstWait, Least: 50 * time.Millisecond, Most: 5 * time.Second, Over: 32},
	}
}

// RoundTrip implements http.RoundTripper.
func (g *gate) RoundTrip(req *http.Request) (*http.Response, error) {
	release, err := take(g.slots, req)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	hangs := time.AfterFunc(g.patience.Limit(), release)
	resp, err := holdingOn(release, g.below, req)
	hangs.Stop()
	if err == nil {
		g.patience.Learn(time.Since(began))
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

// lane is the road of one tenant through the gate. It holds few of the gate's slots, and when the service takes the
// tenant's requests and never answers, the lane is closed for a while, and after that leads around the gate until
// there is an answer: so a tenant that hangs costs the others nothing. It may be used by many goroutines.
type lane struct {
	gate  *gate
	slots chan struct{}
	now   func() time.Time

	mu     sync.Mutex
	closed time.Time // until then
	hung   bool      // the last request was left without an answer
}

const (
	// perTenant is how many requests of one tenant may be under way.
	perTenant = 2
	// closedFor is how long a lane stays closed.
	closedFor = 2 * time.Minute
)

func newLane(g *gate, now func() time.Time) *lane {
	return &lane{gate: g, slots: make(chan struct{}, perTenant), now: now}
}

// RoundTrip implements http.RoundTripper.
func (l *lane) RoundTrip(req *http.Request) (*http.Response, error) {
	l.mu.Lock()
	shut, hung := l.now().Before(l.closed), l.hung
	l.mu.Unlock()
	if shut {
		return nil, fmt.Errorf("the service has left this tenant's last request without an answer; it is asked again after %s: %w", closedFor, rest.ErrNotSent)
	}
	release, err := take(l.slots, req)
	if err != nil {
		return nil, err
	}
	var below http.RoundTripper = l.gate
	if hung {
		below = l.gate.below
	}
	resp, err := holdingOn(release, below, req)
	var slow net.Error
	switch {
	case err == nil:
		l.note(time.Time{}, false)
	case req.Context().Err() == nil && errors.As(err, &slow) && slow.Timeout():
		l.note(l.now().Add(closedFor), true)
	}
	return resp, err
}

func (l *lane) note(closed time.Time, hung bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed, l.hung = closed, hung
}
