package service

import (
	"context"
	"log/slog"

	"dirsyncd/store"
	"dirsyncd/sync/api"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/engine"
)

// Plan implements api.Operations: the same road on a throw-away copy of the store, whose outbox nobody empties.
func (s *Service) Plan(ctx context.Context, req api.PlanRequest, visit func(api.PlannedAction)) ([]api.Run, error) {
	parts, err := s.partitionsOf(ctx, req.Connections)
	if err != nil {
		return nil, err
	}
	names := req.Connections
	if len(names) == 0 {
		names = s.current().names()
	}
	scratch, err := s.store.Scratch(ctx, parts...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = scratch.Close() }()
	dry := engine.New(scratch, engine.Options{
		Log: slog.New(slog.DiscardHandler), Now: s.now, Configured: s.configured,
		Residents: func(ctx context.Context) ([]engine.Resident, error) { return engine.Residents(ctx, s.store) },
	})
	var runs []api.Run
	for _, name := range names {
		job := engine.Job{Full: req.Full, Older: req.Full, Offline: req.Offline, Trigger: "plan"}
		conn, done, err := s.planned(ctx, name, parts)
		if err != nil {
			return nil, err
		}
		if !s.configured(name) {
			job.Offline = true
		}
		results := dry.Preview(ctx, conn, job, func(a *directory.Action) { visit(plannedAnswer(a)) })
		done()
		for _, r := range results {
			runs = append(runs, runOf(ctx, scratch, r))
		}
	}
	return runs, nil
}

// planned is a connection, also one that the state holds and the configuration no longer has: of that, what its retirement
// would do.
func (s *Service) planned(ctx context.Context, name string, parts []store.Partition) (*engine.Connection, func(), error) {
	conn, done, err := s.use(name)
	if err == nil {
		return &conn.Connection, done, nil
	}
	for _, p := range parts {
		if p.Connection == name {
			conn, _, err := s.retiring(ctx, p)
			return conn, func() {}, err
		}
	}
	return nil, nil, err
}
