package engine

import (
	"context"
	"slices"

	"dirsyncd/store"
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
	if r.job.Round == "" {
		return
	}
	all, run := r.whole, charging{part: r.part, run: r.rec.ID, round: r.job.Round, before: history.Sum()}
	t.Charge = func(ctx context.Context, done plan.Done) ([]plan.Breach, error) {
		run.done = done
		breaches, err := r.engine.charge(ctx, sharedScope(all), run)
		if err == nil && len(breaches) == 0 && len(all.WholeOver) > 0 {
			if breaches, err = r.engine.charge(ctx, wholeScope(all), run); err == nil && len(breaches) > 0 {
				err = r.engine.refund(ctx, sharedScope(all), run)
			}
		}
		r.ends = append(r.ends, func() {
			if r.rec.Outcome != Failed {
				r.engine.ended.note(r.part, r.rec.ID)
			}
		})
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
