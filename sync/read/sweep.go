package read

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/relations"
)

const (
	// sweepChunk is how many absent objects are marked in one transaction.
	sweepChunk = 1000
	// manyMemberships is from how many memberships on it is suspicious when a source lists none at all.
	manyMemberships = 10
)

// conclude says what follows from a full read that came to its end: what it did not list is gone, unless
// there is doubt. Absence removes only after proof; doubt removes nothing and is told to the operator.
func (l *listing) conclude(ctx context.Context, last *connectors.Page) error {
	next := l.position
	next.Partial, next.Cursor = nil, slices.Clone(last.Cursor)
	next.Complete = l.Now().UTC()
	next.Moved = next.Complete
	newScope := next.Scope != "" && next.Scope != l.proof.Scope
	if l.found.Inconclusive = l.found.Inconclusive || !l.certain(); !l.found.Inconclusive {
		absent, err := l.sweepObjects(ctx, newScope)
		if err != nil {
			return err
		}
		if err := l.sweepMembers(ctx, &next); err != nil {
			return err
		}
		// A scope is accepted once nothing that the former one listed is missing from it.
		if !newScope || !absent {
			next.Scope, next.NewScope = l.proof.Scope, ""
		} else {
			next.NewScope = l.proof.Scope
			l.found.Unproven = "what the edited scope does not list waits for approval"
			l.note("%s: the connection's scope was edited; what the new one does not list waits for approval", l.stream.Name)
		}
	}
	stale, err := l.readableAgain(ctx)
	if err != nil || len(stale) == 0 && l.isRoutine(next) {
		return err
	}
	return l.State.Update(ctx, func(tx store.Writer) error {
		for _, id := range stale {
			if _, err := tx.Unpark(id); err != nil {
				return err
			}
		}
		if err := tx.ClearSeen(l.stream.Name); err != nil {
			return err
		}
		return tx.PutStream(l.stream.Name, next)
	})
}

// isRoutine reports whether a conclusion says nothing but that all is as it was a short while ago. Streams without
// delta are concluded in every cycle: an idle one must not cost a write.
func (l *listing) isRoutine(next store.StreamState) bool {
	was := &l.position
	return !l.stream.Delta && !l.cursorIsDue() && len(was.Partial) == 0 && bytes.Equal(next.Cursor, was.Cursor) &&
		next.Scope == was.Scope && next.NewScope == was.NewScope && next.Emptied == was.Emptied
}

// certain reports whether absence from the listing means anything, and says so when it does not. Then the next run
// reads in full again: changes alone would never tell who is missing from this listing.
func (l *listing) certain() bool {
	if l.unnamed > 0 {
		l.found.Unproven = l.stream.Name + ": entries without a readable id"
		l.note("%s: entries came without a readable id (%d), so nobody's absence is certain; nothing was removed", l.stream.Name, l.unnamed)
		return false
	}
	if listed := int(l.covered.objects.GetCardinality()); l.stream.Counted && l.proof.Count >= 0 && l.proof.Count != listed {
		l.found.Unproven = l.stream.Name + ": the source counts other objects than it lists"
		l.note("%s: the source listed %s but counts %d; nothing was removed", l.stream.Name, objects(listed), l.proof.Count)
		return false
	}
	return true
}

// sweepObjects marks what the listing did not name, with the best cause that there is. It reports whether
// anything is missing that was not known to be gone.
func (l *listing) sweepObjects(ctx context.Context, newScope bool) (absent bool, err error) {
	for _, kind := range l.stream.Kinds {
		cause := store.Absent
		if newScope {
			cause = store.OutOfScope
		}
		missing, listed, err := l.missing(ctx, kind)
		if err != nil {
			return false, err
		}
		if missing.IsEmpty() {
			continue
		}
		if listed == 0 {
			cause = store.EmptyListing
			l.found.Unproven = "the source listed no " + kind.String()
			l.note("%s: the source listed no %s at all where there were %d; their removal waits for approval", l.stream.Name, kind, missing.GetCardinality())
		}
		if err := l.markMissing(ctx, l.found, kind, missing, cause); err != nil {
			return false, err
		}
		absent = true
	}
	return absent, nil
}

// missing returns the objects of a kind that are stored, not proven gone, and not listed; and how many were.
func (l *listing) missing(ctx context.Context, kind directory.Kind) (missing *roaring.Bitmap, listed int, err error) {
	missing = roaring.New()
	err = store.EachRow(ctx, l.State.View, kind, func(row store.Row) {
		switch {
		case l.covered.objects.Contains(uint32(row.Num)):
			listed++
		case !row.Gone.Proven():
			missing.Add(uint32(row.Num))
		}
	})
	return missing, listed, err
}

