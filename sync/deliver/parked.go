package deliver

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// Replayed says what became of the parked actions that were to be replayed, by their ids.
type Replayed struct {
	// Queued are waiting again. Wake the targets' workers afterwards.
	Queued []uint64
	// Carried stay parked for the moment: a newer action of the same record waits already and takes them
	// along.
	Carried []uint64
	// Damaged cannot be read; they can only be dropped.
	Damaged []uint64
	// Unknown are not parked, or not by a delivery.
	Unknown []uint64
}

// Replay puts parked actions of a partition into the outbox again, as they are and with their keys, since the
// target may have taken them after all. It is one transaction.
func Replay(ctx context.Context, st store.Store, p store.Partition, ids []uint64, now time.Time) (Replayed, error) {
	var r replay
	err := st.Update(ctx, p, func(tx store.Writer) error {
		r = replay{waiting: map[string]map[string]bool{}}
		found, unknown, err := parkedActions(tx, ids)
		if err != nil {
			return err
		}
		r.out.Unknown = unknown
		for _, old := range found {
			if err := r.queue(tx, old, now); err != nil {
				return err
			}
		}
		return r.claim(tx)
	})
	if err != nil {
		return Replayed{}, fmt.Errorf("replay parked actions: %w", err)
	}
	return r.out, nil
}

// replay is a Replay under way.
type replay struct {
	waiting map[string]map[string]bool // subjects that wait, by target
	out     Replayed
}

func (r *replay) queue(tx store.Writer, old store.Parked, now time.Time) error {
	a, damaged := directory.ParseAction(old.Action)
	if damaged != nil {
		r.out.Damaged = append(r.out.Damaged, old.ID)
		return nil
	}
	subjects, known := r.waiting[old.Target]
	if !known {
		var err error
		if subjects, _, err = outbox(tx, old.Target); err != nil {
			return err
		}
		r.waiting[old.Target] = subjects
	}
	if subjects[old.Subject] {
		r.out.Carried = append(r.out.Carried, old.ID)
		return nil
	}
	if err := tx.Enqueue(old.Target, &a, now); err != nil {
		return err
	}
	if _, err := tx.Unpark(old.ID); err != nil {
		return err
	}
	subjects[old.Subject] = true
	r.out.Queued = append(r.out.Queued, old.ID)
	return nil
}

// claim makes the replayed actions final: they were sent before, so nothing may be folded with them.
func (r *replay) claim(tx store.Writer) error {
	if len(r.out.Queued) == 0 {
		return nil
	}
	for target := range r.waiting {
		_, last, err := outbox(tx, target)
		if err != nil {
			return err
		}
		if last == 0 {
			continue
		}
		if err := tx.Claim(target, last); err != nil {
			return err
		}
	}
	return nil
}

// outbox returns the subjects that wait for a target and the last sequence number.
func outbox(tx store.Reader, target string) (subjects map[string]bool, last uint64, err error) {
	subjects = map[string]bool{}
	err = tx.Outbox(target, 0, func(q store.Queued) bool {
		last = q.Seq
		if a, damaged := directory.ParseAction(q.Data); damaged == nil {
			subjects[directory.Subject(a.Kind, a.Record)] = true
		}
		return true
	})
	return subjects, last, err
}

// parkedActions returns those of the ids that a delivery parked, in the order in which they were parked, and
// the other ids.
func parkedActions(tx store.Reader, ids []uint64) (found []store.Parked, unknown []uint64, err error) {
	wanted := make(map[uint64]bool, len(ids))
	for _, id := range ids {
		wanted[id] = true
	}
	err = tx.Parked(func(p store.Parked) bool {
		if wanted[p.ID] && p.Stage == Stage {
			delete(wanted, p.ID)
			p.Action = slices.Clone(p.Action)
			found = append(found, p)
		}
		return len(wanted) > 0
	})
	return found, slices.Sorted(maps.Keys(wanted)), err
}
