package google

import (
	"context"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// pace holds the requests of one subject below its share of the quota. Google counts them per subject and minute
// and says nothing about what is left, so that only counting along helps.
type pace struct {
	limiter *rate.Limiter
	sleep   func(ctx context.Context, d time.Duration) error
}

// Wait implements rest.Pace. Requests for tokens are another service's and are not counted.
func (p *pace) Wait(ctx context.Context, req *http.Request) error {
	if req.Method == http.MethodPost {
		return nil
	}
	turn := p.limiter.Reserve()
	wait := turn.Delay()
	if wait <= 0 {
		return nil
	}
	if err := p.sleep(ctx, wait); err != nil {
		turn.Cancel()
		return err
	}
	return nil
}

// Learn implements rest.Pace. There is nothing to learn: Google sends no such headers.
func (p *pace) Learn(*http.Request, int, http.Header) {}

// paces are the limiters of a connection, one per subject: customers that share a subject share its quota.
type paces struct {
	mu    sync.Mutex
	by    map[string]*pace
	rate  rate.Limit
	burst int
	sleep func(ctx context.Context, d time.Duration) error
}

func (p *paces) of(subject string) *pace {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.by[subject] == nil {
		p.by[subject] = &pace{limiter: rate.NewLimiter(p.rate, p.burst), sleep: p.sleep}
	}
	return p.by[subject]
}
