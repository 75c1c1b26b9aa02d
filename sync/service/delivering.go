package service

import (
	"context"
	"slices"
	"sync"
	"time"

	"dirsyncd/sync/api"
	"dirsyncd/sync/deliver"
	"dirsyncd/sync/fault"
)

// baseline is what workers had done at some time.
type baseline map[*deliver.Worker]deliver.Counts

// baseline returns what the workers have done until now: a daemon's deliver while a run is still under way.
func (s *Service) baseline() baseline {
	counts := baseline{}
	for _, t := range s.current().targets {
		counts[t.worker] = t.worker.Counts()
	}
	return counts
}

// targetsOf names the targets of connections. One that is gone may have told any.
func (s *Service) targetsOf(connections []string) (names []string) {
	gen := s.current()
	for _, t := range gen.cfg.Targets {
		if slices.ContainsFunc(connections, func(n string) bool {
			c := gen.connections[n]
			return c == nil || slices.Contains(c.Targets, t.Name)
		}) {
			names = append(names, t.Name)
		}
	}
	return names
}

// drain delivers what waits for targets, as far as they take it now, and says what was delivered since before. Targets
// that are left alone after a failure are asked at once: whoever wants a delivery may have mended them. None waits for a slow one.
func (s *Service) drain(ctx context.Context, targets []string, before baseline) ([]api.Delivery, error) {
	gen := s.current()
	var names []string
	for _, t := range gen.cfg.Targets {
		if slices.Contains(targets, t.Name) {
			names = append(names, t.Name)
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	list, failed := make([]api.Delivery, len(names)), make([]error, len(names))
	var all sync.WaitGroup
	for i, name := range names {
		all.Go(func() { list[i], failed[i] = s.drainOne(ctx, name, gen.targets[name].worker, before) })
	}
	all.Wait()
	for _, err := range failed {
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (s *Service) drainOne(ctx context.Context, target string, worker *deliver.Worker, before baseline) (d api.Delivery, err error) {
	defer fault.Recover("deliver to "+target, &err)
	if err := worker.Retry(ctx); err != nil {
		return d, err
	}
	sum, err := worker.Drain(ctx)
	if err != nil {
		return d, err
	}
	return s.delivery(ctx, target, worker, worker.Counts().Minus(before[worker]), sum)
}

// delivery says what a worker has done at its target, and what waits there.
func (s *Service) delivery(ctx context.Context, target string, worker *deliver.Worker, done deliver.Counts, sum deliver.Summary) (api.Delivery, error) {
	st, err := worker.Status(ctx)
	if err != nil {
		return api.Delivery{}, err
	}
	if err := s.keepOutage(ctx, target, &st); err != nil {
		return api.Delivery{}, err
	}
	d := api.Delivery{Target: target, Delivered: done.Delivered, Parked: done.Parked, Waiting: sum.Waiting, Waits: waitsOf(&st)}
	if sum.Err != nil {
		d.Error = sum.Err.Error()
	}
	if t := s.current().targets[target]; sum.Others && t != nil {
		d.Others, d.Workers = true, t.settings.Workers
		if by := s.deliversTo(ctx, target); by != "" {
			d.Workers = []string{by}
		}
	}
	return d, nil
}

// deliversTo is the worker that delivers to a target; empty where that is not known.
func (s *Service) deliversTo(ctx context.Context, target string) string {
	if s.fleet == nil {
		return ""
	}
	list, err := s.fleet.Workers(ctx)
	for _, w := range list {
		if err == nil && slices.Contains(w.Delivers, target) {
			return w.Worker.Name
		}
	}
	return ""
}

// waitsOf are the actions that a target says have to wait, by cause.
func waitsOf(st *deliver.Status) (waits map[string]int) {
	for cause, n := range st.Waits {
		if waits == nil {
			waits = map[string]int{}
		}
		waits[string(cause)] = n
	}
	return waits
}

// shownEvery is how often somebody who waits for a delivery is told how far it is.
const shownEvery = 200 * time.Millisecond

// drainShown is drain that says how far it is.
func (s *Service) drainShown(ctx context.Context, targets []string, before baseline, show func(api.Progress)) ([]api.Delivery, error) {
	at, waiting := s.baseline(), 0
	for _, name := range targets {
		if t := s.current().targets[name]; t != nil {
			st, err := t.worker.Status(ctx)
			if err != nil {
				return nil, err
			}
			waiting += st.Waiting
		}
	}
	done, told := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(told)
		for tick := time.NewTicker(shownEvery); ; {
			select {
			case <-done:
				tick.Stop()
				return
			case <-tick.C:
			}
			delivered := 0
			for worker, was := range at {
				counts := worker.Counts().Minus(was)
				delivered += counts.Delivered + counts.Parked
			}
			show(api.Progress{Stage: "deliver", Done: min(delivered, waiting), Total: waiting})
		}
	}()
	defer func() { close(done); <-told }()
	return s.drain(ctx, targets, before)
}

// retryTargets wakes every target that is left alone after a failure, without waiting for what comes of it.
func (s *Service) retryTargets(ctx context.Context) {
	for name, t := range s.current().targets {
		s.background.Go(func() {
			if err := t.worker.Retry(ctx); err != nil && ctx.Err() == nil {
				s.log.Error("target could not be woken", "target", name, "err", err)
			}
		})
	}
}
