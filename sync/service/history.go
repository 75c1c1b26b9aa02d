package service

import (
	"context"
	"slices"

	"dirsyncd/store"
	"dirsyncd/sync/api"
)

// Runs implements api.Operations.
func (s *Service) Runs(ctx context.Context, req api.RunsRequest) ([]api.Run, error) {
	var names []string
	if req.Connection != "" {
		names = []string{req.Connection}
	}
	parts, err := s.partitionsOf(ctx, names)
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
	slices.SortStableFunc(runs, func(a, b api.Run) int { return b.Started.Compare(a.Started) })
	return runs[:min(len(runs), req.Limit)], nil
}
