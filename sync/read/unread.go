package read

import (
	"context"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// Unread says of everything that no stream of the tenant lists any more that it is not read, and forgets where the streams
// stood that did: should one be switched on again, it is read from its beginning. What is no longer read no longer counts;
// that what follows from this waits for the operator is seen to by who settles.
func Unread(ctx context.Context, t *Task) (Result, error) {
	var found Result
	left, err := t.leftStreams(ctx)
	if err != nil || len(left) == 0 {
		return found, err
	}
	for _, kind := range directory.Kinds() {
		if slices.ContainsFunc(t.Streams, func(s connectors.Stream) bool { return slices.Contains(s.Kinds, kind) }) {
			continue
		}
		rows := roaring.New()
		err := store.EachRow(ctx, t.State.View, kind, func(row store.Row) {
			if !row.Gone.Proven() {
				rows.Add(uint32(row.Num))
			}
		})
		if err != nil {
			return found, err
		}
		if err := t.markMissing(ctx, &found, kind, rows, store.NotRead); err != nil {
			return found, err
		}
	}
	return found, t.State.Update(ctx, func(tx store.Writer) error {
		for _, name := range left {
			if err := tx.ClearSeen(name); err != nil {
				return err
			}
			if err := tx.ClearSeen(missedBy(name)); err != nil {
				return err
			}
			if err := tx.ClearSeen(sameBy(name)); err != nil {
				return err
			}
			if err := tx.PutStream(name, store.StreamState{}); err != nil {
				return err
			}
		}
		return nil
	})
}

// leftStreams are those that were read once and that the tenant has no longer.
func (t *Task) leftStreams(ctx context.Context) (left []string, err error) {
	err = t.State.View(ctx, func(tx store.Reader) error {
		names, err := tx.Streams()
		left = slices.DeleteFunc(names, func(name string) bool {
			return slices.ContainsFunc(t.Streams, func(s connectors.Stream) bool { return s.Name == name })
		})
		return err
	})
	return left, err
}

// readAgain makes those count as there again whose kind was not read for a while (Unread): whether they are gone is what
// this list has to prove.
func (l *listing) readAgain(ctx context.Context) error {
	if !l.position.Complete.IsZero() || l.Marks.Off {
		return nil
	}
	for _, kind := range l.stream.Kinds {
		rows := roaring.New()
		err := store.EachRow(ctx, l.State.View, kind, func(row store.Row) {
			if row.Gone == store.NotRead {
				rows.Add(uint32(row.Num))
			}
		})
		if err == nil {
			err = l.markMissing(ctx, &Result{}, kind, rows, store.Here)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// thereAgain makes those count as there again who were missing without proof, and whose entry this list has, though it cannot
// be read: they keep what they had.
func (l *listing) thereAgain(ctx context.Context) error {
	if l.covered.unreadable.IsEmpty() {
		return nil
	}
	for _, kind := range l.stream.Kinds {
		rows := roaring.New()
		err := store.EachRow(ctx, l.State.View, kind, func(row store.Row) {
			if row.Gone != store.Here && !row.Gone.Proven() && l.covered.unreadable.Contains(uint32(row.Num)) {
				rows.Add(uint32(row.Num))
			}
		})
		if err == nil {
			err = l.markMissing(ctx, &Result{}, kind, rows, store.Here)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
