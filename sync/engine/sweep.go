package engine

import (
	"bytes"
	"context"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
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
	state := l.state
	state.Partial, state.Cursor = nil, slices.Clone(last.Cursor)
	state.Complete = l.opts.Now().UTC()
	state.Moved = state.Complete
	newScope := state.Scope != "" && state.Scope != l.proof.Scope
	if l.doubt = l.doubt || !l.certain(); !l.doubt {
		absent, err := l.sweepObjects(ctx, newScope)
		if err != nil {
			return err
		}
		if err := l.sweepMembers(ctx, &state); err != nil {
			return err
		}
		// A scope is accepted once nothing that the former one listed is missing from it.
		if !newScope || !absent {
			state.Scope, state.NewScope = l.proof.Scope, ""
		} else {
			state.NewScope = l.proof.Scope
			l.unproven = "what the edited scope does not list waits for approval"
			l.note("%s: the connection's scope was edited; what the new one does not list waits for approval", l.stream.Name)
		}
	}
	stale, err := l.readableAgain(ctx)
	if err != nil || len(stale) == 0 && l.isRoutine(state) {
		return err
	}
	return l.update(ctx, func(tx store.Writer) error {
		for _, id := range stale {
			if _, err := tx.Unpark(id); err != nil {
				return err
			}
		}
		if err := tx.ClearSeen(l.stream.Name); err != nil {
			return err
		}
		return tx.PutStream(l.stream.Name, state)
	})
}

// isRoutine reports whether a conclusion says nothing but that all is as it was a short while ago. Streams without
// delta are concluded in every cycle: an idle one must not cost a write.
func (l *listing) isRoutine(state store.StreamState) bool {
	was := &l.state
	return !l.stream.Delta && !l.cursorIsDue() && len(was.Partial) == 0 && bytes.Equal(state.Cursor, was.Cursor) &&
		state.Scope == was.Scope && state.NewScope == was.NewScope && state.Emptied == was.Emptied
}

// certain reports whether absence from the listing means anything, and says so when it does not. Then the next run
// reads in full again: changes alone would never tell who is missing from this listing.
func (l *listing) certain() bool {
	if l.unnamed > 0 {
		l.unproven = l.stream.Name + ": entries without a readable id"
		l.note("%s: entries came without a readable id (%d), so nobody's absence is certain; nothing was removed", l.stream.Name, l.unnamed)
		return false
	}
	if listed := int(l.seen.objects.GetCardinality()); l.stream.Counted && l.proof.Count >= 0 && l.proof.Count != listed {
		l.unproven = l.stream.Name + ": the source counts other objects than it lists"
		l.note("%s: the source listed %s but counts %d; nothing was removed", l.stream.Name, many(listed, "object"), l.proof.Count)
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
			l.unproven = "the source listed no " + kind.String()
			l.note("%s: the source listed no %s at all where there were %d; their removal waits for approval", l.stream.Name, kind, missing.GetCardinality())
		}
		if err := l.markMissing(ctx, kind, missing, cause); err != nil {
			return false, err
		}
		absent = true
	}
	return absent, nil
}

// missing returns the objects of a kind that are stored, not proven gone, and not listed; and how many were.
func (l *listing) missing(ctx context.Context, kind directory.Kind) (missing *roaring.Bitmap, listed int, err error) {
	missing = roaring.New()
	err = l.eachRow(ctx, kind, func(row store.Row) {
		switch {
		case l.seen.objects.Contains(uint32(row.Num)):
			listed++
		case !row.Gone.Proven():
			missing.Add(uint32(row.Num))
		}
	})
	return missing, listed, err
}

