package engine

import (
	"context"
	"reflect"
	"slices"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/read"
	"dirsyncd/sync/signin/key"
)

// tenantState is the state of one tenant as the store has it, and the one way to change it: by transitions, each in
// the transaction of that from which it follows. It belongs to whoever holds the tenant's partition.
type tenantState struct {
	store.TenantState
	store store.Store
	part  store.Partition
	wrote bool // something was stored: worth a row in the history of runs

	journaling journaling
	told       []string         // fields of records of which it tells
	now        func() time.Time // for journaling

	match     *[]key.Field // by which people are found; nil: whoever uses this state does not know
	unindexed bool         // and the partition's index is another one
}

// transition is one step in the state of a tenant. Stored again, it must come to the same.
type transition func(*store.TenantState)

func (e *Engine) stateOf(p store.Partition) *tenantState {
	return &tenantState{store: e.store, part: p}
}

// load reads the state.
func (s *tenantState) load(ctx context.Context) error {
	return s.view(ctx, func(tx store.Reader) (err error) {
		if s.TenantState, err = tx.Tenant(); err != nil {
			return err
		}
		return s.lookAtIndex(tx)
	})
}

func (s *tenantState) view(ctx context.Context, fn func(store.Reader) error) error {
	return s.store.View(ctx, s.part, fn)
}

// would reports whether transitions change anything.
func (s *tenantState) would(steps []transition) bool {
	return !reflect.DeepEqual(after(s.TenantState, steps), s.TenantState)
}

func after(t store.TenantState, steps []transition) store.TenantState {
	for _, step := range steps {
		step(&t)
	}
	return t
}

// update makes transitions together with what write does, in one transaction. Where neither has anything to do, there
// is none: write may be nil.
func (s *tenantState) update(ctx context.Context, write func(store.Writer) error, steps ...transition) error {
	moves := s.would(steps)
	if write == nil && !moves {
		return nil
	}
	s.wrote = true
	next := s.TenantState
	err := s.store.Update(ctx, s.part, func(tx store.Writer) error {
		next = s.TenantState
		if err := s.index(tx); err != nil {
			return err
		}
		if moves {
			stored, err := tx.Tenant()
			if err != nil {
				return err
			}
			next = after(stored, steps)
			if err := tx.PutTenant(next); err != nil {
				return err
			}
		}
		return s.journal(tx, next.RulesHash != "", write)
	})
	if err == nil {
		s.TenantState, s.unindexed = next, false
	}
	return err
}

// halfRead: from now on what is stored is of two times, until the read comes to its end.
func halfRead(s *store.TenantState) { s.HalfRead = true }

// whole: the read came to its end, what is stored is of one time again.
func whole(s *store.TenantState) { s.HalfRead = false }

// lists: the tenant has these streams.
func lists(t *connectors.Tenant) transition {
	return func(s *store.TenantState) { s.Streams = copied(t.Streams) }
}

// has: the tenant has these mail domains. Where nobody told, it has those of before.
func has(domains []string) transition {
	return func(s *store.TenantState) {
		if len(domains) > 0 {
			s.Domains = copied(domains)
		}
	}
}

// older: the source that was read last knows less than was read before, by so much; nothing when it does not.
func older(how string) transition {
	return func(s *store.TenantState) { s.Older = how }
}

// wasReadInFull ends the wish for a full read.
func wasReadInFull(s *store.TenantState) { s.WantFull, s.Why = false, "" }

// wantFull makes the next run read in full.
func wantFull(why string) transition {
	return func(s *store.TenantState) { s.WantFull, s.Why = true, why }
}

// concluded keeps what a read has found so far and the source would not say again: that something is missing without proof,
// and that the source is an older one. It goes with whatever the read stores.
func concluded(found *read.Result) transition {
	return func(s *store.TenantState) {
		if found.Unproven != "" {
			wantFull(found.Unproven)(s)
		}
		if found.Older != "" {
			s.Older = found.Older
		}
		s.Rescoped = s.Rescoped || found.Rescoped
	}
}

// settling begins to make records by other rules than before. Whoever goes on after a cut must not take these records
// for those of other rules, be it the former ones.
func settling(rules string, targets []string) transition {
	return func(s *store.TenantState) {
		if s.RulesHash == "" {
			s.Targets, s.Initial = copied(targets), true
		}
		if s.RulesHash != rules {
			s.RulesHash = store.Settling(rules)
		}
	}
}

