package plan

import (
	"cmp"
	"fmt"
	"slices"

	"dirsyncd/sync/directory"
)

// Reversal is an undo of a run, as far as it is the same for all of the run's actions.
type Reversal struct {
	// Of is the run that is undone, and By the user who asks.
	Of, By string
	// Ours: the run was an undo itself, of what the rules want. Then nothing waits: they want what it took back.
	Ours bool
	// Listed returns those of some people, ascending, whom a list may name.
	Listed func([]uint32) []uint32
}

// Kept is a part of a record that an undo leaves as it is, and why. Without a field it is the record itself.
type Kept struct{ Field, Why string }

// Undo works out the step that brings a record to what it was before an action, as far as nothing has changed since. A step without an
// action has nothing to bring back. rec is nil for a record that is not known any more.
func Undo(s *Subject, rec *directory.Record, a *directory.RunAction, r *Reversal) (step Step, kept []Kept) {
	whole := func(format string, args ...any) (Step, []Kept) {
		return Step{}, []Kept{{Why: fmt.Sprintf(format, args...)}}
	}
	switch {
	case a.Kind == directory.TicketRecord:
		return whole("a ticket that was opened cannot be taken back")
	case rec == nil || rec.Key != a.Key:
		return whole("nothing is known of it any more")
	case a.Op == directory.Create, a.Op == directory.Reactivate:
		if !rec.Active {
			return Step{}, nil
		}
		op := s.leaver(rec).Op
		if op == 0 {
			return whole("it is never taken out of use: the mapping keeps it (`keep`, or `leavers: keep`)")
		}
		step = s.take(rec, op, "undo of run "+r.Of)
		if a.Op == directory.Reactivate && op == directory.Deactivate {
			kept = s.restore(&step, a)
		}
	case a.Op == directory.Deactivate && rec.Deleted:
		return whole("it was deleted since, by run %s", rec.Changed.Run)
	case a.Op == directory.Deactivate, a.Op == directory.Delete:
		if rec.Active || a.Op == directory.Delete && !rec.Deleted {
			return Step{}, nil
		}
		step, kept = s.bringBack(rec, a, r)
	default:
		if !rec.Active {
			return whole("it was taken out of use since, by run %s", rec.Changed.Run)
		}
		step, kept = s.putBack(rec, a, r)
	}
	if step.Action == nil {
		return step, kept
	}
	step.Record.Undone = marked(rec, step.Record, a, *s.Run, r)
	step.Action.Reason = "undo" // the names of runs are left out of keys
	step.Action.SealKey(rec.Revision + 1)
	step.Action.Reason = "undo of run " + r.Of
	return step, kept
}

// bringBack puts a record back in use: one that was deactivated with the fields that it still has, one that was deleted with those that
// it had.
func (s *Subject) bringBack(rec *directory.Record, a *directory.RunAction, r *Reversal) (Step, []Kept) {
	w := Want{Kind: rec.Kind, UpdateOnly: rec.UpdateOnly, Members: r.Listed(rec.Members)}
	for i := range rec.Fields {
		w.Fields = append(w.Fields, rec.Fields[i].Field)
	}
	s.Rule = rec.Rule
	if !rec.Deleted {
		return s.change(rec, &w), s.gone(rec.Members, w.Members)
	}
	for _, c := range a.Changes {
		if !c.From.Equal(directory.Null()) {
			w.Fields = append(w.Fields, directory.Field{Name: c.Name, Value: c.From})
		}
	}
	w.Members, s.Rule = r.Listed(a.Left), a.Rule
	return s.create(&w, rec.Revision+1), s.gone(a.Left, w.Members)
}

// gone says that some members cannot come back.
func (s *Subject) gone(all, left []uint32) []Kept {
	if n := len(all) - len(left); n > 0 {
		return []Kept{{Field: "members", Why: fmt.Sprintf("%d of them have no record any more", n)}}
	}
	return nil
}

// putBack gives fields and members back what an update had taken.
func (s *Subject) putBack(rec *directory.Record, a *directory.RunAction, r *Reversal) (Step, []Kept) {
	s.Rule = rec.Rule
	w := Want{Kind: rec.Kind, UpdateOnly: rec.UpdateOnly}
	for i := range rec.Fields {
		w.Fields = append(w.Fields, rec.Fields[i].Field)
	}
	kept := backInto(&w.Fields, rec, a.Changes)
	back := without(a.Left, rec.Members)
	listed := r.Listed(back)
	w.Members = with(without(rec.Members, a.Entered), listed)
	if len(w.Members) == 0 {
		w.Members = nil
	}
	return s.change(rec, &w), append(kept, s.gone(back, listed)...)
}

