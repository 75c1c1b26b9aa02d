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

// entry is a claimed action on its way to the target. It is good until what became of its partition's window is recorded.
type entry struct {
	from *partition
	// seq is its place in the outbox; zero for one that waited for something at the target and was woken (waits.go).
	seq     uint64
	queued  time.Time
	subject string
	// action is what is sent: what waits in the outbox, folded onto what is parked of the same record.
	action *directory.Action
	// parked is the parked action that this one makes good, or zero.
	parked uint64
	// waiting is the action of the record that waited for something at the target and is part of this one, or zero.
	waiting uint64
	// again: it may have been sent before.
	again bool
}

// windowMemory is where the entries of a window are made, with their actions. A nil one makes each for good.
type windowMemory struct {
	directory.Memory
	entries directory.Slab[entry]
}

// reset takes back all that was made: nobody may look at it any more.
func (m *windowMemory) reset() {
	if m != nil {
		m.Memory.Reset()
		m.entries.Reset()
	}
}

// parse reads what is queued.
func (m *windowMemory) parse(p *partition, q store.Queued) (*entry, error) {
	var made *directory.Memory
	e := &entry{}
	if m != nil {
		made, e = &m.Memory, &m.entries.Take(1)[0]
	}
	a, err := directory.ParseActionIn(made, q.Data)
	if err != nil {
		return nil, err
	}
	*e = entry{from: p, seq: q.Seq, queued: q.Queued, subject: directory.Subject(a.Kind, a.Record), action: made.Action(a)}
	return e, nil
}

// spareMemory is memory for a window; nil when others have it all.
func (w *Worker) spareMemory() *windowMemory {
	n := len(w.spare)
	if n == 0 {
		return nil
	}
	m := w.spare[n-1]
	w.spare = w.spare[:n-1]
	return m
}

// takeBack makes memory of which nobody has anything left that of another window.
func (w *Worker) takeBack(m *windowMemory) {
	if m != nil {
		m.reset()
		w.spare = append(w.spare, m)
	}
}

// ticket names an entry as long as its partition is worked on.
type ticket struct{ seq, waiting uint64 }

func (e *entry) ticket() ticket {
	if e.seq > 0 {
		return ticket{seq: e.seq}
	}
	return ticket{waiting: e.waiting}
}

// room is how much a window may hold; the zero value means that none is wanted.
type room struct{ actions, bytes int }

// claim is what one transaction did. Nothing of it counts before the transaction has succeeded.
type claim struct {
	window  []*entry // of which no two concern the same record, in order
	bytes   int
	counts  Counts
	more    bool     // can be sent afterwards
	damaged []uint64 // set aside
	pick    *picker
	memory  *windowMemory // of the entries
	unsent  []ticket      // claimed by this transaction, and not in the window
	due     time.Time     // when the next of those that wait at the target is due
}

// ready reports whether a partition has anything that may be sent now. When none of its records has to wait by
// itself, whatever waits may be.
func (w *Worker) ready(ctx context.Context, p *partition) (bool, error) {
	if len(p.backoffs) == 0 {
		return true, nil
	}
	var pick *picker
	var found bool
	err := w.store.View(ctx, p.Partition, func(tx store.Reader) error {
		pick, found = w.picker(p), false
		err := tx.Outbox(w.name, 0, func(q store.Queued) bool {
			e, damaged := (*windowMemory)(nil).parse(p, q)
			found = damaged != nil || pick.take(e) // damaged ones are set aside by whoever claims
			return !found
		})
		if err != nil || found {
			return err
		}
		list, _, err := w.dueWaits(tx, p, pick, 1)
		found = len(list) > 0
		return err
	})
	if err != nil {
		return false, fmt.Errorf("look for waiting actions: %w", err)
	}
	if !found {
		p.forget(pick)
	}
	return found, nil
}

