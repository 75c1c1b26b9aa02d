package engine

import (
	"context"
	"errors"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/fault"
)

// leaseTime is how long whoever runs a tenant may stand still before somebody else takes over.
const leaseTime = 10 * time.Second

// lease waits until nobody else runs a tenant, or until ctx ends. What is stored under the context that it returns is
// fenced: nothing of it comes after somebody else took over. release must be called.
func (e *Engine) lease(ctx context.Context, p store.Partition) (held context.Context, release func(), err error) {
	return e.store.Lease(ctx, "run "+p.String(), leaseTime)
}

// Rest keeps a tenant from being run until release is called, by anybody who shares the store. It waits for the end of a run. What is stored under
// the context that it returns is fenced.
func (e *Engine) Rest(ctx context.Context, p store.Partition) (held context.Context, release func(), err error) {
	return e.lease(ctx, p)
}

// overtaken returns what a run that ends with err under a lease ended with, should that be the loss of the lease.
func overtaken(held context.Context, p store.Partition, err error) error {
	if err == nil || !errors.Is(context.Cause(held), store.ErrLeaseLost) {
		return err
	}
	return &fault.Error{Class: fault.Conflict, Op: "run", Where: p.String(), Err: store.ErrLeaseLost,
		Hint: "this process stood still for too long and another one took over; nothing is lost, but look at the machine's load"}
}
