package entra

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"dirsyncd/connectors/internal/rest"
)

// PaceOptions say how much of the service a Pace may use.
type PaceOptions struct {
	// Share is the part of the quota that may be used, in percent; 0 is 50. The rest is left to the other
	// programs that use the same application in the same tenant, and to retries, which count as well.
	Share int
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Sleep waits; nil is a timer.
	Sleep func(ctx context.Context, d time.Duration) error
}

// Pace keeps the requests of one application in one tenant below the quota that Graph has for the two ("Microsoft
// Graph throttling limits, identity and access": a bucket of resource units, of which most requests cost one to
// three; and 2000 requests in 20 seconds for Intune). It learns what requests really cost, and slows down when the
// service says that it is getting close. It may be used by many goroutines.
type Pace struct {
	o         PaceOptions
	mu        sync.Mutex
	directory bucket
	intune    bucket
}

// Quotas in units per second. A tenant's size is not known at first: the smallest is assumed, which is enough
// for 35,000 users a second.
const (
	smallQuota  = 3500.0 / 10
	mediumQuota = 5000.0 / 10
	largeQuota  = 8000.0 / 10
	intuneQuota = 2000.0 / 20

	// burst is for how many seconds unused units are kept.
	burst = 5.0
	// slowest is the part of the rate below which nothing is slowed down, so that a wrong word of the
	// service never stops everything.
	slowest = 1.0 / 64
)

// NewPace makes a pace.
func NewPace(o PaceOptions) *Pace {
	if o.Share == 0 {
		o.Share = 50
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = rest.Sleep
	}
	share := float64(o.Share) / 100
	return &Pace{o: o, directory: newBucket(smallQuota * share), intune: newBucket(intuneQuota * share)}
}

// Sized tells how many users the tenant has: the quota grows with it.
func (p *Pace) Sized(users int) {
	quota := smallQuota
	switch {
	case users > 500:
		quota = largeQuota
	case users > 50:
		quota = mediumQuota
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.directory.rate = quota * float64(p.o.Share) / 100
}

// Wait implements rest.Pace.
func (p *Pace) Wait(ctx context.Context, req *http.Request) error {
	p.mu.Lock()
	b, cost := p.bucket(req)
	d := b.take(p.o.Now(), cost)
	p.mu.Unlock()
	if d <= 0 {
		return nil
	}
	return p.o.Sleep(ctx, d)
}

// Learn implements rest.Pace.
func (p *Pace) Learn(req *http.Request, status int, header http.Header) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b, cost := p.bucket(req)
	if units, err := strconv.ParseFloat(header.Get("X-Ms-Resource-Unit"), 64); err == nil && units >= 0 && units < 1000 {
		b.level -= units - cost
	}
	b.heed(status, header)
}

// heed looks at the answer to a part of a batch, which comes to Learn as a whole that went well.
func (p *Pace) heed(status int, header http.Header) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.directory.heed(status, header)
}

// nearLimit reports whether an answer says that the limit is near: 0.8 to 1.8 times the limit are told.
func nearLimit(header http.Header) bool {
	near, err := strconv.ParseFloat(header.Get("X-Ms-Throttle-Limit-Percentage"), 64)
	return err == nil && near >= 0.8
}

type unitsKey struct{}

// costing says what a request is thought to cost whose address does not tell.
func costing(ctx context.Context, units int) context.Context {
	return context.WithValue(ctx, unitsKey{}, units)
}

// bucket returns where a request is counted and what it is thought to cost. The caller holds the lock.
func (p *Pace) bucket(req *http.Request) (*bucket, float64) {
	if strings.Contains(req.URL.Path, "/deviceManagement/") {
		return &p.intune, 1
	}
	return &p.directory, cost(req)
}

// cost estimates the resource units of a request: the base cost, one less for $select, one more for $expand, at
// least one.
func cost(req *http.Request) float64 {
	if units, ok := req.Context().Value(unitsKey{}).(int); ok {
		return float64(units)
	}
	n := 1.0
	switch path := req.URL.Path; {
	case strings.HasSuffix(path, "/users"), strings.Contains(path, "/users/delta"):
		n = 2
	case strings.HasSuffix(path, "/members"), strings.HasSuffix(path, "/subscribedSkus"), strings.HasSuffix(path, "/contracts"):
		n = 3
	}
	query := req.URL.RawQuery
	if strings.Contains(query, "select=") {
		n--
	}
	if strings.Contains(query, "expand=") {
		n++
	}
	return max(n, 1)
}

// bucket is a token bucket that may go below zero: what is taken is never refused, only waited for.
type bucket struct {
	rate   float64 // per second
	factor float64 // of the rate, learned
	level  float64
	at     time.Time
}

func newBucket(rate float64) bucket { return bucket{rate: rate, factor: 1, level: rate * burst} }

// heed makes the bucket fill slower or faster after an answer.
func (b *bucket) heed(status int, header http.Header) {
	switch {
	case status == http.StatusTooManyRequests:
		b.factor = max(slowest, b.factor/2)
	case nearLimit(header):
		b.factor = max(slowest, b.factor*0.9)
	case status/100 == 2:
		b.factor = min(1, b.factor+0.01)
	}
}

// take takes units out and returns how long to wait until they are there.
func (b *bucket) take(now time.Time, units float64) time.Duration {
	rate := b.rate * b.factor
	if !b.at.IsZero() && now.After(b.at) {
		b.level += now.Sub(b.at).Seconds() * rate
	}
	b.level = min(b.level, b.rate*burst)
	b.at = now
	b.level -= units
	if b.level >= 0 {
		return 0
	}
	return time.Duration(-b.level / rate * float64(time.Second))
}
