package service

import (
	"context"
	"errors"
	"log/slog"
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
// Of several that share a state this process is the worker of that name: what is for others is not asked.
func Probe(ctx context.Context, cfg *config.Config, worker string, parts Parts) ([]api.ProbeResult, error) {
	d := deps{shared: cfg.Database != nil, worker: worker}
	var providers []config.Identity
	if cfg.Signin != nil {
		providers = cfg.Signin.Providers
	}
	results := make([]api.ProbeResult, len(cfg.Connections)+len(cfg.Targets)+len(providers))
	var wg sync.WaitGroup
	for i, c := range cfg.Connections {
		if err := d.elsewhere("connection", c.Name, c.Workers); err != nil {
			results[i] = notAsked("connection", c.Name, err)
			continue
		}
		wg.Go(func() { results[i] = probeConnection(ctx, c, parts.Connectors) })
	}
	for i, t := range cfg.Targets {
		if err := d.elsewhere("target", t.Name, t.Workers); err != nil {
			results[len(cfg.Connections)+i] = notAsked("target", t.Name, err)
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

// notAsked is the answer for what only others can ask, which is no failure.
func notAsked(kind, name string, elsewhere error) api.ProbeResult {
	return api.ProbeResult{Name: name, Kind: kind, Findings: []api.Finding{{Subject: "not asked", OK: true, Detail: errors.Unwrap(elsewhere).Error()}}}
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
