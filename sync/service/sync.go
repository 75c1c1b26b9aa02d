package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"dirsyncd/store"
	"dirsyncd/sync/api"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/fault"
)

// Sync implements api.Operations.
func (s *Service) Sync(ctx context.Context, req api.SyncRequest, show func(api.Progress)) (api.SyncResult, error) {
	list, err := choose(req.Connections, s.current().cfg)
	if err != nil {
		return api.SyncResult{}, err
	}
	if err := oneOf(list, req.User); err != nil {
		return api.SyncResult{}, err
	}
	var elsewhere []api.Elsewhere
	if len(req.Connections) == 0 {
		list, elsewhere = s.readable(list, req.Full)
	}
	if show != nil {
		defer s.audience.watch(func(p engine.Progress) { show(progressAnswer(p)) })()
	}
	result, err := s.runAndDeliver(ctx, list, req.Actions, func(c chosen) ([]engine.Result, error) {
		return s.run(s.runContext(ctx), c.connection, engine.Job{Full: req.Full, Older: req.Full, Tenant: c.tenant, User: req.User, Trigger: engine.Operator})
	})
	result.Elsewhere = elsewhere
	return result, err
}

// oneOf refuses to look for one person in more than one connection: who is known in several is somebody else in each.
func oneOf(list []chosen, user string) error {
	if user == "" || len(list) == 1 {
		return nil
	}
	return &fault.Error{Class: fault.Configuration, Op: "find one person", Err: fmt.Errorf("one connection has to be named, and not %d", len(list)),
		Hint: "`dirsyncd show` says in which connections somebody is known"}
}

// runContext is the context of a run that ctx asked for: in a daemon, a run outlives the one who asked.
func (s *Service) runContext(ctx context.Context) context.Context {
	user := api.UserOf(ctx)
	if s.host != nil {
		ctx = s.host.runs
	}
	return engine.WithUser(ctx, user)
}

// runAndDeliver runs connections side by side and delivers what came of it. The answer names at most so many actions of
// each run.
func (s *Service) runAndDeliver(ctx context.Context, list []chosen, actions int, run func(chosen) ([]engine.Result, error)) (api.SyncResult, error) {
	before := s.baseline()
	runs, err := s.runAll(ctx, list, actions, run)
	if err != nil {
		return api.SyncResult{}, err
	}
	delivered, err := s.drain(ctx, s.targetsOf(connectionsOf(list)), before)
	return api.SyncResult{Runs: runs, Delivered: delivered}, err
}

// runAll runs connections side by side and returns their runs in order, with at most so many actions of each.
func (s *Service) runAll(ctx context.Context, list []chosen, actions int, run func(chosen) ([]engine.Result, error)) ([]api.Run, error) {
	if err := blind("sync", s.current().cfg); err != nil {
		return nil, err
	}
	if err := s.mayRun(ctx); err != nil {
		return nil, err
	}
	runs := make([][]api.Run, len(list))
	errs := make([]error, len(list))
	var wg sync.WaitGroup
	running := map[string]*sync.WaitGroup{} // by connection
	for _, c := range list {
		if running[c.connection] == nil {
			running[c.connection] = &sync.WaitGroup{}
		}
		running[c.connection].Add(1)
	}
	for i, c := range list {
		wg.Go(func() {
			defer running[c.connection].Done()
			for _, name := range s.current().contributorsOf(c.connection) { // it is made of what they have just read
				if of := running[name]; of != nil {
					of.Wait()
				}
			}
			var results []engine.Result
			results, errs[i] = run(c)
			if errs[i] == nil && len(results) == 0 && c.tenant != "" {
				errs[i] = s.noTenant(ctx, c)
			}
			for _, r := range results {
				run := runOf(ctx, s.store, r, actions)
				if s.current().unheard(run.Connection) {
					ofPeople(&run)
				}
				runs[i] = append(runs[i], run)
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return slices.Concat(runs...), errors.Join(errs...)
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