// markMissing marks objects as gone, in chunks. A cause that is already known is not written again.
func (t *Task) markMissing(ctx context.Context, found *Result, kind directory.Kind, missing *roaring.Bitmap, cause store.GoneCause) error {
	for chunk := range slices.Chunk(relations.Nums(missing), sweepChunk) {
		var news []store.Num
		err := t.State.View(ctx, func(tx store.Reader) error {
			rows, err := tx.RowsOf(kind, chunk, nil)
			news = nil
			for i := range rows {
				if rows[i].Num != 0 && rows[i].Gone != cause {
					news = append(news, rows[i].Num)
				}
			}
			return err
		})
		if err != nil {
			return err
		}
		if len(news) == 0 {
			continue
		}
		err = t.State.Update(ctx, func(tx store.Writer) error {
			for _, n := range news {
				if err := markGone(tx, t.Marks, kind, n, cause); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		found.Removed += len(news)
	}
	return nil
}

// NotListed is what is unproven about a tenant that its source no longer lists.
const NotListed = "the source did not list the tenant"

// Unlisted says of everything in a tenant that the source no longer lists that it is out of scope: that waits
// for the operator. A tenant that is listed again is to be read in full.
func Unlisted(ctx context.Context, t *Task) (Result, error) {
	found := Result{Unproven: NotListed}
	t.note("the source no longer lists this tenant; the removal of what it had waits for approval")
	for _, kind := range directory.Kinds() {
		here := roaring.New()
		err := store.EachRow(ctx, t.State.View, kind, func(row store.Row) {
			if row.Gone == store.Here {
				here.Add(uint32(row.Num))
			}
		})
		if err != nil {
			return found, err
		}
		if err := t.markMissing(ctx, &found, kind, here, store.OutOfScope); err != nil {
			return found, err
		}
	}
	return found, nil
}

// sweepMembers takes away the memberships that a stream which lists members did not name.
func (l *listing) sweepMembers(ctx context.Context, next *store.StreamState) error {
	if !l.stream.Members {
		return nil
	}
	unlisted, stored, err := l.unlistedMembers(ctx)
	if err != nil {
		return err
	}
	switch {
	case l.covered.named > 0:
		next.Emptied = false
	case stored >= manyMemberships:
		next.Emptied = true
		l.found.Unproven = "the source listed no members"
		l.note("%s: the source listed no members at all where there were %d; what follows from that waits for approval", l.stream.Name, stored)
	}
	for _, s := range unlisted {
		for chunk := range slices.Chunk(s.handles, sweepChunk) {
			if err := l.State.Update(ctx, func(tx store.Writer) error { return takeMembers(tx, l.Marks, s.group, chunk) }); err != nil {
				return err
			}
		}
	}
	return nil
}

// unlistedMembers are stored members of a group that a full read did not name.
type unlistedMembers struct {
	group   store.Num
	handles []store.Num
}

func (l *listing) unlistedMembers(ctx context.Context) (list []unlistedMembers, stored int, err error) {
	err = l.State.View(ctx, func(tx store.Reader) error {
		if stored, err = tx.Memberships(); err != nil {
			return err
		}
		list = nil
		var inParts []store.Num
		err := tx.Rows(directory.Group, 0, func(row store.Row) bool {
			switch {
			case row.Gone != store.Here: // its members leave with it
			case !l.covered.whole.Contains(uint32(row.Num)):
				inParts = append(inParts, row.Num)
			case l.covered.unlisted[row.Num] != nil:
				list = append(list, unlistedMembers{group: row.Num, handles: relations.Nums(l.covered.unlisted[row.Num])})
			}
			return true
		})
		if err != nil || len(inParts) == 0 {
			return err
		}
		return tx.MembersOf(inParts, func(group, h store.Num) bool {
			if came := l.covered.members[group]; came != nil && came.Contains(uint32(h)) {
				return true
			}
			if last := len(list) - 1; last >= 0 && list[last].group == group {
				list[last].handles = append(list[last].handles, h)
			} else {
				list = append(list, unlistedMembers{group: group, handles: []store.Num{h}})
			}
			return true
		})
	})
	return list, stored, err
}

// readableAgain lists the entries of the stream that are parked because they could not be read, and that this
// full read found readable or did not find at all.
func (l *listing) readableAgain(ctx context.Context) (ids []uint64, err error) {
	err = l.State.View(ctx, func(tx store.Reader) error {
		return tx.Parked(func(p store.Parked) bool {
			if p.Stage == Stage && slices.Contains(l.stream.Kinds, p.Kind) &&
				!slices.Contains(l.invalid, directory.Ref{Kind: p.Kind, ID: p.Object}) {
				ids = append(ids, p.ID)
			}
			return true
		})
	})
	return ids, err
}

// objects writes "1 object" and "12 objects".
func objects(n int) string {
	if n == 1 {
		return "1 object"
	}
	return fmt.Sprintf("%d objects", n)
}
