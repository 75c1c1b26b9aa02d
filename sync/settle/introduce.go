package settle

import (
	"context"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/plan"
)

// Introduce tells a target that is new to the connection about every record that there is: what the others learnt
// over time.
func (s *Settlement) Introduce(ctx context.Context, target string) error {
	for _, kind := range directory.RecordKinds() {
		after := store.Num(0)
		for {
			records, err := s.activeAfter(ctx, kind, &after)
			if err != nil {
				return err
			}
			if len(records) == 0 {
				break
			}
			if err := s.introduce(ctx, target, records); err != nil {
				return err
			}
		}
	}
	s.Queued(target)
	return nil
}

// activeAfter returns the next active records of a kind, and moves on behind them.
func (s *Settlement) activeAfter(ctx context.Context, kind directory.RecordKind, after *store.Num) (list []directory.Record, err error) {
	err = s.State.View(ctx, func(tx store.Reader) error {
		return tx.Records(kind, *after, func(n store.Num, rec directory.Record) bool {
			*after = n
			if rec.Active {
				list = append(list, rec)
			}
			return len(list) < s.Chunk
		})
	})
	return list, err
}

// introduce queues what a target must be told of records, in one transaction.
func (s *Settlement) introduce(ctx context.Context, target string, records []directory.Record) error {
	actions := make([]*directory.Action, len(records))
	var bad error
	err := s.State.View(ctx, func(tx store.Reader) error {
		for i := range records {
			keys := func(nums []uint32) (list []string) { list, bad = s.recordKeys(tx, nums); return list }
			actions[i] = plan.Introduce(&records[i], s.Origin.OfKey(records[i].Key), s.Run, keys)
			if bad != nil {
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
