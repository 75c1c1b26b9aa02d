package entra

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"dirsyncd/sync/rest"
)

// PaceOptions say how much of the service a Pace may use.
type PaceOptions struct {
	// Share is the part of the quota that may be used, in percent; 0 is 50. The rest is left to the other
	// programs that use the same application in the same tenant, and to retries, which count as well.
	Share int
	// Portion is which part of that is for this process at present; nil: all of it.
	Portion func() float64
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
	share     float64
	directory *rest.Bucket // of resource units
	intune    *rest.Bucket // of requests
}

// Quotas in units per second. A tenant's size is not known at first: the smallest is assumed, which is enough
// for 35,000 users a second.
const (
	smallQuota  = 3500.0 / 10
	mediumQuota = 5000.0 / 10
	largeQuota  = 8000.0 / 10
	intuneQuota = 2000.0 / 20
)

// NewPace makes a pace.
func NewPace(o PaceOptions) *Pace {
	if o.Share == 0 {
		o.Share = 50
	}
	share := float64(o.Share) / 100
	bucket := func(quota float64) *rest.Bucket {
		return rest.NewBucket(rest.BucketOptions{Rate: quota * share, Burst: 5, Slowest: 1.0 / 64, Portion: o.Portion, Now: o.Now, Sleep: o.Sleep})
	}
	return &Pace{share: share, directory: bucket(smallQuota), intune: bucket(intuneQuota)}
}

// SetTenantSize tells how many users the tenant has: the quota grows with it.
func (p *Pace) SetTenantSize(users int) {
	quota := smallQuota
	switch {
	case users > 500:
		quota = largeQuota
	case users > 50:
		quota = mediumQuota
	}
	p.directory.SetRate(quota * p.share)
}

// Wait implements rest.Pace.
func (p *Pace) Wait(ctx context.Context, req *http.Request) error {
	b, cost := p.bucket(req)
	return b.Take(ctx, cost)
}

// Learn implements rest.Pace.
func (p *Pace) Learn(req *http.Request, status int, header http.Header) {
	b, cost := p.bucket(req)
	if units, err := strconv.ParseFloat(header.Get("X-Ms-Resource-Unit"), 64); err == nil && units >= 0 && units < 1000 {
		b.Charge(units - cost)
	}
	b.OnResponse(status, nearLimit(header))
}

// onResponse looks at the answer to a part of a batch, which comes to Learn as a whole that went well.
func (p *Pace) onResponse(status int, header http.Header) {
	p.directory.OnResponse(status, nearLimit(header))
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

// bucket returns where a request is counted and what it is thought to cost.
func (p *Pace) bucket(req *http.Request) (*rest.Bucket, float64) {
	if strings.Contains(req.URL.Path, "/deviceManagement/") {
		return p.intune, 1
	}
	return p.directory, cost(req)
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
