package deliver

import (
	"slices"
	"strings"

	"dirsyncd/sync/directory"
)

// folded is what a stretch of waiting actions of one record comes to.
type folded struct {
	first, last int // the stretch, as positions in the list
	// action is what to send, nil when the actions cancel each other out; at is the position at which to send
	// it. A creation comes as early as the record began to be there, since others may refer to it; all else as
	// late as the last of the stretch, since it may refer to records that were created in between.
	action *directory.Action
	at     int
}

// fold takes the waiting actions of one record, in order, none of which was ever sent, and says what to send
// instead: applying the result leaves a target as applying them one after the other would. An action that
// stands alone is returned as it is; a folded one has the key, rule, run and fields of the last.
//
// Nothing is folded across a deletion, what is sent again takes along later updates only, and changes of sets that follow a creation are kept apart from it: the
// records that they name may have been created in between.
func fold(actions []*directory.Action) []folded {
	var out []folded
	for start := 0; start < len(actions); {
		end := start + 1
		for end < len(actions) && joins(actions[start:end], actions[end]) {
			end++
		}
		f := folded{first: start, last: end - 1, action: net(actions[start:end]), at: end - 1}
		if f.action != nil && f.action.Op == directory.Create {
			_, since := outcome(absent, actions[start:end])
			f.at = start + since
		}
		out = append(out, f)
		start = end
	}
	return out
}

func joins(stretch []*directory.Action, next *directory.Action) bool {
	if next.Op == directory.Create || stretch[len(stretch)-1].Op == directory.Delete || next.IsSentAgain() {
		return false
	}
	if stretch[0].IsSentAgain() && next.Op != directory.Update {
		return false // it does not tell where the record stood
	}
	return stretch[0].Op != directory.Create || next.Op != directory.Update || len(next.Sets) == 0
}

// presence is where a record stands at a target.
type presence uint8

const (
	absent presence = iota
	inactive
	active
)

func before(op directory.Op) presence {
	switch op {
	case directory.Create:
		return absent
	case directory.Reactivate:
		return inactive
	default:
		return active
	}
}

// net returns the one action that a stretch comes to, or nil when nothing is left.
func net(stretch []*directory.Action) *directory.Action {
	if len(stretch) == 1 {
		return stretch[0]
	}
	from := before(stretch[0].Op)
	to, decider := outcome(from, stretch)
	out := *stretch[len(stretch)-1]
	out.Changes, out.Sets, out.Reason, out.Other = nil, nil, "", ""
	for _, a := range stretch {
		out.Changes = mergeChanges(out.Changes, a.Changes)
		out.Sets = mergeSets(out.Sets, a.Sets)
	}
	if from == absent {
		out.Changes = nil // there is nothing from which the fields could differ
	}
	if out.Initial = stretch[decider].Initial; from == absent {
		out.Initial = stretch[0].Initial
	}
	differs := len(out.Changes) > 0 || len(out.Sets) > 0
	switch {
	case to == from && (to == absent || !differs):
		return nil
	case to == inactive && from == absent && len(out.Sets) == 0:
		return nil
	case to == absent:
		out.Op, out.Changes, out.Sets = directory.Delete, nil, nil
	case to == inactive:
		// Also for a record that nobody knows yet, when it has sets: a later action tells only how they
		// differ, so they must not get lost.
		out.Op = directory.Deactivate
	case from == absent:
		out.Op = directory.Create
	case from == inactive:
		out.Op = directory.Reactivate
	default:
		out.Op = directory.Update
		return &out // it neither takes the record away nor brings it back: there is no reason to give
	}
	out.Reason, out.Other = stretch[decider].Reason, stretch[decider].Other
	return &out
}

// outcome walks through a stretch and returns where the record stands after it, and the position of the last
// action that made it so.
func outcome(at presence, stretch []*directory.Action) (to presence, decider int) {
	for i, a := range stretch {
		switch a.Op {
		case directory.Create, directory.Reactivate:
			at, decider = active, i
		case directory.Deactivate:
			at, decider = inactive, i
		case directory.Delete:
			at, decider = absent, i
		}
	}
	return at, decider
}

// mergeChanges joins two lists of changes that follow each other: "from" of the first, "to" of the last, and
// nothing for a field that came back to where it was. Neither argument is modified.
func mergeChanges(a, b []directory.FieldChange) []directory.FieldChange {
	if len(a) == 0 {
		return b
	}
	if len(b) == 0 {
		return a
	}
	out := make([]directory.FieldChange, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch strings.Compare(a[0].Name, b[0].Name) {
		case -1:
			out, a = append(out, a[0]), a[1:]
		case 1:
			out, b = append(out, b[0]), b[1:]
		default:
			if !a[0].From.Equal(b[0].To) {
				out = append(out, directory.FieldChange{Name: a[0].Name, From: a[0].From, To: b[0].To})
			}
			a, b = a[1:], b[1:]
		}
	}
	return append(append(out, a...), b...)
}

