package settle

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/plan"
)

// hold is what of a plan waits for the operator. All else goes ahead: joiners, and what changes for those who stay. The
// mark of an object that waits stays, or it gets one, so that the next run looks at it again, and at nobody else for it.
type hold struct {
	all bool
	// ops wait, and with them whatever else an outcome that has one of them comes to: somebody who becomes a user is
	// no longer an agent, and the one does not happen without the other.
	ops ops
	// unproven removals wait.
	unproven bool
	// beyond: so do people who signed in when the limit of the day was used up.
	beyond bool
	// undone: so does what would do again what an operator has undone. It is held back by itself, before anything is held.
	undone bool
	// lists keep the members that they would lose.
	lists bool
	// leavers are the people, customers and sites whose removal waits. To others they are still there: they stay in lists,
	// somebody's manager, or where somebody belongs. No two of them share a number: others point to them by it.
	leavers *roaring.Bitmap
	// comers are the same of those whose first active record waits.
	comers *roaring.Bitmap
}

func (h *hold) covers(c class) bool {
	switch {
	case h == nil:
		return false
	case c.undone:
		return h.undone
	case c.lists:
		return h.lists && !h.all // or the outcomes themselves do
	default:
		return h.all || c.ops.any(h.ops) || c.unproven && h.unproven || c.beyond && h.beyond
	}
}

// waiting are the leavers of a hold, which may be nil.
func (h *hold) waiting() *roaring.Bitmap {
	if h == nil {
		return nil
	}
	return h.leavers
}

// comers are those who wait for their first active record, be it for a seat or for the operator.
func (s *Settlement) comers() *roaring.Bitmap {
	all := roaring.New()
	if s.seatless != nil {
		all.Or(s.seatless)
	}
	if s.hold != nil {
		all.Or(s.hold.comers)
	}
	return all
}

// judge says what of the plan must wait, and why: nothing when the reasons are none.
func (s *Settlement) judge(ctx context.Context, t *tally, population func(directory.RecordKind) int) (*hold, []string, error) {
	h := &hold{all: len(s.basis) > 0 || s.Older != "" || len(s.Less) > 0, unproven: t.unproven > 0, beyond: t.beyond > 0, undone: len(t.undone) > 0}
	reasons := slices.Clone(s.Less)
	if s.Older != "" {
		reasons = append(reasons, "go back to what an older source knows: "+s.Older)
	}
	reasons = append(reasons, s.basis...)
	lists, err := s.Lists.Check(t.lost, t.broken, func(upTo int) (int, error) { return s.memberships(ctx, upTo) })
	if err != nil {
		return nil, nil, err
	}
	breaches, lost, err := s.overTime(ctx, t, population)
	if err != nil {
		return nil, nil, err
	}
	lists, breaches = append(lists, lost...), append(s.Guard.Check(t.proven, population), breaches...)
	was, within := s.stillWaiting(t), len(breaches) == 0
	h.ops, h.lists = was.ops, was.lists || len(lists) > 0
	h.wait(breaches)
	shared, err := s.charge(ctx, t, h)
	if err != nil {
		return nil, nil, err
	}
	for _, b := range append(breaches, shared...) {
		if b.Op == 0 {
			lists = append(lists, b.Text)
		} else {
			reasons = append(reasons, b.Text)
		}
	}
	reasons = append(reasons, lists...)
	if within && was.ops != 0 || len(lists) == 0 && was.lists {
		reasons = append(reasons, s.Held.Reasons...)
	}
	if t.unproven > 0 {
		reasons = append(reasons, "make "+removals(t.unproven)+" for which there is no proof")
	}
	if t.beyond > 0 {
		reasons = append(reasons, "create "+people(t.beyond)+" who signed in: beyond `create.per_day`, or nobody comes unasked")
	}
	reasons = append(reasons, againReasons(t.undone)...)
	h.leavers, h.comers = roaring.New(), roaring.New()
	for _, p := range t.of(h) {
		h.leavers.Or(p.leavers)
		h.comers.Or(p.comers)
	}
	return h, distinctTexts(reasons), nil
}

// charge charges what goes ahead of a plan. What is beyond limits waits, and what is left is charged again: what goes ahead then is charged.
func (s *Settlement) charge(ctx context.Context, t *tally, h *hold) (breaches []plan.Breach, err error) {
	if s.Charge == nil || h.all {
		return nil, nil
	}
	for ahead := t.ahead(h); len(ahead) > 0; {
		more, err := s.Charge(ctx, ahead)
		if err != nil || len(more) == 0 {
			return breaches, err
		}
		breaches = append(breaches, more...)
		h.wait(more)
		left := t.ahead(h)
		if len(left) == len(ahead) {
			return nil, fmt.Errorf("charge what all do together: beyond its limits is what nobody is about to do: %s", more[0].Text)
		}
		ahead = left
	}
	return breaches, nil
}

