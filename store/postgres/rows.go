package postgres

import (
	"encoding/binary"
	"slices"

	"github.com/jackc/pgx/v5"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// objectKey names a row of object.
type objectKey struct {
	kind directory.Kind
	num  store.Num
}

// object is a row as a writer knows it.
type object struct {
	row    store.Row
	exists bool
	change objectChange // what is not flushed
}

type objectChange uint8

const (
	unchanged objectChange = iota
	otherCause
	stored
	deleted
)

// objects are what a writer knows of rows, and what was put and not looked into yet. What PutRow has to know of an object's handles and
// links is asked for many objects at once (resolve.go).
type objects struct {
	known   map[objectKey]*object
	changed []objectKey
	puts    []put
}

// What is stored of handles is their numbers, as unsigned varints.

func appendNums(buf []byte, nums []store.Num) []byte {
	for _, n := range nums {
		buf = binary.AppendUvarint(buf, uint64(n))
	}
	return buf
}

func parseNums(data []byte) (nums []store.Num, ok bool) {
	for len(data) > 0 {
		n, size := binary.Uvarint(data)
		if size <= 0 || n > maxNum {
			return nil, false
		}
		nums, data = append(nums, store.Num(n)), data[size:]
	}
	return nums, true
}

const objectColumns = `o.kind, o.num, o.gone, o.handles, o.data`

// scanObject calls found with a row of object.
func (t *tx) scanObject(found func(directory.Kind, store.Row)) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		var kind, gone int16
		var num int32
		var handles, data []byte
		if err := rows.Scan(&kind, &num, &gone, &handles, &data); err != nil {
			return err
		}
		row := store.Row{Num: store.Num(num), Gone: store.GoneCause(gone), Data: data}
		var ok bool
		if row.Handles, ok = parseNums(handles); !ok || len(data) == 0 || !row.Gone.Known() {
			return t.s.corrupt("object")
		}
		found(directory.Kind(kind), row)
		return nil
	}
}

// objectsQuestion asks for rows of a kind.
func (t *tx) objectsQuestion(kind directory.Kind, nums []store.Num, found func(directory.Kind, store.Row)) *question {
	if len(nums) == 0 || t.part == 0 {
		return nil
	}
	return &question{t.scanObject(found), `select ` + objectColumns + ` from unnest($3::int[]) n(num)
		cross join lateral (select * from @.object where part = $1 and kind = $2 and num = n.num limit 1) o`,
		[]any{int16(kind), ints(nums)}}
}

// learnObjects is the question that makes rows of a kind known to a writer.
func (t *tx) learnObjects(kind directory.Kind, nums []store.Num) *question {
	var list []store.Num
	for _, n := range nums {
		key := objectKey{kind, n}
		if t.objects.known[key] != nil || !t.isKnown(n) {
			continue
		}
		if t.objects.known[key] = (&object{}); !t.isFresh(n) {
			list = append(list, n)
		}
	}
	return t.objectsQuestion(kind, list, func(kind directory.Kind, row store.Row) {
		*t.objects.known[objectKey{kind, row.Num}] = object{row: row, exists: true}
	})
}

// Row implements store.Reader.
func (t *tx) Row(kind directory.Kind, n store.Num) (store.Row, bool, error) {
	rows, err := t.RowsOf(kind, []store.Num{n}, nil)
	if err != nil {
		return store.Row{}, false, err
	}
	return rows[0], rows[0].Num != 0, nil
}

// RowsOf implements store.Reader.
func (t *tx) RowsOf(kind directory.Kind, nums []store.Num, rows []store.Row) ([]store.Row, error) {
	if err := checkKind(kind); err != nil {
		return rows, err
	}
	if err := t.resolve(); err != nil {
		return rows, err
	}
	if t.remembers() {
		if err := t.ask(t.learnObjects(kind, nums)); err != nil {
			return rows, err
		}
		for _, n := range nums {
			row := store.Row{}
			if o := t.objects.known[objectKey{kind, n}]; o != nil && o.exists {
				row = o.row
			}
			rows = append(rows, row)
		}
		return rows, nil
	}
	found := map[store.Num]store.Row{}
	err := t.ask(t.objectsQuestion(kind, t.given(nums), func(_ directory.Kind, row store.Row) { found[row.Num] = row }))
	if err != nil {
		return rows, err
	}
	for _, n := range nums {
		rows = append(rows, found[n])
	}
	return rows, nil
}

// Rows implements store.Reader.
func (t *tx) Rows(kind directory.Kind, after store.Num, fn func(store.Row) bool) error {
	if err := checkKind(kind); err != nil {
		return err
	}
	if err := t.flushObjects(); err != nil {
		return err
	}
	return chunks(firstRows, func(limit int) (more bool, err error) {
		if uint64(after) >= t.count.lastNum {
			return false, nil
		}
		list := make([]store.Row, 0, limit)
		err = t.query(t.scanObject(func(_ directory.Kind, row store.Row) { list = append(list, row) }),
			`select `+objectColumns+` from @.object o where o.part = $1 and o.kind = $2 and o.num > $3 order by o.num limit $4`, int16(kind), int32(after), limit)
		for _, row := range list {
			if err != nil || !fn(row) {
				return false, err
			}
			after = row.Num
		}
		return len(list) == limit, err
	})
}

