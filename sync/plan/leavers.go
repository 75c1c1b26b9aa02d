package plan

import (
	"fmt"
	"slices"
	"time"

	"dirsyncd/sync/directory"
)

// Leaver is what becomes of a record that is no longer wanted.
type Leaver struct {
	// Op is Deactivate or Delete, or zero to leave it.
	Op directory.Op
	// DeleteAfter is how long a record that was deactivated is kept; zero: for ever.
	DeleteAfter time.Duration
}

// leaver says what becomes of a record that is no longer wanted. What is held back is left as it is.
func (s *Subject) leaver(rec *directory.Record) Leaver {
	if s.Leaver == nil || s.Kept != nil && s.Kept(rec) {
		return Leaver{}
	}
	return s.Leaver(rec.Kind)
}

// Lost says since when an object has no active record, with the steps done; false when it has one, or has had none at all.
// Who is one thing instead of another has not left: what is kept for a time is kept until all of it is gone.
func Lost(before []*directory.Record, steps []Step) (since time.Time, gone bool) {
	look := func(rec *directory.Record) bool {
		if !rec.Active && !rec.Deleted && rec.Changed.Time.After(since) {
			since = rec.Changed.Time
		}
		gone = true
		return rec.Active
	}
	for _, rec := range before {
		if stepOf(steps, rec.Kind) == nil && look(rec) {
			return time.Time{}, false
		}
	}
	for i := range steps {
		if rec := steps[i].Record; rec != nil && look(rec) {
			return time.Time{}, false
		}
	}
	return since, gone
}

func stepOf(steps []Step, kind directory.RecordKind) *Step {
	for i := range steps {
		if steps[i].Kind == kind {
			return &steps[i]
		}
	}
	return nil
}

// expire deletes records that were deactivated and whose time is over.
func (s *Subject) expire(before []*directory.Record, wants []Want, steps []Step) (over []Step) {
	since, gone := Lost(before, steps)
	if !gone {
		return nil
	}
	for _, rec := range before {
		left := slices.ContainsFunc(wants, func(w Want) bool { return w.Kind == rec.Kind && w.Leave })
		if rec.Active || rec.Deleted || left || stepOf(steps, rec.Kind) != nil {
			continue
		}
		after := s.leaver(rec).DeleteAfter
		if after == 0 || s.At.Before(since.Add(after)) {
			continue
		}
		reason := Expired(after)
		if rec.Reason != "" {
			reason += ": " + rec.Reason
		}
		over = append(over, s.take(rec, directory.Delete, reason))
	}
	return over
}

// Expired is the reason for which a record is deleted that was deactivated so long ago.
func Expired(after time.Duration) string {
	const day = 24 * time.Hour
	if after%day == 0 {
		return fmt.Sprintf("deactivated for %dd", after/day)
	}
	return "deactivated for " + after.String()
}

// Due says when the first of an object's records is to be deleted that are deactivated when the steps are done; zero when none is.
func (s *Subject) Due(before []*directory.Record, steps []Step) (due time.Time) {
	since, gone := Lost(before, steps)
	if !gone || s.LeavesAlone(before) {
		return due
	}
	look := func(rec *directory.Record) {
		after := s.leaver(rec).DeleteAfter
		if rec.Active || rec.Deleted || after == 0 {
			return
		}
		if at := since.Add(after); due.IsZero() || at.Before(due) {
			due = at
		}
	}
	for _, rec := range before {
		if stepOf(steps, rec.Kind) == nil {
			look(rec)
		}
	}
	for i := range steps {
		if rec := steps[i].Record; rec != nil {
			look(rec)
		}
	}
	return due
}
