package okta

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"dirsyncd/sync/rest"
)

const (
	// quotaWindow is how long Okta's rate limits last (Okta, Rate limits). The headers say when one ends, not
	// how long it is.
	quotaWindow = time.Minute
	// longestHold bounds a wait, whatever the headers say.
	longestHold = 2 * quotaWindow
	// burst is the part of the share that may be used at once. The rest is spread over the window, so that a
	// tool that comes later in it still finds its part.
	burst = 0.25
	// margin is on top of what others are expected to need, and slack, a part of the limit, is left to them in
	// any case: what is known of them is always a little old.
	margin, slack = 1.2, 0.05
)

// pace keeps requests within a share of the org's rate limits. Okta counts requests of all tools of an org per
// endpoint and says in every answer how many are left; emptying a bucket stops the customer's other tools, and
// mails the administrators. So:
//
//   - of each limit, no more than the share is used up in a window, and not all of that at its beginning;
//   - what the others have not used yet of their part stays there for them;
//   - others who use more than their part are taken to go on as they did: what they will need until the window
//     ends is left to them as well.
//
// It may be used by many goroutines.
type pace struct {
	share int // percent
	// portion is which part of the share is for this process at present; nil: all of it.
	portion func() float64
	clock   *serverClock
	sleep   func(ctx context.Context, d time.Duration) error

	mu      sync.Mutex
	buckets map[string]*bucket
}

var _ rest.Pace = (*pace)(nil)

// bucket is what is known of one rate limit in its present window.
type bucket struct {
	limit, remaining int
	// sent is how many requests went out in this window from here.
	sent int
	// ends is when the window is over, by the local clock; zero while nothing is known.
	ends time.Time
}

// bucketOf names the limit that a request counts towards: the endpoint, and all that is below one object as one.
// Okta's limits are finer in places; a bucket of ours that covers two of theirs keeps to the scarcer one.
func bucketOf(req *http.Request) string {
	parts := strings.Split(strings.Trim(req.URL.Path, "/"), "/")
	if len(parts) < 4 || parts[0] != "api" {
		return req.Method + " " + req.URL.Path
	}
	return req.Method + " /" + strings.Join(parts[:3], "/") + "/{id}"
}

// Wait implements rest.Pace.
func (p *pace) Wait(ctx context.Context, req *http.Request) error {
	for {
		wait := p.admit(bucketOf(req))
		if wait == 0 {
			return nil
		}
		if err := p.sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// admit counts a request, or returns how long it has to wait.
func (p *pace) admit(name string) time.Duration {
	now, portion := p.clock.local(), 1.0
	if p.portion != nil {
		portion = p.portion()
	}
	if portion <= 0 {
		return rest.PortionPause
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.buckets[name]
	if b == nil || !now.Before(b.ends) {
		return 0 // its answer will tell about the new window
	}
	untilEnd := min(b.ends.Sub(now), longestHold)
	left := min(float64(untilEnd)/float64(quotaWindow), 1)
	mine := max(int(float64(b.limit*p.share/100)*portion), 1) // a limit of a few must not stop everything
	others := max(b.limit-b.remaining-b.sent, 0)
	part := max(float64(mine)*(burst+(1-burst)*(1-left)), 1)
	switch {
	case b.remaining <= 0 || b.sent >= mine:
		return untilEnd
	case others > 0 && float64(b.remaining) <= slack*float64(b.limit)+margin*float64(others)*left/max(1-left, 0.01):
		return min(untilEnd, time.Second)
	case float64(b.sent) >= part:
		return min(untilEnd, max(quotaWindow/time.Duration(mine), 10*time.Millisecond))
	}
	b.sent++
	b.remaining--
	return 0
}

// Learn implements rest.Pace.
func (p *pace) Learn(req *http.Request, status int, header http.Header) {
	limit, err1 := strconv.Atoi(header.Get("X-Rate-Limit-Limit"))
	remaining, err2 := strconv.Atoi(header.Get("X-Rate-Limit-Remaining"))
	wait, ok := untilReset(header, p.clock)
	// A limit of 0 tells of too many requests at once: nothing about this bucket.
	if err1 != nil || err2 != nil || !ok || limit <= 0 {
		return
	}
	if status == http.StatusTooManyRequests {
		remaining = 0 // one token gets a part of the limit only, and the header may speak of the whole
	}
	ends := p.clock.local().Add(wait)
	p.mu.Lock()
	defer p.mu.Unlock()
	name := bucketOf(req)
	b := p.buckets[name]
	switch {
	case b == nil:
		b = &bucket{limit: limit, remaining: remaining, ends: ends, sent: 1}
		p.buckets[name] = b
	case ends.Sub(b.ends).Abs() < quotaWindow/10: // the same window, seen through rounding
		b.limit, b.remaining = limit, min(b.remaining, remaining)
	case ends.After(b.ends):
		*b = bucket{limit: limit, remaining: remaining, ends: ends, sent: 1}
	}
}

// untilReset returns how long the present window lasts, by the two clocks of the answer itself, so that a local
// clock that is wrong does no harm.
func untilReset(h http.Header, clock *serverClock) (time.Duration, bool) {
	reset, err := strconv.ParseInt(strings.TrimSpace(h.Get("X-Rate-Limit-Reset")), 10, 64)
	if err != nil || reset <= 0 {
		return 0, false
	}
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		date = clock.now()
	}
	return min(max(time.Unix(reset, 0).Sub(date), 0), longestHold), true
}
