package service

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/api"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/fleet"
	"dirsyncd/sync/mapping"
)

// RenameConnection implements api.Operations. A daemon does not do it: its deliveries under way are for the former name.
func (s *Service) RenameConnection(ctx context.Context, from, to string) error {
	refuse := func(class fault.Class, hint, format string, args ...any) error {
		return &fault.Error{Class: class, Op: "rename connection " + from, Err: fmt.Errorf(format, args...), Hint: hint}
	}
	gen := s.current()
	switch {
	case s.host != nil:
		return refuse(fault.Conflict, "`systemctl stop dirsyncd`, `dirsyncd state rename "+from+" "+to+"`, `systemctl start dirsyncd`",
			"the daemon is running, and knows the connection by one name only")
	case gen.connections[to] == nil:
		return refuse(fault.Configuration, fmt.Sprintf("give the connection its new name in the configuration first; it has: %v", gen.names()),
			"there is no connection %q", to)
	case gen.connections[from] != nil:
		return refuse(fault.Configuration, "the new name takes the place of the old one in the configuration", "%s is still configured", from)
	}
	switch by, err := s.superseded(ctx, ""); { // by no configuration at all: whoever lives
	case err != nil:
		return err
	case by != "":
		return refuse(fault.Conflict, "stop all workers, rename, start them; `dirsyncd status` names them", "worker %q is running, and knows the connection by one name only", by)
	}
	return s.engine.Rename(ctx, from, to)
}

// RetireConnection implements api.Operations.
func (s *Service) RetireConnection(ctx context.Context, name string) (api.SyncResult, error) {
	parts, err := s.partitionsOf(ctx, chosen{connection: name})
	if err != nil {
		return api.SyncResult{}, err
	}
	refuse := func(hint, format string, args ...any) error {
		return &fault.Error{Class: fault.Configuration, Op: "retire connection " + name, Err: fmt.Errorf(format, args...), Hint: hint}
	}
	switch {
	case s.current().connections[name] != nil:
		return api.SyncResult{}, refuse("take it out of the configuration first, and reload a daemon that runs", "%s is configured", name)
	case len(parts) == 0:
		return api.SyncResult{}, refuse("`dirsyncd status` names the connections that are not configured", "the state holds nothing of %s", name)
	}
	if by, err := s.stillRunBy(ctx, name); err != nil || by != "" {
		if err == nil {
			err = refuse("try again when it is done; `dirsyncd status` shows who runs what", "worker %q still runs it, or may", by)
		}
		return api.SyncResult{}, err
	}
	result, err := s.runAndDeliver(ctx, []chosen{{connection: name}}, api.FewActions+1, func(chosen) ([]engine.Result, error) {
		results := make([]engine.Result, 0, len(parts))
		for _, p := range parts {
			conn, t, err := s.retiring(ctx, p)
			if err != nil {
				return nil, err
			}
			results = append(results, s.engine.Run(s.runContext(ctx), conn, t, engine.Job{Offline: true, Trigger: engine.Operator}))
		}
		return results, nil
	})
	if err != nil {
		return result, err
	}
	return result, s.forget(ctx, parts)
}

// stillRunBy names a worker that runs a connection which this process does not have, or whose configuration may still have it.
func (s *Service) stillRunBy(ctx context.Context, connection string) (string, error) {
	if s.fleet == nil {
		return "", nil
	}
	list, err := s.fleet.Workers(ctx)
	for _, w := range list {
		if !w.Current || slices.ContainsFunc(w.Holds, func(u fleet.Unit) bool { return u.Connection == connection }) {
			return w.Worker.Name, err
		}
	}
	return "", err
}

