package okta

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/sim/oktasim"
	"dirsyncd/sync/fault"
)

// TestRival reads an org while another tool of it works. The other tool must not be refused anything that it
// would have got without us.
func TestRival(t *testing.T) {
	const limit = 100
	for name, tc := range map[string]struct {
		share int
		// rival is how much of the limit the other tool uses in each minute; early, all at once at its beginning,
		// late, all at once at its end, or evenly.
		rival int
		when  string
	}{
		"60 percent, evenly":                       {50, 60, "evenly"},
		"half at once, at the beginning":           {50, 50, "early"},
		"half at once, at the end":                 {50, 50, "late"},
		"60 percent at the end, and a share of 40": {40, 60, "late"},
		"80 percent at once, at the beginning":     {50, 80, "early"},
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t, oktasim.Options{People: 3000, Limits: map[string]int{"/api/v1/users": limit}}, func(c *Config) { c.Share = tc.share })
			b.conn.pageSize = 10 // some 300 requests: six windows at least
			r := &rival{bench: b, per: tc.rival, when: tc.when}
			b.conn = reopenWith(t, b, r)
			b.conn.pageSize = 10
			r.act()
			began := b.clock.now()
			b.full(streamUsers)
			if r.refused > 0 || b.org.Refused() > 0 {
				t.Errorf("in %s the rival was refused %d of %d, we %d", b.clock.now().Sub(began), r.refused, r.asked, b.org.Refused())
			}
			took := b.clock.now().Sub(began)
			if most := 10 * time.Minute; took > most && tc.rival < 80 {
				t.Errorf("it took %s, want at most %s", took, most)
			}
			t.Logf("%s for %d requests beside %d of the rival", took, b.org.Requests()["/api/v1/users"], r.asked)
		})
	}
}

// TestGreedyRival: one that uses everything up is not refused more because of us; the run ends and comes back later.
func TestGreedyRival(t *testing.T) {
	b := start(t, oktasim.Options{People: 100, Limits: map[string]int{"/api/v1/users": 100}}, nil)
	r := &rival{bench: b, per: 100, when: "early"}
	b.conn = reopenWith(t, b, r)
	r.act()
	g := b.read(streamUsers, connectors.Full, nil)
	if fault.ClassOf(g.err) != fault.Throttled || r.refused > 1 {
		t.Errorf("the rival was refused %d: %v", r.refused, g.err)
	}
}

// rival is another tool of the org, which acts while we wait.
type rival struct {
	*bench
	per    int
	when   string
	window time.Time
	// used is what it asked for in the present window, asked in all.
	used, asked, refused int
}

// act makes the requests that the rival wants to have made by now in the present window.
func (r *rival) act() {
	const bucket = "/api/v1/users"
	if began, open := r.org.Window(bucket); !open || !began.Equal(r.window) {
		r.used = 0
		if r.window = began; !open {
			r.window = r.clock.now()
		}
	}
	part := r.clock.now().Sub(r.window)
	due := r.per
	switch {
	case r.when == "late" && part < 58*time.Second:
		due = 0
	case r.when == "evenly":
		due = int(float64(r.per) * part.Seconds() / 60)
	}
	if n := due - r.used; n > 0 {
		r.used += n
		r.asked += n
		r.refused += r.org.Rival(bucket, n)
	}
}

// sleep moves the clock in small steps, and lets the rival act in each.
func (r *rival) sleep(ctx context.Context, d time.Duration) error {
	for d > 0 && ctx.Err() == nil {
		step := min(d, 500*time.Millisecond)
		r.clock.advance(step)
		r.act()
		d -= step
	}
	return ctx.Err()
}

// reopenWith opens a connector that waits with the rival, and takes a tenth of a second for each request.
func reopenWith(t *testing.T, b *bench, r *rival) *Connector {
	t.Helper()
	env := b.env
	env.Now = b.clock.now
	env.Observe = func(string, time.Duration, error) { _ = r.sleep(t.Context(), 100*time.Millisecond) }
	env.Sleep = r.sleep
	conn, err := open(b.cfg, env, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func answered(limit, remaining, reset string, date time.Time) http.Header {
	h := http.Header{}
	h.Set("X-Rate-Limit-Limit", limit)
	h.Set("X-Rate-Limit-Remaining", remaining)
	h.Set("X-Rate-Limit-Reset", reset)
	h.Set("Date", date.Format(http.TimeFormat))
	return h
}

// TestPaceHeaders: headers that mean nothing hold nobody back, and none holds anybody back for long.
func TestPaceHeaders(t *testing.T) {
	c := newClock()
	now := c.now()
	in := func(d time.Duration) string { return fmt.Sprint(now.Add(d).Unix()) }
	for name, tc := range map[string]struct {
		header http.Header
		status int
		hold   time.Duration
	}{
		"plenty":               {answered("600", "599", in(time.Minute), now), 200, 0},
		"the share is used":    {answered("600", "300", in(30*time.Second), now), 200, time.Second},
		"nothing is left":      {answered("600", "0", in(30*time.Second), now), 200, 30 * time.Second},
		"refused with some":    {answered("600", "200", in(20*time.Second), now), 429, 20 * time.Second},
		"too many at once":     {answered("0", "0", in(time.Hour), now), 429, 0},
		"a reset in years":     {answered("600", "0", "99999999999", now), 200, 2 * time.Minute},
		"a reset in the past":  {answered("600", "0", in(-time.Hour), now), 200, 0},
		"no number":            {answered("many", "few", "soon", now), 200, 0},
		"a negative limit":     {answered("-5", "0", in(time.Minute), now), 200, 0},
		"nothing":              {http.Header{}, 200, 0},
		"a clock that is fast": {answered("600", "0", fmt.Sprint(now.Add(5*time.Hour+10*time.Second).Unix()), now.Add(5*time.Hour)), 200, 10 * time.Second},
	} {
		clock := &serverClock{local: c.now}
		var slept time.Duration
		p := &pace{share: 50, clock: clock, buckets: map[string]*bucket{}, sleep: func(_ context.Context, d time.Duration) error {
			slept += d
			return errStop
		}}
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://example.okta.com/api/v1/users?limit=200", nil)
		p.Learn(req, tc.status, tc.header)
		err := p.Wait(t.Context(), req)
		if (err == nil) != (tc.hold == 0) || slept != tc.hold {
			t.Errorf("%s: held back for %s, want %s (%v)", name, slept, tc.hold, err)
		}
		other, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://example.okta.com/api/v1/groups", nil)
		if err := p.Wait(t.Context(), other); err != nil {
			t.Errorf("%s: another endpoint is held back", name)
		}
	}
}

var errStop = errors.New("stop")