// settled: everything was settled by these rules from what is read now, and these targets were told.
func settled(rules string, reads []string, t *connectors.Tenant, c *Connection) transition {
	return func(s *store.TenantState) {
		s.RulesHash, s.Reads = rules, copied(reads)
		s.Name, s.Domain, s.Streams = t.Name, t.Domain, copied(t.Streams)
		s.Connector, s.Targets = c.Connector, copied(c.Targets)
		s.Telling = stillTold(s.Telling, c.Targets)
	}
}

// begun ends a tenant's first sync, unless some of it waits or it made nobody, for all are parked; and that a scope is new, unless
// those who came with it wait.
func begun(held *store.HeldPlan, nobody bool) transition {
	return func(s *store.TenantState) {
		s.Initial, s.Rescoped = s.Initial && (held != nil || nobody), s.Rescoped && held != nil && slices.Contains(held.Beyond, directory.Create.String())
	}
}

// waitsBeyond: somebody who signed in waits for the operator.
func waitsBeyond(s *store.TenantState) { s.Beyond = true }

// decidedBeyond says whether anybody does, as far as a settlement knows: whoever was settled alone after the last one of which it knows
// may wait, too.
func decidedBeyond(waits bool, alone string) transition {
	return func(s *store.TenantState) {
		if s.Alone == alone {
			s.Beyond = waits
		}
	}
}

// settledFrom is what the records were made from, where a version did it that did not write that down.
func settledFrom(reads []string) transition {
	return func(s *store.TenantState) { s.Reads = copied(reads) }
}

// renamed gives the connection another name. What the targets know the records by stays; rules may look at the name, so
// everybody is looked at again.
func renamed(from, to string) transition {
	return func(s *store.TenantState) {
		if s.Origin == "" {
			s.Origin = from
		}
		if s.Origin == to {
			s.Origin = ""
		}
		if s.RulesHash != "" {
			s.RulesHash = "renamed from " + from
		}
	}
}

// copied is nil for an empty list, as it will be when it comes back from the store.
func copied(list []string) []string { return append([]string(nil), list...) }

// failed counts one more failed run in a row.
func failed(err error, started, ended time.Time) transition {
	class := fault.ClassOf(err)
	return func(s *store.TenantState) {
		f := &store.Failure{Class: string(class), Text: err.Error(), Since: started, Runs: 1}
		var until time.Time // as the last run said
		if s.Failing != nil {
			f.Since, f.Runs = s.Failing.Since, s.Failing.Runs+1
			if s.Failing.Class == f.Class {
				until = s.Failing.Retry
			}
		}
		switch after := fault.After(err); {
		case after > 0 && class == fault.Auth && until.After(ended):
			f.Retry = until // whoever tries by hand in between does not put it off
		case after > 0 && (class == fault.Auth || class == fault.Throttled):
			f.Retry = ended.Add(min(after, longestPause))
		case class == fault.Auth:
			f.Retry = started.Add(AuthPause(f.Runs))
		}
		s.Failing = f
	}
}

// called keeps the name of a tenant that was never settled, for those who look at why.
func called(t *connectors.Tenant) transition {
	return func(s *store.TenantState) {
		if s.Name == "" && s.Domain == "" {
			s.Name, s.Domain = t.Name, t.Domain
		}
	}
}

// recovered ends a row of failed runs.
func recovered(s *store.TenantState) { s.Failing = nil }

// proven: at that time what is stored agreed with the source.
func proven(at time.Time) transition {
	return func(s *store.TenantState) { s.Proven = at }
}

// AuthPause is how long refused credentials are left alone by schedules: directories lock an account after a
// handful of refusals within minutes. Somebody who mended the cause runs the connection or reloads.
func AuthPause(runs int) time.Duration {
	return min(time.Hour<<min(runs-1, 8), longestPause)
}

// longestPause is the longest that schedules leave anybody alone.
const longestPause = 24 * time.Hour

// stage is what is stored of a tenant, as a stage of a run sees it. Whatever the stage stores makes transitions, too.
type stage struct {
	*tenantState
	steps []transition
}

// View implements read.State and settle.State.
func (s stage) View(ctx context.Context, fn func(store.Reader) error) error { return s.view(ctx, fn) }

// Update implements read.State and settle.State.
func (s stage) Update(ctx context.Context, fn func(store.Writer) error) error {
	return s.update(ctx, fn, s.steps...)
}