// commitAndClaim records a partition's verdicts and claims its next window, in one transaction. Verdicts are
// recorded even when the context has ended: the target has answered.
func (w *Worker) commitAndClaim(ctx context.Context, p *partition, room room) (*claim, error) {
	if len(p.done) > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
	}
	var c *claim
	var m *windowMemory
	if room.actions > 0 {
		m = w.spareMemory()
	}
	err := w.store.Update(ctx, p.Partition, func(tx store.Writer) error {
		c = &claim{pick: w.picker(p), memory: m}
		if err := w.writeVerdicts(tx, p.done, &c.counts); err != nil {
			return err
		}
		for folded := -1; room.actions > 0 && folded != 0 && len(c.window) == 0; {
			m.reset() // nothing is left of an attempt, or a round, before
			before := c.counts.Folded
			if err := w.claimWindow(tx, p, room, c); err != nil {
				return err
			}
			folded = c.counts.Folded - before
		}
		var err error
		c.due, err = tx.NextWait(w.name)
		return err
	})
	if err != nil {
		w.takeBack(m)
		return nil, fmt.Errorf("record deliveries: %w", err)
	}
	w.tellRefused(p.done)
	p.done = nil
	w.freeMemory(p)
	if len(c.window) > 0 {
		p.memory = m
	} else {
		w.takeBack(m)
	}
	for _, t := range c.unsent {
		p.unsent[t] = struct{}{}
	}
	if len(p.unsent) > 0 {
		for _, e := range c.window {
			delete(p.unsent, e.ticket())
		}
	}
	w.waits.next(p.Partition, c.due)
	if room.actions > 0 && len(c.window) == 0 {
		p.forget(c.pick)
	}
	w.count(c.counts)
	for _, seq := range c.damaged {
		w.opts.Log.Error("action parked", "connection", p.Connection, "tenant", p.Tenant, "subject", damagedSubject(seq), "class", string(fault.Internal))
		w.opts.Metrics.Parked(fault.Internal)
	}
	return c, nil
}

// claimWindow picks the next window. Claimed entries come first, as they are: they may have been sent before. What
// was not claimed yet is folded and claimed. Claiming is a write each time, also of what was claimed before: nothing is
// sent while the answer could not be recorded.
func (w *Worker) claimWindow(tx store.Writer, p *partition, room room, c *claim) error {
	c.pick = w.picker(p)
	upTo, err := tx.Claimed(w.name)
	if err != nil {
		return err
	}
	due, err := tx.NextWait(w.name)
	if err != nil {
		return err
	}
	wanted := room
	isDue := !due.IsZero() && !due.After(w.opts.Now())
	if isDue {
		wanted.actions = max(room.actions-room.actions/4, 1) // the rest is for those that wait
	}
	fresh, past, err := w.read(tx, p, upTo, wanted, c)
	if err != nil {
		return err
	}
	if n := len(fresh); n > 0 {
		upTo = fresh[n-1].seq
		if fresh, err = w.compact(tx, fresh); err != nil {
			return err
		}
		c.counts.Folded += n - len(fresh)
	}
	for _, e := range fresh {
		if c.pick.take(e) {
			c.window = append(c.window, e)
		} else {
			c.unsent = append(c.unsent, e.ticket())
		}
	}
	if isDue && past {
		if err := w.claimDue(tx, p, max(room.actions-len(c.window), 1), c); err != nil {
			return err
		}
	}
	if len(c.window)+len(fresh) > 0 {
		if err := tx.Claim(w.name, upTo); err != nil {
			return err
		}
	}
	c.more = c.more || c.pick.busy
	if err := w.withParked(tx, c); err != nil {
		return err
	}
	if err := w.withWaiting(tx, c); err != nil {
		return err
	}
	if w.ranked {
		c.arrange()
	}
	return nil
}

