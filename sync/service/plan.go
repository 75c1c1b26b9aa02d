package service

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"dirsyncd/connectors"
	"dirsyncd/sync/api"
	"dirsyncd/sync/config"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/fault"
)

// Plan implements api.Operations: the same road on a throw-away copy of the store, whose outbox nobody empties.
func (s *Service) Plan(ctx context.Context, req api.PlanRequest, visit func(api.PlannedAction)) ([]api.Run, error) {
	basis, err := s.planBasis(req)
	if err != nil {
		return nil, err
	}
	defer basis.done()
	parts, err := s.partitionsOf(ctx, basis.list...)
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
	for i, conn := range basis.connections {
		if without, ok := conn.Source.(unopenedSource); ok {
			return nil, without.err // its streams are not known
		}
		job := engine.Job{Full: req.Full, Older: req.Full, Offline: req.Offline, Tenant: basis.list[i].tenant, Trigger: "plan"}
		results := dry.Preview(ctx, &conn.Connection, job, func(t *connectors.Tenant, a *directory.Action) {
			visit(plannedAnswer(t, a))
		})
		if len(results) == 0 && basis.list[i].tenant != "" {
			return nil, s.noTenant(ctx, basis.list[i])
		}
		for _, r := range results {
			runs = append(runs, runOf(ctx, scratch, r, 0))
		}
	}
	return runs, nil
}

// planBasis are the connections that are planned, and what must be done at the end.
type planBasis struct {
	list        []chosen
	connections []*connection
	ends        []func()
}

func (b *planBasis) done() {
	for _, end := range b.ends {
		end()
	}
}

// planBasis opens what a plan needs: the connections in force, or those of the configuration that came with the request.
func (s *Service) planBasis(req api.PlanRequest) (basis *planBasis, err error) {
	cfg := s.current().cfg
	if req.Config != nil {
		parts := s.parts.Config()
		parts.Blind = req.Offline
		if cfg, err = config.Parse([]byte(req.Config.Text), req.Config.File, parts); err != nil {
			return nil, &fault.Error{Class: fault.Configuration, Op: "plan", Err: err}
		}
	}
	if err := blind("plan", cfg); err != nil && !req.Offline {
		return nil, err
	}
	basis = &planBasis{}
	if basis.list, err = choose(req.Connections, cfg); err != nil {
		return nil, err
	}
	for _, c := range basis.list {
		conn, err := s.toPlan(basis, cfg, c.connection, req.Config != nil)
		if err != nil {
			basis.done()
			return nil, err
		}
		basis.connections = append(basis.connections, conn)
	}
	return basis, nil
}

// toPlan returns a connection as a configuration has it. A source that is in use stays so: another one beside it would ask
// for tokens of its own, and forget what the first one has learnt.
func (s *Service) toPlan(basis *planBasis, cfg *config.Config, name string, other bool) (*connection, error) {
	inForce, release, err := s.use(name)
	switch {
	case err == nil:
		basis.ends = append(basis.ends, release)
	case other:
		inForce = nil // it is new
	default:
		return nil, err
	}
	if !other {
		return inForce, nil
	}
	at := slices.IndexFunc(cfg.Connections, func(c config.Connection) bool { return c.Name == name })
	old := &generation{connections: map[string]*connection{}}
	if inForce != nil {
		old.connections[name] = inForce
	}
	conn, err := openConnection(cfg, cfg.Connections[at], old, s.deps())
	if err != nil {
		return nil, fmt.Errorf("connection %q: %w", name, err)
	}
	if inForce == nil || conn.Source != inForce.Source {
		basis.ends = append(basis.ends, func() { _ = conn.Source.Close() })
	}
	return conn, nil
}
