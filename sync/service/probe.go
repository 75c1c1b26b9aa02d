package service

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/sync/api"
	"dirsyncd/sync/config"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
)

// probeTime is how long one connection or target may take to answer.
const probeTime = time.Minute

// Probe asks every source, every target and every provider of identity of a configuration whether it would work. It needs no state and leaves no trace.
// Where workers share a state, what is for others than the one that is called worker is left to them.
func Probe(ctx context.Context, cfg *config.Config, worker string, parts Parts) ([]api.ProbeResult, error) {
	var providers []config.Identity
	if cfg.Signin != nil {
		providers = cfg.Signin.Providers
	}
	results := make([]api.ProbeResult, len(cfg.Connections)+len(cfg.Targets)+len(providers))
	elsewhere := func(workers []string) *api.ProbeElsewhere {
		if cfg.Database == nil || len(workers) == 0 || slices.Contains(workers, worker) {
			return nil
		}
		return &api.ProbeElsewhere{Workers: workers, Here: worker}
	}
	var wg sync.WaitGroup
	for i, c := range cfg.Connections {
		if e := elsewhere(c.Workers); e != nil {
			results[i] = api.ProbeResult{Name: c.Name, Kind: "connection", Elsewhere: e}
			continue
		}
		wg.Go(func() { results[i] = probeConnection(ctx, c, parts.Connectors) })
	}
	for i, t := range cfg.Targets {
		if e := elsewhere(t.Workers); e != nil {
			results[len(cfg.Connections)+i] = api.ProbeResult{Name: t.Name, Kind: "target", Elsewhere: e}
			continue
		}
		wg.Go(func() { results[len(cfg.Connections)+i] = probeTarget(ctx, cfg, t, parts.Targets) })
	}
	for i, p := range providers {
		wg.Go(func() { results[len(cfg.Connections)+len(cfg.Targets)+i] = probeIdentity(ctx, cfg, p, parts) })
	}
	wg.Wait()
	return results, ctx.Err()
}

func probeConnection(ctx context.Context, c config.Connection, registry connectors.Registry) api.ProbeResult {
	result := api.ProbeResult{Name: c.Name, Kind: "connection"}
	factory, _ := factoryOf(registry, c.Connector)
	source, err := factory.Open(c.Block, connectors.Env{Connection: c.Name, Log: slog.New(slog.DiscardHandler), Now: time.Now})
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, probeTime)
		defer cancel()
		var findings []connectors.Finding
		findings, err = source.Check(ctx)
		result.Findings = each(findings, findingAnswer)
		_ = source.Close()
	}
	return withError(result, err)
}

func probeTarget(ctx context.Context, cfg *config.Config, t config.Target, registry targets.Registry) api.ProbeResult {
	result := api.ProbeResult{Name: t.Name, Kind: "target"}
	factory, _ := registry.Lookup(t.Target)
	if factory.OpenDesk != nil {
		return probeDesk(ctx, cfg, t, factory, result)
	}
	place, err := factory.Open(t.Block, targets.Env{Target: t.Name, Dir: cfg.Dir, Log: slog.New(slog.DiscardHandler), Now: time.Now})
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, probeTime)
		defer cancel()
		if err = place.Check(ctx); err == nil {
			result.Findings = []api.Finding{{Subject: "target", OK: true, Detail: "reachable, takes events"}}
		}
		_ = place.Close()
	}
	return withError(result, err)
}

// probeDesk also measures what the place can do. That it cannot do something is worth knowing and not wrong.
func probeDesk(ctx context.Context, cfg *config.Config, t config.Target, factory targets.Factory, result api.ProbeResult) api.ProbeResult {
	place, err := factory.OpenDesk(t.Block, targets.Env{Target: t.Name, Dir: cfg.Dir, Log: slog.New(slog.DiscardHandler), Now: time.Now})
	if err != nil {
		return withError(result, err)
	}
	defer func() { _ = place.Close() }()
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	if err := place.Check(ctx); err != nil {
		return withError(result, err)
	}
	result.Findings = []api.Finding{{Subject: "target", OK: true, Detail: "reachable, lets us read"}}
	abilities, err := place.Probe(ctx)
	for _, a := range abilities {
		detail := "no"
		if a.Has {
			detail = "yes"
		}
		if a.Detail != "" {
			detail += ": " + a.Detail
		}
		result.Findings = append(result.Findings, api.Finding{Subject: a.Name, OK: true, Detail: detail})
	}
	return withError(result, err)
}

func withError(r api.ProbeResult, err error) api.ProbeResult {
	if err != nil {
		r.Error, r.Hint = fault.Text(err), fault.Hint(err)
	}
	return r
}
