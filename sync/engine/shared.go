package engine

import (
	"context"
	"sync"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/plan"
)

// shared is what the tenants of a connection do to records in one run of it, all of them together: each within its own
// limits, forty may lose more than anybody wants. What a tenant does is charged before it is done, so those whose turn
// comes late wait. Nobody waits for another tenant.
type shared struct {
	engine *Engine
	conn   *Connection

	mu      sync.Mutex
	done    plan.Counts
	records map[directory.RecordKind]int // active ones of all tenants; nil until somebody asks
	tenants int                          // of those that have any
}

func (e *Engine) newShared(c *Connection) *shared {
	return &shared{engine: e, conn: c, done: plan.Counts{}}
}

// charge adds a tenant's actions, unless all together go beyond the connection's limits then.
func (s *shared) charge(ctx context.Context, counts plan.Counts) ([]plan.Breach, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.records == nil {
		if err := s.count(ctx); err != nil {
			return nil, err
		}
	}
	all := plan.Counts{}
	all.Merge(s.done)
	all.Merge(counts)
	breaches := s.conn.Shared.Check(all, s.tenants, func(kind directory.RecordKind) int { return s.records[kind] })
	if len(breaches) == 0 {
		s.done = all
	}
	return breaches, nil
}

// count looks at how many records there are, once in a run that does anything.
func (s *shared) count(ctx context.Context) error {
	stored, err := s.engine.StoredTenants(ctx, s.conn.Name)
	if err != nil {
		return err
	}
	records, tenants := map[directory.RecordKind]int{}, 0
	for _, t := range stored {
		var mine map[directory.RecordKind]int
		err := s.engine.store.View(ctx, store.Partition{Connection: s.conn.Name, Tenant: t.ID}, func(tx store.Reader) (err error) {
			mine = map[directory.RecordKind]int{}
			for _, kind := range directory.RecordKinds() {
				if mine[kind], err = tx.ActiveRecords(kind); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		has := false
		for kind, n := range mine {
			records[kind] += n
			has = has || n > 0
		}
		if has {
			tenants++
		}
	}
	s.records, s.tenants = records, tenants
	return nil
}
