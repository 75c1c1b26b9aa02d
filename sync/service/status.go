package service

import (
	"context"
	"os"

	"dirsyncd/store"
	"dirsyncd/sync/api"
	"dirsyncd/sync/deliver"
	"dirsyncd/sync/directory"
)

// Status implements api.Operations.
func (s *Service) Status(ctx context.Context) (api.Status, error) {
	gen := s.current()
	st := api.Status{Version: s.version, Config: gen.cfg.File, ConfigSum: gen.cfg.Sum, State: string(gen.cfg.State)}
	if s.host != nil {
		st.Daemon, st.PID, st.Started = true, os.Getpid(), s.host.started
	}
	s.mu.Lock()
	st.Problem = s.problem
	s.mu.Unlock()
	for _, name := range gen.names() {
		c, err := s.connectionStatus(ctx, gen.connections[name])
		if err != nil {
			return st, err
		}
		st.Connections = append(st.Connections, c)
	}
	parked, err := s.parkedByTarget(ctx)
	if err != nil {
		return st, err
	}
	for _, t := range gen.cfg.Targets {
		ts, err := targetStatus(ctx, gen.targets[t.Name], s.host != nil)
		if err != nil {
			return st, err
		}
		ts.Parked = parked[t.Name]
		st.Targets = append(st.Targets, ts)
	}
	return st, nil
}

func (s *Service) connectionStatus(ctx context.Context, c *connection) (api.ConnectionStatus, error) {
	st := api.ConnectionStatus{Name: c.Name, Connector: c.Connector, Mapping: c.settings.Mapping, Targets: c.Targets}
	s.mu.Lock()
	st.Running = s.running[c.Name] > 0
	s.mu.Unlock()
	if s.host != nil {
		st.Next = s.nextRun(c.Name)
		if c.settings.Complete != nil {
			st.NextFull = c.settings.Complete.Next(s.now())
		}
	}
	tenants, err := s.engine.StoredTenants(ctx, c.Name)
	if err != nil {
		return st, err
	}
	for _, t := range tenants {
		ts, err := s.tenantStatus(ctx, store.Partition{Connection: c.Name, Tenant: t.ID})
		if err != nil {
			return st, err
		}
		if t.ID == "" && len(tenants) > 1 && ts.Failing == nil {
			continue // once held why the tenants could not be listed
		}
		st.Tenants = append(st.Tenants, ts)
	}
	if len(tenants) == 0 {
		st.Tenants = []api.TenantStatus{{State: "new"}}
	}
	return st, nil
}

func (s *Service) tenantStatus(ctx context.Context, p store.Partition) (api.TenantStatus, error) {
	ts := api.TenantStatus{Tenant: p.Tenant, State: "ok", Objects: map[string]int{}, Records: map[string]int{}}
	err := s.store.View(ctx, p, func(tx store.Reader) error {
		state, err := tx.Tenant()
		if err != nil {
			return err
		}
		ts.Name, ts.Proven = state.Name, s.engine.Proven(p, state.Proven)
		ts.Failing, ts.Held = failureAnswer(state.Failing), heldAnswer(state.Held)
		if state.WantFull {
			ts.FullNext = state.Why
		}
		for _, kind := range directory.Kinds() {
			if err := countInto(ts.Objects, kind.String(), func() (int, error) { return tx.Count(kind) }); err != nil {
				return err
			}
		}
		for _, kind := range directory.RecordKinds() {
			if err := countInto(ts.Records, kind.String(), func() (int, error) { return tx.ActiveRecords(kind) }); err != nil {
				return err
			}
		}
		ts.Parked, err = tx.ParkedCount()
		return err
	})
	switch {
	case ts.Failing != nil:
		ts.State = "failing"
	case ts.Held != nil:
		ts.State = "held"
	case ts.FullNext != "":
		ts.State = "due"
	case ts.Parked > 0:
		ts.State = "parked"
	}
	return ts, err
}

func countInto(counts map[string]int, word string, count func() (int, error)) error {
	n, err := count()
	if n > 0 {
		counts[word] = n
	}
	return err
}

func targetStatus(ctx context.Context, t *target, daemon bool) (api.TargetStatus, error) {
	s, err := t.worker.Status(ctx)
	st := api.TargetStatus{
		Name: t.settings.Name, Target: t.settings.Target, State: string(s.State), Error: s.Error,
		NextTry: s.NextTry, Waiting: s.Waiting, Oldest: s.Oldest,
	}
	switch {
	case !daemon:
		st.State = "unknown"
	case s.State == deliver.Failing:
		st.Since = s.Since
	default:
		st.State = string(deliver.OK)
	}
	return st, err
}

func (s *Service) parkedByTarget(ctx context.Context) (map[string]int, error) {
	counts := map[string]int{}
	err := s.eachParked(ctx, func(_ store.Partition, item store.Parked) { counts[item.Target]++ })
	return counts, err
}
