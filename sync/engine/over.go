package engine

import (
	"context"
	"slices"
	"sync"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/plan"
	"dirsyncd/sync/settle"
)

// limitOver gives a settling its limits over time, and what was done before.
func (r *run) limitOver(t *settle.Task) {
	t.Over, t.OverOthers, t.Count = r.conn.Over, slices.Concat(r.conn.SharedOver, r.conn.WholeOver), r.countDone
	history, err := plan.ParseHistory(r.state.Done)
	if err != nil {
		r.note("the counts of what was done in the last weeks are damaged, and begin anew: limits over time know nothing of it")
	}
	t.History = history
	s := r.job.shared
	if s == nil {
		return
	}
	t.Charge = func(ctx context.Context, done plan.Done) ([]plan.Breach, error) {
		breaches, err := s.charge(ctx, done)
		if err != nil || len(breaches) > 0 || len(s.conn.WholeOver) == 0 {
			return breaches, err
		}
		breaches, ended, err := s.engine.total.charge(ctx, s.engine, s.conn.WholeOver, charged{r.part, history, done})
		if ended != nil {
			r.ends = append(r.ends, ended)
		}
		return breaches, err
	}
}

// countDone keeps what a run does.
func (r *run) countDone(tx store.Writer, done plan.Done) error {
	state, err := tx.Tenant()
	if err != nil {
		return err
	}
	history, _ := plan.ParseHistory(state.Done) // a damaged one begins anew, as the run has said
	history.Add(r.stamp.Time, done)
	state.Done = history.Encode()
	return tx.PutTenant(state)
}

// lookedAt: an operator has approved a plan, and the count of what is done unasked begins anew.
func lookedAt(s *store.TenantState) {
	history, err := plan.ParseHistory(s.Done)
	if err != nil {
		s.Done = nil
		return
	}
	history.Approve()
	s.Done = history.Encode()
}

// pastOf is what was done within the time of a limit, by others too.
func pastOf(history *plan.History, sums map[time.Duration]plan.Done, now time.Time, within time.Duration) plan.Done {
	sum, ok := sums[within]
	if !ok {
		sum = history.Within(now, within)
		sums[within] = sum
	}
	return sum.Clone()
}

// total is what all connections do, for limits on all of them together. It is read from the state anew now and then, so that
// what other workers do is seen, too; of what runs at the very same moment elsewhere nothing is known.
type total struct {
	mu      sync.Mutex
	read    time.Time
	history plan.History
	sums    map[time.Duration]plan.Done
	records map[directory.RecordKind]int
	// running is what was charged by runs that have not ended. Some of it may be stored already.
	running map[*charged]bool
}

// charged is what a run is about to do, and what was done in its partition before.
type charged struct {
	part   store.Partition
	before plan.History
	done   plan.Done
}

// totalFor is how long what was read of the state is good for.
const totalFor = time.Minute

// charge adds what a run is about to do, unless all together goes beyond the limits. ended is called when the run has ended.
func (w *total) charge(ctx context.Context, e *Engine, limits []plan.Over, run charged) (breaches []plan.Breach, ended func(), err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := e.opts.Now()
	if w.sums == nil || now.Sub(w.read) > totalFor || now.Before(w.read) {
		if err := w.look(ctx, e, now); err != nil {
			return nil, nil, err
		}
	}
	for i := range limits {
		past := pastOf(&w.history, w.sums, now, limits[i].Within)
		for other := range w.running {
			past.Merge(other.done)
		}
		found, err := limits[i].Check(run.done, &plan.Past{Done: past, Population: func(kind directory.RecordKind) int { return w.records[kind] },
			Usual: func(of func(plan.Entry) bool) (int, bool) { return w.history.Usual(now, of) }})
		if err != nil {
			return nil, nil, err
		}
		breaches = append(breaches, found...)
	}
	if len(breaches) > 0 {
		return breaches, nil, nil
	}
	run.done = run.done.Clone()
	w.running[&run] = true
	return nil, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, sum := range w.sums {
			sum.Merge(run.done)
		}
		delete(w.running, &run)
	}, nil
}

// look reads what all connections have done, but for what runs that have not ended have stored: that is known already.
func (w *total) look(ctx context.Context, e *Engine, now time.Time) error {
	parts, err := e.store.Partitions(ctx)
	if err != nil {
		return err
	}
	history, records := plan.History{}, map[directory.RecordKind]int{}
	before := map[store.Partition]*plan.History{}
	for run := range w.running {
		before[run.part] = &run.before
	}
	for _, p := range parts {
		all, was := &history, before[p]
		if was != nil {
			history.Join(was)
			all = new(plan.History)
		}
		if err := lookInto(ctx, e.store, p, all, records); err != nil {
			return err
		}
	}
	w.read, w.history, w.records, w.sums = now, history, records, map[time.Duration]plan.Done{}
	if w.running == nil {
		w.running = map[*charged]bool{}
	}
	return nil
}

// lookInto adds what was done in a partition, and the active records that it has.
func lookInto(ctx context.Context, s store.Store, p store.Partition, history *plan.History, records map[directory.RecordKind]int) error {
	var mine plan.History
	counts := map[directory.RecordKind]int{}
	err := s.View(ctx, p, func(tx store.Reader) error {
		state, err := tx.Tenant()
		if err != nil {
			return err
		}
		mine, _ = plan.ParseHistory(state.Done) // the tenant's own run says that it is damaged
		for _, kind := range directory.RecordKinds() {
			if counts[kind], err = tx.ActiveRecords(kind); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	history.Join(&mine)
	for kind, n := range counts {
		records[kind] += n
	}
	return nil
}