// markMissing marks objects as gone, in chunks. A cause that is already known is not written again.
func (r *run) markMissing(ctx context.Context, kind directory.Kind, missing *roaring.Bitmap, cause store.GoneCause) error {
	for chunk := range slices.Chunk(nums(missing), sweepChunk) {
		var news []store.Num
		err := r.view(ctx, func(tx store.Reader) error {
			for _, n := range chunk {
				row, ok, err := tx.Row(kind, n)
				if err != nil {
					return err
				}
				if ok && row.Gone != cause {
					news = append(news, n)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if len(news) == 0 {
			continue
		}
		err = r.update(ctx, func(tx store.Writer) error {
			for _, n := range news {
				if err := markGone(tx, kind, n, cause); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		r.rec.Removed += len(news)
	}
	return nil
}

// sweepTenant says of everything in a tenant that the source no longer lists that it is out of scope: that waits
// for the operator. A tenant that is listed again is read in full.
func (r *run) sweepTenant(ctx context.Context) error {
	r.unproven = "the source did not list the tenant"
	if r.state.WantFull && r.state.Why == r.unproven {
		return nil // done before
	}
	r.note("the source no longer lists this tenant; the removal of what it had waits for approval")
	for _, kind := range directory.Kinds() {
		here := roaring.New()
		err := r.eachRow(ctx, kind, func(row store.Row) {
			if row.Gone == store.Here {
				here.Add(uint32(row.Num))
			}
		})
		if err != nil {
			return err
		}
		if err := r.markMissing(ctx, kind, here, store.OutOfScope); err != nil {
			return err
		}
	}
	return r.concludeRead(ctx, false)
}

// sweepMembers takes away the memberships that a stream which lists members did not name.
func (l *listing) sweepMembers(ctx context.Context, state *store.StreamState) error {
	if !l.stream.Members {
		return nil
	}
	strays, stored, err := l.strays(ctx)
	if err != nil {
		return err
	}
	switch {
	case l.seen.named > 0:
		state.Emptied = false
	case stored >= manyMemberships:
		state.Emptied = true
		l.unproven = "the source listed no members"
		l.note("%s: the source listed no members at all where there were %d; what follows from that waits for approval", l.stream.Name, stored)
	}
	for _, s := range strays {
		for chunk := range slices.Chunk(s.handles, sweepChunk) {
			if err := l.update(ctx, func(tx store.Writer) error { return takeMembers(tx, s.group, chunk) }); err != nil {
				return err
			}
		}
	}
	return nil
}

// groupStrays are stored members of a group that a full read did not name.
type groupStrays struct {
	group   store.Num
	handles []store.Num
}

func (l *listing) strays(ctx context.Context) (list []groupStrays, stored int, err error) {
	err = l.view(ctx, func(tx store.Reader) error {
		if stored, err = tx.Memberships(); err != nil {
			return err
		}
		var bad error
		err := tx.Rows(directory.Group, 0, func(row store.Row) bool {
			if row.Gone != store.Here {
				return true // its members leave with it
			}
			var s []store.Num
			if l.seen.whole.Contains(uint32(row.Num)) {
				if b := l.seen.strays[row.Num]; b != nil {
					s = nums(b)
				}
			} else {
				came := l.seen.members[row.Num]
				bad = tx.Members(row.Num, func(h store.Num) bool {
					if came == nil || !came.Contains(uint32(h)) {
						s = append(s, h)
					}
					return true
				})
			}
			if len(s) > 0 {
				list = append(list, groupStrays{group: row.Num, handles: s})
			}
			return bad == nil
		})
		if err == nil {
			err = bad
		}
		return err
	})
	return list, stored, err
}

// readableAgain lists the entries of the stream that are parked because they could not be read, and that this
// full read found readable or did not find at all.
func (l *listing) readableAgain(ctx context.Context) (ids []uint64, err error) {
	err = l.view(ctx, func(tx store.Reader) error {
		return tx.Parked(func(p store.Parked) bool {
			if p.Stage == stageRead && slices.Contains(l.stream.Kinds, p.Kind) &&
				!slices.Contains(l.invalid, directory.Ref{Kind: p.Kind, ID: p.Object}) {
				ids = append(ids, p.ID)
			}
			return true
		})
	})
	return ids, err
}
