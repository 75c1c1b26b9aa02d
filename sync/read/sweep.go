package read

import (
	"bytes"
	"context"
	"errors"
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
		if err := l.keepUnlisted(ctx, kind, missing); err != nil {
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
		if cause == store.Absent && l.proof.MayBeShort {
			if missing, err = l.believed(ctx, kind, missing); err != nil {
				return false, err
			}
		}
		if err := l.markMissing(ctx, l.found, kind, missing, cause); err != nil {
			return false, err
		}
		absent = true
	}
	return absent, nil
}

// keepUnlisted takes those out of the missing who are in parts of the source that could not be listed.
func (l *listing) keepUnlisted(ctx context.Context, kind directory.Kind, missing *roaring.Bitmap) error {
	parts := l.unlisted
	if len(parts) == 0 {
		return nil
	}
	kept := make([]int, len(parts))
	for chunk := range slices.Chunk(relations.Nums(missing), sweepChunk) {
		err := l.State.View(ctx, func(tx store.Reader) error {
			rows, err := tx.RowsOf(kind, chunk, nil)
			if err != nil {
				return err
			}
			for i := range rows {
				o, err := rows[i].Object("read " + l.stream.Name)
				if err != nil {
					return err
				}
				if at := slices.IndexFunc(parts, func(p connectors.Part) bool { return p.Holds(&o) }); at >= 0 && rows[i].Gone == store.Here {
					kept[at]++
					l.kept.Add(uint32(rows[i].Num))
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	missing.AndNot(l.kept)
	for i, p := range parts {
		if p.Why != "" {
			if kept[i] > 0 {
				l.note("%s: no longer listed, and kept all the same: %s (%s)", l.stream.Name, objects(kept[i]), p.Why)
			}
			continue
		}
		if kept[i] == 0 && kind != directory.Person {
			continue // said once, if it concerns nobody
		}
		l.note("%s: the source refers to another server for what is in %s, and does not know who is there; nobody there counts as gone (%s)",
			l.stream.Name, p.Where, objects(kept[i]))
	}
	return nil
}

// missing returns the objects of a kind that are stored, not proven gone, and not listed; and how many were. Whoever is there because they
// signed in is not missed: the source may not know of them yet.
func (l *listing) missing(ctx context.Context, kind directory.Kind) (missing *roaring.Bitmap, listed int, err error) {
	missing = roaring.New()
	now, signedIn := l.Now(), []byte(directory.FieldSignedInBy) // the stored form has names as they are
	var damaged error
	err = store.EachRow(ctx, l.State.View, kind, func(row store.Row) {
		if l.covered.objects.Contains(uint32(row.Num)) {
			listed++
			return
		}
		if row.Gone.Proven() {
			return
		}
		if kind == directory.Person && bytes.Contains(row.Data, signedIn) {
			o, err := row.Object("read " + l.stream.Name)
			if err != nil || o.BySignIn(now) {
				damaged = errors.Join(damaged, err)
				return
			}
		}
		missing.Add(uint32(row.Num))
	})
	return missing, listed, errors.Join(err, damaged)
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

// sweepMembers takes away the memberships that a stream which lists members did not name.
func (l *listing) sweepMembers(ctx context.Context, next *store.StreamState) error {
	if !l.stream.Members {
		return nil
	}
	unlisted, stored, err := l.unlistedMembers(ctx)
	if err != nil {
		return err
	}
	there, err := l.lookInGroups(ctx, unlisted)
	if err != nil {
		return err
	}
	if err := l.doubtMembers(ctx, l.inDoubt.unlisted); err != nil {
		return err
	}
	l.tellLeftOut(there)
	switch {
	case l.covered.named > 0:
		next.Emptied = false
	case stored >= manyMemberships:
		next.Emptied = true
		l.found.Unproven = "the source listed no members"
		l.note("%s: the source listed no members at all where there were %d; what follows from that waits for approval", l.stream.Name, stored)
	}
	return l.takeUnlisted(ctx, unlisted)
}

// takeUnlisted takes members from groups, so many of all groups in one transaction.
func (l *listing) takeUnlisted(ctx context.Context, unlisted []unlistedMembers) error {
	var some []relations.Moved
	size := 0
	take := func() error {
		need := store.Need{Members: make(map[store.Num][]store.Num, len(some))}
		for _, s := range some {
			need.Members[s.Group] = s.Handles
		}
		err := l.State.Update(store.Expect(ctx, func() store.Need { return need }), func(tx store.Writer) error { return takeMembers(tx, l.Marks, some...) })
		some, size = nil, 0
		return err
	}
	for _, s := range unlisted {
		for handles := range slices.Chunk(s.handles, sweepChunk) {
			if size+len(handles) > sweepChunk {
				if err := take(); err != nil {
					return err
				}
			}
			some, size = append(some, relations.Moved{Group: s.group, Handles: handles}), size+len(handles)
		}
	}
	if size == 0 {
		return nil
	}
	return take()
}

// unlistedMembers are stored members of a group that a full read did not name.
type unlistedMembers struct {
	group   store.Num
	handles []store.Num
	parts   bool // the list came in parts
}

func (l *listing) unlistedMembers(ctx context.Context) (list []unlistedMembers, stored int, err error) {
	err = l.State.View(ctx, func(tx store.Reader) error {
		if stored, err = tx.Memberships(); err != nil {
			return err
		}
		list, l.inDoubt.unlisted, l.inDoubt.more = nil, map[store.Num]*roaring.Bitmap{}, map[store.Num]uint32{}
		var inParts []store.Num
		err := tx.Rows(directory.Group, 0, func(row store.Row) bool {
			if row.Gone != store.Here { // its members leave with it
				return true
			}
			l.learnMore(row.Num)
			switch {
			case l.kept.Contains(uint32(row.Num)): // it could not be listed, nor could they
			case l.covered.unreadable.Contains(uint32(row.Num)), l.inDoubt.objects.Contains(uint32(row.Num)): // they stay as they were
			case !l.covered.whole.Contains(uint32(row.Num)):
				inParts = append(inParts, row.Num)
			case l.covered.unlisted[row.Num] == nil:
			case l.covered.doubtful[row.Num] != nil:
				doubtful, doubted := l.covered.doubtful[row.Num], roaring.New()
				left := l.leftTwice(row.Num, l.covered.more[row.Num], doubtful, doubted)
				left.Or(roaring.AndNot(l.covered.unlisted[row.Num], doubtful))
				if !doubted.IsEmpty() {
					l.inDoubt.unlisted[row.Num] = doubted
				}
				list = append(list, unlistedMembers{group: row.Num, handles: relations.Nums(left)})
			default:
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
				list = append(list, unlistedMembers{group: group, handles: []store.Num{h}, parts: true})
			}
			return true
		})
	})
	return list, stored, err
}