// read puts the claimed entries, those up to the mark, that can be sent now into the window, and returns as many of the
// others as fit beside them. past says that it has come past all that were claimed.
func (w *Worker) read(tx store.Writer, p *partition, mark uint64, room room, c *claim) (fresh []*entry, past bool, err error) {
	var damaged []store.Queued
	c.window, c.bytes, c.more = nil, 0, false
	past = true
	err = tx.Outbox(w.name, 0, func(q store.Queued) bool {
		past = q.Seq > mark
		e, bad := c.memory.parse(p, q)
		switch {
		case bad != nil:
			q.Data = append([]byte(nil), q.Data...)
			damaged = append(damaged, q)
			return true
		case q.Seq > mark && len(p.backoffs) >= maxBackoffs:
			return false
		case q.Seq > mark:
			fresh = append(fresh, e)
		case c.pick.take(e):
			_, unsent := p.unsent[e.ticket()]
			e.again = !unsent
			c.window = append(c.window, e)
		default:
			return true
		}
		c.bytes += len(q.Data)
		c.more = len(c.window)+len(fresh) >= room.actions || c.bytes >= room.bytes
		return !c.more
	})
	past = past || !c.more
	if err == nil {
		err = w.setAside(tx, damaged, c)
	}
	return fresh, past, err
}

// setAside parks entries that cannot be read, so that they do not block the outbox for ever.
func (w *Worker) setAside(tx store.Writer, damaged []store.Queued, c *claim) error {
	for _, q := range damaged {
		_, err := tx.Park(store.Parked{
			Since: w.opts.Now(), Reason: "the stored action cannot be read", Class: string(fault.Internal), Stage: Stage,
			Target: w.name, Subject: damagedSubject(q.Seq), Action: q.Data,
		})
		if err != nil {
			return err
		}
		if err := tx.Dequeue(w.name, []uint64{q.Seq}); err != nil {
			return err
		}
		c.damaged = append(c.damaged, q.Seq)
	}
	return nil
}

func damagedSubject(seq uint64) string { return fmt.Sprintf("damaged/%d", seq) }

// compact folds entries of the same record, in the store and in the list.
func (w *Worker) compact(tx store.Writer, fresh []*entry) ([]*entry, error) {
	if !several(fresh) {
		return fresh, nil
	}
	groups := make(map[string][]*entry, len(fresh))
	for _, e := range fresh {
		groups[e.subject] = append(groups[e.subject], e)
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

// several reports whether any two entries are of the same record.
func several(list []*entry) bool {
	seen := make(map[string]struct{}, len(list))
	for _, e := range list {
		seen[e.subject] = struct{}{}
	}
	return len(seen) < len(list)
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

// withParked folds every entry of a window onto what is parked of its record at the target; see mergeParked. The
// outbox and the parked action stay as they are until the target has taken the result, so that a restart comes to
// the same. An entry that comes to nothing leaves together with the parked action.
func (w *Worker) withParked(tx store.Writer, c *claim) error {
	n, err := tx.ParkedCount()
	if err != nil || n == 0 {
		return err
	}
	kept := c.window[:0]
	var needless []uint64
	for _, e := range c.window {
		if e.seq == 0 {
			kept = append(kept, e) // nothing is parked beside it
			continue
		}
		old, found, err := tx.ParkedAction(w.name, e.subject)
		if err != nil {
			return err
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
			e.action, e.again = a, e.again || !wasRefused(old)
			kept = append(kept, e)
			continue
		}
		needless = append(needless, e.seq)
		if _, err := tx.Unpark(old.ID); err != nil {
			return err
		}
	}
	c.window = kept
	if len(needless) == 0 {
		return nil
	}
	c.counts.Folded += len(needless)
	return tx.Dequeue(w.name, needless)
}

// wasRefused reports whether the target is known not to have carried out a parked action. An action that was
// given up after failures may have had its effect, and so may one that was sent before it was refused, or what it is folded of.
func wasRefused(p store.Parked) bool {
	if p.Tried {
		return false
	}
	switch fault.Class(p.Class) {
	case fault.Invalid, fault.Forbidden, fault.Gone:
		return true
	default:
		return false
	}
}
