package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/plan"
	"dirsyncd/sync/read"
)

// RunConnection runs every tenant of a connection, or those of a share, and returns their results in the order in which the source
// lists them, then those that it used to list. One tenant's failure is that tenant's alone. When the tenants
// cannot be listed, the only result is that of the connection itself. There is none when the job means a tenant that it
// has not.
func (e *Engine) RunConnection(ctx context.Context, c *Connection, job Job) []Result {
	return e.runConnection(ctx, c, tenantJob{Job: job, residents: e.residentsOnce()})
}

// Preview is RunConnection where visit sees every action of the plans before the guard decides: all of one tenant, in order, and then those of
// the next, in one call at a time. An action is good until visit returns (directory.Action.Keep). All else happens, too: it is for an engine on a throw-away copy of the store.
func (e *Engine) Preview(ctx context.Context, c *Connection, job Job, visit func(*connectors.Tenant, *directory.Action)) []Result {
	return e.runConnection(ctx, c, tenantJob{Job: job, residents: e.residentsOnce(), visits: &visits{visit: visit}})
}

// residentsOnce asks once for all tenants of a connection, as soon as there is an answer.
func (e *Engine) residentsOnce() func(context.Context) ([]Resident, error) {
	var mu sync.Mutex
	var all []Resident
	asked := false
	return func(ctx context.Context) ([]Resident, error) {
		mu.Lock()
		defer mu.Unlock()
		if asked {
			return all, nil
		}
		list, err := e.opts.Residents(ctx)
		if err != nil {
			return nil, err
		}
		all, asked = list, true
		return all, nil
	}
}

// IsTenant reports whether somebody who names a tenant means this one: by its id, name or domain, in letters of any case.
func IsTenant(t *connectors.Tenant, who string) bool {
	return t.ID != "" && (strings.EqualFold(t.ID, who) || strings.EqualFold(t.Name, who) || strings.EqualFold(t.Domain, who))
}

func (e *Engine) runConnection(ctx context.Context, c *Connection, job tenantJob) []Result {
	if job.Share.Of > 0 {
		return e.runShare(ctx, c, job)
	}
	l, failed := e.list(ctx, c, job)
	if failed != nil {
		return failed
	}
	return e.runTenants(ctx, c, job, l, newTenantQueue())
}

// listing is what tenants a connection has. unlisted are those that were read before and that the source no longer has.
type listing struct{ tenants, unlisted []connectors.Tenant }

// list lists the tenants that a job means. When they cannot be listed, or are to be left alone, failed is the result of the connection.
func (e *Engine) list(ctx context.Context, c *Connection, job tenantJob) (l *listing, failed []Result) {
	if whole := e.begin(c, connectors.Tenant{}, job); job.Patient && whole.load(ctx) == nil && whole.mustWait() {
		// The credentials with which tenants are listed were refused. When the state cannot be read, the run itself will say so.
		whole.rec.Outcome, whole.rec.Ended = Waiting, whole.rec.Started
		return nil, []Result{{Partition: whole.part, Run: whole.rec}}
	}
	tenants, unlisted, err := e.tenants(ctx, c, job.Job)
	if err != nil {
		return nil, []Result{e.notListed(ctx, c, job, err)}
	}
	if job.Tenant != "" {
		other := func(t connectors.Tenant) bool { return !IsTenant(&t, job.Tenant) }
		tenants, unlisted = slices.DeleteFunc(tenants, other), slices.DeleteFunc(unlisted, other)
	}
	if job.User != "" {
		if tenants, err = e.tenantsWith(ctx, c, tenants, job.User); err != nil {
			return nil, []Result{e.begin(c, connectors.Tenant{}, job).notBegun(err)}
		}
	}
	return &listing{tenants, unlisted}, nil
}

// runTenants runs tenants at the same time, as far as their queue lets them.
func (e *Engine) runTenants(ctx context.Context, c *Connection, job tenantJob, l *listing, queue *Queue) []Result {
	results := make([]Result, len(l.tenants)+len(l.unlisted))
	if job.Share.Of == 0 {
		job.Round = ""
		if len(results) > 1 || len(c.Shared.Written) > 0 || len(c.WholeOver) > 0 || slices.ContainsFunc(c.SharedOver, func(o plan.Over) bool { return o.Written }) {
			job.Round = newRunID(e.opts.Now().UTC())
		}
	}
	var wg sync.WaitGroup
	for i, t := range slices.Concat(l.tenants, l.unlisted) {
		job := job
		job.unlisted = i >= len(l.tenants)
		wg.Go(func() {
			ctx, release := queue.acquire(ctx, e.isFailing(ctx, store.Partition{Connection: c.Name, Tenant: t.ID}), nil)
			defer release()
			results[i] = e.run(ctx, c, t, job)
		})
	}
	wg.Wait()
	return results
}

