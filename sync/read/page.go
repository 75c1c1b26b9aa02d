package read

import (
	"bytes"
	"context"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/relations"
)

// pageDiff is what a page changes in the store. It is worked out under a read-only view, so that a page that
// changes nothing costs no write.
type pageDiff struct {
	puts    []put
	gone    []goneRow
	members []memberDiff
	parks   []store.Parked
	unparks []uint64
	// doubted are members whom a complete list of an incremental read has missed, by group; none for a group whose
	// members are no longer in doubt.
	doubted map[store.Num]*roaring.Bitmap
	// named are members that the page names and that a list has missed, by group (named.go).
	named map[store.Num]*roaring.Bitmap
	// found is what a full read came across on this page.
	found *coverage
	// shared are handles that several objects state.
	shared []store.Num
	// invalid are the entries that could not be translated; unnamed of them came without an id.
	invalid []directory.Ref
	unnamed int
	// moved is what the page says of handles.
	moved move
	// triples are of entries that are not known and whose objects are stored as they were made of them (same.go).
	triples []triple
}

// put is an object to store, and what it was before, if it was known and somebody must be told.
type put struct {
	object *directory.Object
	before *directory.Object
	made   triple // without the number; the zero value where it is not to be kept
}

// goneRow is an object that the source has named as removed.
type goneRow struct {
	kind directory.Kind
	num  store.Num
}

func (d *pageDiff) empty() bool {
	return len(d.puts)+len(d.gone)+len(d.members)+len(d.parks)+len(d.unparks) == 0
}

// storePage compares a page with the store and commits what differs together with the dirty marks that it
// causes and the cursor: one page, one transaction.
func (l *listing) storePage(ctx context.Context, p *connectors.Page) error {
	lost, err := l.keepLost(ctx, p)
	if err != nil {
		return err
	}
	if err := l.askForLeavers(ctx, p); err != nil {
		return err
	}
	d := &pageDiff{}
	err = l.State.View(store.Expect(ctx, func() store.Need { return l.lookedUp(p) }), func(tx store.Reader) error {
		*d = pageDiff{found: newCoverage()}
		if err := l.keepSpelling(tx, p); err != nil {
			return err
		}
		if err := l.compareObjects(tx, p, d); err != nil {
			return err
		}
		if err := l.compareSame(tx, p, l.rows, d); err != nil {
			return err
		}
		if err := l.noteShared(tx, d); err != nil {
			return err
		}
		if err := l.compareRemoved(tx, p, d); err != nil {
			return err
		}
		if err := l.compareMembers(tx, p, d); err != nil {
			return err
		}
		return l.compareInvalid(tx, p, d)
	})
	if err != nil {
		return err
	}
	if err := l.tellDoubted(ctx, d); err != nil {
		return err
	}
	for n, marks := range lost {
		d.doubt(n, marks)
	}
	l.invalid = append(l.invalid, d.invalid...)
	l.unnamed += d.unnamed
	l.shared = append(l.shared, d.shared...)
	position, moved := l.advance(p)
	// After an entry that could not be read there are no more resume points: who goes on from one would not know of
	// it, and take absence for proof.
	resumable := l.mode == connectors.Full && p.Resumable && p.Proof == nil && len(l.invalid) == 0
	l.came = l.came || len(p.Objects)+len(p.Same)+len(p.Removed)+len(p.Members)+len(p.Invalid) > 0
	if !d.empty() || l.changesMissed(d) || l.worthKeeping(p, d) || moved && (resumable || l.came || l.cursorIsDue() || !bytes.Equal(position.Known, l.position.Known)) {
		if moved {
			position.Moved = l.Now().UTC()
		}
		var stored committed
		err := l.State.Update(store.Expect(ctx, func() store.Need { return l.written(d) }), func(tx store.Writer) (err error) {
			stored, err = l.commitPage(tx, d, position, moved, resumable)
			return err
		})
		if err != nil {
			return err
		}
		l.moves.add(stored.noted)
		l.shared = append(l.shared, stored.shared...)
		d.found.merge(stored.coverage)
		if l.same != nil {
			l.same.anew = l.same.anew && len(stored.triples) == 0
			l.same.stored.Or(stored.objects)
			l.same.stored.Or(stored.whole)
		}
		l.position = position
		l.missed = l.missedAfter(d)
		l.logPage(p, d)
	}
	if l.covered != nil {
		l.covered.merge(d.found)
		l.sinceResumePoint.merge(d.found)
		if resumable {
			l.sinceResumePoint = newCoverage()
		}
	}
	l.found.Changed += len(d.puts)
	l.found.Removed += len(d.gone)
	return nil
}

// logPage names the entries of a page that were parked, as far as a log may: a place, such as a DN, and the reason can
// hold somebody's name.
func (l *listing) logPage(p *connectors.Page, d *pageDiff) {
	for i := range d.parks {
		id := ""
		if slices.ContainsFunc(p.Invalid, func(bad connectors.Invalid) bool { return bad.ID == d.parks[i].Object }) {
			id = d.parks[i].Object
		}
		l.Parked(d.parks[i].Kind, id, fault.Class(d.parks[i].Class), "hint", "`dirsyncd parked list` says where and why")
	}
}

