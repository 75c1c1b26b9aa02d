package service

import (
	"context"
	"errors"
	"slices"
	"sync"

	"dirsyncd/store"
	"dirsyncd/sync/api"
	"dirsyncd/sync/engine"
)

// Sync implements api.Operations.
func (s *Service) Sync(ctx context.Context, req api.SyncRequest, show func(api.Progress)) (api.SyncResult, error) {
	list, err := choose(req.Connections, s.current().cfg)
	if err != nil {
		return api.SyncResult{}, err
	}
	if show != nil {
		defer s.audience.watch(func(p engine.Progress) { show(progressAnswer(p)) })()
	}
	return s.runAndDeliver(ctx, list, req.Actions, func(c chosen) ([]engine.Result, error) {
		return s.run(s.runContext(ctx), c.connection, engine.Job{Full: req.Full, Older: req.Full, Tenant: c.tenant, Trigger: engine.Operator})
	})
}

// runContext is the context of a run that ctx asked for: in a daemon, a run outlives the one who asked.
func (s *Service) runContext(ctx context.Context) context.Context {
	if s.host != nil {
		return s.host.runs
	}
	return ctx
}

// runAndDeliver runs connections side by side and delivers what came of it. The answer names at most so many actions of
// each run.
func (s *Service) runAndDeliver(ctx context.Context, list []chosen, actions int, run func(chosen) ([]engine.Result, error)) (api.SyncResult, error) {
	if err := blind("sync", s.current().cfg); err != nil {
		return api.SyncResult{}, err
	}
	before := s.baseline()
	runs := make([][]api.Run, len(list))
	errs := make([]error, len(list))
	var wg sync.WaitGroup
	for i, c := range list {
		wg.Go(func() {
			var results []engine.Result
			results, errs[i] = run(c)
			if errs[i] == nil && len(results) == 0 && c.tenant != "" {
				errs[i] = s.noTenant(ctx, c)
			}
			for _, r := range results {
				runs[i] = append(runs[i], runOf(ctx, s.store, r, actions))
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
		return api.SyncResult{}, ctx.Err()
	}
	if err := errors.Join(errs...); err != nil {
		return api.SyncResult{}, err
	}
	delivered, err := s.drain(ctx, connectionsOf(list), before)
	return api.SyncResult{Runs: slices.Concat(runs...), Delivered: delivered}, err
}

// runOf turns a result into what operators see, with the reasons of a held plan and the first actions, at most so many.
func runOf(ctx context.Context, st store.Store, r engine.Result, actions int) api.Run {
	run := runAnswer(r.Partition, "", &r.Run)
	_ = st.View(ctx, r.Partition, func(tx store.Reader) error { // the run is worth showing without these, too
		state, err := tx.Tenant()
		run.TenantName = state.Name
		if state.Held != nil && r.Run.Held != "" {
			run.HeldReasons = state.Held.Reasons
		}
		if err == nil {
			run.Actions, err = actionsOf(tx, r.Partition, state.Name, r.Run.ID, actions)
		}
		return err
	})
	return run
}
