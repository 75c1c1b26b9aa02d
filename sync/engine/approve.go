package engine

import (
	"context"
	"fmt"
	"slices"

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
	return state.update(ctx, nil, discarded(hash, e.opts.Now(), userOf(ctx)))
}

// remappedAtOnce is how many objects Remap marks in a transaction.
const remappedAtOnce = 1000

// Remap marks objects for the next settling, as after a change: those that were parked by their rules.
func (e *Engine) Remap(ctx context.Context, p store.Partition, parked []store.Parked) error {
	ctx, release, err := e.lease(ctx, p)
	if err != nil {
		return err
	}
	defer release()
	for chunk := range slices.Chunk(parked, remappedAtOnce) {
		if err := e.store.Update(ctx, p, func(tx store.Writer) error { return remap(tx, chunk) }); err != nil {
			return err
		}
	}
	return nil
}

func remap(tx store.Writer, parked []store.Parked) error {
	handles := make([]string, len(parked))
	for i := range parked {
		handles[i] = directory.IDHandle(parked[i].Object)
	}
	nums, err := tx.Lookup(handles, nil)
	if err != nil {
		return err
	}
	for i, n := range nums {
		if n != 0 {
			if err := tx.MarkDirty(parked[i].Kind, n, store.Changed); err != nil {
				return err
			}
		}
		if _, err := tx.Unpark(parked[i].ID); err != nil {
			return err
		}
	}
	return nil
}
