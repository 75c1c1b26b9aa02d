package settle

import (
	"context"
	"errors"
	"fmt"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/plan"
)

// Plan is what the first pass finds out.
type Plan struct {
	Counts plan.Counts
	// Held is what of the plan must be held, or nil when all of it may go ahead. Which run holds it, and since when, is
	// not said yet. Whole: it is all of the plan, and nothing is to be applied.
	Held  *store.HeldPlan
	Whole bool
	// Seats are the desk's own licences for which somebody waits, SeatQueue they in their order, SeatNotes the same in words.
	Seats     []store.Seats
	SeatQueue []store.Num
	SeatNotes []string
	// Beyond is how many people signed in beyond a limit and have no record yet.
	Beyond int
}

// Preview makes the plan without storing anything. visit, if not nil, sees its actions, in the order of the objects; they are good
// until it returns, their texts for good. A plan
// that nothing can hold, and that nobody wants to see, need not be made twice, that of a first sync: then the counts are nil.
// With ErrPlanChanged comes the plan as it is now.
func (s *Settlement) Preview(ctx context.Context, visit func(*directory.Action)) (Plan, error) {
	population, err := s.population(ctx)
	if err != nil {
		return Plan{}, err
	}
	if visit == nil && !s.counted && s.Approve == "" && len(s.basis) == 0 && s.Older == "" && len(s.Less) == 0 && !s.Beyond && !s.Undone && len(s.Replaces) == 0 && s.limitsNothing(population) {
		return Plan{}, nil
	}
	if s.counted {
		if err := s.assignSeats(ctx); err != nil {
			return Plan{}, err
		}
	}
	t, err := s.tally(ctx, visit)
	if err != nil {
		return Plan{}, err
	}
	p := Plan{Counts: t.counts, Seats: s.seats, SeatQueue: s.queue, SeatNotes: s.seatNotes, Beyond: t.beyond}
	h, reasons, err := s.judge(ctx, t, population)
	if err != nil {
		return Plan{}, err
	}
	if len(reasons) > 0 && t.counts.Total() > 0 {
		p.Held, p.Whole = s.heldPlan(t, h, reasons), h.all
	}
	if s.Approve != "" {
		if err := s.approve(p.Held); err != nil {
			return p, err
		}
		p.Held = nil
	}
	if p.Held != nil {
		s.hold = h
	} else if t.made != nil && !t.made.over {
		s.made = t.made
	}
	return p, nil
}

// population returns how many active records of a kind there are before the plan.
func (s *Settlement) population(ctx context.Context) (func(directory.RecordKind) int, error) {
	counts := map[directory.RecordKind]int{}
	err := s.State.View(ctx, func(tx store.Reader) (err error) {
		for _, kind := range directory.RecordKinds() {
			if counts[kind], err = tx.ActiveRecords(kind); err != nil {
				return err
			}
		}
		return nil
	})
	return func(kind directory.RecordKind) int { return counts[kind] }, err
}

// ErrPlanChanged is wrapped by the error of a run that was to approve a plan which is not the present one.
var ErrPlanChanged = errors.New("the plan is not the one that was approved")

// approve lets the plan that would be held pass if it is the one that was looked at. Where nothing is held any longer, the
// limits were edited meanwhile, or all of it is no longer wanted.
func (s *Settlement) approve(held *store.HeldPlan) error {
	now := "nothing is held any longer"
	switch {
	case held == nil && s.Held != nil && s.Held.Hash == s.Approve, held != nil && held.Hash == s.Approve:
		s.approved = true
		return nil
	case held != nil:
		now = "it is now " + held.Hash
	}
	return &fault.Error{Class: fault.Conflict, Op: "approve " + s.Approve, Where: s.Partition.String(),
		Err: fmt.Errorf("%w: %s", ErrPlanChanged, now), Hint: "look at it with `dirsyncd plan --offline` and approve that one"}
}

// people writes "1 person" and "12 people".
func people(n int) string {
	if n == 1 {
		return "1 person"
	}
	return fmt.Sprintf("%d people", n)
}

// removals writes "1 removal" and "12 removals".
func removals(n int) string {
	if n == 1 {
		return "1 removal"
	}
	return fmt.Sprintf("%d removals", n)
}
