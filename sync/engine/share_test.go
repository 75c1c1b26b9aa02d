package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/sync/plan"
)

// listedSource is a source that counts how often it is listed, and may refuse that.
type listedSource struct {
	*companies
	lists atomic.Int64
	err   error
}

func (c *listedSource) Tenants(ctx context.Context) ([]connectors.Tenant, error) {
	c.lists.Add(1)
	if c.err != nil {
		return nil, c.err
	}
	return c.companies.Tenants(ctx)
}

func newSharers(t *testing.T, tenants, people int) (*crew, *listedSource) {
	c := newCrew(t, tenants, people)
	source := &listedSource{companies: c.source}
	c.conn.Source = source
	return c, source
}

// runShares has the engines run the shares of a round at the same time, in turn. It returns how often each tenant was run, and how many are gone.
func (c *crew) runShares(r Round) (ran map[string]int, gone int) {
	c.Helper()
	results := make([][]Result, r.Shares)
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() {
			results[i] = c.engines[i%len(c.engines)].RunConnection(c.Context(), c.conn, Job{Round: r.Name, Share: Share{Number: i + 1, Of: r.Shares}, Trigger: "schedule"})
		})
	}
	wg.Wait()
	ran = map[string]int{}
	for _, res := range slices.Concat(results...) {
		if res.Err != nil {
			c.Error(res.Err)
		}
		ran[res.Partition.Tenant]++
		gone += res.Run.Counts["user"]["deactivate"]
	}
	return ran, gone
}

func (c *crew) divide(what string, workers, want int) (Round, []Result) {
	c.Helper()
	c.now = c.now.Add(time.Second)
	r, results := c.engines[0].Divide(c.Context(), c.conn, Job{Trigger: "schedule"}, func(context.Context) int { return workers })
	if r.Shares != want || (r.Name != "") != (want > 0) || want > 0 && len(results) > 0 {
		c.Errorf("%s: %+v and %d results, want %d shares", what, r, len(results), want)
	}
	return r, results
}

// TestShares: each tenant is run once in a round, by whoever has its share, also one that is listed no more. Who runs several shares lists once. What all
// may lose in a run holds for all shares together.
func TestShares(t *testing.T) {
	c, source := newSharers(t, 40, 22)
	c.conn.Shared = plan.DefaultShared()
	r, _ := c.divide("forty", 9, 5)
	ran, _ := c.runShares(r)
	if lists := source.lists.Load(); lists != 2 || len(ran) != 40 {
		t.Errorf("listed %d times by two; %d tenants were run", lists, len(ran))
	}
	for tenant := range c.source.of {
		c.gone(tenant, 0, 2)
	}
	for i := range 3 {
		delete(c.source.of, fmt.Sprintf("t%02d", i))
	}
	r, _ = c.divide("with some that are listed no more", 2, 2)
	ran, gone := c.runShares(r)
	for i := range 40 {
		if n := ran[fmt.Sprintf("t%02d", i)]; n != 1 {
			t.Errorf("tenant %d was run %d times", i, n)
		}
	}
	if gone == 0 || gone > 44 {
		t.Errorf("%d are gone, of 44 at most", gone)
	}
}

// TestTenantIsInOneShare: whoever looks, and into how many shares the tenants are divided.
func TestTenantIsInOneShare(t *testing.T) {
	for of := 1; of <= MostShares; of++ {
		sizes := make([]int, of)
		for i := range 100 * of {
			in := 0
			for n := range of {
				if (Share{Number: n + 1, Of: of}).has(fmt.Sprintf("00000000-0000-4000-8000-%012x", i)) {
					sizes[n]++
					in++
				}
			}
			if in != 1 {
				t.Fatalf("tenant %d is in %d of %d shares", i, in, of)
			}
		}
		if slices.Min(sizes) < 60 || slices.Max(sizes) > 140 {
			t.Errorf("shares have %v tenants", sizes)
		}
	}
	if !(Share{}).has("") {
		t.Error("nobody is in the only share")
	}
}

