package service

import (
	"context"
	"slices"
	"strings"

	"dirsyncd/store"
	"dirsyncd/sync/api"
	"dirsyncd/sync/directory"
)

// Runs implements api.Operations.
func (s *Service) Runs(ctx context.Context, req api.RunsRequest) ([]api.Run, error) {
	parts, err := s.partitionsOfRuns(ctx, req.Connection)
	if err != nil {
		return nil, err
	}
	if req.Limit <= 0 {
		req.Limit = 20
	}
	var runs []api.Run
	for _, p := range parts {
		err := s.store.View(ctx, p, func(tx store.Reader) error {
			state, err := tx.Tenant()
			if err != nil {
				return err
			}
			if req.ID != "" {
				found, err := runNamed(tx, p, state.Name, req.ID)
				runs = append(runs, found...)
				return err
			}
			n := 0
			return tx.Runs(func(r store.Run) bool {
				n++
				runs = append(runs, runAnswer(p, state.Name, &r))
				return n < req.Limit
			})
		})
		if err != nil {
			return nil, err
		}
	}
	gen := s.current()
	for i := range runs {
		if gen.unheard(runs[i].Connection) {
			ofPeople(&runs[i])
		}
	}
	slices.SortStableFunc(runs, func(a, b api.Run) int { return b.Started.Compare(a.Started) })
	return runs[:min(len(runs), req.Limit)], nil
}

// partitionsOfRuns are those of a connection or tenant, or all that there are: also of connections that are not configured
// any more.
func (s *Service) partitionsOfRuns(ctx context.Context, name string) ([]store.Partition, error) {
	if name == "" {
		return s.store.Partitions(ctx)
	}
	list, err := choose([]string{name}, s.current().cfg)
	if err != nil {
		return nil, err
	}
	parts, err := s.partitionsOf(ctx, list...)
	if err == nil && len(parts) == 0 && list[0].tenant != "" {
		err = s.noTenant(ctx, list[0])
	}
	return parts, err
}

// idTail is how much of the end of a run's id is enough to name it.
const idTail = 4

// runNamed finds the latest run with an id, or with that end of one, if the partition has it, with what is kept of its actions.
func runNamed(tx store.Reader, p store.Partition, tenantName, id string) (found []api.Run, err error) {
	err = tx.Runs(func(r store.Run) bool {
		if r.ID == id || len(id) == idTail && strings.HasSuffix(r.ID, id) {
			found = []api.Run{runAnswer(p, tenantName, &r)}
		}
		return found == nil
	})
	if err == nil && found != nil {
		found[0].Actions, err = actionsOf(tx, p, tenantName, found[0].ID, runNames)
	}
	return found, err
}

// runNames is how many of its actions a run is returned with at most: RunActions has all.
const runNames = 2000

// actionsOf returns the first actions of a run, at most so many.
func actionsOf(tx store.Reader, p store.Partition, tenantName, run string, most int) (list []api.PlannedAction, err error) {
	if most <= 0 {
		return nil, nil
	}
	err = tx.RunActions(run, 0, func(_ int, a directory.RunAction) bool {
		list = append(list, actedAnswer(p, tenantName, &a))
		return len(list) < min(most, runNames)
	})
	return list, err
}
