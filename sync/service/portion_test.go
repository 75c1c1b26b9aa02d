package service

import (
	"context"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/sync/fleet"
	"dirsyncd/sync/rest"
)

// The quota of the source in TestSourceIsPressedNoMore: requests a second, and for how many seconds unused ones are kept.
const quota, savedUp = 50, 0.1

// pressed is a source that is asked again and again, and keeps when.
type pressed struct {
	*partner
	heard chan string // the worker that has asked
	wants fleet.Fleet

	mu     sync.Mutex
	asked  []time.Time
	enough bool
}

// asking is a worker's reader of it, which keeps to its part of the quota.
type asking struct {
	connectors.Connector
	at     *pressed
	worker string
	pace   *rest.Bucket
}

func (a *asking) ask(ctx context.Context) error {
	if err := a.pace.Take(ctx, 1); err != nil {
		return err
	}
	a.at.mu.Lock()
	a.at.asked = append(a.at.asked, time.Now())
	a.at.mu.Unlock()
	a.at.heard <- a.worker
	return nil
}

// Tenants lists them, and has the next round follow this one.
func (a *asking) Tenants(ctx context.Context) ([]connectors.Tenant, error) {
	a.at.mu.Lock()
	enough := a.at.enough
	a.at.mu.Unlock()
	if !enough {
		if _, err := a.at.wants.Want(ctx, fleet.Selector{Kind: fleet.List}, fleet.Request{Want: fleet.Incremental, Cause: "test"}); err != nil {
			return nil, err
		}
	}
	if err := a.ask(ctx); err != nil {
		return nil, err
	}
	return a.Connector.Tenants(ctx)
}

func (a *asking) Read(ctx context.Context, req connectors.Request, emit func(*connectors.Page) error) error {
	for range 2 {
		if err := a.ask(ctx); err != nil {
			return err
		}
	}
	return a.Connector.Read(ctx, req, emit)
}

// hears waits until each of the workers has asked a good while.
func (p *pressed) hears(workers ...string) {
	p.Helper()
	times := map[string]int{}
	for slices.ContainsFunc(workers, func(w string) bool { return times[w] < 10 }) {
		select {
		case w := <-p.heard:
			times[w]++
		case <-p.Context().Done():
			p.Fatalf("%v have asked", times)
		}
	}
}

// TestSourceIsPressedNoMore: all workers together ask the source of a connection that is divided no more than it allows, also while one of them leaves and another
// one comes.
func TestSourceIsPressedNoMore(t *testing.T) {
	p := &pressed{partner: newPartner(t), heard: make(chan string, 10000)}
	p.wants = p.open("test")
	p.opens = func(worker string, env connectors.Env) connectors.Connector {
		return &asking{p.people(), p, worker, rest.NewBucket(rest.BucketOptions{Rate: quota, Burst: savedUp, Slowest: 1, Portion: env.Portion})}
	}
	p.start("a")
	p.hears("a")
	p.start("b")
	p.start("c")
	p.hears("a", "b", "c")
	p.daemons["b"].stop <- syscall.SIGTERM
	if err := <-p.daemons["b"].ended; err != nil {
		t.Error(err)
	}
	close(p.daemons["b"].stop)
	delete(p.daemons, "b")
	p.start("d")
	p.hears("a", "c", "d")
	p.mu.Lock()
	p.enough = true
	p.mu.Unlock()
	p.idle()
	// Of two who had nothing to do with each other before one may have saved up as much as the other one; and who is about to say that
	// it asks may be kept from that for a moment. Three workers who all had the whole of it would soon be hundreds ahead.
	const more, late = 2 * quota * savedUp, 0.5 * quota
	worst := 0.0
	for i := range p.asked {
		for j := i; j < len(p.asked); j++ {
			worst = max(worst, float64(j-i+1)-p.asked[j].Sub(p.asked[i]).Seconds()*quota)
		}
	}
	t.Logf("%d requests in %s", len(p.asked), p.asked[len(p.asked)-1].Sub(p.asked[0]).Round(time.Millisecond))
	if worst > more+late {
		t.Errorf("%.1f requests more than %d a second, want %.0f at most", worst, quota, more+late)
	}
}
