package csp

import (
	"context"
	"net/http"
	"sync"
	"time"

	"dirsyncd/connectors/internal/rest"
)

// partnerPace keeps requests below Partner Center's quota, which is 500 customer and subscription requests in a
// minute ("Partner Center API throttling guidance"), and slows down when the service says that it is too much. It may
// be used by many goroutines.
type partnerPace struct {
	now   func() time.Time
	sleep func(ctx context.Context, d time.Duration) error

	mu     sync.Mutex
	rate   float64 // requests per second
	factor float64 // of the rate, learned
	level  float64
	at     time.Time
}

const (
	partnerQuota = 500.0 / 60
	// partnerBurst is for how many seconds unused requests are kept.
	partnerBurst = 10.0
	// slowest is the part of the rate below which nothing is slowed down.
	slowest = 1.0 / 32
)

func newPartnerPace(share int, now func() time.Time, sleep func(ctx context.Context, d time.Duration) error) *partnerPace {
	if sleep == nil {
		sleep = rest.Sleep
	}
	rate := partnerQuota * float64(share) / 100
	return &partnerPace{now: now, sleep: sleep, rate: rate, factor: 1, level: rate * partnerBurst}
}

// Wait implements rest.Pace.
func (p *partnerPace) Wait(ctx context.Context, _ *http.Request) error {
	p.mu.Lock()
	now := p.now()
	if !p.at.IsZero() && now.After(p.at) {
		p.level += now.Sub(p.at).Seconds() * p.rate * p.factor
	}
	p.at = now
	p.level = min(p.level, p.rate*partnerBurst) - 1
	d := time.Duration(0)
	if p.level < 0 {
		d = time.Duration(-p.level / (p.rate * p.factor) * float64(time.Second))
	}
	p.mu.Unlock()
	if d == 0 {
		return nil
	}
	return p.sleep(ctx, d)
}

// Learn implements rest.Pace.
func (p *partnerPace) Learn(_ *http.Request, status int, _ http.Header) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case status == http.StatusTooManyRequests:
		p.factor = max(slowest, p.factor/2)
	case status/100 == 2:
		p.factor = min(1, p.factor+0.01)
	}
}
