package deliver

import "time"

// picker chooses entries that may be under way at the same time. An entry waits when an earlier one concerns
// the same record and is not finished, or when its record is held back. The two halves of a change of kind
// name each other and count as concerning both records, so that the second never overtakes the first.
type picker struct {
	backoffs map[string]*recordBackoff
	now      time.Time
	taken    map[string]struct{}
	busy     bool // one waits for an earlier one of its record
}

func (w *Worker) picker(p *partition) *picker {
	return &picker{backoffs: p.backoffs, now: w.opts.Now(), taken: map[string]struct{}{}}
}

// take reports whether the entry may be sent. Either way the later entries of its records have to wait.
func (k *picker) take(e *entry) bool {
	_, busy := k.taken[e.subject]
	k.taken[e.subject] = struct{}{}
	if other := e.action.Other; other != "" {
		_, too := k.taken[other]
		k.taken[other] = struct{}{}
		busy = busy || too
	}
	if busy {
		k.busy = true
		return false
	}
	b := k.backoffs[e.subject]
	return b == nil || !b.behind && !k.now.Before(b.next)
}

// forget drops the waits of records of which the picker, having seen the whole outbox, saw no action.
func (p *partition) forget(pick *picker) {
	for subject := range p.backoffs {
		if _, waits := pick.taken[subject]; !waits {
			delete(p.backoffs, subject)
		}
	}
}