// mergeSets joins two lists of set changes that follow each other. What entered and left again is in neither.
func mergeSets(a, b []directory.SetChange) []directory.SetChange {
	if len(a) == 0 {
		return b
	}
	if len(b) == 0 {
		return a
	}
	out := make([]directory.SetChange, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch strings.Compare(a[0].Name, b[0].Name) {
		case -1:
			out, a = append(out, a[0]), a[1:]
		case 1:
			out, b = append(out, b[0]), b[1:]
		default:
			if s := mergeSet(a[0], b[0]); len(s.Added)+len(s.Removed) > 0 {
				out = append(out, s)
			}
			a, b = a[1:], b[1:]
		}
	}
	return append(append(out, a...), b...)
}

func mergeSet(a, b directory.SetChange) directory.SetChange {
	return directory.SetChange{
		Name:    a.Name,
		Added:   union(without(a.Added, b.Removed), without(b.Added, a.Removed)),
		Removed: union(without(a.Removed, b.Added), without(b.Removed, a.Added)),
	}
}

// without returns the items of one ascending list that are not in another.
func without(list, other []string) []string {
	if len(list) == 0 || len(other) == 0 {
		return list
	}
	var out []string
	for _, s := range list {
		for len(other) > 0 && other[0] < s {
			other = other[1:]
		}
		if len(other) == 0 || other[0] != s {
			out = append(out, s)
		}
	}
	return out
}

// union returns the items of two ascending lists, ascending and each once.
func union(a, b []string) []string {
	if len(a) == 0 {
		return b
	}
	if len(b) == 0 {
		return a
	}
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}

// mergeParked says what to send in the place of next, given that an earlier action of the record is parked: the two
// folded, so that a creation which was refused for its data is tried again with better data. Nil means that
// nothing is left to send.
//
// refused says that the target is known not to have carried out the parked action; otherwise it may have. An
// operation that makes sure of a state is never folded away, since the parked action may itself be a folded
// one and does not tell for certain from which state it started; and what came back to where it was is said all the same, since the
// target may have what it was between. Either way a change is "from" what the target took last for certain: a target that
// knows the keys it took has not taken what it refuses. A parked deletion makes no difference: what comes after it is a new record.
func mergeParked(parked, next *directory.Action, refused bool) *directory.Action {
	if next.Op == directory.Create || parked.Op == directory.Delete || next.IsSentAgain() || parked.IsSentAgain() && next.Op != directory.Update {
		return next
	}
	// Unlike in fold, the order among records is decided: sets need not be kept apart from a creation.
	out := net([]*directory.Action{parked, next})
	neverThere := refused && parked.Op == directory.Create
	switch {
	case neverThere, refused && next.Op == directory.Update:
		return out
	case next.Op == directory.Delete:
		return next // nothing of the record matters any more
	}
	sure := *next
	if parked.Op == directory.Create && !next.Op.Removes() {
		sure.Initial = parked.Initial // to whom it is new, it is as new as it was
	}
	if refused && out == nil {
		sure.Changes, sure.Sets = nil, nil // the target has all that already; from there the next one is folded
		return &sure
	}
	if next.Op == directory.Update && out != nil {
		sure = *out
	}
	if refused {
		sure.Sets = out.Sets
	} else {
		sure.Sets = overlay(parked.Sets, next.Sets, func(s *directory.SetChange) string { return s.Name }, overlaySet)
	}
	switch {
	case sure.Op == directory.Create:
	case refused:
		sure.Changes = out.Changes
	case parked.Op == directory.Create:
		sure.Changes = overlayChanges(next.Changes, wholeRecord(next.Fields)) // it may be there as it was before earlier changes
	default:
		sure.Changes = overlayChanges(parked.Changes, next.Changes)
	}
	return &sure
}

// overlayChanges says what was changed by either, from where the first started to where the last ended, also what came back
// to where it was.
func overlayChanges(a, b []directory.FieldChange) []directory.FieldChange {
	both := func(a, b directory.FieldChange) directory.FieldChange {
		return directory.FieldChange{Name: a.Name, From: a.From, To: b.To}
	}
	return overlay(a, b, func(c *directory.FieldChange) string { return c.Name }, both)
}

// wholeRecord are changes to all fields.
func wholeRecord(fields []directory.Field) []directory.FieldChange {
	changes := make([]directory.FieldChange, len(fields))
	for i, f := range fields {
		changes[i] = directory.FieldChange{Name: f.Name, To: f.Value}
	}
	return changes
}

// overlay joins two lists that are sorted by name; both says what two of the same name come to.
func overlay[T any](a, b []T, name func(*T) string, both func(a, b T) T) []T {
	if len(a) == 0 {
		return b
	}
	if len(b) == 0 {
		return a
	}
	out := make([]T, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch strings.Compare(name(&a[0]), name(&b[0])) {
		case -1:
			out, a = append(out, a[0]), a[1:]
		case 1:
			out, b = append(out, b[0]), b[1:]
		default:
			out, a, b = append(out, both(a[0], b[0])), a[1:], b[1:]
		}
	}
	return append(append(out, a...), b...)
}

// overlaySet says what of a set is in and what is not after both changes, wherever it started.
func overlaySet(a, b directory.SetChange) directory.SetChange {
	return directory.SetChange{Name: a.Name, Added: union(without(a.Added, b.Removed), b.Added), Removed: union(without(a.Removed, b.Added), b.Removed)}
}
