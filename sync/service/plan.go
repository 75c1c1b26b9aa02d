package service

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/api"
	"dirsyncd/sync/config"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/fault"
)

// Plan implements api.Operations: the same road on a throw-away copy of the store, whose outbox nobody empties.
func (s *Service) Plan(ctx context.Context, req api.PlanRequest, visit func(api.PlannedAction)) (api.PlanResult, error) {
	return s.planned(ctx, req, func(c *connection, t *connectors.Tenant, a *directory.Action) {
		answer := plannedAnswer(t, a)
		if c.unheard {
			answer.Kind = directory.Person.String()
		}
		visit(answer)
	})
}

// planned is Plan with the actions themselves: whoever keeps one takes Action.Keep of it.
func (s *Service) planned(ctx context.Context, req api.PlanRequest, visit func(*connection, *connectors.Tenant, *directory.Action)) (result api.PlanResult, err error) {
	basis, err := s.planBasis(ctx, req)
	if err != nil {
		return result, err
	}
	defer basis.done()
	if err := oneOf(basis.list, req.User); err != nil {
		return result, err
	}
	parts, err := s.partitionsOf(ctx, basis.needed()...)
	if err != nil {
		return result, err
	}
	scratch, err := s.store.Scratch(ctx, parts...)
	if err != nil {
		return result, err
	}
	defer func() { _ = scratch.Close() }()
	dry := engine.New(scratch, engine.Options{
		Log: slog.New(slog.DiscardHandler), Now: s.now, Configured: basis.configured, Program: s.program,
		Residents: func(ctx context.Context) ([]engine.Resident, error) { return engine.Residents(ctx, s.store) },
	})
	for i, conn := range basis.connections {
		without, unopened := conn.Source.(unopenedSource)
		if conn.elsewhere != nil && (unopened || !req.Offline) {
			if len(req.Connections) > 0 {
				return result, conn.elsewhere
			}
			result.Elsewhere = append(result.Elsewhere, api.Elsewhere{Connection: conn.Name, Workers: conn.settings.Workers})
			continue
		}
		if unopened {
			return result, without.err // its streams are not known
		}
		job := engine.Job{Full: req.Full, Older: req.Full, Offline: req.Offline, Tenant: basis.list[i].tenant, User: req.User, Trigger: "plan"}
		if conn.Source == (retired{}) {
			job.Offline = true
		}
		results := dry.Preview(ctx, &conn.Connection, job, func(t *connectors.Tenant, a *directory.Action) { visit(conn, t, a) })
		if len(results) == 0 && basis.list[i].tenant != "" {
			return result, s.noTenant(ctx, basis.list[i])
		}
		for _, r := range results {
			run := runOf(ctx, scratch, r, 0)
			if conn.unheard {
				ofPeople(&run)
			}
			result.Runs = append(result.Runs, run)
		}
	}
	return result, nil
}

// planBasis are the connections that are planned, and what must be done at the end.
type planBasis struct {
	cfg         *config.Config
	list        []chosen
	connections []*connection
	ends        []func()
}

// needed is what the plan reads of the state: all of a connection, where its tenants take seats of the same number, and those who came by sign-in
// and may be people of it.
func (b *planBasis) needed() []chosen {
	list := slices.Clone(b.list)
	for i, conn := range b.connections {
		if conn.LimitsSeats() {
			list[i].tenant = ""
		}
		for _, of := range conn.Strangers {
			list = append(list, chosen{connection: of.Own.Name})
		}
	}
	return list
}

// configured reports whether the planned configuration has a connection.
func (b *planBasis) configured(name string) bool {
	_, ok := b.cfg.Connection(name)
	return ok
}

func (b *planBasis) done() {
	for _, end := range b.ends {
		end()
	}
}

// planBasis opens what a plan needs: the connections in force, or those of the configuration that came with the request.
func (s *Service) planBasis(ctx context.Context, req api.PlanRequest) (basis *planBasis, err error) {
	cfg := s.current().cfg
	if req.Config != nil {
		parts := s.parts.Config()
		parts.Blind = req.Offline
		if cfg, err = textOf(req.Config).Load(parts); err != nil {
			return nil, &fault.Error{Class: fault.Configuration, Op: "plan", Err: err}
		}
	}
	if err := blind("plan", cfg); err != nil && !req.Offline {
		return nil, err
	}
	basis = &planBasis{cfg: cfg}
	names, leaving, err := s.leaving(ctx, basis, req.Connections)
	if err != nil {
		return nil, err
	}
	if len(names) > 0 || len(leaving) == 0 {
		if basis.list, err = choose(names, cfg); err != nil {
			return nil, err
		}
	}
	for _, c := range basis.list {
		conn, err := s.toPlan(basis, cfg, c.connection, req.Config != nil)
		if err != nil {
			basis.done()
			return nil, err
		}
		basis.connections = append(basis.connections, conn)
	}
	for _, conn := range leaving {
		basis.list, basis.connections = append(basis.list, chosen{connection: conn.Name}), append(basis.connections, conn)
	}
	return basis, nil
}

// leaving takes from names those of connections that the state holds and the planned configuration does not have: of them,
// what their retirement would do is planned.
func (s *Service) leaving(ctx context.Context, basis *planBasis, names []string) (rest []string, leaving []*connection, err error) {
	parts, err := s.store.Partitions(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, name := range names {
		i := slices.IndexFunc(parts, func(p store.Partition) bool { return p.Connection == name })
		if i < 0 || basis.configured(name) || s.configured(name) {
			rest = append(rest, name)
			continue
		}
		conn, _, err := s.retiring(ctx, parts[i])
		if err != nil {
			return nil, nil, err
		}
		leaving = append(leaving, &connection{Connection: *conn})
	}
	return rest, leaving, nil
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
	conn.Current, conn.Superseded = nil, nil // it is that of the plan alone
	if inForce == nil || conn.Source != inForce.Source {
		basis.ends = append(basis.ends, func() { _ = conn.Source.Close() })
	}
	return conn, nil
}

// textOf is a configuration as a request has it.
func textOf(c *api.ConfigText) *config.Text {
	t := &config.Text{File: c.File, Data: []byte(c.Text)}
	for i := range c.Included {
		t.Included = append(t.Included, config.Included{Pattern: c.Included[i].Pattern, Text: *textOf(&c.Included[i])})
	}
	return t
}
