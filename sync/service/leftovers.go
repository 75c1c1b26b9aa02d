package service

import (
	"context"

	"dirsyncd/store"
)

// warnAboutLeftovers names what the state holds for connections and targets that are not configured any more.
func (s *Service) warnAboutLeftovers(ctx context.Context) error {
	parts, err := s.store.Partitions(ctx)
	if err != nil {
		return err
	}
	cfg := s.current()
	for _, p := range parts {
		if cfg.connections[p.Connection] == nil {
			s.log.Warn("the state holds a connection that is not configured; its records stay as they are", "connection", p.Connection)
		}
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
