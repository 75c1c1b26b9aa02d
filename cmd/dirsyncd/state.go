package main

import (
	"context"

	"dirsyncd/store"
	"dirsyncd/sync/api"
	"dirsyncd/sync/deliver"
	"dirsyncd/sync/directory"
)

// Status implements api.Operations.
func (o *operations) Status(ctx context.Context) (api.Status, error) {
	setup := o.current()
	st := api.Status{
		Version: version, Daemon: o.daemon, PID: pid(o.daemon), Config: setup.cfg.File, State: string(setup.cfg.State),
	}
	if o.daemon {
		st.Started = o.started
	}
	o.mu.Lock()
	st.Problem = o.problem
	o.mu.Unlock()
	for _, name := range setup.names() {
		c, err := o.connectionStatus(ctx, setup.connections[name])
		if err != nil {
			return st, err
		}
		st.Connections = append(st.Connections, c)
	}
	parked, err := o.parkedByTarget(ctx)
	if err != nil {
		return st, err
	}
	for _, t := range setup.cfg.Targets {
		ts, err := targetStatus(ctx, setup.targets[t.Name], o.daemon)
		if err != nil {
			return st, err
		}
		ts.Parked = parked[t.Name]
		st.Targets = append(st.Targets, ts)
	}
	return st, nil
}

func (o *operations) connectionStatus(ctx context.Context, c *connection) (api.ConnectionStatus, error) {
	st := api.ConnectionStatus{Name: c.Name, Connector: c.Connector, Mapping: c.settings.Mapping, Targets: c.Targets}
	o.mu.Lock()
	st.Running = o.running[c.Name] > 0
	o.mu.Unlock()
	if o.daemon {
		st.Next = o.nextRun(c.Name)
		if c.settings.Complete != nil {
			st.NextFull = c.settings.Complete.Next(o.now())
		}
	}
	tenants, err := o.engine.StoredTenants(ctx, c.Name)
	if err != nil {
		return st, err
	}
	for _, t := range tenants {
		ts, err := o.tenantStatus(ctx, store.Partition{Connection: c.Name, Tenant: t.ID})
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

func (o *operations) tenantStatus(ctx context.Context, p store.Partition) (api.TenantStatus, error) {
	ts := api.TenantStatus{Tenant: p.Tenant, State: "ok", Objects: map[string]int{}, Records: map[string]int{}}
	err := o.store.View(ctx, p, func(tx store.Reader) error {
		state, err := tx.Tenant()
		if err != nil {
			return err
		}
		ts.Name, ts.Proven = state.Name, o.engine.Proven(p, state.Proven)
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

func (o *operations) parkedByTarget(ctx context.Context) (map[string]int, error) {
	counts := map[string]int{}
	err := o.eachParked(ctx, func(_ store.Partition, item store.Parked) { counts[item.Target]++ })
	return counts, err
}
