package settle

import (
	"context"
	"slices"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/plan"
	"dirsyncd/sync/relations"
)

// commit stores what a batch of objects came to, in one transaction: records, queued actions, what the rules
// failed for; and clears the dirty marks that led there. A batch that comes to nothing is not a write.
func (s *Settlement) commit(ctx context.Context, b *batch) error {
	w, err := s.diffBatch(ctx, b)
	if err != nil || w.nothing() {
		return err
	}
	kept := 0
	var beside bool
	var done map[*outcome]bool
	err = s.State.Update(s.stores(ctx, w), func(tx store.Writer) error {
		if beside, err = s.lookBeside(tx); err != nil {
			return err
		}
		done = map[*outcome]bool{}
		seats := map[seat]int{}
		for _, o := range w.outcomes {
			if beside {
				if done[o], err = settledBeside(tx, o); err != nil {
					return err
				}
			}
			if done[o] {
				continue
			}
			if err := s.commitOutcome(tx, o, seats); err != nil {
				return err
			}
		}
		if kept, err = s.remember(tx, w, done); err != nil {
			return err
		}
		if err := s.count(tx, w, done); err != nil {
			return err
		}
		if len(s.byField) > 0 || s.miscount {
			if err := s.keepTaken(tx, seats); err != nil {
				return err
			}
		}
		for _, id := range w.unparks {
			if _, err := tx.Unpark(id); err != nil {
				return err
			}
		}
		for _, d := range w.dues {
			if err := tx.PutDue(b.kind, d.num, d.at); err != nil {
				return err
			}
		}
		for _, m := range w.marks {
			if err := (relations.Marker{}).Stored(tx, m.kind, m.nums, m.why); err != nil {
				return err
			}
		}
		for why, nums := range w.waits {
			if err := (relations.Marker{}).Stored(tx, b.kind, nums, why); err != nil {
				return err
			}
		}
		if beside {
			return nil
		}
		return tx.ClearDirty(b.kind, w.dirty)
	})
	if err != nil {
		return err
	}
	s.kept, s.overtaken = kept, s.overtaken || beside
	for o, is := range done {
		if is {
			o.steps, o.last = nil, false
		}
	}
	for _, o := range w.outcomes {
		if o.last {
			s.last = append(s.last, o.num)
		}
	}
	s.tell(w)
	if w.actions {
		for _, target := range s.Targets {
			s.Queued(target)
		}
	}
	for _, o := range w.outcomes {
		if o.err != nil {
			s.Parked(o.kind, o.id, fault.ClassOf(o.err), "err", o.err)
		}
	}
	return nil
}

// pendingWrites is what of a batch must be stored.
type pendingWrites struct {
	outcomes []*outcome
	dirty    []store.Num                       // whose marks are cleared
	waits    map[store.DirtyReason][]store.Num // who wait and have no such mark yet
	unparks  []uint64
	actions  bool
	marks    []marks
	dues     []due
}

// marks are objects that are looked at only because of others in the batch, and come after those. They get marks of
// their own when the others' marks are cleared: should the pass be cut before their turn, nothing else tells of them.
type marks struct {
	kind directory.Kind
	nums []store.Num
	why  store.DirtyReason
}

func (w *pendingWrites) nothing() bool {
	return len(w.outcomes)+len(w.dirty)+len(w.waits)+len(w.unparks)+len(w.dues) == 0
} // marks come with others

// diffBatch finds what of a batch differs from what is stored.
func (s *Settlement) diffBatch(ctx context.Context, b *batch) (*pendingWrites, error) {
	var w *pendingWrites
	err := s.State.View(s.looksAtMarks(ctx, b), func(tx store.Reader) error {
		w = &pendingWrites{waits: map[store.DirtyReason][]store.Num{}}
		parked, err := tx.ParkedCount()
		if err != nil {
			return err
		}
		marked, err := s.marked(tx, b)
		if err != nil {
			return err
		}
		if w.dues, err = s.dues(tx, b); err != nil {
			return err
		}
		var settled []*outcome
		for i := range b.outcomes {
			o := &b.outcomes[i]
			if why := s.waitingFor(o); o.waits && !o.left && (marked[o.num] == 0 || why == store.Remapped && marked[o.num]&why == 0) {
				w.waits[why] = append(w.waits[why], o.num)
			}
			if o.deferred {
				continue
			}
			if o.forget && o.unprovenRemoval && o.kind == directory.Person {
				if o.last, err = relations.Contested(tx, o.nums); err != nil {
					return err
				}
			}
			if marked[o.num] != 0 && !o.waits && !o.last {
				w.dirty = append(w.dirty, o.num)
				settled = append(settled, o)
			} else if s.uses.AnyKey() && len(o.steps) > 0 {
				settled = append(settled, o) // others name the record
			}
			if parked > 0 && o.id != "" {
				done, err := s.settleParked(tx, o, w)
				if err != nil {
					return err
				}
				if done {
					continue
				}
			}
			if o.err != nil || o.forget || len(o.steps) > 0 {
				w.outcomes = append(w.outcomes, o)
				w.actions = w.actions || slices.ContainsFunc(o.steps, func(st plan.Step) bool { return st.Action != nil })
			}
		}
		// Under other rules than before everything is looked at anyhow, and after those who are last comes nobody.
		if !s.SameRules || b.last {
			return nil
		}
		var groups, licences []store.Num
		for _, o := range w.outcomes {
			groups, licences = append(groups, o.groups...), append(licences, o.licences...)
		}
		w.marks = append(w.marks, marks{directory.Group, groups, store.MembersChanged}, marks{directory.Licence, licences, store.MembersChanged})
		return s.follow(tx, b, settled, w)
	})
	return w, err
}

