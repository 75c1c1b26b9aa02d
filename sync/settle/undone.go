package settle

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/plan"
)

// Records of which an operator has undone something have a mark that says what (directory.Undone). As long as the rules want that again
// it waits for the operator, in the plan that is held; nothing else about the object does. The object's own mark stays, so that each run
// looks at it, until it is approved or the rules want something else.

// holdUndone decides about somebody of whose records something was undone.
func (s *Settlement) holdUndone(c *candidate) {
	c.subject.Off = func(n uint32) bool { return s.presence.off.Contains(n) }
	c.steps, c.again = plan.Hold(&c.subject, c.before, c.wants, s.approved)
	if len(c.again) == 0 {
		return
	}
	c.waits, c.forget = true, false
	if c.kind == directory.Group {
		s.deferredGroups.Add(uint32(c.num))
	}
}

// undoneSince is when what waits of somebody forgotten was undone: there is nobody to mark, and every run looks at who is due.
func undoneSince(c *candidate) (at time.Time) {
	if !c.left || len(c.again) == 0 {
		return at
	}
	for _, rec := range c.before {
		if rec.Undone != nil {
			at = earlier(at, rec.Undone.At.Time)
		}
	}
	return at
}

// keepsUndone reports whether a record is there because its end was undone.
func keepsUndone(before []*directory.Record) bool {
	return slices.ContainsFunc(before, func(rec *directory.Record) bool { return rec.Undone != nil && rec.Undone.Op.Removes() })
}

// addAgain adds to a plan what would be done again of what was undone.
func (t *tally) addAgain(o *outcome, visit func(*directory.Action)) {
	for _, a := range o.again {
		p := t.portion(class{undone: true})
		t.counts.Add(a.Kind, a.Op)
		p.counts.Add(a.Kind, a.Op)
		if t.undone == nil {
			t.undone = map[string]int{}
		}
		t.undone[a.Reason]++
		same := directory.Action{Op: a.Op, Kind: a.Kind, Record: a.Record, Changes: a.Changes, Sets: a.Sets}
		p.hash.Write(directory.AppendAction(nil, &same))
		people := o.kind == directory.Person || o.kind == directory.Customer || o.kind == directory.Site
		switch {
		case a.Op.Removes():
			p.mark(a.Kind, o.num)
			if people {
				p.leavers.Add(uint32(o.num))
			}
		case a.Op != directory.Update && people:
			p.comers.Add(uint32(o.num))
		}
		if visit != nil {
			visit(a)
		}
	}
}

// mostUndone is how many undos a reason names.
const mostUndone = 5

// againReasons say in words that go on after "the plan would" what waits because it was undone.
func againReasons(undone map[string]int) (reasons []string) {
	for _, of := range slices.Sorted(maps.Keys(undone)) {
		if len(reasons) == mostUndone {
			return append(reasons, fmt.Sprintf("do again what %d other undos took back", len(undone)-mostUndone))
		}
		n := undone[of]
		text := "1 record"
		if n != 1 {
			text = fmt.Sprintf("%d records", n)
		}
		reasons = append(reasons, "do again to "+text+" what was "+of)
	}
	return reasons
}

// undoneLeft are those of a list whose leaving was undone: that waits by itself.
func (s *Settlement) undoneLeft(rec *directory.Record) []uint32 {
	if rec.Undone == nil || s.approved {
		return nil
	}
	return rec.Undone.Left
}
