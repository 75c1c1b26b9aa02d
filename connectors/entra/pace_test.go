package entra

import (
	"context"
	"net/http"
	"testing"
	"time"
)

// paceClock is time that passes only by waiting.
type paceClock struct{ at time.Time }

func (c *paceClock) now() time.Time { return c.at }

func (c *paceClock) sleep(_ context.Context, d time.Duration) error {
	c.at = c.at.Add(d)
	return nil
}

func request(t *testing.T, address string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// run sends so many requests and returns how many there were in a second.
func (c *paceClock) run(t *testing.T, p *Pace, req *http.Request, n int) float64 {
	t.Helper()
	began := c.at
	for range n {
		if err := p.Wait(t.Context(), req); err != nil {
			t.Fatal(err)
		}
	}
	return float64(n) / c.at.Sub(began).Seconds()
}

func TestPace(t *testing.T) {
	c := &paceClock{at: time.Unix(1e9, 0)}
	p := NewPace(PaceOptions{Share: 50, Now: c.now, Sleep: c.sleep})
	one := request(t, "https://graph.test/v1.0/users/delta?$select=id")
	c.run(t, p, one, 2000) // the burst
	near := func(what string, got, want float64) {
		t.Helper()
		if got < want*0.9 || got > want*1.1 {
			t.Errorf("%s: %.0f a second, want about %.0f", what, got, want)
		}
	}
	near("half of the smallest quota", c.run(t, p, one, 5000), 175)
	p.SetTenantSize(60)
	near("half of the middle quota", c.run(t, p, one, 5000), 250)
	p.SetTenantSize(100_000)
	near("half of the largest quota", c.run(t, p, one, 5000), 400)
	near("dearer requests", c.run(t, p, request(t, "https://graph.test/v1.0/users?$select=id&$expand=manager"), 5000), 200)
	intune := request(t, "https://graph.test/v1.0/deviceManagement/managedDevices?$select=id")
	c.run(t, p, intune, 300)
	near("Intune", c.run(t, p, intune, 2000), 50)

	c.run(t, p, one, 3000)
	p.Learn(one, http.StatusTooManyRequests, http.Header{})
	near("after a refusal", c.run(t, p, one, 3000), 200)
	for range 200 {
		p.Learn(one, http.StatusOK, http.Header{"X-Ms-Throttle-Limit-Percentage": {"1.2"}})
	}
	if rate := c.run(t, p, one, 100); rate < 5 {
		t.Errorf("%.1f a second: it must not stop", rate)
	}
	for range 200 {
		p.Learn(one, http.StatusOK, http.Header{"X-Ms-Resource-Unit": {"1"}})
	}
	near("recovered", c.run(t, p, one, 5000), 400)
	for range 5000 {
		_ = p.Wait(t.Context(), one)
		p.Learn(one, http.StatusOK, http.Header{"X-Ms-Resource-Unit": {"2"}})
	}
	began := c.at
	for range 5000 {
		_ = p.Wait(t.Context(), one)
		p.Learn(one, http.StatusOK, http.Header{"X-Ms-Resource-Unit": {"2"}})
	}
	near("real cost", 5000/c.at.Sub(began).Seconds(), 200)
	for _, odd := range []string{"", "NaN", "-1", "x", "1e300"} {
		p.Learn(one, http.StatusOK, http.Header{"X-Ms-Resource-Unit": {odd}, "X-Ms-Throttle-Limit-Percentage": {odd}})
	}
	if rate := c.run(t, p, one, 2000); rate < 300 {
		t.Errorf("odd headers: %.0f a second", rate)
	}
}
