package settle

import (
	"context"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/plan"
)

// One person can be settled alone, in one transaction, while a run of the tenant is under way: whoever signs in does not wait for it. It
// takes no lease, for it depends on nothing that was read before its transaction, and whatever stops it leaves no trace. A run knows
// by a name that somebody was settled beside it, and leaves all marks as they are from then on: what it looked at may have been without
// that person, and the next run looks again.

// Alone is what came of settling somebody alone.
type Alone struct {
	// Counts are the actions that were queued; without any there is nothing to store.
	Counts plan.Counts
	// Rule decided; empty when none did.
	Rule string
	// Seatless: the record takes a seat of the desk, and these are given by runs only. Nothing was stored.
	Seatless bool
	// Failed is what the rules failed with. Nothing was stored.
	Failed error
}

// One settles one person in a transaction, under the task's rules and beside its runs. The person's mark stays, or there is one
// afterwards: what the rules look at may not have been read yet. The error is never one of the rules. Task.Guard and all other limits are
// not asked.
func One(ctx context.Context, t *Task, tx store.Writer, n store.Num) (Alone, error) {
	one := *t
	one.State = single{tx}
	one.SameRules = true // a run by other rules may be past those whom this touches: they get their marks
	s := newSettlement(&one)
	s.presence, s.matches = newPresence(), Matches{}
	s.references = References{Rules: s.Rules, Source: s.Source, Origin: s.Origin, At: s.at(), Waiting: s.comers()}
	state, err := tx.Tenant()
	if err != nil {
		return Alone{}, err
	}
	s.alone, s.miscount = state.Alone, !sameSeats(state.Taken, s.byField)
	if err := s.lookForDues(tx); err != nil {
		return Alone{}, err
	}
	b := s.newBatch(directory.Person)
	if err := s.evaluate(tx, b, []store.Num{n}); err != nil {
		return Alone{}, err
	}
	a := Alone{Counts: plan.Counts{}}
	for rule := range s.matches[directory.Person] {
		a.Rule = rule
	}
	o := &b.outcomes[0]
	if o.err != nil || len(o.seats.takes) > 0 {
		a.Seatless, a.Failed = len(o.seats.takes) > 0, o.err
		return a, nil
	}
	if s.kept, err = keptOf(tx, s.Run.Run); err != nil {
		return a, err
	}
	for _, step := range o.steps {
		if step.Action != nil {
			a.Counts.Add(step.Action.Kind, step.Action.Op)
		}
	}
	if err := s.commit(ctx, b); err != nil {
		return a, err
	}
	if _, there, err := tx.Row(directory.Person, n); err != nil || !there {
		return a, err
	}
	return a, tx.MarkDirty(directory.Person, n, store.Changed)
}

// single is what is stored, as a transaction that is under way sees it.
type single struct{ tx store.Writer }

// View implements State.
func (s single) View(_ context.Context, fn func(store.Reader) error) error { return fn(s.tx) }

// Update implements State.
func (s single) Update(_ context.Context, fn func(store.Writer) error) error { return fn(s.tx) }

// lookBeside reports whether somebody was settled alone since the settlement looked.
func (s *Settlement) lookBeside(tx store.Reader) (bool, error) {
	if s.overtaken {
		return true, nil
	}
	state, err := tx.Tenant()
	return state.Alone != s.alone, err
}

// settledBeside reports whether what an outcome would do to a record was done meanwhile, or more than that.
func settledBeside(tx store.Reader, o *outcome) (bool, error) {
	for _, step := range o.steps {
		if step.Record == nil {
			continue
		}
		done := step.Record.Revision
		if step.Action == nil { // it is stored under the revision that there is
			done++
		}
		rec, ok, err := tx.Record(step.Kind, o.num)
		if err != nil || ok && rec.Revision >= done {
			return ok, err
		}
	}
	return false, nil
}
