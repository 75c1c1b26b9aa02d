package engine

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"sync"

	"dirsyncd/connectors"
	"dirsyncd/store"
)

// Several workers may run the tenants of one connection: each runs a share of them. All shares are one run of the connection, a round: what
// tenants do together is counted by its name (charge.go), and the next one begins when all shares have been run. That is the caller's to see to.

// Share is a part of a connection's tenants: each tenant, listed or not, is in exactly one of so many, by its id.
type Share struct {
	Number int // from 1 on
	Of     int // 0: there is one, with all tenants
}

func (s Share) has(tenant string) bool {
	if s.Of == 0 {
		return true
	}
	sum := sha256.Sum256([]byte(tenant))
	return int(binary.BigEndian.Uint32(sum[:])>>1)%s.Of == s.Number-1
}

// MostShares is into how many shares a connection is divided at most.
const MostShares = 16

// Round is a run of a connection that was divided; the zero value is none.
type Round struct {
	Name   string // Job.Round of its shares
	Shares int
}

// Divide is RunConnection where others may help: workers says how many there are, and is asked only when there is enough for several. Then none
// of the tenants is run here, and a round is returned: RunConnection, in any process, runs its shares.
func (e *Engine) Divide(ctx context.Context, c *Connection, job Job, workers func(context.Context) int) (Round, []Result) {
	tj := tenantJob{Job: job, residents: e.residentsOnce()}
	l, failed := e.list(ctx, c, tj)
	if failed != nil {
		return Round{}, failed
	}
	// Each has enough for all places in the queue of tenants: more workers would do no more at a time.
	n := min((len(l.tenants)+len(l.unlisted))/tenantsAtOnce, MostShares)
	if c.Followed {
		n = 1 // others are made of it, when all of it was run
	}
	if n > 1 {
		n = min(n, workers(ctx))
	}
	if n < 2 || e.namesakes(ctx, c, tj) {
		return Round{}, e.runTenants(ctx, c, tj, l, newTenantQueue())
	}
	r := Round{Name: newRunID(e.opts.Now().UTC()), Shares: n}
	here := e.roundHere(c.Name, r.Name)
	here.mu.Lock()
	defer here.mu.Unlock()
	here.listed, here.source = l, c.Source
	return r, nil
}

// namesakes reports whether the connection's tenants may be known under the name of another connection, which only those see that ask before
// one of them has records (run.newcomer). When that cannot be read, each run will say so.
func (e *Engine) namesakes(ctx context.Context, c *Connection, job tenantJob) bool {
	parts, err := e.store.Partitions(ctx, c.Name)
	for _, p := range parts {
		var settled bool
		if err == nil {
			settled, err = e.isSettled(ctx, p)
		}
		if settled {
			return false
		}
	}
	if err != nil {
		return true
	}
	all, err := job.residents(ctx)
	return err != nil || slices.ContainsFunc(all, func(o Resident) bool {
		return o.Active > 0 && o.Partition.Connection != c.Name && !e.configured(o.Partition.Connection)
	})
}

// isSettled reports whether records of a partition were made by rules, if only to find that there are none.
func (e *Engine) isSettled(ctx context.Context, p store.Partition) (bool, error) {
	state := e.stateOf(p)
	err := state.load(ctx)
	return state.RulesHash != "", err
}

// round is what the shares of a round have together in this process: they list the connection once, and its tenants wait for places in
// one queue.
type round struct {
	name      string
	queue     *Queue
	residents func(context.Context) ([]Resident, error)

	mu     sync.Mutex // while tenants are listed
	listed *listing
	source connectors.Connector // that has listed them: an edited one has others, or knows of none yet
}

// roundHere is this process's part in a round. Of each connection there is one, the last.
func (e *Engine) roundHere(connection, name string) *round {
	e.mu.Lock()
	defer e.mu.Unlock()
	r := e.rounds[connection]
	if r == nil || r.name != name {
		r = &round{name: name, queue: newTenantQueue(), residents: e.residentsOnce()}
		e.rounds[connection] = r
	}
	return r
}

// list lists the tenants of a source, unless that was done.
func (r *round) list(source connectors.Connector, list func() (*listing, []Result)) (*listing, []Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.listed == nil || r.source != source {
		listed, failed := list()
		if failed != nil {
			return nil, failed
		}
		r.listed, r.source = listed, source
	}
	return r.listed, nil
}

// runShare runs the tenants of a share.
func (e *Engine) runShare(ctx context.Context, c *Connection, job tenantJob) []Result {
	here := e.roundHere(c.Name, job.Round)
	job.residents = here.residents
	all, failed := here.list(c.Source, func() (*listing, []Result) { return e.list(ctx, c, job) })
	if failed != nil {
		return failed
	}
	others := func(t connectors.Tenant) bool { return !job.Share.has(t.ID) }
	mine := &listing{slices.DeleteFunc(slices.Clone(all.tenants), others), slices.DeleteFunc(slices.Clone(all.unlisted), others)}
	return e.runTenants(ctx, c, job, mine, here.queue)
}
