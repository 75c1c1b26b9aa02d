package engine

import (
	"context"
	"maps"
	"slices"
	"time"

	"dirsyncd/store"
)

// prove remembers when a partition was known to agree with its source.
func (e *Engine) prove(p store.Partition, at time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.proven[p] = at
}

// Proven returns when a partition was last known to agree with its source. Idle runs are proof, too, but are not
// stored: stored is what the store says, and the engine knows better what it has seen itself.
func (e *Engine) Proven(p store.Partition, stored time.Time) time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	if t := e.proven[p]; t.After(stored) {
		return t
	}
	return stored
}

// Flush stores what the engine knows from idle runs, for those who ask after a restart. It is for a clean stop.
func (e *Engine) Flush(ctx context.Context) error {
	e.mu.Lock()
	idle := maps.Clone(e.proven)
	e.mu.Unlock()
	parts := slices.SortedFunc(maps.Keys(idle), store.Partition.Compare)
	return store.UpdateEach(ctx, e.store, parts, func(p store.Partition, tx store.Writer) error {
		state, err := tx.Tenant()
		if err != nil || !idle[p].After(state.Proven) {
			return err
		}
		return tx.PutTenant(after(state, []transition{proven(idle[p])}))
	})
}
