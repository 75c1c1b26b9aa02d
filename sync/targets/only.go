package targets

import (
	"context"
	"slices"

	"dirsyncd/sync/directory"
)

// Only is a target to which records of some kinds go: of the others every action is done as it comes, and the place never
// hears of it.
func Only(kinds []directory.RecordKind, t Target) Target {
	if len(kinds) == 0 {
		return t
	}
	o := only{t, kinds}
	if w, wakes := t.(Waker); wakes {
		return wakingOnly{o, w}
	}
	return o
}

type only struct {
	Target
	kinds []directory.RecordKind
}

type wakingOnly struct {
	only
	Waker
}

// Deliver implements Target.
func (o only) Deliver(ctx context.Context, work []Delivery) ([]Outcome, error) {
	var mine []Delivery
	var places []int
	for i := range work {
		if slices.Contains(o.kinds, work[i].Action.Kind) {
			mine, places = append(mine, work[i]), append(places, i)
		}
	}
	out := make([]Outcome, len(work))
	if len(mine) == 0 {
		return out, ctx.Err()
	}
	told, err := o.Target.Deliver(ctx, mine)
	if err != nil || len(told) != len(mine) {
		return told, err
	}
	for i, at := range places {
		out[at] = told[i]
	}
	return out, nil
}