// advance returns the stream's state after the page, and whether it differs. A full read moves its resume
// point only; its final cursor is stored with its conclusion.
func (l *listing) advance(p *connectors.Page) (store.StreamState, bool) {
	position := l.position
	switch {
	case len(p.Cursor) == 0:
		return position, false
	case l.mode == connectors.Delta:
		position.Partial = nil // what changes now the rest of a list that was cut would not know of
		position.Cursor = bytes.Clone(p.Cursor)
		position.Known = l.knownAfter(p)
		return position, !bytes.Equal(position.Cursor, l.position.Cursor) || !bytes.Equal(position.Known, l.position.Known)
	case p.Resumable && p.Proof == nil && len(l.invalid) == 0:
		position.Partial = bytes.Clone(p.Cursor)
		return position, true
	default:
		return position, false
	}
}

// knownAfter returns what the source knew in the newest read, after a page. A source that knows less says nothing new.
func (l *listing) knownAfter(p *connectors.Page) []byte {
	if p.Proof == nil || p.Proof.Older != "" || len(p.Known) == 0 {
		return l.position.Known
	}
	return bytes.Clone(p.Known)
}

// cursorIsDue reports whether the cursor must be stored although nothing changed, so that it does not expire.
func (l *listing) cursorIsDue() bool { return l.Now().Sub(l.position.Moved) >= idleCursor }

// lists reports whether the stream may hold the object.
func (l *listing) lists(o *directory.Object) bool { return slices.Contains(l.stream.Kinds, o.Kind) }

// committed is what became known when a page was written.
type committed struct {
	*coverage             // what a full read has come across that had no number before
	shared    []store.Num // handles that several objects state
	noted     *move       // which moves were noted
	triples   []triple    // of what was stored
}

// commitPage writes what a page changes. The order matters only in that objects come before members: a mark for a member
// is put on the object that owns its handle.
func (l *listing) commitPage(tx store.Writer, d *pageDiff, position store.StreamState, moved, resumable bool) (stored committed, err error) {
	stored.coverage = newCoverage()
	said := d.moved
	var entered []store.Num
	if err := l.putObjects(tx, d.puts, &stored); err != nil {
		return stored, err
	}
	for _, g := range d.gone {
		if err := markGone(tx, l.Marks, g.kind, g.num, store.NamedRemoved); err != nil {
			return stored, err
		}
	}
	all := make([]relations.Moved, 0, len(d.members))
	for i := range d.members {
		came, moved, err := d.members[i].commit(tx, stored.coverage)
		if err == nil {
			entered, all = append(entered, came...), append(all, moved)
			err = l.moves.members(tx, &said, slices.Concat(came, d.members[i].remove))
		}
		if err != nil {
			return stored, err
		}
	}
	if err := l.Marks.Moved(tx, all...); err != nil {
		return stored, err
	}
	stored.triples = append(stored.triples, d.triples...)
	if err := l.keepTriples(tx, stored.triples); err != nil {
		return stored, err
	}
	said.entered = entered
	if stored.noted, err = l.moves.store(tx, said, l.Now()); err != nil {
		return stored, err
	}
	for _, p := range d.parks {
		if _, err := tx.Park(p); err != nil {
			return stored, err
		}
	}
	for _, id := range d.unparks {
		if _, err := tx.Unpark(id); err != nil {
			return stored, err
		}
	}
	if l.changesMissed(d) {
		if err := saveMissed(tx, l.stream.Name, l.missedAfter(d)); err != nil {
			return stored, err
		}
	}
	if resumable {
		if err := l.saveCoverage(tx, d.found, stored.coverage); err != nil {
			return stored, err
		}
	}
	if moved {
		if l.mode == connectors.Delta && len(l.position.Partial) > 0 {
			if err := tx.ClearSeen(l.stream.Name); err != nil {
				return stored, err
			}
		}
		return stored, tx.PutStream(l.stream.Name, position)
	}
	return stored, nil
}

// saveCoverage stores what all pages since the last resume point have listed: who goes on from this one must know of it.
func (l *listing) saveCoverage(tx store.Writer, page ...*coverage) error {
	all := newCoverage()
	all.merge(l.sinceResumePoint)
	for _, s := range page {
		all.merge(s)
	}
	chunk, err := all.encode()
	if err != nil {
		return err
	}
	return tx.AppendSeen(l.stream.Name, chunk)
}

// putObjects stores objects as present and marks whom their changes concern: themselves, those who point to them by a
// handle that they gained or lost, or to whom they pointed, and those who share a name with them.
func (l *listing) putObjects(tx store.Writer, puts []put, stored *committed) error {
	var changes []relations.Change
	objects := make([]*directory.Object, 0, 2*len(puts))
	for _, p := range puts {
		objects = append(objects, p.object, p.before)
	}
	names, err := relations.NamesOf(tx, objects...)
	if err != nil {
		return err
	}
	for _, p := range puts {
		n, err := tx.PutRow(p.object, store.Here)
		if err != nil {
			return err
		}
		stored.objects.Add(uint32(n))
		if p.made != (triple{}) {
			p.made.num = n
			stored.triples = append(stored.triples, p.made)
		}
		if err := l.Marks.Changed(tx, p.object.Kind, n); err != nil {
			return err
		}
		if p.before != nil {
			changes = append(changes, relations.Change{Before: p.before, After: p.object})
		}
	}
	if err := l.Marks.Neighbours(tx, changes); err != nil {
		return err
	}
	if err := names.Decide(tx, l.Marks); err != nil {
		return err
	}
	stored.shared, err = sharedBy(tx, objects)
	return err
}

// markGone keeps the object as it was last seen, says why it counts as gone, and marks it.
func markGone(tx store.Writer, marks relations.Marker, kind directory.Kind, n store.Num, cause store.GoneCause) error {
	if err := tx.SetGone(kind, n, cause); err != nil {
		return err
	}
	return marks.Gone(tx, kind, n)
}