// wait has wait what goes beyond limits: operations, and with any the removals, and what lists lose.
func (h *hold) wait(breaches []plan.Breach) {
	for _, b := range breaches {
		if b.Op == 0 {
			h.lists = true
		} else {
			h.ops = h.ops.with(b.Op) | removing
		}
	}
}

func distinctTexts(list []string) (kept []string) {
	for _, text := range list {
		if !slices.Contains(kept, text) {
			kept = append(kept, text)
		}
	}
	return kept
}

// stillWaiting says what waits for no other reason than that it waited before: a plan does not go ahead unasked because
// others have joined meanwhile, so that it is a smaller share, or because it was thrown away and came back. It is judged
// anew when any of it is no longer wanted, and when the limits were edited.
func (s *Settlement) stillWaiting(t *tally) hold {
	was := s.Held
	if was == nil || len(was.Beyond) == 0 || was.Limits != s.limits() {
		return hold{}
	}
	var h hold
	for _, word := range was.Beyond {
		if op, ok := directory.ParseOp(word); !ok {
			h.lists = word == memberships
		} else if op.Removes() {
			h.ops = removing
		}
	}
	present := contents(t.of(&hold{ops: removing, lists: true}))
	for word, data := range was.What {
		set := roaring.New()
		if set.UnmarshalBinary(data) != nil || present[word] == nil || !roaring.AndNot(set, present[word]).IsEmpty() {
			return hold{}
		}
	}
	if len(was.What) == 0 && planHash(t.of(&hold{ops: h.ops, lists: h.lists, unproven: t.unproven > 0, beyond: t.beyond > 0, undone: len(t.undone) > 0})) != was.Hash {
		return hold{}
	}
	return h
}

// memberships is the word for what lists lose, beside those of operations.
const memberships = "memberships"

// limits tells edited limits from those of the last run.
func (s *Settlement) limits() string {
	all := []any{s.Guard, s.Shared, s.Lists}
	for _, over := range slices.Concat(s.Over, s.OverOthers) {
		if over.Written {
			all = append(all, over)
		}
	}
	text, _ := json.Marshal(all) // numbers and maps of them
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:4])
}

// contents are the objects of portions by the word of their kind of record.
func contents(portions []*portion) map[string]*roaring.Bitmap {
	all := map[string]*roaring.Bitmap{}
	for _, p := range portions {
		for kind, set := range p.objects {
			word := kind.String()
			all[word] = roaring.Or(cmp.Or(all[word], roaring.New()), set)
		}
	}
	return all
}

// rememberedBytes bounds what a held plan remembers of whom it holds.
const rememberedBytes = 64 << 10

// heldPlan is a hold as it is stored.
func (s *Settlement) heldPlan(t *tally, h *hold, reasons []string) *store.HeldPlan {
	portions := t.of(h)
	held := &store.HeldPlan{Hash: planHash(portions), Reasons: reasons, RemovalsOnly: !h.all, Limits: s.limits()}
	if s.timed {
		held.At = s.at()
	}
	counts := plan.Counts{}
	for _, p := range portions {
		counts.Merge(p.counts)
	}
	held.Counts = counts.Words()
	for _, op := range directory.Ops() {
		if h.ops.has(op) {
			held.Beyond = append(held.Beyond, op.String())
		}
	}
	if h.lists {
		held.Beyond = append(held.Beyond, memberships)
	}
	size := 0
	what := map[string][]byte{}
	beyond := *h
	beyond.undone = false // it waits by itself, and whether it still does says nothing about the others
	for word, set := range contents(t.of(&beyond)) {
		set.RunOptimize()
		data, err := set.ToBytes()
		if size += len(data); err != nil || size > rememberedBytes {
			return held
		}
		what[word] = data
	}
	if len(what) > 0 {
		held.What = what
	}
	return held
}

// waits leaves an outcome alone for now.
func (s *Settlement) wait(o *outcome) {
	o.deferred, o.waits, o.forget, o.steps, o.losses = true, true, false, nil, nil
	if o.kind == directory.Group {
		s.deferredGroups.Add(uint32(o.num))
	}
}
