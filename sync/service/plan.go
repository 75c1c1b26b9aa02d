package service

import (
	"context"
	"log/slog"

	"dirsyncd/sync/api"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/engine"
)

// Plan implements api.Operations: the same road on a throw-away copy of the store, whose outbox nobody empties.
func (s *Service) Plan(ctx context.Context, req api.PlanRequest, visit func(api.PlannedAction)) ([]api.Run, error) {
	names, err := s.choose(req.Connections)
	if err != nil {
		return nil, err
	}
	parts, err := s.partitionsOf(ctx, names)
	if err != nil {
		return nil, err
	}
	scratch, err := s.store.Scratch(ctx, parts...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = scratch.Close() }()
	dry := engine.New(scratch, engine.Options{Log: slog.New(slog.DiscardHandler), Now: s.now})
	var runs []api.Run
	for _, name := range names {
		conn, done, err := s.use(name)
		if err != nil {
			return nil, err
		}
		job := engine.Job{Full: req.Full, Older: req.Full, Offline: req.Offline, Trigger: "plan"}
		results := dry.Preview(ctx, &conn.Connection, job, func(a *directory.Action) { visit(plannedAnswer(a)) })
		done()
		for _, r := range results {
			runs = append(runs, runOf(ctx, scratch, r))
		}
	}
	return runs, nil
}
