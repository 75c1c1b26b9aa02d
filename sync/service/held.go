package service

import (
	"context"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/api"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/fault"
)

// heldPartition finds the partition whose held plan has a hash. Of a plan that waits no longer the error says what became.
func (s *Service) heldPartition(ctx context.Context, hash string) (store.Partition, store.TenantState, error) {
	parts, err := s.store.Partitions(ctx)
	if err != nil {
		return store.Partition{}, store.TenantState{}, err
	}
	var ended error
	for _, p := range parts {
		var state store.TenantState
		err := s.store.View(ctx, p, func(tx store.Reader) (err error) { state, err = tx.Tenant(); return err })
		if err != nil {
			return store.Partition{}, state, err
		}
		if state.Held != nil && state.Held.Hash == hash {
			return p, state, nil
		}
		for i := range state.Former {
			if f := &state.Former[i]; f.Hash == hash {
				ended = s.noLongerHeld(ctx, p, &state, f)
			}
		}
	}
	if ended != nil {
		return store.Partition{}, store.TenantState{}, ended
	}
	return store.Partition{}, store.TenantState{}, &fault.Error{Class: fault.Configuration, Op: "find plan " + hash,
		Err: api.ErrNoPlan, Hint: "`dirsyncd status` shows what is held"}
}

// Approve implements api.Operations.
func (s *Service) Approve(ctx context.Context, hash string) (api.SyncResult, error) {
	if result, found, err := s.approveAtTarget(ctx, hash); found || err != nil {
		return result, err
	}
	p, state, err := s.heldPartition(ctx, hash)
	if err != nil {
		return api.SyncResult{}, err
	}
	result, err := s.runAndDeliver(ctx, []chosen{{connection: p.Connection}}, api.FewActions+1, func(c chosen) ([]engine.Result, error) {
		if !s.configured(c.connection) {
			conn, t, err := s.retiring(ctx, p)
			if err != nil {
				return nil, err
			}
			return []engine.Result{s.engine.Approve(s.runContext(ctx), conn, t, hash)}, nil
		}
		conn, done, err := s.use(c.connection)
		if err != nil {
			return nil, err
		}
		defer done()
		t := connectors.Tenant{ID: p.Tenant, Name: state.Name, Domain: state.Domain}
		r := s.engine.Approve(s.runContext(ctx), &conn.Connection, t, hash)
		s.metrics.ran(conn.Connector, &r)
		s.triggerMade(c.connection, []engine.Result{r})
		return []engine.Result{r}, nil
	})
	if err != nil {
		return result, err
	}
	return result, s.forget(ctx, []store.Partition{p})
}

// Discard implements api.Operations.
func (s *Service) Discard(ctx context.Context, hash string) error {
	if found, err := s.discardAtTarget(ctx, hash); found || err != nil {
		return err
	}
	p, _, err := s.heldPartition(ctx, hash)
	if err != nil {
		return err
	}
	return s.engine.Discard(engine.WithUser(ctx, api.UserOf(ctx)), p, hash)
}
