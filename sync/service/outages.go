package service

import (
	"context"
	"fmt"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/deliver"
)

// Workers know how their targets do, and forget it with the process. What `sync` met when no daemon ran is kept in the partition of
// the target, for a later `status`.

// keepOutage stores how a target did when it was last asked to take what waits.
func (s *Service) keepOutage(ctx context.Context, target string, is *deliver.Status) error {
	part := store.TargetPartition(target)
	var next *store.Failure
	if is.State == deliver.Failing {
		next = &store.Failure{Class: is.Class, Text: is.Error, Since: s.now().UTC().Truncate(time.Second), Runs: 1}
	}
	var state store.TenantState
	err := s.store.View(ctx, part, func(tx store.Reader) (err error) { state, err = tx.Tenant(); return err })
	if err == nil && (next != nil || state.Failing != nil) {
		err = s.store.Update(ctx, part, func(tx store.Writer) error {
			state, err := tx.Tenant()
			if err != nil {
				return err
			}
			failing := next
			if was := state.Failing; failing != nil && was != nil && lasted(was, is) {
				again := *failing
				again.Since, again.Runs = was.Since, was.Runs+1
				failing = &again
			}
			state.Failing = failing
			return tx.PutTenant(state)
		})
	}
	if err != nil {
		return fmt.Errorf("store how target %s does: %w", target, err)
	}
	return nil
}

// lasted reports whether a failure that was stored is still about what waits now: what waited then has not been taken since.
func lasted(was *store.Failure, is *deliver.Status) bool {
	return is.Waiting > 0 && !is.Oldest.After(was.Since)
}

// storedOutage is why a target did not take what waits for it when it was last asked, as far as a process knows that has not asked
// itself; nil when it is not known to fail.
func (s *Service) storedOutage(ctx context.Context, target string, is *deliver.Status) (*store.Failure, error) {
	if is.Waiting == 0 {
		return nil, nil
	}
	var state store.TenantState
	err := s.store.View(ctx, store.TargetPartition(target), func(tx store.Reader) (err error) { state, err = tx.Tenant(); return err })
	if err != nil || state.Failing == nil || !lasted(state.Failing, is) {
		return nil, err
	}
	return state.Failing, nil
}
