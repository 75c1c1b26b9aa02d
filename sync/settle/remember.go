package settle

import (
	"slices"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/plan"
)

// Keep is how much is kept of what was sent (store.Writer.KeepActions).
type Keep struct {
	// Off: nothing.
	Off bool
	// Before is the id before which those of runs sort that are too old, and Bytes is how much all may take.
	Before string
	Bytes  int64
}

// remember keeps the actions of the run, in the transaction that queues them, but for those of outcomes that are done already. It returns
// how many there are now.
func (s *Settlement) remember(tx store.Writer, w *pendingWrites, done map[*outcome]bool) (kept int, err error) {
	if s.Keep.Off {
		return s.kept, nil
	}
	n := 0
	for _, o := range w.outcomes {
		n += len(o.steps)
	}
	list := slices.Grow(s.sent[:0], n)
	for _, o := range w.outcomes {
		if done[o] {
			continue
		}
		for i := range o.steps {
			if o.steps[i].Action != nil {
				list = append(list, runAction(o.num, &o.steps[i]))
			}
		}
	}
	kept, err = s.keep(tx, list)
	clear(list)
	s.sent = list
	return kept, err
}

// keep keeps further actions of the run, and forgets those for which there is no room.
func (s *Settlement) keep(tx store.Writer, list []directory.RunAction) (kept int, err error) {
	if kept, err = s.keepAll(tx, list); err != nil || kept == s.kept {
		return kept, err
	}
	return kept, tx.ForgetActions(s.Keep.Before, s.Keep.Bytes)
}

// keepAll keeps further actions of the run, whether there is room for them or not.
func (s *Settlement) keepAll(tx store.Writer, list []directory.RunAction) (kept int, err error) {
	if len(list) == 0 || s.Keep.Off {
		return s.kept, nil
	}
	return s.kept + len(list), tx.KeepActions(s.Run.Run, s.kept, list)
}

// keptOf is how many actions of a run are kept, or were.
func keptOf(tx store.Reader, run string) (n int, err error) {
	err = tx.RunActions(run, 0, func(at int, _ directory.RunAction) bool { n = at + 1; return true })
	return n, err
}

// runAction is what is worth remembering of an action. The record has the rest: of a creation all.
func runAction(n store.Num, step *plan.Step) directory.RunAction {
	a := step.Action
	r := directory.RunAction{
		Op: a.Op, Kind: a.Kind, Num: uint32(n), Key: a.Record, Name: a.Name(), Rule: a.Rule, Reason: a.Reason, Revision: step.Record.Revision,
		Changes: a.Changes, Entered: step.Entered, Left: step.Left,
	}
	if a.Op == directory.Delete {
		r.Changes = make([]directory.FieldChange, len(a.Fields))
		for i, f := range a.Fields {
			r.Changes[i] = directory.FieldChange{Name: f.Name, From: f.Value}
		}
	}
	for _, set := range a.Sets {
		r.Added += len(set.Added)
		r.Removed += len(set.Removed)
	}
	return r
}

// tell says which actions were queued.
func (s *Settlement) tell(w *pendingWrites) {
	if s.Acted == nil {
		return
	}
	for _, o := range w.outcomes {
		for _, step := range o.steps {
			if step.Action != nil {
				s.Acted(step.Action)
			}
		}
	}
}
