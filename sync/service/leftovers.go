package service

import (
	"context"
	"slices"

	"dirsyncd/store"
	"dirsyncd/sync/api"
)

// unconfigured lists the connections, of those that have partitions, that are not configured, and of which there are active
// records or held plans.
func (s *Service) unconfigured(ctx context.Context, parts []store.Partition) (list []api.UnconfiguredConnection, err error) {
	for _, p := range parts {
		if s.configured(p.Connection) {
			continue
		}
		t, _, err := s.tenantStatus(ctx, p, nil, nil)
		if err != nil {
			return nil, err
		}
		if len(t.Records) == 0 && t.Held == nil {
			continue
		}
		i := slices.IndexFunc(list, func(c api.UnconfiguredConnection) bool { return c.Name == p.Connection })
		if i < 0 {
			i, list = len(list), append(list, api.UnconfiguredConnection{Name: p.Connection})
		}
		list[i].Tenants = append(list[i].Tenants, t)
		for _, n := range t.Records {
			list[i].Records += n
		}
	}
	return list, nil
}

// warnAboutLeftovers names what the state holds for connections and targets that are not configured any more, and forgets
// connections that were retired.
func (s *Service) warnAboutLeftovers(ctx context.Context) error {
	parts, err := s.store.Partitions(ctx)
	if err != nil {
		return err
	}
	// What only an older configuration does not have may be read for the first time just now.
	if by, err := s.outdatedBy(ctx); err != nil || by != "" {
		return err
	}
	if err := s.forget(ctx, parts); err != nil {
		return err
	}
	left, err := s.unconfigured(ctx, parts)
	if err != nil {
		return err
	}
	for _, c := range left {
		s.log.Warn("the state holds active records of a connection that is not configured; they stay as they are", "connection", c.Name, "records", c.Records,
			"hint", api.UnconfiguredHint(c.Name))
	}
	cfg := s.current()
	for _, p := range parts {
		err := s.store.View(ctx, p, func(tx store.Reader) error {
			names, err := tx.Targets()
			for _, name := range names {
				if cfg.targets[name] == nil {
					s.log.Warn("actions wait for a target that is not configured", "connection", p.Connection, "target", name)
				}
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
