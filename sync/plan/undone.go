package plan

import (
	"slices"

	"dirsyncd/sync/directory"
)

// Hold is Decide for an object of whose records an operator undid something. What the rules want of that again is left undone, and
// comes back in again: one action for each record, that would do it. All else about the object goes ahead. What the rules no longer
// want waits no longer, and nothing does that is approved.
func Hold(s *Subject, before []*directory.Record, wants []Want, approved bool) (steps []Step, again []*directory.Action) {
	all := Decide(s, before, wants)
	if approved {
		return s.remark(before, all, nil), nil
	}
	wants = slices.Clone(wants)
	marks := map[directory.RecordKind]*directory.Undone{}
	for _, rec := range before {
		if rec.Undone == nil {
			continue
		}
		w := slices.IndexFunc(wants, func(w Want) bool { return w.Kind == rec.Kind })
		if waits, added := s.holdRecord(rec, &wants, w); waits {
			if full := stepOf(all, rec.Kind); full != nil && full.Action != nil {
				again = append(again, repeated(full.Action, rec.Undone, nil))
				marks[rec.Kind] = rec.Undone
				continue
			}
			if added { // nothing would be done: the record is kept for another reason
				wants = wants[:len(wants)-1]
			} else {
				wants[w].Leave = false
			}
		}
		if w < 0 || !rec.Active {
			continue
		}
		if left := s.holdParts(rec, &wants[w]); !left.Empty() {
			marks[rec.Kind] = left
			if full := stepOf(all, rec.Kind); full != nil && full.Action != nil {
				again = append(again, repeated(full.Action, rec.Undone, s.parts(left, rec)))
			}
		}
	}
	steps = Decide(s, before, wants)
	return s.remark(before, steps, marks), again
}

// holdRecord leaves a record as it is whose being there, or whose end, was undone and is wanted again.
func (s *Subject) holdRecord(rec *directory.Record, wants *[]Want, w int) (waits, added bool) {
	switch op := rec.Undone.Op; {
	case op.Removes() && rec.Active && w < 0:
		*wants = append(*wants, Want{Kind: rec.Kind, Leave: true})
		return true, true
	case (op == directory.Create || op == directory.Reactivate) && !rec.Active && w >= 0:
		(*wants)[w].Leave = true
		return true, false
	default:
		return false, false
	}
}

// holdParts gives a want the values and members that the record has in place of those that were undone, and returns which those are.
func (s *Subject) holdParts(rec *directory.Record, w *Want) *directory.Undone {
	left := *rec.Undone
	left.Op, left.Fields, left.Entered, left.Left = 0, nil, nil, nil
	w.Fields = slices.Clone(w.Fields)
	for _, f := range rec.Undone.Fields {
		at, has := slices.BinarySearchFunc(w.Fields, f.Name, compareName)
		is, there := rec.Get(f.Name)
		if !has || !w.Fields[at].Value.Equal(f.Value) || is.Equal(f.Value) {
			continue
		}
		left.Fields = append(left.Fields, f)
		if there {
			w.Fields[at].Value = is
		} else {
			w.Fields = slices.Delete(w.Fields, at, at+1)
		}
	}
	members := slices.Clone(w.Members)
	for _, n := range rec.Undone.Entered {
		if at, wanted := slices.BinarySearch(members, n); wanted && !holds(rec.Members, n) {
			left.Entered, members = append(left.Entered, n), slices.Delete(members, at, at+1)
		}
	}
	for _, n := range rec.Undone.Left {
		if at, wanted := slices.BinarySearch(members, n); !wanted && holds(rec.Members, n) && (s.Off == nil || !s.Off(n)) {
			left.Left, members = append(left.Left, n), slices.Insert(members, at, n)
		}
	}
	w.Members = members
	return &left
}

// parts is what would be done again of a record's fields and members.
func (s *Subject) parts(left *directory.Undone, rec *directory.Record) *directory.Action {
	a := &directory.Action{Sets: s.members(rec.Kind, rec.Members, with(without(rec.Members, left.Left), left.Entered))}
	for _, f := range left.Fields {
		is, _ := rec.Get(f.Name)
		a.Changes = append(a.Changes, directory.FieldChange{Name: f.Name, From: is, To: f.Value})
	}
	return a
}

// repeated is an action as far as it does again what was undone: all of it, or the parts.
func repeated(full *directory.Action, u *directory.Undone, parts *directory.Action) *directory.Action {
	a := *full
	a.Reason = Undid(u)
	if parts != nil {
		a.Op, a.Changes, a.Sets = directory.Update, parts.Changes, parts.Sets
	}
	return &a
}

// Undid says what was undone, by whom, when and of which run.
func Undid(u *directory.Undone) string {
	by := ""
	if u.By != "" {
		by = " by " + u.By
	}
	return "undone" + by + " at " + u.At.Time.UTC().Format("2006-01-02 15:04") + " UTC, of run " + u.Of
}

// remark gives records that stay marked what is left of their marks, and takes the marks of all others.
func (s *Subject) remark(before []*directory.Record, steps []Step, marks map[directory.RecordKind]*directory.Undone) []Step {
	for _, rec := range before {
		if rec.Undone == nil {
			continue
		}
		if step := stepOf(steps, rec.Kind); step != nil {
			if step.Record != nil {
				step.Record.Undone = marks[rec.Kind]
			}
			continue
		}
		if left := marks[rec.Kind]; !sameUndone(left, rec.Undone) {
			changed := *rec
			changed.Undone = left
			steps = append(steps, Step{Record: &changed, Kind: rec.Kind, Stored: true})
		}
	}
	return steps
}

func sameUndone(a, b *directory.Undone) bool {
	return a == b || a != nil && b != nil && a.Op == b.Op && len(a.Fields) == len(b.Fields) && len(a.Entered) == len(b.Entered) && len(a.Left) == len(b.Left)
}

func compareName(f directory.Field, name string) int {
	switch {
	case f.Name < name:
		return -1
	case f.Name > name:
		return 1
	default:
		return 0
	}
}

// with returns the numbers of both lists, which are ascending.
func with(a, b []uint32) []uint32 {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

func holds(list []uint32, n uint32) bool {
	_, found := slices.BinarySearch(list, n)
	return found
}
