package read

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/relations"
)

// Some lists can be short and look whole. What such a list does not name is missed: it stays as it is, and the store
// remembers it until the next list of the stream or group. What two lists in a row have missed is gone.

// missedBy is where it is remembered what the last list of a stream has missed: beside the streams, under a name that
// none of them has.
func missedBy(stream string) string { return stream + ", missed once" }

// loadMissed reads what the last list has missed: objects, and members of groups.
func (l *listing) loadMissed(tx store.Reader) error {
	l.missed, l.inDoubt = newCoverage(), newCoverage()
	return l.missed.load(tx, missedBy(l.stream.Name))
}

// sameMissed reports whether this listing has missed what the last one did.
func (l *listing) sameMissed() bool {
	if !l.missed.objects.Equals(l.inDoubt.objects) || len(l.missed.unlisted) != len(l.inDoubt.unlisted) {
		return false
	}
	for group, handles := range l.inDoubt.unlisted {
		if was := l.missed.unlisted[group]; was == nil || !was.Equals(handles) {
			return false
		}
	}
	return true
}

// saveMissed remembers what this listing has missed.
func saveMissed(tx store.Writer, stream string, inDoubt *coverage) error {
	if err := tx.ClearSeen(missedBy(stream)); err != nil {
		return err
	}
	if inDoubt.objects.IsEmpty() && len(inDoubt.unlisted) == 0 {
		return nil
	}
	chunk, err := inDoubt.encode()
	if err != nil {
		return err
	}
	return tx.AppendSeen(missedBy(stream), chunk)
}

// missedTwice returns those of the objects that this list did not name whom the last one did not name either, and
// whom the source does not find when asked for them.
func (l *listing) missedTwice(ctx context.Context, kind directory.Kind, absent *roaring.Bitmap) (*roaring.Bitmap, error) {
	gone := roaring.And(absent, l.missed.objects)
	once := absent.GetCardinality() - gone.GetCardinality()
	there, err := l.look(ctx, kind, gone)
	if err != nil {
		return nil, err
	}
	l.inDoubt.objects.Or(absent)
	l.inDoubt.objects.AndNot(gone)
	if once > 0 {
		l.found.Doubtful = true
		if l.stream.Delta {
			l.found.Unproven = l.stream.Name + ": a list that may be short"
		}
		l.note("%s: a list that can be short lacks %s of those before; they stay until the next one lacks them, too",
			l.stream.Name, objects(int(once)))
	}
	if there > 0 {
		l.note("%s: the source left out %s that it has: by their ids they are still there, and they stay",
			l.stream.Name, objects(there))
	}
	return gone, nil
}