// restore gives a record that is taken out of use the values that it had before it came back.
func (s *Subject) restore(step *Step, a *directory.RunAction) []Kept {
	rec := step.Record
	fields := slices.Clone(step.Action.Fields)
	kept := backInto(&fields, rec, a.Changes)
	now := make([]directory.RecordField, len(fields))
	for i, f := range fields {
		now[i] = directory.RecordField{Field: f, Since: s.Run}
		if is, ok := rec.Get(f.Name); ok && is.Equal(f.Value) {
			now[i].Since = setBy(rec, f.Name)
		}
	}
	for _, c := range a.Changes {
		if is, _ := rec.Get(c.Name); is.Equal(c.To) {
			step.Action.Changes = append(step.Action.Changes, directory.FieldChange{Name: c.Name, From: c.To, To: c.From})
		}
	}
	rec.Fields, step.Action.Fields = now, fields
	return kept
}

// backInto gives fields the values that they had before changes, but for those that have changed since.
func backInto(fields *[]directory.Field, rec *directory.Record, changes []directory.FieldChange) (kept []Kept) {
	for _, c := range changes {
		is, _ := rec.Get(c.Name)
		switch at, has := slices.BinarySearchFunc(*fields, c.Name, compareName); {
		case is.Equal(c.From):
		case !is.Equal(c.To):
			kept = append(kept, Kept{c.Name, fmt.Sprintf("it has changed since, by run %s, to %s", cmp.Or(setBy(rec, c.Name).Run, rec.Changed.Run), shown(is))})
		case has:
			(*fields)[at].Value = c.From
		default:
			*fields = slices.Insert(*fields, at, directory.Field{Name: c.Name, Value: c.From})
		}
	}
	return kept
}

func shown(v directory.Value) string {
	if v.Blank() {
		return "nothing"
	}
	return `"` + v.String() + `"`
}

func setBy(rec *directory.Record, field string) *directory.Stamp {
	for i := range rec.Fields {
		if rec.Fields[i].Name == field {
			return rec.Fields[i].Since
		}
	}
	return new(directory.Stamp)
}

// marked is what waits of a record after a step of an undo: what waited before, as far as it was not brought back now, and what is
// taken back.
func marked(before, after *directory.Record, a *directory.RunAction, run directory.Stamp, r *Reversal) *directory.Undone {
	u := directory.Undone{Of: r.Of, By: r.By, At: run}
	if old := before.Undone; old != nil {
		u = *old
		u.Fields, u.Entered, u.Left = slices.Clone(old.Fields), slices.Clone(old.Entered), slices.Clone(old.Left)
		if !r.Ours {
			u.Of, u.By, u.At = r.Of, r.By, run
		}
	}
	if before.Active != after.Active {
		u.Op = 0
		if !r.Ours {
			u.Op = a.Op
		}
	}
	// What the record has now does not wait.
	u.Fields = slices.DeleteFunc(u.Fields, func(f directory.Field) bool { is, _ := after.Get(f.Name); return is.Equal(f.Value) })
	u.Entered, u.Left = without(u.Entered, after.Members), slices.DeleteFunc(u.Left, func(n uint32) bool { return !holds(after.Members, n) })
	if !r.Ours && before.Active && after.Active {
		for _, f := range changedFields(before, after) {
			at, has := slices.BinarySearchFunc(u.Fields, f.Name, compareName)
			if has {
				u.Fields[at] = f
			} else {
				u.Fields = slices.Insert(u.Fields, at, f)
			}
		}
		u.Entered, u.Left = with(u.Entered, without(before.Members, after.Members)), with(u.Left, without(after.Members, before.Members))
	}
	if len(u.Entered) == 0 {
		u.Entered = nil
	}
	if len(u.Left) == 0 {
		u.Left = nil
	}
	if u.Empty() {
		return nil
	}
	return &u
}

// changedFields are the fields that a record had with another value, or that it has and had not.
func changedFields(before, after *directory.Record) (list []directory.Field) {
	for i := range before.Fields {
		f := before.Fields[i].Field
		if is, _ := after.Get(f.Name); !is.Equal(f.Value) {
			list = append(list, f)
		}
	}
	for i := range after.Fields {
		name := after.Fields[i].Name
		if _, had := before.Get(name); !had {
			at, _ := slices.BinarySearchFunc(list, name, compareName)
			list = slices.Insert(list, at, directory.Field{Name: name, Value: directory.Null()})
		}
	}
	return list
}
