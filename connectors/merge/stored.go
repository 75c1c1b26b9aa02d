package merge

import (
	"slices"
	"strings"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// The handles of merged objects.
const (
	partPrefix   = "of:"   // a part's name (contributor.nameOf): who is made of whom
	numberPrefix = "part:" // a part's handle, as the number in its partition: what references name
)

func partHandle(name string) string { return partPrefix + name }

// handle is a handle of a contributor's, by its number, as merged objects have it.
func (c *contributor) handle(n store.Num) string { return numberPrefix + c.name + "|" + itoa(int(n)) }

// mergedRow is a merged object as stored.
type mergedRow struct {
	num   store.Num
	key   string
	gone  bool
	names []string // of its parts
	led   bool     // the leader has, or had, the person
}

// isThere reports whether an object counts as there: it is, or its removal was not settled yet, or was settled and its record is kept
// by the connection's own list (keep). As long as the removal was not settled or waits for the operator, the object has a mark; an
// object that is stored without one, and is gone, has an active record only if that is kept.
func isThere(tx store.Reader, kind directory.Kind, rows []store.Row) ([]bool, error) {
	there := make([]bool, len(rows))
	for i := range rows {
		there[i] = rows[i].Num != 0 && rows[i].Gone == store.Here
		if rows[i].Num == 0 || there[i] {
			continue
		}
		n := rows[i].Num
		if err := tx.Dirty(kind, n-1, func(marked store.Num, _ store.DirtyReason) bool { there[i] = marked == n; return false }); err != nil {
			return nil, err
		}
		for _, record := range directory.RecordKinds() {
			if there[i] {
				break
			}
			rec, ok, err := tx.Record(record, n)
			if err != nil {
				return nil, err
			}
			there[i] = ok && rec.Active
		}
	}
	return there, nil
}

// chunkOf is how many rows are looked at at a time.
const chunkOf = 1000

// each calls fn with the objects of a kind that are there, in chunks. fn may ask the Reader.
func each(tx store.Reader, kind directory.Kind, fn func(rows []store.Row, objects []directory.Object) error) error {
	for after := store.Num(0); ; {
		var nums []store.Num
		err := tx.Rows(kind, after, func(row store.Row) bool {
			nums = append(nums, row.Num)
			return len(nums) < chunkOf
		})
		if err != nil || len(nums) == 0 {
			return err
		}
		rows, objects, err := some(tx, kind, nums)
		if err == nil {
			err = fn(rows, objects)
		}
		if err != nil {
			return err
		}
		after = nums[len(nums)-1]
	}
}

// some returns those among the objects with some numbers that are there.
func some(tx store.Reader, kind directory.Kind, nums []store.Num) (rows []store.Row, objects []directory.Object, err error) {
	all, err := tx.RowsOf(kind, nums, nil)
	if err != nil {
		return nil, nil, err
	}
	there, err := isThere(tx, kind, all)
	if err != nil {
		return nil, nil, err
	}
	for i := range all {
		if !there[i] {
			continue
		}
		o, err := directory.ParseObject(all[i].Data)
		if err != nil {
			return nil, nil, err
		}
		rows, objects = append(rows, all[i]), append(objects, o)
	}
	return rows, objects, nil
}

// owned returns the handles that each of some objects has, beside its id, as merged objects have them.
func (c *contributor) owned(tx store.Reader, rows []store.Row) ([][]string, error) {
	var handles []store.Num
	for i := range rows {
		handles = append(handles, rows[i].Handles...)
	}
	owners, err := tx.Owners(handles, nil)
	if err != nil {
		return nil, err
	}
	list := make([][]string, len(rows))
	for i := range rows {
		list[i] = append(list[i], c.handle(rows[i].Num))
		for _, h := range rows[i].Handles {
			if owners[0] == rows[i].Num && h != rows[i].Num {
				list[i] = append(list[i], c.handle(h))
			}
			owners = owners[1:]
		}
	}
	return list, nil
}

// links returns the links of objects as merged objects state them.
func (c *contributor) links(tx store.Reader, objects []directory.Object) ([][]directory.Link, error) {
	var to []string
	for i := range objects {
		for _, l := range objects[i].Links {
			to = append(to, l.To)
		}
	}
	nums, err := tx.Lookup(to, nil)
	if err != nil {
		return nil, err
	}
	list := make([][]directory.Link, len(objects))
	for i := range objects {
		for _, l := range objects[i].Links {
			if nums[0] != 0 {
				list[i] = append(list[i], directory.Link{Type: l.Type, To: c.handle(nums[0])})
			}
			nums = nums[1:]
		}
	}
	return list, nil
}

// mergedBy returns the merged people that state handles, whoever has them.
func (r *reading) mergedBy(tx store.Reader, handles []string) ([]*mergedRow, error) {
	nums, err := tx.Lookup(handles, nil)
	if err != nil {
		return nil, err
	}
	nums = slices.DeleteFunc(nums, func(n store.Num) bool { return n == 0 })
	all, err := tx.Owners(nums, nil)
	if err == nil {
		err = tx.Contestants(nums, func(_, object store.Num) bool { all = append(all, object); return true })
	}
	if err != nil {
		return nil, err
	}
	slices.Sort(all)
	return r.rowsOf(tx, slices.Compact(all))
}

// rowsOf returns the merged people with some numbers.
func (r *reading) rowsOf(tx store.Reader, nums []store.Num) (list []*mergedRow, err error) {
	var unknown []store.Num
	for _, n := range nums {
		if _, known := r.merged[n]; !known {
			unknown = append(unknown, n)
		}
	}
	rows, err := tx.RowsOf(directory.Person, unknown, nil)
	if err != nil {
		return nil, err
	}
	for i, n := range unknown {
		r.merged[n] = nil
		if rows[i].Num == 0 {
			continue
		}
		o, err := directory.ParseObject(rows[i].Data)
		if err != nil {
			return nil, err
		}
		m := &mergedRow{num: n, key: o.ID, gone: rows[i].Gone != store.Here}
		for _, h := range o.Handles {
			if name, ok := strings.CutPrefix(h, partPrefix); ok {
				m.names = append(m.names, name)
			}
			m.led = m.led || strings.HasPrefix(h, ledPrefix)
		}
		r.merged[n] = m
	}
	for _, n := range nums {
		if m := r.merged[n]; m != nil {
			list = append(list, m)
		}
	}
	return list, nil
}

// formerly says of people what they were part of last.
func (r *reading) formerly(tx store.Reader, people []*person) error {
	for chunk := range slices.Chunk(people, chunkOf) {
		handles := make([]string, len(chunk))
		for i, p := range chunk {
			handles[i] = partHandle(p.name)
		}
		nums, err := tx.Lookup(handles, nil)
		if err != nil {
			return err
		}
		owners, err := tx.Owners(nums, nil)
		if err != nil {
			return err
		}
		if _, err := r.rowsOf(tx, owners); err != nil {
			return err
		}
		for i, p := range chunk {
			if m := r.merged[owners[i]]; m != nil && slices.Contains(m.names, p.name) {
				p.former, p.age = m.key, m.num
			}
		}
	}
	return nil
}

// used reports whether a key is that of somebody who is stored. Who is gone and not forgotten, for the removal waits or the record is
// kept, comes back under it.
func (r *reading) used(tx store.Reader, key string) (bool, error) {
	nums, err := tx.Lookup([]string{directory.IDHandle(key)}, nil)
	if err != nil {
		return false, err
	}
	row, ok, err := tx.Row(directory.Person, nums[0])
	return ok && nums[0] != 0 && row.Gone == store.Here, err
}