// TestNotDivided: what one worker does as well, or has to do, is run at once, and listed once.
func TestNotDivided(t *testing.T) {
	for what, test := range map[string]struct {
		tenants, workers int
		edit             func(*crew)
		want             int
	}{
		"enough for two":                            {tenants: 16, workers: 3, want: 2},
		"fewer tenants than keep two busy":          {tenants: 15, workers: 3},
		"nobody else":                               {tenants: 40, workers: 1},
		"others are made of it":                     {tenants: 40, workers: 3, edit: func(c *crew) { c.conn.Followed = true }},
		"more workers than shares":                  {tenants: 160, workers: 99, want: MostShares},
		"left by another name, and known by itself": {tenants: 40, workers: 3, edit: func(c *crew) { c.engines[0].opts.Configured = func(string) bool { return false } }, want: 3},
	} {
		t.Run(what, func(t *testing.T) {
			c, source := newSharers(t, test.tenants, 1)
			if test.edit != nil {
				test.edit(c)
			}
			_, results := c.divide(what, test.workers, test.want)
			if test.want == 0 && len(results) != test.tenants || source.lists.Load() != 1 {
				t.Errorf("%d results, listed %d times", len(results), source.lists.Load())
			}
		})
	}
}

// TestRenamedIsNotDivided: the tenants of a connection that may be another one under a new name all wait, in whatever order they are run; so one worker looks
// at what there was before any of them.
func TestRenamedIsNotDivided(t *testing.T) {
	c, _ := newSharers(t, 40, 2)
	renamed := *c.conn
	renamed.Name = "new"
	c.conn = &renamed
	c.engines[0].opts.Configured = func(name string) bool { return name == "new" }
	_, results := c.divide("renamed", 3, 0)
	for _, res := range results {
		if res.Run.Outcome != Held {
			t.Errorf("%s: %s, %v", res.Partition, res.Run.Outcome, res.Err)
		}
	}
	c.engines[0].opts.Configured = nil
	renamed.Name = "newer"
	c.divide("not renamed", 3, 3)
}

// TestShareThatCannotBeListed is that of the connection, and the next share tries again.
func TestShareThatCannotBeListed(t *testing.T) {
	c, source := newSharers(t, 20, 1)
	source.err = errors.New("away")
	if _, results := c.divide("away", 2, 0); len(results) != 1 || results[0].Err == nil || source.lists.Load() != 1 {
		t.Errorf("%+v, listed %d times", results, source.lists.Load())
	}
	source.err = nil
	r, _ := c.divide("back", 2, 2)
	source.err = errors.New("away")
	elsewhere := New(c.store, Options{Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return c.now }})
	share := func(n int) []Result {
		return elsewhere.RunConnection(t.Context(), c.conn, Job{Round: r.Name, Share: Share{n, r.Shares}, Trigger: "schedule"})
	}
	if results := share(1); len(results) != 1 || results[0].Err == nil || results[0].Partition.Tenant != "" {
		t.Errorf("%+v", results)
	}
	source.err = nil
	if n := len(share(1)) + len(share(2)); n != 20 {
		t.Errorf("%d tenants", n)
	}
}

// TestSourceIsEditedBetweenShares: a share that begins with another source is of the tenants that this one lists.
func TestSourceIsEditedBetweenShares(t *testing.T) {
	c, _ := newSharers(t, 20, 1)
	r, _ := c.divide("twenty", 2, 2)
	edited, source := *c.conn, &listedSource{companies: &companies{world: c.source.world, of: maps.Clone(c.source.of)}}
	var gone string
	for id := range source.of {
		if (Share{2, 2}).has(id) {
			gone = id
		}
	}
	delete(source.of, gone)
	edited.Source = source
	for _, res := range c.engines[0].RunConnection(t.Context(), &edited, Job{Round: r.Name, Share: Share{2, 2}, Trigger: "schedule"}) {
		if res.Partition.Tenant == gone && res.Run.Mode != "offline" {
			t.Errorf("%s was read, which is listed no more", gone)
		}
	}
	if n := source.lists.Load(); n != 1 {
		t.Errorf("listed %d times", n)
	}
}
