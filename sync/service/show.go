package service

import (
	"context"
	"errors"
	"log/slog"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/api"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/fault"
)

// Show implements api.Operations.
func (s *Service) Show(ctx context.Context, req api.ShowRequest) ([]api.Person, error) {
	basis, err := s.planBasis(ctx, api.PlanRequest{Connections: req.Connections, Offline: !req.Read})
	if err != nil {
		return nil, err
	}
	defer basis.done()
	stored := s.engine
	if req.Read {
		parts, err := s.partitionsOf(ctx, basis.list...)
		if err != nil {
			return nil, err
		}
		scratch, err := s.store.Scratch(ctx, parts...)
		if err != nil {
			return nil, err
		}
		defer func() { _ = scratch.Close() }()
		stored = engine.New(scratch, engine.Options{
			Log: slog.New(slog.DiscardHandler), Now: s.now, Configured: basis.configured, Program: s.program,
			Residents: func(ctx context.Context) ([]engine.Resident, error) { return engine.Residents(ctx, s.store) },
		})
	}
	var people []api.Person
	var missing error
	for i, conn := range basis.connections {
		if req.Read {
			if err := readInto(ctx, stored, conn, basis.list[i].tenant); err != nil {
				return nil, err
			}
		}
		found, err := showIn(ctx, stored, conn, basis.list[i].tenant, req.Who)
		if fault.ClassOf(err) == fault.Gone {
			missing, err = err, nil
		}
		if err != nil {
			return nil, err
		}
		people = append(people, found...)
	}
	switch all := len(basis.connections); {
	case len(people) > 0:
		return people, nil
	case missing == nil:
		return nil, &fault.Error{Class: fault.Gone, Op: "show", Err: errors.New("nothing was read yet"),
			Hint: "run `dirsyncd sync` first, or read without storing anything: `dirsyncd show --read`"}
	case all > 1:
		return nil, nowhere(missing, all)
	default:
		return nil, missing
	}
}

// readInto brings a throw-away copy of what is stored up to date with the source. Who cannot be read is an error: the answer
// would be an old one.
func readInto(ctx context.Context, dry *engine.Engine, conn *connection, tenant string) error {
	if without, ok := conn.Source.(unopenedSource); ok {
		return without.err
	}
	if conn.elsewhere != nil {
		return conn.elsewhere
	}
	alone := conn.Connection // whatever rules others have: nobody settles by these
	alone.Current, alone.Superseded = nil, nil
	for _, r := range dry.RunConnection(ctx, &alone, engine.Job{Tenant: tenant, Trigger: "show"}) {
		if r.Err != nil {
			return r.Err
		}
	}
	return nil
}

// showIn looks for somebody in the tenants of one connection.
func showIn(ctx context.Context, stored *engine.Engine, conn *connection, tenant, who string) (people []api.Person, missing error) {
	tenants, err := stored.StoredTenants(ctx, conn.Name)
	if err != nil {
		return nil, err
	}
	for _, t := range tenants {
		if tenant != "" && !engine.IsTenant(&t, tenant) {
			continue
		}
		found, err := stored.Show(ctx, &conn.Connection, t, who)
		switch {
		case fault.ClassOf(err) == fault.Gone:
			missing = err
		case err != nil:
			return nil, err
		}
		for i := range found {
			people = append(people, personAnswer(store.Partition{Connection: conn.Name, Tenant: t.ID}, &t, &found[i]))
		}
	}
	return people, missing
}

func personAnswer(p store.Partition, t *connectors.Tenant, s *engine.Shown) api.Person {
	a := api.Person{
		Connection: p.Connection, Tenant: p.Tenant, TenantName: t.Name, ID: s.ID, Key: s.Key, Object: s.Object, Groups: s.Groups, GroupPaths: s.GroupPaths,
		Licences: s.Licences, Manager: s.Manager, Gone: s.Gone, Waiting: s.Waiting, Held: s.Held,
	}
	for i := range s.Records {
		r := &s.Records[i]
		a.Records = append(a.Records, api.PersonRecord{Kind: r.Kind.String(), RecordReason: *recordAnswer(&r.RecordReason)})
	}
	for _, q := range s.Queued {
		a.Queued = append(a.Queued, api.QueuedAction{Target: q.Target, Since: q.Since, Op: q.Op.String(), Kind: q.Kind.String()})
	}
	for i := range s.Parked {
		item := parkedAnswer(p, t.Name, &s.Parked[i])
		if item.Name == "" {
			item.Name, _ = s.Object[directory.FieldName].(string)
		}
		a.Parked = append(a.Parked, item)
	}
	for i := range s.Changes {
		c := &s.Changes[i]
		a.Changes = append(a.Changes, api.PersonChange{Run: c.Run, Started: c.Started, PlannedAction: actedAnswer(p, t.Name, &c.RunAction)})
	}
	return a
}
