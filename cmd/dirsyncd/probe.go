package main

import (
	"context"
	"sync"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/sync/config"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
)

// probeTime is how long one connection or target may take to answer.
const probeTime = time.Minute

// probeResult is what one connection or target answered to `check --probe`.
type probeResult struct {
	Name     string               `json:"name"`
	Kind     string               `json:"kind"` // connection or target
	Findings []connectors.Finding `json:"findings,omitempty"`
	Error    string               `json:"error,omitempty"`
	Hint     string               `json:"hint,omitempty"`
}

// probe asks every source and every target whether it would work. It needs no state and leaves no trace.
func probe(ctx context.Context, cfg *config.Config) ([]probeResult, error) {
	results := make([]probeResult, len(cfg.Connections)+len(cfg.Targets))
	var wg sync.WaitGroup
	for i, c := range cfg.Connections {
		wg.Go(func() { results[i] = probeConnection(ctx, c) })
	}
	for i, t := range cfg.Targets {
		wg.Go(func() { results[len(cfg.Connections)+i] = probeTarget(ctx, cfg, t) })
	}
	wg.Wait()
	return results, ctx.Err()
}

func probeConnection(ctx context.Context, c config.Connection) probeResult {
	result := probeResult{Name: c.Name, Kind: "connection"}
	factory, _ := connectorRegistry().Lookup(c.Connector)
	source, err := factory.Open(c.Block, connectors.Env{Connection: c.Name, Log: quiet(), Now: time.Now})
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, probeTime)
		defer cancel()
		result.Findings, err = source.Check(ctx)
		_ = source.Close()
	}
	return result.with(err)
}

func probeTarget(ctx context.Context, cfg *config.Config, t config.Target) probeResult {
	result := probeResult{Name: t.Name, Kind: "target"}
	factory, _ := targetRegistry().Lookup(t.Target)
	place, err := factory.Open(t.Block, targets.Env{Target: t.Name, Dir: cfg.Dir, Log: quiet(), Now: time.Now})
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, probeTime)
		defer cancel()
		if err = place.Check(ctx); err == nil {
			result.Findings = []connectors.Finding{{Subject: "check", OK: true, Detail: "would take actions"}}
		}
		_ = place.Close()
	}
	return result.with(err)
}

func (r probeResult) with(err error) probeResult {
	if err != nil {
		r.Error, r.Hint = fault.Text(err), fault.Hint(err)
	}
	return r
}
