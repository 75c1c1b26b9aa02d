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
	names, err := s.choose(req.Connections)
	if err != nil {
		return api.SyncResult{}, err
	}
	if show != nil {
		defer s.audience.watch(func(p engine.Progress) { show(progressAnswer(p)) })()
	}
	return s.runAndDeliver(ctx, names, func(name string) ([]engine.Result, error) {
		return s.run(s.runContext(ctx), name, engine.Job{Full: req.Full, Older: req.Full, Trigger: engine.Operator})
	})
}

// runContext is the context of a run that ctx asked for: in a daemon, a run outlives the one who asked.
func (s *Service) runContext(ctx context.Context) context.Context {
	if s.host != nil {
		return s.host.runs
	}
	return ctx
}

// choose checks the named connections; none named means all.
func (s *Service) choose(names []string) ([]string, error) {
	all := s.current().names()
	if len(names) == 0 {
		return all, nil
	}
	for _, name := range names {
		if !slices.Contains(all, name) {
			return nil, unknownConnection(name, all)
		}
	}
	return names, nil
}

// runAndDeliver runs connections side by side and delivers what came of it.
func (s *Service) runAndDeliver(ctx context.Context, names []string, run func(string) ([]engine.Result, error)) (api.SyncResult, error) {
	before := s.baseline()
	runs := make([][]api.Run, len(names))
	errs := make([]error, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Go(func() {
			var results []engine.Result
			results, errs[i] = run(name)
			for _, r := range results {
				runs[i] = append(runs[i], runOf(ctx, s.store, r))
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
	delivered, err := s.drain(ctx, names, before)
	return api.SyncResult{Runs: slices.Concat(runs...), Delivered: delivered}, err
}

// runOf turns a result into what operators see, with the reasons of a held plan.
func runOf(ctx context.Context, st store.Store, r engine.Result) api.Run {
	run := runAnswer(r.Partition, "", &r.Run)
	_ = st.View(ctx, r.Partition, func(tx store.Reader) error { // the run is worth showing without these, too
		state, err := tx.Tenant()
		run.TenantName = state.Name
		if state.Held != nil && r.Run.Held != "" {
			run.HeldReasons = state.Held.Reasons
		}
		return err
	})
	return run
}
