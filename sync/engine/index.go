package engine

import (
	"context"
	"slices"

	"dirsyncd/store"
)

// Index makes the indexes by which a connection's people sign in (Connection.Match) in all partitions that it has, or drops them where
// there are to be none. Where they are as they should be it writes nothing. A partition that comes later gets its own with what is first stored in it.
func (e *Engine) Index(ctx context.Context, c *Connection) error {
	parts, err := e.store.Partitions(ctx, c.Name)
	if err != nil {
		return err
	}
	for _, p := range parts {
		s := e.stateOf(p)
		s.match = &c.Match
		if err := s.load(ctx); err != nil {
			return err
		}
		if !s.unindexed {
			continue
		}
		e.opts.Log.Info("making the index by which people sign in", "connection", c.Name, "tenant", p.Tenant, "fields", len(c.Match))
		if err := s.store.Update(ctx, p, s.index); err != nil {
			return err
		}
	}
	return nil
}

// lookAtIndex notes whether the partition's index is of the fields that the connection wants.
func (s *tenantState) lookAtIndex(tx store.Reader) error {
	if s.match == nil {
		return nil
	}
	fields, err := tx.Matching()
	s.unindexed = !slices.Equal(fields, *s.match)
	return err
}

// index makes it so, if it is not.
func (s *tenantState) index(tx store.Writer) error {
	if !s.unindexed {
		return nil
	}
	return tx.SetMatching(*s.match)
}
