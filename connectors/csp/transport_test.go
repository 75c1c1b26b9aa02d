package csp

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/rest"
)

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// ask sends a request and returns what ends the reading of its answer.
func ask(ctx context.Context, way http.RoundTripper) (done func(), err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://graph.test/", http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := way.RoundTrip(req) //nolint:bodyclose // done closes it
	if err != nil {
		return nil, err
	}
	return func() { _ = resp.Body.Close() }, nil
}

func good(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("{}"))}, nil
}

// TestLimiterHoldsUntilRead: a request counts until its answer was read, and an error gives the slot back.
func TestLimiterHoldsUntilRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newConcurrencyLimiter(roundTrip(good), 1)
		first, err := ask(t.Context(), g)
		if err != nil {
			t.Fatal(err)
		}
		short, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := ask(short, g); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a second request went through: %v", err)
		}
		first()
		first() // twice is once
		second, err := ask(t.Context(), g)
		if err != nil {
			t.Fatal(err)
		}
		second()
		g.below = roundTrip(func(*http.Request) (*http.Response, error) { return nil, io.EOF })
		for range 3 {
			if _, err := ask(t.Context(), g); !errors.Is(err, io.EOF) {
				t.Error(err)
			}
		}
	})
}

type slowError struct{}

func (slowError) Error() string   { return "timeout awaiting response headers" }
func (slowError) Timeout() bool   { return true }
func (slowError) Temporary() bool { return true }

// TestBreakerOpens: after one request without an answer the others fail at once, until it is tried again.
func TestBreakerOpens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := 0
		below := roundTrip(func(r *http.Request) (*http.Response, error) {
			sent++
			if sent == 1 {
				return nil, slowError{}
			}
			return good(r)
		})
		l := newTenantTransport(newConcurrencyLimiter(below, 8), time.Now)
		for range 3 {
			if _, err := ask(t.Context(), l); err == nil {
				t.Error("no error")
			}
		}
		if sent != 1 {
			t.Errorf("%d requests were sent", sent)
		}
		time.Sleep(openFor)
		done, err := ask(t.Context(), l)
		if err != nil {
			t.Fatal(err)
		}
		done()
	})
}

// TestOpenBreakerIsNotRetried: a request that the breaker refuses is not tried again, and what was not sent is not
// counted as a request.
func TestOpenBreakerIsNotRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		requests := 0
		way := rest.NewTransport(rest.Options{
			Base:      newTenantTransport(newConcurrencyLimiter(roundTrip(hanging), 8), time.Now),
			Hosts:     []string{"graph.test"},
			Requested: func(context.Context, string, time.Time, error) { requests++ },
		})
		req := httptest.NewRequest(http.MethodGet, "https://graph.test/", http.NoBody)
		req.Header.Set("Hang", "yes")
		began := time.Now()
		_, err := way.RoundTrip(req) //nolint:bodyclose // it fails
		if took := time.Since(began); fault.ClassOf(err) != fault.Transient || took > time.Minute+time.Second {
			t.Errorf("%v after %s", err, took)
		}
		began = time.Now()
		if _, err := way.RoundTrip(req); fault.ClassOf(err) != fault.Transient || time.Since(began) > 0 { //nolint:bodyclose // it fails
			t.Errorf("%v after %s", err, time.Since(began))
		}
		if requests != 1 {
			t.Errorf("%d requests were counted", requests)
		}
	})
}

// hanging answers a request after a while, and never one that is to hang.
func hanging(r *http.Request) (*http.Response, error) {
	if r.Header.Get("Hang") != "" {
		time.Sleep(time.Minute)
		return nil, slowError{}
	}
	time.Sleep(100 * time.Millisecond)
	return good(r)
}

// TestHangingCostsNobody: requests that hang give their slots to others after a while; those of a tenant that has
// hung before take none.
func TestHangingCostsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newConcurrencyLimiter(roundTrip(hanging), 2)
		send := func(way http.RoundTripper, hang string) {
			req := httptest.NewRequest(http.MethodGet, "https://graph.test/", http.NoBody)
			if req.Header = (http.Header{}); hang != "" {
				req.Header.Set("Hang", hang)
			}
			if resp, err := way.RoundTrip(req); err == nil {
				_ = resp.Body.Close()
			}
		}
		var transports []*tenantTransport
		for range 10 {
			transports = append(transports, newTenantTransport(g, time.Now))
			go send(transports[len(transports)-1], "yes")
		}
		synctest.Wait()
		began := time.Now()
		send(newTenantTransport(g, time.Now), "")
		if took := time.Since(began); took > 5*firstWait+100*time.Millisecond {
			t.Errorf("waited %s for those that hang", took)
		}
		if n := len(g.slots); n != 0 {
			t.Errorf("%d slots are still taken", n)
		}
		time.Sleep(openFor + 2*time.Minute)
		for _, l := range transports {
			go send(l, "yes")
		}
		synctest.Wait()
		began = time.Now()
		send(newTenantTransport(g, time.Now), "")
		if took := time.Since(began); took > 100*time.Millisecond {
			t.Errorf("waited %s for those that hung before", took)
		}
		time.Sleep(openFor + 2*time.Minute)
		send(transports[0], "") // it answers again, and goes through the limiter from now on
		go send(transports[0], "yes")
		synctest.Wait()
		if n := len(g.slots); n != 1 {
			t.Errorf("%d slots are taken by one that answers again", n)
		}
		time.Sleep(2 * time.Minute)
		if n := len(g.slots); n != 0 {
			t.Errorf("%d slots were not given back", n)
		}
	})
}

func TestPartnerPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPartnerPace(50, nil, time.Now, nil)
		began := time.Now()
		for range 500 {
			if err := p.Wait(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			p.Learn(nil, http.StatusOK, nil)
		}
		// Half of 500 in a minute, less what was saved up.
		if took := time.Since(began); took < 105*time.Second || took > 121*time.Second {
			t.Errorf("500 requests in %s", took)
		}
		for range 3 {
			p.Learn(nil, http.StatusTooManyRequests, nil)
		}
		began = time.Now()
		for range 10 {
			_ = p.Wait(t.Context(), nil)
		}
		if took := time.Since(began); took < 15*time.Second {
			t.Errorf("10 requests in %s after being told off", took)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := p.Wait(ctx, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	})
}
