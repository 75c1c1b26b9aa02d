package read

import (
	"bytes"
	"slices"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// compareObjects finds the objects that differ from their stored form. Equality is equality of bytes.
func (l *listing) compareObjects(tx store.Reader, p *connectors.Page, d *pageDiff) error {
	rows, err := l.storedRows(tx, p.Objects)
	if err != nil {
		return err
	}
	parked, err := tx.ParkedCount()
	if err != nil {
		return err
	}
	var buf []byte
	earlier := map[directory.Ref]int{} // what the page itself has said of an object before, by its place in d.puts
	for i := range p.Objects {
		o, row := &p.Objects[i], &rows[i]
		if row.Num != 0 {
			d.found.objects.Add(uint32(row.Num))
		}
		ref := directory.Ref{Kind: o.Kind, ID: o.ID}
		said, again := earlier[ref]
		var before *directory.Object
		if o.Partial {
			if before, err = l.parse(row); err != nil {
				return err
			}
			switch {
			case again:
				o = overlay(d.puts[said].object, o)
			case before != nil:
				o = overlay(before, o)
			default:
				o = overlay(&directory.Object{Kind: o.Kind, ID: o.ID}, o)
			}
		}
		if parked > 0 {
			if err := unparkRead(tx, o, d); err != nil {
				return err
			}
		}
		buf = directory.AppendObject(buf[:0], o)
		var made triple
		if digest := l.digestOfEntry(p, i); digest != (connectors.Digest{}) {
			made = triple{digest: digest, form: formOf(buf)}
			if o.Kind == directory.Group {
				made.form = made.form.withList(listOf(p, i))
			}
		}
		if !again && row.Num != 0 && row.Gone == store.Here && bytes.Equal(buf, row.Data) {
			if made != (triple{}) && l.same.numOf(made.digest) != row.Num {
				made.num = row.Num
				d.triples = append(d.triples, made)
			}
			continue
		}
		if before == nil && (!l.Marks.Off || l.moves.noted()) {
			if before, err = l.parse(row); err != nil {
				return err
			}
		}
		known := before
		if row.Gone != store.Here {
			known = nil // it is back
		}
		if err := l.moves.object(tx, &d.moved, known, o, row.Num); err != nil {
			return err
		}
		earlier[ref] = len(d.puts)
		if len(d.puts) == cap(d.puts) { // where one differs, often all do
			d.puts = slices.Grow(d.puts, min(len(p.Objects)-i, 2*len(d.puts)+8))
		}
		d.puts = append(d.puts, put{object: o, before: before, made: made})
	}
	return nil
}

// parse returns the object of a row, or nil where none is stored.
func (l *listing) parse(row *store.Row) (*directory.Object, error) {
	if row.Num == 0 {
		return nil, nil
	}
	o, err := row.Object("read " + l.stream.Name)
	return &o, err
}

// storedRows returns the rows of objects as stored, in their order; the zero row where one is not stored.
func (l *listing) storedRows(tx store.Reader, objects []directory.Object) ([]store.Row, error) {
	handles := make([]string, len(objects))
	for i := range objects {
		handles[i] = directory.IDHandle(objects[i].ID)
	}
	nums, err := tx.Lookup(handles, make([]store.Num, 0, len(handles)))
	l.rows = l.rows[:0]
	if err != nil || len(nums) == 0 {
		return nil, err
	}
	if len(l.stream.Kinds) == 1 {
		l.rows, err = tx.RowsOf(l.stream.Kinds[0], nums, l.rows)
		return l.rows, err
	}
	rows := make([]store.Row, len(objects))
	for _, kind := range l.stream.Kinds {
		of := make([]store.Num, len(nums)) // zero for objects of other kinds
		for i := range objects {
			if objects[i].Kind == kind {
				of[i] = nums[i]
			}
		}
		found, err := tx.RowsOf(kind, of, nil)
		if err != nil {
			return nil, err
		}
		for i := range found {
			if found[i].Num != 0 {
				rows[i] = found[i]
			}
		}
	}
	return rows, nil
}

// overlay returns base with what o mentions. Neither is changed.
func overlay(base, o *directory.Object) *directory.Object {
	sum := *base
	sum.Fields = nil
	for _, f := range base.Fields {
		if _, mentioned := o.Get(f.Name); !mentioned && !directory.OfSignIn(f.Name) { // the source knows of it now
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
	if err == nil && ok && p.Stage == Stage {
		d.unparks = append(d.unparks, p.ID)
	}
	return err
}

// compareRemoved finds the removals that are news.
func (l *listing) compareRemoved(tx store.Reader, p *connectors.Page, d *pageDiff) error {
	for _, kind := range directory.Kinds() {
		if slices.Contains(l.RemovedInFull, kind) {
			l.found.Spared = l.found.Spared || slices.ContainsFunc(p.Removed, func(ref directory.Ref) bool { return ref.Kind == kind })
			continue
		}
		var handles []string
		for _, ref := range p.Removed {
			if ref.Kind == kind {
				handles = append(handles, directory.IDHandle(ref.ID))
			}
		}
		if len(handles) == 0 {
			continue
		}
		nums, err := tx.Lookup(handles, nil)
		if err != nil {
			return err
		}
		rows, err := tx.RowsOf(kind, nums, nil)
		if err != nil {
			return err
		}
		for i := range rows {
			if rows[i].Num == 0 || rows[i].Gone.Proven() {
				continue
			}
			d.gone = append(d.gone, goneRow{kind: kind, num: rows[i].Num})
			if !l.moves.noted() {
				continue
			}
			o, err := l.parse(&rows[i])
			if err == nil {
				err = l.moves.gone(tx, &d.moved, o, rows[i].Num)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// compareInvalid parks what could not be translated, once per reason, and keeps it from counting as absent.
func (l *listing) compareInvalid(tx store.Reader, p *connectors.Page, d *pageDiff) error {
	var named []string
	for _, bad := range p.Invalid {
		id, where := bad.ID, bad.Where
		if id == "" || id == where {
			id, where = bad.Where, ""
		}
		if bad.ID == "" {
			d.unnamed++
		} else {
			named = append(named, directory.IDHandle(id))
		}
		d.invalid = append(d.invalid, directory.Ref{Kind: bad.Kind, ID: id})
		old, ok, err := tx.ParkedObject(bad.Kind, id)
		if err != nil {
			return err
		}
		if ok && old.Stage == Stage && old.Reason == bad.Err.Error() && old.Where == where {
			continue
		}
		d.parks = append(d.parks, store.Parked{
			Since: l.Began, Reason: bad.Err.Error(), Class: string(fault.ClassOf(bad.Err)),
			Stage: Stage, Kind: bad.Kind, Object: id, Where: where,
		})
	}
	if len(named) == 0 {
		return nil
	}
	nums, err := tx.Lookup(named, nil)
	for _, n := range nums {
		if n != 0 {
			d.found.objects.Add(uint32(n))
			d.found.unreadable.Add(uint32(n))
		}
	}
	return err
}
