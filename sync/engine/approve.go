package engine

import (
	"context"
	"fmt"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// Approve lets the held plan with this hash go ahead, if it is still the plan that follows from what is stored.
func (e *Engine) Approve(ctx context.Context, c *Connection, t connectors.Tenant, hash string) Result {
	return e.Run(ctx, c, t, Job{Offline: true, Approve: hash, Trigger: Operator})
}

// Discard throws the held plan with this hash away. What is stored stays as it is, and the next run reads the
// source in full: if the source still says the same, so will the next plan.
func (e *Engine) Discard(ctx context.Context, p store.Partition, hash string) error {
	ctx, release, err := e.lease(ctx, p)
	if err != nil {
		return err
	}
	defer release()
	state := e.stateOf(p)
	if err := state.load(ctx); err != nil {
		return err
	}
	if state.Held == nil || state.Held.Hash != hash {
		return &fault.Error{Class: fault.Conflict, Op: "discard " + hash, Where: p.String(),
			Err: fmt.Errorf("no plan with this hash is held"), Hint: "`dirsyncd status` shows what is held"}
	}
	return state.update(ctx, nil, discarded(hash, e.opts.Now()))
}

// Remap marks an object for the next settling, as after a change: for one that was parked by its rules.
func (e *Engine) Remap(ctx context.Context, p store.Partition, parked store.Parked) error {
	ctx, release, err := e.lease(ctx, p)
	if err != nil {
		return err
	}
	defer release()
	return e.store.Update(ctx, p, func(tx store.Writer) error {
		nums, err := tx.Lookup([]string{directory.IDHandle(parked.Object)}, nil)
		if err != nil {
			return err
		}
		if nums[0] != 0 {
			if err := tx.MarkDirty(parked.Kind, nums[0], store.Changed); err != nil {
				return err
			}
		}
		_, err = tx.Unpark(parked.ID)
		return err
	})
}