// look asks the source for objects that two lists have missed, and takes those from gone that are there. When there are
// such, the list is known to be short, and proves nothing of those who were not asked for.
func (l *listing) look(ctx context.Context, kind directory.Kind, gone *roaring.Bitmap) (there int, err error) {
	if gone.IsEmpty() || l.lookFor == nil {
		return 0, nil
	}
	nums := relations.Nums(gone)
	nums = nums[:min(len(nums), connectors.MostLooks)]
	ids := make([]string, len(nums))
	err = l.State.View(ctx, func(tx store.Reader) error {
		rows, err := tx.RowsOf(kind, nums, nil)
		for i := range rows {
			o, err := l.parse(&rows[i])
			if err != nil {
				return err
			}
			ids[i] = o.ID
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	found, failed := l.lookFor(ctx, ids)
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	if failed != nil {
		l.Log.Debug("nobody can be asked for one by one", "stream", l.stream.Name, "err", failed)
	}
	if len(found) == 0 {
		return 0, nil
	}
	gone.Clear()
	for i, id := range ids {
		if failed == nil && !slices.Contains(found, id) {
			gone.Add(uint32(nums[i]))
		}
	}
	return len(found), nil
}

// leftTwice returns those of the members that a list did not name whom the last list of the group did not name either.
// The others are in doubt.
func (l *listing) leftTwice(group store.Num, unlisted, doubted *roaring.Bitmap) *roaring.Bitmap {
	doubted.Or(unlisted)
	before := l.missed.unlisted[group]
	if before == nil {
		return roaring.New()
	}
	doubted.AndNot(before)
	return roaring.And(unlisted, before)
}

// doubtMembers tells of members who are in doubt. Streams that are read from a cursor are read in full by the next run,
// or nobody would look again.
func (l *listing) doubtMembers(ctx context.Context, doubted map[store.Num]*roaring.Bitmap) error {
	if len(doubted) == 0 {
		return nil
	}
	var members uint64
	first := ^store.Num(0)
	for group, handles := range doubted {
		members += handles.GetCardinality()
		first = min(first, group)
	}
	which := "a group"
	err := l.State.View(ctx, func(tx store.Reader) error {
		row, _, err := tx.Row(directory.Group, first)
		if err != nil {
			return err
		}
		group, err := l.parse(&row)
		if err == nil && group != nil {
			name, _ := group.Get(directory.FieldName)
			text := name.Text()
			which = fmt.Sprintf("%q", cmp.Or(text, group.ID))
		}
		return err
	})
	if err != nil {
		return err
	}
	if n := len(doubted); n > 1 {
		which += fmt.Sprintf(" and %d more", n-1)
	}
	l.found.Doubtful = true
	if l.stream.Delta {
		l.found.Unproven = "a list of members that may be short"
	}
	l.note("%s: lists of members that no count agrees with lack %d memberships of before (%s); they stay until the next lists lack them, too",
		l.stream.Name, members, which)
	return nil
}

// leftByDelta splits the members whom a list of an incremental read did not name: those who left, because two lists
// have missed them or the source says so by another way, and those in doubt.
func (l *listing) leftByDelta(tx store.Reader, group store.Num, m *connectors.Members, unlisted *roaring.Bitmap) (left, doubted *roaring.Bitmap, err error) {
	doubted = roaring.New()
	left = l.leftTwice(group, unlisted, doubted)
	if len(m.Remove) == 0 || doubted.IsEmpty() {
		return left, doubted, nil
	}
	named, err := tx.Lookup(m.Remove, nil)
	if err != nil {
		return nil, nil, err
	}
	// The source may name somebody by another handle than that by which the list would have.
	owners, err := tx.Owners(named, nil)
	if err != nil {
		return nil, nil, err
	}
	handles := relations.Nums(doubted)
	of, err := tx.Owners(handles, nil)
	if err != nil {
		return nil, nil, err
	}
	for i, h := range handles {
		if slices.Contains(named, h) || of[i] != 0 && slices.Contains(owners, of[i]) {
			doubted.Remove(uint32(h))
			left.Add(uint32(h))
		}
	}
	return left, doubted, nil
}

// doubt says that members of a group are in doubt, or with an empty set that none of them is any longer.
func (d *pageDiff) doubt(group store.Num, members *roaring.Bitmap) {
	if d.doubted == nil {
		d.doubted = map[store.Num]*roaring.Bitmap{}
	}
	d.doubted[group] = members
}

// tellDoubted tells of the members whom a page of an incremental read left in doubt.
func (l *listing) tellDoubted(ctx context.Context, d *pageDiff) error {
	news := map[store.Num]*roaring.Bitmap{}
	for group, members := range d.doubted {
		if !members.IsEmpty() {
			news[group] = members
		}
	}
	return l.doubtMembers(ctx, news)
}

// with returns what was missed, with the members in doubt of some groups in the place of those of before.
func (c *coverage) with(doubted map[store.Num]*roaring.Bitmap) *coverage {
	next := newCoverage()
	next.objects.Or(c.objects)
	unionInto(next.unlisted, c.unlisted)
	for group, members := range doubted {
		delete(next.unlisted, group)
		if !members.IsEmpty() {
			next.unlisted[group] = members
		}
	}
	return next
}
