package engine

import (
	"context"
	"sync"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/plan"
)

// tenantsAtOnce is how many tenants of one connection are run at the same time.
const tenantsAtOnce = 4

// RunConnection runs every tenant of a connection and returns their results in the order in which the source
// lists them. One tenant's failure is that tenant's alone. When the tenants cannot be listed, the only result
// is that of the connection itself.
func (e *Engine) RunConnection(ctx context.Context, c *Connection, job Job) []Result {
	tenants, err := e.tenants(ctx, c, job)
	if err != nil {
		return []Result{e.failed(ctx, c, job, err)}
	}
	results := make([]Result, len(tenants))
	var wg sync.WaitGroup
	slots := make(chan struct{}, tenantsAtOnce)
	for i, t := range tenants {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			results[i] = e.Run(ctx, c, t, job)
		})
	}
	wg.Wait()
	return results
}

// tenants asks the source for its tenants, or the store when the source is not to be asked.
func (e *Engine) tenants(ctx context.Context, c *Connection, job Job) ([]connectors.Tenant, error) {
	if !job.Offline {
		return c.Source.Tenants(ctx)
	}
	return e.StoredTenants(ctx, c.Name)
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
