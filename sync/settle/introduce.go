package settle

import (
	"context"
	"slices"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/plan"
)

// Introduce tells a target that is new to the connection about every record that there is: what the others learnt
// over time. It returns how many actions were queued.
func (s *Settlement) Introduce(ctx context.Context, target string) (told int, err error) {
	return s.tellAll(ctx, target, toldAgain(), func(rec *directory.Record) bool { return rec.Active }, func(rec *directory.Record, keys func([]uint32) []string) *directory.Action {
		return plan.Introduce(rec, s.originOf(rec), s.Run, keys, s.Rules.OnCreate(rec.Kind, rec.Rule))
	})
}

// toldAgain are the kinds of record of which a target can be told what is. A ticket is told once: what is remembered of it is no record.
func toldAgain() []directory.RecordKind {
	return slices.DeleteFunc(directory.RecordKinds(), func(k directory.RecordKind) bool { return k == directory.TicketRecord })
}

// Again tells a target once more what it was told last of every record, of those that were taken away first. It works out
// nothing: what waits, or is held, goes on doing so. seed names the request; the same one makes the same keys. With a time it is told of the
// records alone that have changed since.
func Again(ctx context.Context, t *Task, target, seed string, from time.Time) (told int, err error) {
	s := &Settlement{Task: t}
	for _, active := range []bool{false, true} {
		kinds := toldAgain()
		if !active {
			slices.Reverse(kinds) // who goes leaves before the customer and the site
		}
		n, err := s.tellAll(ctx, target, kinds, func(rec *directory.Record) bool { return rec.Active == active && changedSince(rec, from) }, func(rec *directory.Record, keys func([]uint32) []string) *directory.Action {
			return plan.Again(rec, s.originOf(rec), s.Run, seed, keys, s.Rules.OnCreate(rec.Kind, rec.Rule))
		})
		if told += n; err != nil {
			return told, err
		}
	}
	return told, nil
}

func changedSince(rec *directory.Record, from time.Time) bool {
	return from.IsZero() || !rec.Changed.Time.Before(from)
}

// WouldTell counts what Again would tell, by what it would say.
func WouldTell(ctx context.Context, state State, from time.Time) (plan.Counts, error) {
	counts := plan.Counts{}
	err := state.View(ctx, func(tx store.Reader) error {
		clear(counts)
		for _, kind := range toldAgain() {
			err := tx.Records(kind, 0, func(_ store.Num, rec directory.Record) bool {
				if changedSince(&rec, from) {
					counts.Add(kind, plan.ToldAgain(&rec))
				}
				return true
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return counts, err
}

// AgainOne tells a target once more what it was told last of one record, in a transaction of the tenant. It reports false when nothing is
// known of the record.
func AgainOne(tx store.Writer, t *Task, target, seed string, kind directory.RecordKind, key string) (bool, error) {
	nums, err := tx.Lookup([]string{directory.IDHandle(t.Origin.OfKey(key).ID)}, nil)
	if err != nil || nums[0] == 0 {
		return false, err
	}
	rec, known, err := tx.Record(kind, nums[0])
	if err != nil || !known || rec.Kind != kind {
		return false, err
	}
	s := &Settlement{Task: t}
	var bad error
	keys := func(members []uint32) (list []string) { list, bad = s.recordKeys(tx, members); return list }
	a := plan.Again(&rec, s.originOf(&rec), t.Run, seed, keys, t.Rules.OnCreate(kind, rec.Rule))
	if bad != nil {
		return false, bad
	}
	return true, tx.Enqueue(target, a, t.Run.Time)
}

// originOf is the origin of a record, as the targets were told last. The rule that made the record may have another name by now, or
// want since a moment ago that nothing is made.
func (s *Settlement) originOf(rec *directory.Record) directory.Origin {
	if rec.UpdateOnly || s.Rules.UpdatesOnly(rec.Kind, rec.Rule) {
		return s.Origin.OfKey(rec.Key).UpdateOnly()
	}
	return s.Origin.OfKey(rec.Key)
}

// tellAll queues an action for a target about each record that is wanted.
func (s *Settlement) tellAll(ctx context.Context, target string, kinds []directory.RecordKind, wanted func(*directory.Record) bool, action tellOf) (told int, err error) {
	for _, kind := range kinds {
		after := store.Num(0)
		for {
			records, err := s.recordsAfter(ctx, s.State, kind, &after, wanted)
			if err != nil {
				return told, err
			}
			if len(records) == 0 {
				break
			}
			if err := s.tellOf(ctx, target, records, action); err != nil {
				return told, err
			}
			told += len(records)
		}
	}
	s.Queued(target)
	return told, nil
}

// tellOf makes the action about one record; keys turns members' numbers into record keys.
type tellOf func(rec *directory.Record, keys func([]uint32) []string) *directory.Action

// recordsAfter returns the next records of a kind that are wanted, and moves on behind them.
func (s *Settlement) recordsAfter(ctx context.Context, state State, kind directory.RecordKind, after *store.Num, wanted func(*directory.Record) bool) (list []directory.Record, err error) {
	err = state.View(ctx, func(tx store.Reader) error {
		return tx.Records(kind, *after, func(n store.Num, rec directory.Record) bool {
			*after = n
			if wanted(&rec) {
				list = append(list, rec)
			}
			return len(list) < s.Chunk
		})
	})
	return list, err
}

// tellOf queues what a target must be told of records, in one transaction.
func (s *Settlement) tellOf(ctx context.Context, target string, records []directory.Record, action tellOf) error {
	actions := make([]*directory.Action, len(records))
	var bad error
	err := s.State.View(ctx, func(tx store.Reader) error {
		keys := func(nums []uint32) (list []string) { list, bad = s.recordKeys(tx, nums); return list }
		for i := range records {
			if actions[i] = action(&records[i], keys); bad != nil {
				return bad
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.State.Update(ctx, func(tx store.Writer) error {
		for _, a := range actions {
			if err := tx.Enqueue(target, a, s.Run.Time); err != nil {
				return err
			}
		}
		return nil
	})
}