// retiring is a connection that is not configured as its last runs need it: nothing is read of it any more, no rule makes
// anything, and those hear of that whom it told before.
func (s *Service) retiring(ctx context.Context, p store.Partition) (*engine.Connection, connectors.Tenant, error) {
	var state store.TenantState
	err := s.store.View(ctx, p, func(tx store.Reader) (err error) { state, err = tx.Tenant(); return err })
	if err != nil {
		return nil, connectors.Tenant{}, err
	}
	rules, problems := mapping.Compile(mapping.Spec{Name: "retired", Rules: []mapping.RuleSpec{{Name: "retired", Ignore: true}}})
	if len(problems) > 0 {
		return nil, connectors.Tenant{}, fmt.Errorf("%v", problems)
	}
	targets := slices.DeleteFunc(slices.Clone(state.Targets), func(t string) bool { return s.current().targets[t] == nil })
	return &engine.Connection{Name: p.Connection, Connector: state.Connector, Source: retired{}, Rules: rules, Targets: targets},
		connectors.Tenant{ID: p.Tenant, Name: state.Name, Domain: state.Domain}, nil
}

// forgottenAtOnce is how many partitions are kept from being run at a time.
const forgottenAtOnce = 50

// forget drops those of some partitions whose connection is not configured and of which nothing is left to do: no record is
// active, no plan held, nothing waits and nothing is parked. What their records are at targets is remembered as that of nobody
// (store.RetireLinks). A run that somebody has begun is waited for.
func (s *Service) forget(ctx context.Context, parts []store.Partition) error {
	for some := range slices.Chunk(parts, forgottenAtOnce) {
		if err := s.forgetSome(ctx, some); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) forgetSome(ctx context.Context, parts []store.Partition) error {
	var gone []store.Partition
	var under []context.Context
	for _, p := range parts {
		if s.current().connections[p.Connection] != nil {
			continue
		}
		if over, err := s.isOver(ctx, p); err != nil {
			return err
		} else if !over {
			continue
		}
		held, release, err := s.engine.Rest(ctx, p)
		if err != nil {
			return err
		}
		defer release()
		if over, err := s.isOver(held, p); err != nil {
			return err
		} else if over {
			gone, under = append(gone, p), append(under, held)
		}
	}
	if err := store.RetireLinks(ctx, s.store, gone, s.now()); err != nil {
		return err
	}
	for i, p := range gone {
		s.log.Info("a retired connection is forgotten", "connection", p.Connection, "tenant", p.Tenant)
		if err := s.store.DropPartition(under[i], p); err != nil {
			return err
		}
	}
	return nil
}

// isOver reports whether nothing is left to do of a partition whose connection is not configured.
func (s *Service) isOver(ctx context.Context, p store.Partition) (over bool, err error) {
	conn, _, err := s.retiring(ctx, p)
	if err != nil {
		return false, err
	}
	err = s.store.View(ctx, p, func(tx store.Reader) error {
		state, err := tx.Tenant()
		over = state.Held == nil && (state.RulesHash == conn.Rules.Hash() || state.RulesHash == "")
		if err != nil || !over {
			return err
		}
		parked, err := tx.ParkedCount()
		if err != nil {
			return err
		}
		names, err := tx.Targets()
		over = parked == 0
		for _, target := range names {
			depth, _, e := tx.OutboxDepth(target)
			waits, e2 := tx.WaitCounts(target)
			err, over = errors.Join(err, e, e2), over && depth == 0 && len(waits) == 0
		}
		return err
	})
	return over, err
}

// retired is the source of a connection that is not configured any more: it lists nothing, since nobody asks it.
type retired struct{}

var errRetired = &fault.Error{Class: fault.Configuration, Op: "read", Err: errors.New("the connection is not configured")}

func (retired) Describe() connectors.Description                     { return connectors.Description{} }
func (retired) Check(context.Context) ([]connectors.Finding, error)  { return nil, errRetired }
func (retired) Tenants(context.Context) ([]connectors.Tenant, error) { return nil, errRetired }
func (retired) Close() error                                         { return nil }
func (retired) Read(context.Context, connectors.Request, func(*connectors.Page) error) error {
	return errRetired
}
