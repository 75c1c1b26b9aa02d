package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/plan"
)

// consider makes the plan without storing anything and returns it if it must be held. A plan that nothing can
// hold, and that nobody wants to see, need not be made twice: that of a first sync.
func (s *settlement) consider(ctx context.Context) (*store.HeldPlan, error) {
	population, err := s.population(ctx)
	if err != nil {
		return nil, err
	}
	if s.job.Visit == nil && s.job.Approve == "" && !s.vanished && s.conn.Guard.Idle(population) {
		return nil, nil
	}
	if s.drafted, err = s.draft(ctx); err != nil {
		return nil, err
	}
	if s.job.Approve != "" {
		if err := s.approve(s.drafted); err != nil {
			return nil, err
		}
	}
	return s.judge(s.drafted, population), nil
}

// population returns how many active records of a kind there are before the plan.
func (s *settlement) population(ctx context.Context) (func(directory.RecordKind) int, error) {
	counts := map[directory.RecordKind]int{}
	err := s.view(ctx, func(tx store.Reader) (err error) {
		for _, kind := range directory.RecordKinds() {
			if counts[kind], err = tx.ActiveRecords(kind); err != nil {
				return err
			}
		}
		return nil
	})
	return func(kind directory.RecordKind) int { return counts[kind] }, err
}

// draft is what the first pass finds out.
type draft struct {
	counts plan.Counts
	// proven counts the same without removals for which there is no proof.
	proven   plan.Counts
	unproven int
	hash     hash.Hash
	// unprovenHash covers the unproven removals alone.
	unprovenHash hash.Hash
}

// draft makes the plan without storing anything.
func (s *settlement) draft(ctx context.Context) (*draft, error) {
	d := &draft{counts: plan.Counts{}, proven: plan.Counts{}, hash: sha256.New(), unprovenHash: sha256.New()}
	err := s.pass(ctx, func(_ context.Context, b *batch) error {
		for i := range b.outcomes {
			d.add(&b.outcomes[i], s.job.Visit)
		}
		return nil
	})
	return d, err
}

func (d *draft) add(o *outcome, visit func(*directory.Action)) {
	for _, step := range o.steps {
		a := step.Action
		if a == nil {
			continue
		}
		d.counts.Add(a.Kind, a.Op)
		d.hash.Write([]byte(a.Key))
		if o.unproven {
			d.unproven++
			d.unprovenHash.Write([]byte(a.Key))
		} else {
			d.proven.Add(a.Kind, a.Op)
		}
		if visit != nil {
			visit(a)
		}
	}
}

// planHash is short enough to be typed.
func planHash(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)[:6]) }

// approve lets the held plan pass if it is still the same.
func (s *settlement) approve(d *draft) error {
	got := planHash(d.hash)
	if h := s.state.Held; h != nil && h.RemovalsOnly && h.Hash == s.job.Approve {
		got, s.removalsOnly = planHash(d.unprovenHash), true
	}
	if got != s.job.Approve {
		return &fault.Error{Class: fault.Conflict, Op: "approve " + s.job.Approve, Where: s.part.String(),
			Err: fmt.Errorf("%w: it is now %s", ErrPlanChanged, got), Hint: "look at it with `dirsyncd plan --offline` and approve that one"}
	}
	s.approved = true
	return nil
}

// judge returns the plan as it must be held, or nil when it may go ahead.
func (s *settlement) judge(d *draft, population func(directory.RecordKind) int) *store.HeldPlan {
	if d.counts.Total() == 0 || s.approved && !s.removalsOnly {
		return nil
	}
	held := &store.HeldPlan{Hash: planHash(d.hash), Run: s.rec.ID, Since: s.rec.Started, Counts: d.counts.Words()}
	if s.vanished {
		held.Reasons = append(held.Reasons, "act on what is missing without proof that it is gone, and that rules look at: groups or their members, licences, or managers")
	}
	held.Reasons = append(held.Reasons, s.conn.Guard.Check(d.proven, population)...)
	if s.approved {
		// Approved were removals without proof; the rest of the plan has only the guard to answer to.
		held.Reasons = s.conn.Guard.Check(d.proven, population)
		if s.approved = len(held.Reasons) == 0; s.approved {
			return nil
		}
	}
	if len(held.Reasons) > 0 {
		return held
	}
	if d.unproven > 0 {
		held.Hash, held.RemovalsOnly = planHash(d.unprovenHash), true
		held.Reasons = []string{"make " + many(d.unproven, "removal") + " for which there is no proof"}
		return held
	}
	return nil
}

// hold keeps the plan for the operator. Its dirty marks stay, so that the next run supersedes it.
func (r *run) hold(ctx context.Context, held *store.HeldPlan) error {
	return r.state.update(ctx, nil, holds(held))
}
