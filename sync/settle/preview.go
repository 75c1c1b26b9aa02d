package settle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"slices"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/plan"
)

// Plan is what the first pass finds out.
type Plan struct {
	Counts plan.Counts
	// Held is the plan as it must be held, or nil when it may go ahead. Which run holds it, and since when, is not
	// said yet.
	Held *store.HeldPlan
}

// Preview makes the plan without storing anything. visit, if not nil, sees its actions in order. A plan that nothing
// can hold, and that nobody wants to see, need not be made twice, that of a first sync: then the counts are nil.
func (s *Settlement) Preview(ctx context.Context, visit func(*directory.Action)) (Plan, error) {
	population, err := s.population(ctx)
	if err != nil {
		return Plan{}, err
	}
	if visit == nil && s.Approve == "" && !s.basisUnproven && len(s.Less) == 0 && s.Guard.Idle(population) {
		return Plan{}, nil
	}
	t, err := s.tally(ctx, visit)
	if err != nil {
		return Plan{}, err
	}
	if s.Approve != "" {
		if err := s.approve(t); err != nil {
			return Plan{}, err
		}
	}
	return Plan{Counts: t.counts, Held: s.checkGuard(t, population)}, nil
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

// tally sums up a plan.
type tally struct {
	counts plan.Counts
	// proven counts the same without removals for which there is no proof.
	proven   plan.Counts
	unproven int
	hash     hash.Hash
	// unprovenHash covers the unproven removals alone.
	unprovenHash hash.Hash
}

// tally makes the plan without storing anything.
func (s *Settlement) tally(ctx context.Context, visit func(*directory.Action)) (*tally, error) {
	t := &tally{counts: plan.Counts{}, proven: plan.Counts{}, hash: sha256.New(), unprovenHash: sha256.New()}
	err := s.pass(ctx, func(_ context.Context, b *batch) error {
		for i := range b.outcomes {
			t.add(&b.outcomes[i], visit)
		}
		return nil
	})
	return t, err
}

func (t *tally) add(o *outcome, visit func(*directory.Action)) {
	for _, step := range o.steps {
		a := step.Action
		if a == nil {
			continue
		}
		t.counts.Add(a.Kind, a.Op)
		t.hash.Write([]byte(a.Key))
		if o.unprovenRemoval {
			t.unproven++
			t.unprovenHash.Write([]byte(a.Key))
		} else {
			t.proven.Add(a.Kind, a.Op)
		}
		if visit != nil {
			visit(a)
		}
	}
}

// planHash is short enough to be typed.
func planHash(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)[:6]) }

// ErrPlanChanged is wrapped by the error of a run that was to approve a plan which is not the present one.
var ErrPlanChanged = errors.New("the plan is not the one that was approved")

// approve lets the held plan pass if it is still the same.
func (s *Settlement) approve(t *tally) error {
	got := planHash(t.hash)
	if h := s.Held; h != nil && h.RemovalsOnly && h.Hash == s.Approve {
		got, s.removalsOnly = planHash(t.unprovenHash), true
	}
	if got != s.Approve {
		return &fault.Error{Class: fault.Conflict, Op: "approve " + s.Approve, Where: s.Partition.String(),
			Err: fmt.Errorf("%w: it is now %s", ErrPlanChanged, got), Hint: "look at it with `dirsyncd plan --offline` and approve that one"}
	}
	s.approved = true
	return nil
}

// checkGuard returns the plan as it must be held, or nil when it may go ahead.
func (s *Settlement) checkGuard(t *tally, population func(directory.RecordKind) int) *store.HeldPlan {
	if t.counts.Total() == 0 || s.approved && !s.removalsOnly {
		return nil
	}
	held := &store.HeldPlan{Hash: planHash(t.hash), Counts: t.counts.Words(), Reasons: slices.Clone(s.Less)}
	if s.basisUnproven {
		held.Reasons = append(held.Reasons, "act on what is missing without proof that it is gone, and that rules look at: groups or their members, licences, or managers")
	}
	held.Reasons = append(held.Reasons, s.Guard.Check(t.proven, population)...)
	if s.approved {
		// Approved were removals without proof; the rest of the plan has only the guard to answer to.
		held.Reasons = s.Guard.Check(t.proven, population)
		if s.approved = len(held.Reasons) == 0; s.approved {
			return nil
		}
	}
	if len(held.Reasons) > 0 {
		return held
	}
	if t.unproven > 0 {
		held.Hash, held.RemovalsOnly = planHash(t.unprovenHash), true
		held.Reasons = []string{"make " + removals(t.unproven) + " for which there is no proof"}
		return held
	}
	return nil
}

// removals writes "1 removal" and "12 removals".
func removals(n int) string {
	if n == 1 {
		return "1 removal"
	}
	return fmt.Sprintf("%d removals", n)
}
