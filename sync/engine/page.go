package engine

import (
	"bytes"
	"context"
	"slices"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// pageDiff is what a page changes in the store. It is worked out under a read-only view, so that a page that
// changes nothing costs no write.
type pageDiff struct {
	puts    []*directory.Object
	gone    []goneRow
	members []memberDiff
	parks   []store.Parked
	unparks []uint64
	// found is what a full read came across on this page.
	found *seen
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
	d := &pageDiff{found: newSeen()}
	err := l.view(ctx, func(tx store.Reader) error {
		if err := l.compareObjects(tx, p, d); err != nil {
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
	state, moved := l.advance(p)
	// After an entry that could not be read there are no more resume points: who goes on from one would not know of
	// it, and take absence for proof.
	resumable := l.mode == connectors.Full && p.Resumable && p.Proof == nil && len(l.invalid) == 0
	if !d.empty() || moved && (resumable || l.cursorIsDue()) {
		if moved {
			state.Moved = l.opts.Now().UTC()
		}
		err := l.update(ctx, func(tx store.Writer) error { return l.commitPage(tx, d, state, moved, resumable) })
		if err != nil {
			return err
		}
		l.state = state
		l.logPage(p, d)
	}
	if l.seen != nil {
		l.seen.merge(d.found)
		l.unsaved.merge(d.found)
		if resumable {
			l.unsaved = newSeen()
		}
	}
	l.rec.Changed += len(d.puts)
	l.rec.Removed += len(d.gone)
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
		l.logParked(stageRead, d.parks[i].Kind, id, fault.Class(d.parks[i].Class), "hint", "`dirsyncd parked list` says where and why")
	}
}

// advance returns the stream's state after the page, and whether it differs. A full read moves its resume
// point only; its final cursor is stored with its conclusion.
func (l *listing) advance(p *connectors.Page) (store.StreamState, bool) {
	state := l.state
	switch {
	case len(p.Cursor) == 0:
		return state, false
	case l.mode == connectors.Delta:
		state.Cursor = bytes.Clone(p.Cursor)
		return state, !bytes.Equal(state.Cursor, l.state.Cursor)
	case p.Resumable && p.Proof == nil && len(l.invalid) == 0:
		state.Partial = bytes.Clone(p.Cursor)
		return state, true
	default:
		return state, false
	}
}

// cursorIsDue reports whether the cursor must be stored although nothing changed, so that it does not expire.
func (l *listing) cursorIsDue() bool { return l.opts.Now().Sub(l.state.Moved) >= idleCursor }

// lists reports whether the stream may hold the object.
func (l *listing) lists(o *directory.Object) bool { return slices.Contains(l.stream.Kinds, o.Kind) }

// compareObjects finds the objects that differ from their stored form. Equality is equality of bytes.
func (l *listing) compareObjects(tx store.Reader, p *connectors.Page, d *pageDiff) error {
	nums, err := lookupIDs(tx, p.Objects)
	if err != nil {
		return err
	}
	parked, err := tx.ParkedCount()
	if err != nil {
		return err
	}
	var buf []byte
	for i := range p.Objects {
		o := &p.Objects[i]
		var row store.Row
		known := false
		if nums[i] != 0 {
			if row, known, err = tx.Row(o.Kind, nums[i]); err != nil {
				return err
			}
			d.found.objects.Add(uint32(nums[i]))
		}
		if o.Partial {
			if o, err = l.complete(o, row, known, d.puts); err != nil {
				return err
			}
		}
		if parked > 0 {
			if err := unparkRead(tx, o, d); err != nil {
				return err
			}
		}
		buf = directory.AppendObject(buf[:0], o)
		if !known || row.Gone != store.Here || !bytes.Equal(buf, row.Data) {
			d.puts = append(d.puts, o)
		}
	}
	return nil
}

func lookupIDs(tx store.Reader, objects []directory.Object) ([]store.Num, error) {
	handles := make([]string, len(objects))
	for i := range objects {
		handles[i] = directory.IDHandle(objects[i].ID)
	}
	return tx.Lookup(handles, make([]store.Num, 0, len(handles)))
}

// complete lays what a delta mentions over what is known: what it does not mention stays. The page's own
// earlier word about the object counts as known.
func (l *listing) complete(o *directory.Object, row store.Row, known bool, puts []*directory.Object) (*directory.Object, error) {
	base := &directory.Object{Kind: o.Kind, ID: o.ID}
	for i := len(puts) - 1; i >= 0; i-- {
		if puts[i].ID == o.ID && puts[i].Kind == o.Kind {
			return overlay(puts[i], o), nil
		}
	}
	if known {
		stored, err := directory.ParseObject(row.Data)
		if err != nil {
			return nil, damaged(l.stream.Name, err)
		}
		base = &stored
	}
	return overlay(base, o), nil
}

// overlay returns base with what o mentions. Neither is changed.
func overlay(base, o *directory.Object) *directory.Object {
	sum := *base
	sum.Fields = nil
	for _, f := range base.Fields {
		if _, mentioned := o.Get(f.Name); !mentioned {
			sum.Fields = append(sum.Fields, f)
		}
	}
	for _, f := range o.Fields {
		if f.Value.Type() != directory.NullType {
			sum.Set(f.Name, f.Value)
		}
	}
	if len(o.Handles) > 0 {
		sum.Handles = o.Handles
	}
	if len(o.Links) > 0 {
		sum.Links = o.Links
	}
	return &sum
}

// unparkRead takes an object off the parked list that could not be read before and can be now.
func unparkRead(tx store.Reader, o *directory.Object, d *pageDiff) error {
	p, ok, err := tx.ParkedObject(o.Kind, o.ID)
	if err == nil && ok && p.Stage == stageRead {
		d.unparks = append(d.unparks, p.ID)
	}
	return err
}

// compareRemoved finds the removals that are news.
func (l *listing) compareRemoved(tx store.Reader, p *connectors.Page, d *pageDiff) error {
	for _, ref := range p.Removed {
		nums, err := tx.Lookup([]string{directory.IDHandle(ref.ID)}, nil)
		if err != nil {
			return err
		}
		row, ok, err := tx.Row(ref.Kind, nums[0])
		if err != nil {
			return err
		}
		if nums[0] != 0 && ok && !row.Gone.Proven() {
			d.gone = append(d.gone, goneRow{kind: ref.Kind, num: nums[0]})
		}
	}
	return nil
}

// Stages at which an object can be parked.
const (
	stageRead = "read"
	stageMap  = "map"
)

// compareInvalid parks what could not be translated, once per reason, and keeps it from counting as absent.
func (l *listing) compareInvalid(tx store.Reader, p *connectors.Page, d *pageDiff) error {
	for _, bad := range p.Invalid {
		id := bad.ID
		if id == "" {
			l.unnamed++
			id = bad.Where
		} else {
			nums, err := tx.Lookup([]string{directory.IDHandle(id)}, nil)
			if err != nil {
				return err
			}
			if nums[0] != 0 {
				d.found.objects.Add(uint32(nums[0]))
			}
		}
		l.invalid = append(l.invalid, directory.Ref{Kind: bad.Kind, ID: id})
		old, ok, err := tx.ParkedObject(bad.Kind, id)
		if err != nil {
			return err
		}
		if ok && old.Stage == stageRead && old.Reason == bad.Err.Error() {
			continue
		}
		d.parks = append(d.parks, store.Parked{
			Since: l.stamp.Time, Reason: bad.Err.Error(), Class: string(fault.ClassOf(bad.Err)),
			Stage: stageRead, Kind: bad.Kind, Object: id,
		})
	}
	return nil
}

// commitPage writes what a page changes. The order matters only in that objects come before members: a mark
// for a member is put on the object that owns its handle.
func (l *listing) commitPage(tx store.Writer, d *pageDiff, state store.StreamState, moved, resumable bool) error {
	for _, o := range d.puts {
		n, err := putObject(tx, o)
		if err != nil {
			return err
		}
		d.found.objects.Add(uint32(n))
	}
	for _, g := range d.gone {
		if err := markGone(tx, g.kind, g.num, store.Told); err != nil {
			return err
		}
	}
	for i := range d.members {
		if err := d.members[i].commit(tx); err != nil {
			return err
		}
	}
	for _, p := range d.parks {
		if _, err := tx.Park(p); err != nil {
			return err
		}
	}
	for _, id := range d.unparks {
		if _, err := tx.Unpark(id); err != nil {
			return err
		}
	}
	if resumable {
		// Who goes on from here must know what all pages up to this one have listed.
		d.found.merge(l.unsaved)
		chunk, err := d.found.encode()
		if err != nil {
			return err
		}
		if err := tx.AppendSeen(l.stream.Name, chunk); err != nil {
			return err
		}
	}
	if moved {
		return tx.PutStream(l.stream.Name, state)
	}
	return nil
}

// putObject stores an object as present and marks what its change concerns: itself, and those who point to it
// by a handle that it gained or lost, or to whom it pointed.
func putObject(tx store.Writer, o *directory.Object) (store.Num, error) {
	nums, err := tx.Lookup([]string{directory.IDHandle(o.ID)}, nil)
	if err != nil {
		return 0, err
	}
	var before *directory.Object
	if nums[0] != 0 {
		row, ok, err := tx.Row(o.Kind, nums[0])
		if err != nil {
			return 0, err
		}
		if ok {
			old, err := directory.ParseObject(row.Data)
			if err != nil {
				return 0, damaged("store an object", err)
			}
			before = &old
		}
	}
	n, err := tx.PutRow(o, store.Here)
	if err != nil {
		return 0, err
	}
	if before != nil {
		if err := markNeighbours(tx, before, o); err != nil {
			return 0, err
		}
	}
	return n, tx.MarkDirty(o.Kind, n, store.Changed)
}

// markNeighbours marks those whom an object's change of handles and links concerns.
func markNeighbours(tx store.Writer, before, after *directory.Object) error {
	for _, h := range difference(before.Handles, after.Handles) {
		if err := markHandle(tx, h); err != nil {
			return err
		}
	}
	for link, kind := range map[directory.LinkType]directory.Kind{directory.MemberOf: directory.Group, directory.Holds: directory.Licence} {
		for _, to := range difference(linksOf(before, link), linksOf(after, link)) {
			numbers, err := owners(tx, to)
			if err != nil {
				return err
			}
			for _, n := range numbers {
				if err := markIfStored(tx, kind, n, store.MembersChanged); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// difference lists what is in one of two lists only.
func difference(a, b []string) []string {
	var d []string
	for _, s := range a {
		if !slices.Contains(b, s) {
			d = append(d, s)
		}
	}
	for _, s := range b {
		if !slices.Contains(a, s) {
			d = append(d, s)
		}
	}
	return d
}

func linksOf(o *directory.Object, link directory.LinkType) (handles []string) {
	for _, l := range o.Links {
		if l.Type == link {
			handles = append(handles, l.To)
		}
	}
	return handles
}

// markHandle marks those who use a handle that means somebody else from now on: the people who have it as their
// manager or as a licence that they hold, the devices whose owner it is, and the groups that list it.
func markHandle(tx store.Writer, handle string) error {
	numbers, err := tx.Lookup([]string{handle}, nil)
	if err != nil || numbers[0] == 0 {
		return err
	}
	var people, devices, groups []store.Num
	for link, list := range map[directory.LinkType]*[]store.Num{directory.Manager: &people, directory.Holds: &people, directory.Owner: &devices} {
		err := tx.Referrers(link, numbers[0], func(n store.Num) bool { *list = append(*list, n); return true })
		if err != nil {
			return err
		}
	}
	err = tx.GroupsOf(numbers[0], func(g store.Num) bool { groups = append(groups, g); return true })
	if err != nil {
		return err
	}
	for _, n := range people {
		if err := tx.MarkDirty(directory.Person, n, store.Changed); err != nil {
			return err
		}
	}
	for _, d := range devices {
		if err := tx.MarkDirty(directory.Device, d, store.Changed); err != nil {
			return err
		}
	}
	for _, g := range groups {
		if err := markIfStored(tx, directory.Group, g, store.MembersChanged); err != nil {
			return err
		}
	}
	return nil
}

func markIfStored(tx store.Writer, kind directory.Kind, n store.Num, why store.DirtyReason) error {
	_, ok, err := tx.Row(kind, n)
	if err != nil || !ok {
		return err
	}
	return tx.MarkDirty(kind, n, why)
}

// markGone keeps the object as it was last seen, says why it counts as gone, and marks it.
func markGone(tx store.Writer, kind directory.Kind, n store.Num, cause store.GoneCause) error {
	if err := tx.SetGone(kind, n, cause); err != nil {
		return err
	}
	return tx.MarkDirty(kind, n, store.Changed)
}

func damaged(op string, err error) error {
	return &fault.Error{Class: fault.Internal, Op: op, Err: err, Hint: "the state file is damaged; restore a backup"}
}
