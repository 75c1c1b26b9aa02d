package deliver

import (
	"context"
	"fmt"
	"slices"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// entry is a claimed action on its way to the target.
type entry struct {
	seq     uint64
	queued  time.Time
	subject string
	// action is what is sent: what waits in the outbox, folded onto what is parked of the same record.
	action *directory.Action
	// parked is the parked action that this one makes good, or zero.
	parked uint64
}

// verdict is what became of an entry, to be recorded.
type verdict struct {
	*entry
	refused error // nil: the target took it
}

// ready reports whether a partition has anything that may be sent now.
func (w *Worker) ready(ctx context.Context, p *partition) (bool, error) {
	found := false
	pick := w.picker(p)
	err := w.store.View(ctx, p.Partition, func(tx store.Reader) error {
		return tx.Outbox(w.name, 0, func(q store.Queued) bool {
			e, damaged := parse(q)
			found = damaged != nil || pick.take(e) // commitAndClaim sets damaged ones aside
			return !found
		})
	})
	if err != nil {
		return false, fmt.Errorf("look for waiting actions: %w", err)
	}
	if !found {
		p.forget(pick)
	}
	return found, nil
}

// commitAndClaim records verdicts and, unless the worker wants none, claims the next window: entries of which no two
// concern the same record, in order. Both happen in one transaction.
func (w *Worker) commitAndClaim(ctx context.Context, p *partition, done []verdict, more bool) ([]*entry, error) {
	var window []*entry
	var counts Counts
	err := w.store.Update(ctx, p.Partition, func(tx store.Writer) error {
		var err error
		window, counts = nil, Counts{}
		if counts, err = w.writeVerdicts(tx, done); err != nil || !more {
			return err
		}
		for folded := -1; folded != 0 && len(window) == 0; {
			if window, folded, err = w.claim(tx, p); err != nil {
				return err
			}
			counts.Folded += folded
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("record deliveries: %w", err)
	}
	w.count(counts)
	return window, nil
}

// writeVerdicts writes verdicts: what was taken leaves the outbox, what was refused is parked.
func (w *Worker) writeVerdicts(tx store.Writer, done []verdict) (Counts, error) {
	var counts Counts
	if len(done) == 0 {
		return counts, nil
	}
	seqs := make([]uint64, len(done))
	for i, v := range done {
		seqs[i] = v.seq
		if v.refused != nil {
			counts.Parked++
			if err := w.park(tx, v); err != nil {
				return counts, err
			}
			continue
		}
		counts.Delivered++
		if v.parked != 0 {
			if _, err := tx.Unpark(v.parked); err != nil {
				return counts, err
			}
		}
	}
	slices.Sort(seqs)
	return counts, tx.Dequeue(w.name, seqs)
}

func (w *Worker) park(tx store.Writer, v verdict) error {
	_, err := tx.Park(store.Parked{
		Since: w.opts.Now(), Reason: v.refused.Error(), Class: string(fault.ClassOf(v.refused)), Stage: Stage,
		Target: w.name, Subject: v.subject, Action: directory.AppendAction(nil, v.action),
	})
	return err
}

// Stage is the stage of every entry that a worker parks (store.Parked).
const Stage = "deliver"

// claim picks the next window. Claimed entries come first, as they are: they may have been sent before. What
// was not claimed yet is folded and claimed.
func (w *Worker) claim(tx store.Writer, p *partition) (window []*entry, folded int, err error) {
	pick := w.picker(p)
	window, fresh, err := w.read(tx, p, pick)
	if err != nil {
		return nil, 0, err
	}
	if n := len(fresh); n > 0 {
		upTo := fresh[n-1].seq
		if fresh, err = w.compact(tx, fresh); err != nil {
			return nil, 0, err
		}
		if err := tx.Claim(w.name, upTo); err != nil {
			return nil, 0, err
		}
		folded = n - len(fresh)
	}
	for _, e := range fresh {
		if pick.take(e) {
			window = append(window, e)
		}
	}
	window, idle, err := w.withParked(tx, window)
	return window, folded + idle, err
}

// read returns the claimed entries that can be sent now, and as many of the others as fit beside them.
func (w *Worker) read(tx store.Writer, p *partition, pick *picker) (old, fresh []*entry, err error) {
	mark, err := tx.Claimed(w.name)
	if err != nil {
		return nil, nil, err
	}
	var damaged []store.Queued
	room, size := w.window, 0
	err = tx.Outbox(w.name, 0, func(q store.Queued) bool {
		e, bad := parse(q)
		switch {
		case bad != nil:
			q.Data = append([]byte(nil), q.Data...)
			damaged = append(damaged, q)
			return true
		case q.Seq > mark && len(p.backoffs) >= maxBackoffs:
			return false
		case q.Seq > mark:
			fresh = append(fresh, e)
		case pick.take(e):
			old = append(old, e)
		default:
			return true
		}
		room--
		size += len(q.Data)
		return room > 0 && size < windowBytes
	})
	if err == nil {
		err = w.setAside(tx, damaged)
	}
	return old, fresh, err
}

func parse(q store.Queued) (*entry, error) {
	a, err := directory.ParseAction(q.Data)
	if err != nil {
		return nil, err
	}
	return &entry{seq: q.Seq, queued: q.Queued, subject: directory.Subject(a.Kind, a.Record), action: &a}, nil
}

// setAside parks entries that cannot be read, so that they do not block the outbox for ever.
func (w *Worker) setAside(tx store.Writer, damaged []store.Queued) error {
	for _, q := range damaged {
		subject := fmt.Sprintf("damaged/%d", q.Seq)
		_, err := tx.Park(store.Parked{
			Since: w.opts.Now(), Reason: "the stored action cannot be read", Class: string(fault.Internal), Stage: Stage,
			Target: w.name, Subject: subject, Action: q.Data,
		})
		if err != nil {
			return err
		}
		w.opts.Log.Error("action parked", "subject", subject, "class", string(fault.Internal))
		w.opts.Metrics.Parked(fault.Internal)
		if err := tx.Dequeue(w.name, []uint64{q.Seq}); err != nil {
			return err
		}
	}
	return nil
}

// compact folds entries of the same record, in the store and in the list.
func (w *Worker) compact(tx store.Writer, fresh []*entry) ([]*entry, error) {
	groups := make(map[string][]*entry, len(fresh))
	for _, e := range fresh {
		groups[e.subject] = append(groups[e.subject], e)
	}
	if len(groups) == len(fresh) {
		return fresh, nil
	}
	var drop []uint64
	for _, group := range groups {
		dropped, err := w.foldGroup(tx, group)
		if err != nil {
			return nil, err
		}
		drop = append(drop, dropped...)
	}
	slices.Sort(drop)
	fresh = slices.DeleteFunc(fresh, func(e *entry) bool { return e.action == nil })
	return fresh, tx.Dequeue(w.name, drop)
}

// foldGroup folds the entries of one record. Those that are not needed any more lose their action; their
// sequence numbers are returned.
func (w *Worker) foldGroup(tx store.Writer, group []*entry) (drop []uint64, err error) {
	if len(group) == 1 {
		return nil, nil
	}
	actions := make([]*directory.Action, len(group))
	for i, e := range group {
		actions[i] = e.action
	}
	for _, f := range fold(actions) {
		if f.first == f.last {
			continue
		}
		for _, e := range group[f.first : f.last+1] {
			e.action = nil
		}
		if f.action != nil {
			group[f.at].action = f.action
			if err := tx.Replace(w.name, group[f.at].seq, f.action); err != nil {
				return nil, err
			}
		}
	}
	for _, e := range group {
		if e.action == nil {
			drop = append(drop, e.seq)
		}
	}
	return drop, nil
}

// withParked folds every entry onto what is parked of its record at the target; see mergeParked. The outbox and the
// parked action stay as they are until the target has taken the result, so that a restart comes to the same.
// An entry that comes to nothing leaves together with the parked action.
func (w *Worker) withParked(tx store.Writer, window []*entry) ([]*entry, int, error) {
	n, err := tx.ParkedCount()
	if err != nil || n == 0 {
		return window, 0, err
	}
	kept := window[:0]
	var needless []uint64
	for _, e := range window {
		old, found, err := tx.ParkedAction(w.name, e.subject)
		if err != nil {
			return nil, 0, err
		}
		if !found {
			kept = append(kept, e)
			continue
		}
		e.parked = old.ID
		earlier, bad := directory.ParseAction(old.Action)
		if bad != nil {
			kept = append(kept, e)
			continue
		}
		if a := mergeParked(&earlier, e.action, wasRefused(old)); a != nil {
			e.action = a
			kept = append(kept, e)
			continue
		}
		needless = append(needless, e.seq)
		if _, err := tx.Unpark(old.ID); err != nil {
			return nil, 0, err
		}
	}
	if len(needless) == 0 {
		return kept, 0, nil
	}
	return kept, len(needless), tx.Dequeue(w.name, needless)
}

// wasRefused reports whether the target is known not to have carried out a parked action. An action that was
// given up after failures may have had its effect.
func wasRefused(p store.Parked) bool {
	switch fault.Class(p.Class) {
	case fault.Invalid, fault.Forbidden, fault.Gone:
		return true
	default:
		return false
	}
}
