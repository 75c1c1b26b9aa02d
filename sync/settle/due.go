package settle

import (
	"context"
	"slices"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/plan"
	"dirsyncd/sync/relations"
)

// Some outcomes change because time goes on: an answer of the rules about a date, and the end of the time for which the record of
// somebody who left is kept. Each outcome says when that is next. It is stored by time, so that a run finds what is due and looks
// at nobody else for it.

// due is an object that is to be looked at again at a time; zero: no longer.
type due struct {
	num store.Num
	at  time.Time
}

// at is the moment for which everything is decided.
func (t *Task) at() time.Time {
	if t.At.IsZero() {
		return t.Run.Time
	}
	return t.At
}

// ever is later than anything is due.
func ever() time.Time { return time.Unix(1<<60, 0) }

// addDue adds what is due by a time.
func (s *Settlement) addDue(tx store.Reader, by time.Time) error {
	return tx.Due(by, func(_ time.Time, kind directory.Kind, n store.Num) bool {
		s.worklist[kind].Add(uint32(n))
		return true
	})
}

// lookForDues notes whether times of outcomes have to be compared with what is stored.
func (s *Settlement) lookForDues(tx store.Reader) error {
	s.timed = s.uses.Time || s.Rules.KeepsByTime() || slices.ContainsFunc(directory.RecordKinds(), func(k directory.RecordKind) bool { return s.Rules.Leaver(k).DeleteAfter > 0 })
	if s.timed {
		return nil
	}
	return tx.Due(ever(), func(time.Time, directory.Kind, store.Num) bool {
		s.timed = true
		return false
	})
}

// addDeactivated adds what has a record that is to be deleted some time: the object of some is forgotten.
func (s *Settlement) addDeactivated(ctx context.Context) error {
	for _, kind := range directory.RecordKinds() {
		object := mapping.ObjectOf(kind)
		if object == 0 || s.leaver(kind).DeleteAfter == 0 {
			continue
		}
		for after := store.Num(0); ; {
			n := 0
			err := s.State.View(ctx, func(tx store.Reader) error {
				n = 0
				return tx.Records(kind, after, func(num store.Num, rec directory.Record) bool {
					if after, n = num, n+1; !rec.Active && !rec.Deleted {
						s.worklist[object].Add(uint32(num))
					}
					return n < s.Chunk
				})
			})
			if err != nil {
				return err
			}
			if n < s.Chunk {
				break
			}
		}
	}
	return nil
}

// leftovers puts those among objects, in their order, of whom only records are left: what they were was proven to be gone, and is
// forgotten.
func (s *Settlement) leftovers(objects []relations.Object, kind directory.Kind, nums []store.Num, before [][]*directory.Record) (
	all []relations.Object, left map[store.Num]bool,
) {
	at := 0
	for i, n := range nums {
		if at < len(objects) && objects[at].Num == n {
			if all != nil {
				all = append(all, objects[at])
			}
			at++
			continue
		}
		if !slices.ContainsFunc(before[i], func(rec *directory.Record) bool { return !rec.Deleted }) {
			continue
		}
		if all == nil {
			all, left = slices.Clone(objects[:at]), map[store.Num]bool{}
		}
		left[n] = true
		o := relations.Object{Num: n, Gone: store.Absent, Nums: []store.Num{n}}
		o.Kind, o.ID = kind, s.Origin.OfKey(before[i][0].Key).ID
		all = append(all, o)
	}
	if all == nil {
		return objects, nil
	}
	return all, left
}

// dueOf says when an outcome is to be looked at again.
func dueOf(c *candidate) time.Time {
	at := c.subject.Due(c.before, c.steps) // asks what is kept, and so knows until when
	return earlier(at, c.next)
}

// earlier is the first of two times that are zero for never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// isKept reports whether the mapping's list keeps a record.
func (s *Settlement) isKept(c *candidate, rec *directory.Record) bool {
	name, next := s.Rules.Kept(rec, s.at())
	c.next = earlier(c.next, next)
	c.keeps = c.keeps || name != "" && rec.Active
	return name != ""
}

// dues returns which times of a batch differ from what is stored. What waits for something else keeps its time.
func (s *Settlement) dues(tx store.Reader, b *batch) (changed []due, err error) {
	if !s.timed {
		return nil, nil
	}
	nums := make([]store.Num, len(b.outcomes))
	for i := range b.outcomes {
		nums[i] = b.outcomes[i].num
	}
	stored, err := tx.DueOf(b.kind, nums, make([]time.Time, 0, len(nums)))
	if err != nil {
		return nil, err
	}
	for i := range b.outcomes {
		if o := &b.outcomes[i]; (!o.deferred || o.left) && !wholeSecond(o.due).Equal(stored[i]) {
			changed = append(changed, due{o.num, o.due})
		}
	}
	return changed, nil
}

// wholeSecond is a time as the store keeps it.
func wholeSecond(t time.Time) time.Time {
	if t.Nanosecond() > 0 {
		return t.Truncate(time.Second).Add(time.Second)
	}
	return t
}

// leaverOfForgotten is leaver where the object is forgotten. What becomes of the record was decided when that happened, by the
// rules of that time: all that is left to do is to delete what was deactivated.
func (s *Settlement) leaverOfForgotten(kind directory.RecordKind) plan.Leaver {
	return plan.Leaver{DeleteAfter: s.leaver(kind).DeleteAfter}
}

// leaver says what becomes of records of a kind that nobody wants any longer.
func (s *Settlement) leaver(kind directory.RecordKind) plan.Leaver {
	l := s.Rules.Leaver(kind)
	switch l.Do {
	case mapping.DeleteLeavers:
		return plan.Leaver{Op: directory.Delete}
	case mapping.KeepLeavers:
		return plan.Leaver{}
	default:
		return plan.Leaver{Op: directory.Deactivate, DeleteAfter: l.DeleteAfter}
	}
}
