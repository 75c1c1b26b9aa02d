package engine

import (
	"context"
	"slices"
	"sync"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/plan"
)

// RunConnection runs every tenant of a connection and returns their results in the order in which the source
// lists them, then those that it used to list. One tenant's failure is that tenant's alone. When the tenants
// cannot be listed, the only result is that of the connection itself.
func (e *Engine) RunConnection(ctx context.Context, c *Connection, job Job) []Result {
	if whole := e.begin(c, connectors.Tenant{}, job); job.Patient && whole.mustWait(ctx) {
		// The credentials with which tenants are listed were refused.
		whole.rec.Outcome, whole.rec.Ended = Waiting, whole.rec.Started
		return []Result{{Partition: whole.part, Run: whole.rec}}
	}
	tenants, unlisted, err := e.tenants(ctx, c, job)
	if err != nil {
		return []Result{e.failed(ctx, c, job, err)}
	}
	results := make([]Result, len(tenants)+len(unlisted))
	queue := newTenantQueue()
	var wg sync.WaitGroup
	for i, t := range slices.Concat(tenants, unlisted) {
		job := job
		job.unlisted = i >= len(tenants)
		wg.Go(func() {
			ctx, release := queue.acquire(ctx, e.isFailing(ctx, store.Partition{Connection: c.Name, Tenant: t.ID}))
			defer release()
			results[i] = e.Run(ctx, c, t, job)
		})
	}
	wg.Wait()
	return results
}

// tenants asks the source for its tenants, or the store when the source is not to be asked. unlisted are those
// that were read before and that the source no longer has.
func (e *Engine) tenants(ctx context.Context, c *Connection, job Job) (tenants, unlisted []connectors.Tenant, err error) {
	defer recovered("list the tenants", &err)
	stored, err := e.StoredTenants(ctx, c.Name)
	if err != nil {
		return nil, nil, err
	}
	named := func(list []connectors.Tenant, t connectors.Tenant) bool {
		return slices.ContainsFunc(list, func(o connectors.Tenant) bool { return o.ID == t.ID })
	}
	// The partition without a name is the connection itself when there are tenants: it holds why they could
	// not be listed.
	whole := func(t connectors.Tenant) bool { return t.ID == "" && len(stored) > 1 }
	if job.Offline {
		return slices.DeleteFunc(stored, whole), nil, nil
	}
	if tenants, err = c.Source.Tenants(ctx); err != nil {
		return nil, nil, err
	}
	for _, t := range stored {
		switch {
		case named(tenants, t):
		case t.ID == "":
			err = e.listedAgain(ctx, c)
		default:
			unlisted = append(unlisted, t)
		}
	}
	return tenants, unlisted, err
}

// listedAgain ends the failure of a connection whose tenants could not be listed.
func (e *Engine) listedAgain(ctx context.Context, c *Connection) error {
	p := store.Partition{Connection: c.Name}
	if !e.isFailing(ctx, p) {
		return nil
	}
	e.opts.Log.Info("connection recovered: its tenants can be listed again", "connection", c.Name)
	return e.store.Update(ctx, p, func(tx store.Writer) error {
		state, err := tx.Tenant()
		if err != nil {
			return err
		}
		state.Failing, state.Proven = nil, e.opts.Now().UTC()
		return tx.PutTenant(state)
	})
}

// isFailing reports whether a partition's last run failed. When that cannot be read, the run itself will say so.
func (e *Engine) isFailing(ctx context.Context, p store.Partition) (failing bool) {
	_ = e.store.View(ctx, p, func(tx store.Reader) error {
		state, err := tx.Tenant()
		failing = state.Failing != nil
		return err
	})
	return failing
}

// StoredTenants lists the tenants of a connection that were ever read, in order.
func (e *Engine) StoredTenants(ctx context.Context, connection string) ([]connectors.Tenant, error) {
	parts, err := e.store.Partitions(ctx)
	if err != nil {
		return nil, err
	}
	var tenants []connectors.Tenant
	for _, p := range parts {
		if p.Connection != connection {
			continue
		}
		t := connectors.Tenant{ID: p.Tenant}
		err := e.store.View(ctx, p, func(tx store.Reader) error {
			state, err := tx.Tenant()
			t.Name, t.Domain = state.Name, state.Domain
			return err
		})
		if err != nil {
			return nil, err
		}
		tenants = append(tenants, t)
	}
	return tenants, nil
}

// failed records that a connection could not even list its tenants.
func (e *Engine) failed(ctx context.Context, c *Connection, job Job, err error) Result {
	r := e.begin(c, connectors.Tenant{}, job)
	defer e.lock(r.part)()
	if e := r.load(ctx); e != nil {
		err = e
	}
	return r.finish(ctx, err)
}

// begin prepares a run.
func (e *Engine) begin(c *Connection, t connectors.Tenant, job Job) *run {
	now := e.opts.Now().UTC()
	started := now.Truncate(time.Second)
	r := &run{
		Engine: e, conn: c, tenant: t, part: store.Partition{Connection: c.Name, Tenant: t.ID}, job: job,
		stamp:  directory.Stamp{Run: newRunID(started), Time: started},
		counts: plan.Counts{},
	}
	r.log = e.opts.Log.With("connection", c.Name, "run", r.stamp.Run)
	if t.ID != "" {
		r.log = r.log.With("tenant", t.Name)
	}
	r.rec = store.Run{ID: r.stamp.Run, Trigger: job.Trigger, Started: now, Mode: r.mode()}
	return r
}
