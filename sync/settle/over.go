package settle

import (
	"context"
	"slices"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/plan"
)

// limitsNothing reports whether no plan could go beyond any limit.
func (s *Settlement) limitsNothing(population func(directory.RecordKind) int) bool {
	busy := func(o plan.Over) bool { return !o.Idle(population) }
	return s.Guard.Idle(population) && s.Shared.Guard.Idle(population) && !slices.ContainsFunc(s.Over, busy) && !slices.ContainsFunc(s.OverOthers, busy)
}

// overTime returns the limits over time that the plan exceeds together with what was done before: those of operations, and in
// words those of what lists lose.
func (s *Settlement) overTime(ctx context.Context, t *tally, population func(directory.RecordKind) int) (breaches []plan.Breach, lists []string, err error) {
	done := t.ahead(nil)
	for i := range s.Over {
		o := &s.Over[i]
		past := &plan.Past{
			Done: s.History.Within(s.Run.Time, o.Within), Population: population, Members: t.members,
			Usual:       func(of func(plan.Entry) bool) (int, bool) { return s.History.Usual(s.Run.Time, of) },
			Memberships: func(upTo int) (int, error) { return s.memberships(ctx, upTo) },
		}
		found, err := o.Check(done, past)
		if err != nil {
			return nil, nil, err
		}
		for _, b := range found {
			if b.Op == 0 {
				lists = append(lists, b.Text)
			} else {
				breaches = append(breaches, b)
			}
		}
	}
	return breaches, lists, nil
}

// count keeps what a batch does, unless an operator has approved it or it is what was there all the time.
func (s *Settlement) count(tx store.Writer, w *pendingWrites, beside map[*outcome]bool) error {
	if s.Count == nil || s.approved || s.Initial {
		return nil
	}
	done := plan.Done{}
	for _, o := range w.outcomes {
		if beside[o] {
			continue
		}
		for _, step := range o.steps {
			if step.Action != nil {
				done.Act(step.Action)
			}
		}
		for _, l := range o.losses {
			done.Lose(l.kind, uint32(o.num), len(l.members), l.had)
		}
	}
	if len(done) == 0 {
		return nil
	}
	return s.Count(tx, done)
}
