package engine

import (
	"context"
	"slices"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/plan"
)

// commit stores what a batch of objects came to, in one transaction: records, queued actions, what the rules
// failed for; and clears the dirty marks that led there. A batch that comes to nothing is not a write.
func (s *settlement) commit(ctx context.Context, b *batch) error {
	w, err := s.weigh(ctx, b)
	if err != nil || w.nothing() {
		return err
	}
	err = s.update(ctx, func(tx store.Writer) error {
		for _, o := range w.outcomes {
			if err := s.commitOutcome(tx, o); err != nil {
				return err
			}
		}
		for _, id := range w.unparks {
			if _, err := tx.Unpark(id); err != nil {
				return err
			}
		}
		for _, f := range w.followers {
			if err := markIfStored(tx, f.kind, f.num, f.why); err != nil {
				return err
			}
		}
		for kind, nums := range w.dirty {
			if err := tx.ClearDirty(kind, nums); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if s.opts.Queued != nil && w.actions {
		for _, target := range s.conn.Targets {
			s.opts.Queued(target)
		}
	}
	for _, o := range w.outcomes {
		if o.err != nil {
			s.logParked(stageMap, o.kind, o.id, fault.ClassOf(o.err), "err", o.err)
		}
	}
	return nil
}

// writes is what of a batch must be stored.
type writes struct {
	outcomes []*outcome
	dirty    map[directory.Kind][]store.Num
	unparks  []uint64
	actions  bool
	// followers are looked at only because of what is marked in this batch, and come after it. They get marks of
	// their own when its marks are cleared: should the pass be cut before their turn, nothing else tells of them.
	followers []follower
}

// follower is an object that must be looked at because of another one.
type follower struct {
	kind directory.Kind
	num  store.Num
	why  store.DirtyReason
}

func (w *writes) nothing() bool { return len(w.outcomes)+len(w.dirty)+len(w.unparks) == 0 } // followers come with dirty ones

// weigh finds what of a batch differs from what is stored.
func (s *settlement) weigh(ctx context.Context, b *batch) (*writes, error) {
	w := &writes{dirty: map[directory.Kind][]store.Num{}}
	err := s.view(ctx, func(tx store.Reader) error {
		parked, err := tx.ParkedCount()
		if err != nil {
			return err
		}
		marked, err := s.marked(tx, b)
		if err != nil {
			return err
		}
		for i := range b.outcomes {
			o := &b.outcomes[i]
			if o.leave {
				continue
			}
			if marked[o.num] {
				w.dirty[o.kind] = append(w.dirty[o.kind], o.num)
				if w.followers, err = s.follow(tx, o, b.outcomes[len(b.outcomes)-1].num, w.followers); err != nil {
					return err
				}
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
		return nil
	})
	return w, err
}

// follow adds those to whom an object's mark leads and whose turn comes after a number: people whose manager it is,
// devices whose owner it is, groups that contain it. Under other rules than before everything is looked at anyhow.
func (s *settlement) follow(tx store.Reader, o *outcome, last store.Num, list []follower) ([]follower, error) {
	uses := &s.surroundings.uses
	if s.hash != s.state.RulesHash || (o.kind != directory.Person && o.kind != directory.Group) {
		return list, nil
	}
	row, ok, err := tx.Row(o.kind, o.num)
	if err != nil || !ok {
		return list, err
	}
	if o.kind == directory.Group {
		if !uses.Records[directory.Group] {
			return list, nil
		}
		parents, err := groupsNaming(tx, o.num, row.Handles)
		if err != nil {
			return list, err
		}
		all, err := s.surroundings.above(tx, parents)
		for _, g := range all {
			if g > last {
				list = append(list, follower{directory.Group, g, store.MembersChanged})
			}
		}
		return list, err
	}
	add := func(used bool, link directory.LinkType, kind directory.Kind) {
		for _, h := range append([]store.Num{o.num}, row.Handles...) {
			if !used || err != nil {
				return
			}
			err = tx.Referrers(link, h, func(n store.Num) bool {
				if s.look[kind].Contains(uint32(n)) && (kind != o.kind || n > last) {
					list = append(list, follower{kind, n, store.Changed})
				}
				return true
			})
		}
	}
	add(uses.Manager, directory.Manager, directory.Person)
	add(uses.Owner, directory.Owner, directory.Device)
	return list, err
}

// marked returns which objects of a batch have a dirty mark. All of a batch are of one kind, in order.
func (s *settlement) marked(tx store.Reader, b *batch) (map[store.Num]bool, error) {
	marked := make(map[store.Num]bool, len(b.outcomes))
	if len(b.outcomes) == 0 {
		return marked, nil
	}
	first, last := b.outcomes[0].num, b.outcomes[len(b.outcomes)-1].num
	return marked, tx.Dirty(b.outcomes[0].kind, first-1, func(n store.Num, _ store.DirtyReason) bool {
		marked[n] = true
		return n < last
	})
}

// settleParked takes an object off the parked list for which the rules work again. It reports whether there
// is nothing more to do: the object is parked already for the very same reason.
func (s *settlement) settleParked(tx store.Reader, o *outcome, w *writes) (done bool, err error) {
	p, ok, err := tx.ParkedObject(o.kind, o.id)
	if err != nil || !ok || p.Stage != stageMap {
		return false, err
	}
	if o.err == nil {
		w.unparks = append(w.unparks, p.ID)
		return false, nil
	}
	return p.Reason == o.err.Error(), nil
}

func (s *settlement) commitOutcome(tx store.Writer, o *outcome) error {
	if o.err != nil {
		_, err := tx.Park(store.Parked{
			Since: s.stamp.Time, Reason: o.err.Error(), Class: string(fault.ClassOf(o.err)),
			Stage: stageMap, Kind: o.kind, Object: o.id,
		})
		return err
	}
	for _, step := range o.steps {
		if err := s.commitStep(tx, o.num, step); err != nil {
			return err
		}
	}
	// The lists are settled later in this pass. Should it be cut before that, their marks are all that tells of
	// it; under other rules than before everything is looked at again anyhow.
	if s.hash == s.state.RulesHash {
		for _, list := range o.lists {
			if err := markIfStored(tx, list.kind, list.num, store.MembersChanged); err != nil {
				return err
			}
		}
	}
	if o.forget {
		return tx.DeleteRow(o.kind, o.num)
	}
	return nil
}

func (s *settlement) commitStep(tx store.Writer, n store.Num, step plan.Step) error {
	if err := tx.PutRecord(n, step.Record); err != nil || step.Action == nil {
		return err
	}
	for _, target := range s.conn.Targets {
		if err := tx.Enqueue(target, step.Action, s.stamp.Time); err != nil {
			return err
		}
	}
	return nil
}

// introduceTargets tells targets that are new to the connection about every record that there is: what the
// others learnt over time.
func (s *settlement) introduceTargets(ctx context.Context) error {
	for _, target := range s.conn.Targets {
		if s.state.RulesHash == "" || slices.Contains(s.state.Targets, target) {
			continue
		}
		s.note("target %s is new to this connection; sending it every record", target)
		for _, kind := range directory.RecordKinds() {
			if err := s.introduce(ctx, target, kind); err != nil {
				return err
			}
		}
		if s.opts.Queued != nil {
			s.opts.Queued(target)
		}
	}
	return nil
}

func (s *settlement) introduce(ctx context.Context, target string, kind directory.RecordKind) error {
	after := store.Num(0)
	for {
		var actions []*directory.Action
		var bad error
		err := s.view(ctx, func(tx store.Reader) error {
			return tx.Records(kind, after, func(n store.Num, rec directory.Record) bool {
				after = n
				if rec.Active {
					keys := func(nums []uint32) (list []string) { list, bad = s.recordKeys(tx, nums); return list }
					actions = append(actions, plan.Introduce(&rec, s.run.originOf(&rec), s.stamp, keys))
				}
				return bad == nil && len(actions) < s.chunk
			})
		})
		if err == nil {
			err = bad
		}
		if err != nil || len(actions) == 0 {
			return err
		}
		err = s.update(ctx, func(tx store.Writer) error {
			for _, a := range actions {
				if err := tx.Enqueue(target, a, s.stamp.Time); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
}

// originOf finds the origin of a record by its key.
func (r *run) originOf(rec *directory.Record) directory.Origin {
	prefix := r.origin("").RecordKey()
	return r.origin(rec.Key[min(len(prefix), len(rec.Key)):])
}