// follow adds those to whom the marks of objects lead and whose turn comes after the batch: people and groups whose manager
// they are, devices whose owner they are, groups that contain them, whoever belongs to them.
func (s *Settlement) follow(tx store.Reader, b *batch, settled []*outcome, w *pendingWrites) error {
	if len(settled) == 0 {
		return nil
	}
	last := b.outcomes[len(b.outcomes)-1].num
	var known, nums []store.Num // of those that are stored, and of their handles
	for _, o := range settled {
		if o.id != "" {
			known, nums = append(known, o.num), append(nums, o.nums...)
		}
	}
	add := func(link directory.LinkType, kind directory.Kind) error {
		m := marks{kind: kind, why: store.Changed}
		err := relations.Referrers(tx, link, nums, func(_, n store.Num) {
			if s.worklist[kind].Contains(uint32(n)) && (kind != b.kind || n > last) {
				m.nums = append(m.nums, n)
			}
		})
		w.marks = append(w.marks, m)
		return err
	}
	if b.kind == directory.Group && s.uses.OwnerGroups {
		// Their devices are among those that are looked at; a mark too many costs one more look.
		w.marks = append(w.marks, marks{kind: directory.Device, nums: relations.Nums(s.worklist[directory.Device]), why: store.Changed})
	}
	if b.kind == directory.Group && s.uses.Records[directory.Group] {
		above, err := s.storedGroups.Above(tx, known)
		m := marks{kind: directory.Group, why: store.MembersChanged}
		for _, groups := range above {
			m.nums = append(m.nums, slices.DeleteFunc(groups, func(g store.Num) bool { return g <= last })...)
		}
		w.marks = append(w.marks, m)
		return err
	}
	if b.kind == directory.Person && s.uses.Owner {
		if err := add(directory.Owner, directory.Device); err != nil {
			return err
		}
	}
	link, looked := s.lookedAt(b.kind)
	for _, kind := range link.From() {
		if looked[kind] {
			if err := add(link, kind); err != nil {
				return err
			}
		}
	}
	return nil
}

// marked returns why objects of a batch have a dirty mark.
func (s *Settlement) marked(tx store.Reader, b *batch) (map[store.Num]store.DirtyReason, error) {
	marked := make(map[store.Num]store.DirtyReason, len(b.outcomes))
	if len(b.outcomes) == 0 {
		return marked, nil
	}
	first, last := b.outcomes[0].num, b.outcomes[len(b.outcomes)-1].num
	return marked, tx.Dirty(b.kind, first-1, func(n store.Num, why store.DirtyReason) bool {
		marked[n] = why
		return n < last
	})
}

// settleParked takes an object off the parked list for which the rules work again. It reports whether there
// is nothing more to do: the object is parked already for the very same reason.
func (s *Settlement) settleParked(tx store.Reader, o *outcome, w *pendingWrites) (done bool, err error) {
	p, ok, err := tx.ParkedObject(o.kind, o.id)
	if err != nil || !ok || p.Stage != Stage {
		return false, err
	}
	if o.err == nil {
		w.unparks = append(w.unparks, p.ID)
		return false, nil
	}
	return p.Reason == o.err.Error(), nil
}

// commitOutcome stores what an object comes to, and adds to seats what it takes and gives up of those that are told apart by a field.
func (s *Settlement) commitOutcome(tx store.Writer, o *outcome, seats map[seat]int) error {
	if o.err != nil {
		_, err := tx.Park(store.Parked{
			Since: s.Run.Time, Reason: o.err.Error(), Class: string(fault.ClassOf(o.err)),
			Stage: Stage, Kind: o.kind, Object: o.id,
		})
		return err
	}
	for _, step := range o.steps {
		if err := s.commitStep(tx, o.num, step, seats); err != nil {
			return err
		}
	}
	if o.forget && !o.last {
		return tx.DeleteRow(o.kind, o.num)
	}
	return nil
}

func (s *Settlement) commitStep(tx store.Writer, n store.Num, step plan.Step, seats map[seat]int) error {
	if len(s.byField) > 0 {
		old, _, err := tx.Record(step.Kind, n)
		if err != nil {
			return err
		}
		s.change(seats, &old, -1)
		s.change(seats, step.Record, 1)
	}
	if err := tx.PutRecord(n, step.Record); err != nil || step.Action == nil {
		return err
	}
	for _, target := range s.Targets {
		if err := tx.Enqueue(target, step.Action, s.Run.Time); err != nil {
			return err
		}
	}
	return nil
}
