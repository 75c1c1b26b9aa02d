package settle

import (
	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// KeptActions is how many actions of a run are kept, for those who ask afterwards whom it changed: enough for every
// run that a person reads through, and little beside the records of a first sync.
const KeptActions = 2000

// remember keeps the first actions of the run, in the transaction that queues them, but for those of outcomes that are done already. It returns how many there are now.
func (s *Settlement) remember(tx store.Writer, w *pendingWrites, done map[*outcome]bool) (kept int, err error) {
	var list []store.RunAction
	for _, o := range w.outcomes {
		if done[o] {
			continue
		}
		for _, step := range o.steps {
			if step.Action != nil && s.kept+len(list) < KeptActions {
				list = append(list, runAction(step.Action))
			}
		}
	}
	if len(list) == 0 {
		return s.kept, nil
	}
	return s.kept + len(list), tx.KeepActions(s.Run.Run, s.kept, list)
}

// runAction is what is worth remembering of an action. The record has the rest.
func runAction(a *directory.Action) store.RunAction {
	r := store.RunAction{Op: a.Op, Kind: a.Kind, Key: a.Record, Name: a.Name(), Rule: a.Rule, Reason: a.Reason}
	for _, c := range a.Changes {
		r.Changes = append(r.Changes, store.RunChange{Field: c.Name, From: c.From.Any(), To: c.To.Any()})
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
