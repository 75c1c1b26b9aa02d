package engine

import (
	"context"
	"sync"
	"time"

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
	done    plan.Done
	history plan.History // of all tenants, as it was when the first of them asked
	sums    map[time.Duration]plan.Done
	records map[directory.RecordKind]int // active ones of all tenants; nil until somebody asks
	tenants int                          // of those that have any
}

func (e *Engine) newShared(c *Connection) *shared {
	return &shared{engine: e, conn: c, done: plan.Done{}}
}

// charge adds a tenant's actions, unless all together go beyond the connection's limits then.
func (s *shared) charge(ctx context.Context, done plan.Done) ([]plan.Breach, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.records == nil {
		if err := s.count(ctx); err != nil {
			return nil, err
		}
	}
	all := s.done.Clone()
	all.Merge(done)
	population := func(kind directory.RecordKind) int { return s.records[kind] }
	breaches := s.conn.Shared.Check(all.Counts(), s.tenants, population)
	now := s.engine.opts.Now()
	for i := range s.conn.SharedOver {
		o := &s.conn.SharedOver[i]
		if s.tenants < s.conn.Shared.Tenants && !o.Written {
			continue
		}
		past := pastOf(&s.history, s.sums, now, o.Within)
		past.Merge(s.done)
		found, err := o.Check(done, &plan.Past{Done: past, Population: population,
			Usual: func(of func(plan.Entry) bool) (int, bool) { return s.history.Usual(now, of) }})
		if err != nil {
			return nil, err
		}
		breaches = append(breaches, found...)
	}
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
	history, records, tenants := plan.History{}, map[directory.RecordKind]int{}, 0
	for _, t := range stored {
		mine := map[directory.RecordKind]int{}
		if err := lookInto(ctx, s.engine.store, store.Partition{Connection: s.conn.Name, Tenant: t.ID}, &history, mine); err != nil {
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
	s.history, s.sums, s.records, s.tenants = history, map[time.Duration]plan.Done{}, records, tenants
	return nil
}
