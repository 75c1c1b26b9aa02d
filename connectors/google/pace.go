package google

import (
	"context"
	"net/http"
	"sync"

	"dirsyncd/connectors"
	"dirsyncd/sync/rest"
)

// pace holds the requests of one subject below its share of the quota. Google counts them per subject and minute
// and says nothing about what is left, so that only counting along helps.
type pace struct{ bucket *rest.Bucket }

// Wait implements rest.Pace. Requests for tokens are another service's and are not counted.
func (p *pace) Wait(ctx context.Context, req *http.Request) error {
	if req.Method == http.MethodPost {
		return nil
	}
	return p.bucket.Take(ctx, 1)
}

// Learn implements rest.Pace. There is nothing to learn: Google sends no such headers.
func (p *pace) Learn(*http.Request, int, http.Header) {}

// paces are those of a connection, one per subject: customers that share a subject share its quota.
type paces struct {
	mu    sync.Mutex
	by    map[string]*pace
	rate  float64 // requests a second
	burst int     // requests
	env   *connectors.Env
}

func (p *paces) of(subject string) *pace {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.by[subject] == nil {
		p.by[subject] = &pace{rest.NewBucket(rest.BucketOptions{
			Rate: p.rate, Burst: float64(p.burst) / p.rate, Portion: p.env.Portion, Now: p.env.Now, Sleep: p.env.Sleep,
		})}
	}
	return p.by[subject]
}
