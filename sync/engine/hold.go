package engine

import (
	"reflect"
	"slices"
	"time"

	"dirsyncd/store"
)

// formerPlans is how many plans are remembered that wait no longer, and formerBytes bounds what of them is: somebody may
// come with the hash of one.
const (
	formerPlans = 5
	formerBytes = 64 << 10
)

// holds says which plan waits for the operator from now on, if any, and since when. One that waited before keeps its date.
// how is what became of the former one if there is none now, and by whom.
func holds(plan *store.HeldPlan, at time.Time, how, by string) transition {
	return func(s *store.TenantState) {
		was := s.Held
		switch {
		case was == nil:
		case plan == nil:
			s.Former = former(s.Former, was, at, how, by)
		case plan.Hash == was.Hash:
			same := *plan
			same.Run, same.Since = was.Run, was.Since
			if reflect.DeepEqual(same, *was) {
				return
			}
			plan = &same
		default:
			s.Former = former(s.Former, was, at, store.PlanReplaced, by)
		}
		s.Held = plan
	}
}

// decidedAt goes with whatever is decided for a moment beside a plan that waits: should the run be killed before it says which plan
// waits now, an approval of that one does not go back behind it.
func decidedAt(at time.Time) transition {
	return func(s *store.TenantState) {
		if was := s.Held; was != nil && !was.At.IsZero() && was.At.Before(at) {
			held := *was
			held.At = at
			s.Held = &held
		}
	}
}

// discarded throws the held plan away. If the source still says the same when it is read in full, so will the next plan.
func discarded(hash string, at time.Time, by string) transition {
	return func(s *store.TenantState) {
		holds(nil, at, store.PlanDiscarded, by)(s)
		wantFull("plan " + hash + " was discarded")(s)
	}
}

// former puts a plan before those that ended earlier.
func former(list []store.FormerPlan, p *store.HeldPlan, at time.Time, how, by string) []store.FormerPlan {
	next := append([]store.FormerPlan{{
		Hash: p.Hash, Ended: at.UTC(), How: how, By: by, Beyond: p.Beyond, Limits: p.Limits, Reasons: p.Reasons, What: p.What,
	}}, slices.DeleteFunc(slices.Clone(list), func(f store.FormerPlan) bool { return f.Hash == p.Hash })...)
	next = next[:min(len(next), formerPlans)]
	size := 0
	for i := range next {
		for _, data := range next[i].What {
			size += len(data)
		}
		if size > formerBytes {
			next[i].What = nil
		}
	}
	return next
}

// waited is the plan that waits, or the last one if that was thrown away: what comes back of it waits again.
func waited(s *store.TenantState) *store.HeldPlan {
	if s.Held != nil || len(s.Former) == 0 || s.Former[0].How != store.PlanDiscarded {
		return s.Held
	}
	f := &s.Former[0]
	return &store.HeldPlan{Hash: f.Hash, Beyond: f.Beyond, Limits: f.Limits, Reasons: f.Reasons, What: f.What}
}
