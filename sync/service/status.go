package service

import (
	"context"
	"os"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/api"
	"dirsyncd/sync/deliver"
	"dirsyncd/sync/directory"
)

// Status implements api.Operations.
func (s *Service) Status(ctx context.Context) (api.Status, error) {
	gen := s.current()
	st := api.Status{Version: s.version, Config: gen.cfg.File, ConfigSum: gen.cfg.Sum, State: gen.cfg.StateName()}
	if s.host != nil {
		st.Daemon, st.PID, st.Started = true, os.Getpid(), s.host.started
	}
	s.mu.Lock()
	st.Problem = s.problem
	s.mu.Unlock()
	parts, err := s.store.Partitions(ctx)
	if err != nil {
		return st, err
	}
	byConnection := map[string][]store.Partition{}
	for _, p := range parts {
		byConnection[p.Connection] = append(byConnection[p.Connection], p)
	}
	for _, name := range gen.names() {
		c, err := s.connectionStatus(ctx, gen.connections[name], byConnection[name])
		if err != nil {
			return st, err
		}
		st.Connections = append(st.Connections, c)
	}
	if st.Unconfigured, err = s.unconfigured(ctx, parts); err != nil {
		return st, err
	}
	st.Providers = s.providerStatus(ctx, gen.cfg)
	if st.Workers, err = s.workers(ctx); err != nil {
		return st, err
	}
	if s.fleet != nil {
		st.Unstaffed = unstaffed(gen.cfg, st.Workers)
	}
	parked, err := s.parkedByTarget(ctx)
	if err != nil {
		return st, err
	}
	for _, t := range gen.cfg.Targets {
		ts, err := s.targetStatus(ctx, gen.targets[t.Name], s.host != nil)
		if err != nil {
			return st, err
		}
		ts.Parked = parked[t.Name]
		st.Targets = append(st.Targets, ts)
	}
	st.Recipients = s.unsentRecipients(gen.cfg)
	conditions, err := s.conditions(ctx, gen.cfg, &st)
	for i := range conditions {
		c := &conditions[i]
		st.Conditions = append(st.Conditions, api.Condition{Kind: c.Kind, Where: c.Where, Text: c.Text, Hint: c.Hint, Since: c.Since, Ends: c.Ends})
	}
	return st, err
}

func (s *Service) connectionStatus(ctx context.Context, c *connection, parts []store.Partition) (api.ConnectionStatus, error) {
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
	report := s.engine.Seats(&c.Connection)
	var tenants []connectors.Tenant
	var states []store.TenantState
	for _, p := range parts {
		ts, state, err := s.tenantStatus(ctx, p, c.Targets, c.Source.Describe().Streams)
		if err != nil {
			return st, err
		}
		tenant := connectors.Tenant{ID: p.Tenant, Name: state.Name, Domain: state.Domain}
		if p.Tenant != "" || len(parts) == 1 {
			tenants, states = append(tenants, tenant), append(states, state)
		}
		if c.unheard {
			ts.Records = map[string]int{}
			if ts.Held != nil {
				ts.Held.Counts = peopleOnly(ts.Held.Counts)
			}
		}
		seats, err := report.Of(ctx, tenant)
		if err != nil {
			return st, err
		}
		ts.Seats = each(seats, seatsAnswer)
		if p.Tenant == "" && len(parts) > 1 && ts.Failing == nil && ts.Held == nil && len(ts.Records) == 0 {
			continue // once held why the tenants could not be listed
		}
		st.Tenants = append(st.Tenants, ts)
	}
	if len(parts) == 0 {
		st.Tenants = []api.TenantStatus{{State: "new"}}
		return st, nil
	}
	questions, err := s.engine.Questions(ctx, &c.Connection)
	if err != nil {
		return st, err
	}
	st.Questions = len(questions)
	st.Unmet = c.Unmet(tenants)
	if !c.unheard {
		st.Undecided = c.Undecided(tenants, states)
	}
	return st, nil
}

// listed is when the streams of a tenant that tell changes were last listed in full, the oldest of them. A listing of others that finds
// nothing new is not stored.
func listed(tx store.Reader, streams []connectors.Stream, tenant *connectors.Tenant) (oldest time.Time, err error) {
	for i := range streams {
		if !streams[i].Delta || !tenant.Has(streams[i].Name) {
			continue
		}
		is, err := tx.Stream(streams[i].Name)
		if err != nil {
			return oldest, err
		}
		if !is.Complete.IsZero() && (oldest.IsZero() || is.Complete.Before(oldest)) {
			oldest = is.Complete
		}
	}
	return oldest, nil
}

// tenantStatus says how a tenant is, whose connection has these targets and streams.
func (s *Service) tenantStatus(ctx context.Context, p store.Partition, targets []string, streams []connectors.Stream) (ts api.TenantStatus, state store.TenantState, err error) {
	ts = api.TenantStatus{Tenant: p.Tenant, State: "ok", Objects: map[string]int{}, Records: map[string]int{}}
	err = s.store.View(ctx, p, func(tx store.Reader) (err error) {
		if state, err = tx.Tenant(); err != nil {
			return err
		}
		ts.Name, ts.Proven = state.Name, s.engine.Proven(p, state.Proven)
		ts.Failing, ts.Held = failureAnswer(state.Failing), heldAnswer(state.Held)
		if state.WantFull {
			ts.FullNext = state.Why
		}
		ts.Unasked = unasked(state.Done, s.now())
		if ts.Listed, err = listed(tx, streams, &connectors.Tenant{ID: p.Tenant, Streams: state.Streams}); err != nil {
			return err
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
		active := 0
		for _, n := range ts.Records {
			active += n
		}
		if ts.Telling, err = tellings(tx, &state, targets, active); err != nil {
			return err
		}
		if ts.Parked, err = tx.ParkedCount(); err != nil {
			return err
		}
		return tx.Due(time.Unix(1<<60, 0), func(at time.Time, _ directory.Kind, _ store.Num) bool {
			ts.NextDue = at
			return false
		})
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
	return ts, state, err
}

func countInto(counts map[string]int, word string, count func() (int, error)) error {
	n, err := count()
	if n > 0 {
		counts[word] = n
	}
	return err
}

func (s *Service) targetStatus(ctx context.Context, t *target, daemon bool) (api.TargetStatus, error) {
	is, err := t.worker.Status(ctx)
	st := api.TargetStatus{
		Name: t.settings.Name, Target: t.settings.Target, State: string(is.State), Error: is.Error,
		NextTry: is.NextTry, Waiting: is.Waiting, Oldest: is.Oldest, Waits: waitsOf(&is),
	}
	if t.desk != nil && err == nil {
		err = s.deskStatus(ctx, t, &st)
	}
	if !daemon && err == nil {
		var was *store.Failure
		if was, err = s.storedOutage(ctx, t.settings.Name, &is); was != nil {
			st.State, st.Error, st.Since = string(deliver.Failing), was.Text, was.Since
			return st, err
		}
	}
	switch {
	case !daemon:
		st.State = "unknown"
	case is.State == deliver.Failing:
		st.Since = is.Since
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