// An iteration asks for its beginning, which may be all that is wanted, and then for more at a time: rows with their data, and what is
// small.
const (
	firstRows  = 250
	firstSmall = 1000
	growth     = 16
)

// chunks calls next with how much to ask for, until there is no more.
func chunks(first int, next func(limit int) (more bool, err error)) error {
	for limit := first; ; limit = min(2*limit, growth*first) {
		if more, err := next(limit); err != nil || !more {
			return err
		}
	}
}

// PutRow implements store.Writer.
func (t *tx) PutRow(o *directory.Object, gone store.GoneCause) (store.Num, error) {
	if err := checkKind(o.Kind); err != nil {
		return 0, err
	}
	if !gone.Known() {
		return 0, misuse("unknown cause %d", gone)
	}
	n, err := t.internID(o.ID)
	if err != nil {
		return 0, err
	}
	keys, err := t.matchKeys(o)
	if err != nil {
		return 0, err
	}
	t.objects.puts = append(t.objects.puts, put{
		key: objectKey{o.Kind, n}, gone: gone, handles: slices.Clone(o.Handles), links: slices.Clone(o.Links), match: keys,
		data: directory.AppendObject(nil, o),
	})
	if len(t.objects.puts) >= putsAtOnce {
		return n, t.resolve()
	}
	return n, nil
}

// putsAtOnce bounds what is kept in memory.
const putsAtOnce = 4000

// SetGone implements store.Writer.
func (t *tx) SetGone(kind directory.Kind, n store.Num, gone store.GoneCause) error {
	if !gone.Known() {
		return misuse("unknown cause %d", gone)
	}
	if _, there, err := t.Row(kind, n); err != nil {
		return err
	} else if !there {
		return misuse("no %s has the number %d", kind, n)
	}
	o := t.objects.known[objectKey{kind, n}]
	t.countPresent(kind, o.row.Gone == store.Here, gone == store.Here)
	o.row.Gone = gone
	t.change(objectKey{kind, n}, o, otherCause)
	return nil
}

func (t *tx) countPresent(kind directory.Kind, was, is bool) {
	switch {
	case was && !is:
		t.count.present[kind]--
	case is && !was:
		t.count.present[kind]++
	}
}

// change notes that a row differs from what is stored.
func (t *tx) change(key objectKey, o *object, how objectChange) {
	if o.change == unchanged {
		t.objects.changed = append(t.objects.changed, key)
	}
	o.change = max(o.change, how)
	if how != otherCause {
		o.change = how
	}
}

// DeleteRow implements store.Writer.
func (t *tx) DeleteRow(kind directory.Kind, n store.Num) error {
	if _, there, err := t.Row(kind, n); err != nil {
		return err
	} else if there {
		if err := t.deleteObject(objectKey{kind, n}); err != nil {
			return err
		}
	}
	if kind == directory.Group {
		return t.dropMembers(n)
	}
	return nil
}

func (t *tx) flushObjects() error {
	if err := t.resolve(); err != nil {
		return err
	}
	if len(t.objects.changed) == 0 {
		return nil
	}
	var (
		kinds, gone    [deleted + 1][]int16
		nums           [deleted + 1][]int32
		handles, datas [][]byte
	)
	for _, key := range t.objects.changed {
		o := t.objects.known[key]
		how := o.change
		kinds[how], nums[how] = append(kinds[how], int16(key.kind)), append(nums[how], int32(key.num))
		gone[how] = append(gone[how], int16(o.row.Gone))
		if how == stored {
			handles, datas = append(handles, appendNums([]byte{}, o.row.Handles)), append(datas, o.row.Data)
		}
		o.change = unchanged
	}
	t.objects.changed = nil
	if len(kinds[stored]) > 0 {
		err := t.write(`insert into @.object (part, kind, num, gone, handles, data) select $1, * from unnest($2::int2[], $3::int[], $4::int2[], $5::bytea[], $6::bytea[])
			on conflict (part, kind, num) do update set gone = excluded.gone, handles = excluded.handles, data = excluded.data`,
			kinds[stored], nums[stored], gone[stored], handles, datas)
		if err != nil {
			return err
		}
	}
	if len(kinds[otherCause]) > 0 {
		err := t.write(`update @.object o set gone = k.gone from unnest($2::int2[], $3::int[], $4::int2[]) k(kind, num, gone)
			where o.part = $1 and o.kind = k.kind and o.num = k.num`, kinds[otherCause], nums[otherCause], gone[otherCause])
		if err != nil {
			return err
		}
	}
	if len(kinds[deleted]) > 0 {
		return t.erase(`delete from @.object where ctid = any(array(select d.ctid from unnest($2::int2[], $3::int[]) k(kind, num)
			cross join lateral (select ctid from @.object where part = $1 and kind = k.kind and num = k.num limit 1) d))`,
			kinds[deleted], nums[deleted])
	}
	return nil
}
