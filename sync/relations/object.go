// Package relations answers what stored objects are to each other: the groups that somebody is in and the people in a
// group, managers, licences, owners; and it marks those whom a change touches. It asks about many objects at once: a
// store may be at the far end of a wire.
package relations

import (
	"slices"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// Object is a stored object in the form in which it can be worked with.
type Object struct {
	directory.Object
	Num  store.Num
	Gone store.GoneCause
	// Nums are the numbers of all its handles, its own first.
	Nums []store.Num
}

// Here reports whether the object does not count as removed.
func (o *Object) Here() bool { return o.Gone == store.Here }

// Load returns those objects of a kind that are stored, those gone included, in the order of nums.
func Load(tx store.Reader, kind directory.Kind, nums []store.Num) ([]Object, error) {
	return new(Memory).Load(tx, kind, nums)
}

// Memory is what objects are loaded into by who loads many, and is done with those before when it loads others.
type Memory struct {
	rows    []store.Row
	objects []Object
	fields  []directory.Field
}

// Load is the function Load. What it returns is valid until the next call, but for texts, lists and Nums, which stay.
func (m *Memory) Load(tx store.Reader, kind directory.Kind, nums []store.Num) ([]Object, error) {
	clear(m.objects)
	clear(m.fields)
	rows, err := tx.RowsOf(kind, nums, slices.Grow(m.rows[:0], len(nums)))
	if err != nil {
		return nil, err
	}
	m.rows = rows
	defer clear(rows) // what they point to goes with the transaction
	handles := 0
	for i := range rows {
		handles += 1 + len(rows[i].Handles)
	}
	objects, fields, all := slices.Grow(m.objects[:0], len(rows)), m.fields[:0], make([]store.Num, 0, handles)
	for i := range rows {
		row := &rows[i]
		if row.Num == 0 {
			continue
		}
		var o directory.Object
		if o, fields, err = row.ObjectInto("look at a "+kind.String(), fields); err != nil {
			return nil, err
		}
		first := len(all)
		all = append(append(all, row.Num), row.Handles...)
		objects = append(objects, Object{Object: o, Num: row.Num, Gone: row.Gone, Nums: all[first:len(all):len(all)]})
	}
	m.objects, m.fields = objects, fields
	return objects, nil
}

// stored returns those numbers under which an object of the kind is stored that the filter, where there is one, takes.
func stored(tx store.Reader, kind directory.Kind, nums []store.Num, filter func(*store.Row) bool) ([]store.Num, error) {
	rows, err := tx.RowsOf(kind, nums, make([]store.Row, 0, len(nums)))
	if err != nil {
		return nil, err
	}
	var found []store.Num
	for i := range rows {
		if rows[i].Num != 0 && (filter == nil || filter(&rows[i])) {
			found = append(found, rows[i].Num)
		}
	}
	return found, nil
}