// tenants asks the source for its tenants, or the store when the source is not to be asked. unlisted are those
// that were read before and that the source no longer has.
func (e *Engine) tenants(ctx context.Context, c *Connection, job Job) (tenants, unlisted []connectors.Tenant, err error) {
	defer fault.Recover("list the tenants", &err)
	stored, err := e.StoredTenants(ctx, c.Name)
	if err != nil {
		return nil, nil, err
	}
	named := func(list []connectors.Tenant, t connectors.Tenant) bool {
		return slices.ContainsFunc(list, func(o connectors.Tenant) bool { return o.ID == t.ID })
	}
	// The partition without a name is the connection itself when there are tenants: it holds why they could
	// not be listed. Where the connection had no tenants before, it holds what was made then.
	lived, err := e.livedWhole(ctx, c.Name)
	if err != nil {
		return nil, nil, err
	}
	if job.Offline || job.User != "" {
		return slices.DeleteFunc(stored, func(t connectors.Tenant) bool { return t.ID == "" && len(stored) > 1 && !lived }), nil, nil
	}
	if tenants, err = c.Source.Tenants(ctx); err != nil {
		return nil, nil, err
	}
	for _, t := range stored {
		switch {
		case named(tenants, t):
		case t.ID == "" && !lived:
			err = e.listedAgain(ctx, c)
		default:
			unlisted = append(unlisted, t)
		}
	}
	return tenants, unlisted, err
}

// livedWhole reports whether a connection has records that it made when it had no tenants.
func (e *Engine) livedWhole(ctx context.Context, connection string) (lived bool, err error) {
	state := e.stateOf(store.Partition{Connection: connection})
	err = state.load(ctx)
	return state.RulesHash != "", err
}

// listedAgain ends the failure of a connection whose tenants could not be listed.
func (e *Engine) listedAgain(ctx context.Context, c *Connection) error {
	state := e.stateOf(store.Partition{Connection: c.Name})
	if state.load(ctx) != nil || state.Failing == nil {
		return nil // when it cannot be read, the run itself will say so
	}
	e.opts.Log.Info("connection recovered: its tenants can be listed again", "connection", c.Name)
	return state.update(ctx, nil, recovered, proven(e.opts.Now().UTC()))
}

// Failing reports whether a connection failed when it was last run: that of its only tenant, or the list of its tenants.
func (e *Engine) Failing(ctx context.Context, connection string) bool {
	return e.isFailing(ctx, store.Partition{Connection: connection})
}

// isFailing reports whether a partition's last run failed. When that cannot be read, the run itself will say so.
func (e *Engine) isFailing(ctx context.Context, p store.Partition) bool {
	state := e.stateOf(p)
	return state.load(ctx) == nil && state.Failing != nil
}

// StoredTenants lists the tenants of a connection that were ever read, in order.
func (e *Engine) StoredTenants(ctx context.Context, connection string) ([]connectors.Tenant, error) {
	parts, err := e.store.Partitions(ctx, connection)
	if err != nil {
		return nil, err
	}
	var tenants []connectors.Tenant
	for _, p := range parts {
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

// notListed records that a connection could not even list its tenants.
func (e *Engine) notListed(ctx context.Context, c *Connection, job tenantJob, err error) Result {
	r := e.begin(c, connectors.Tenant{}, job)
	// A run that was stopped must still be able to say so, unless somebody else is at it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseTime)
	defer cancel()
	ctx, release, busy := e.lease(ctx, r.part)
	if busy != nil {
		return r.notBegun(errors.Join(err, busy))
	}
	defer release()
	if e := r.load(ctx); e != nil {
		err = e
	}
	return r.finish(ctx, err)
}

// Listed reports whether the source listed a tenant when it was last asked for its tenants; false for one that was never read.
func (e *Engine) Listed(ctx context.Context, p store.Partition) (listed bool, err error) {
	all, err := e.store.Partitions(ctx, p.Connection)
	if err != nil || !slices.Contains(all, p) {
		return false, err
	}
	err = e.store.View(ctx, p, func(tx store.Reader) error {
		state, err := tx.Tenant()
		listed = err == nil && !(state.WantFull && (state.Why == read.NotListed || state.Why == notAllMarked))
		return err
	})
	return listed, err
}
