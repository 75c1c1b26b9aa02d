package service

import (
	"context"
	"slices"

	"dirsyncd/sync/api"
	"dirsyncd/sync/deliver"
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

// drain delivers what waits for the targets of connections, as far as they take it now, and says what was delivered since
// before. Targets that are left alone after a failure are asked at once: whoever wants a delivery may have mended them.
func (s *Service) drain(ctx context.Context, names []string, before baseline) ([]api.Delivery, error) {
	gen := s.current()
	var list []api.Delivery
	for _, t := range gen.cfg.Targets {
		used := slices.ContainsFunc(names, func(n string) bool {
			c := gen.connections[n]
			return c == nil || slices.Contains(c.Targets, t.Name) // one that is gone may have told any
		})
		if !used {
			continue
		}
		worker := gen.targets[t.Name].worker
		if err := worker.Retry(ctx); err != nil {
			return nil, err
		}
		sum, err := worker.Drain(ctx)
		if err != nil {
			return nil, err
		}
		done := worker.Counts().Minus(before[worker])
		d := api.Delivery{Target: t.Name, Delivered: done.Delivered, Parked: done.Parked, Waiting: sum.Waiting}
		if sum.Err != nil {
			d.Error = sum.Err.Error()
		}
		list = append(list, d)
	}
	return list, nil
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
