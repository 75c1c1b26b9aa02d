package bolt

import (
	"encoding/binary"
	"slices"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// A stored row is: cause, number of handles, their numbers, canonical object; integers are unsigned varints.

func appendRow(buf []byte, gone store.GoneCause, handles []store.Num, o *directory.Object) []byte {
	buf = append(buf, byte(gone))
	buf = binary.AppendUvarint(buf, uint64(len(handles)))
	for _, h := range handles {
		buf = binary.AppendUvarint(buf, uint64(h))
	}
	return directory.AppendObject(buf, o)
}

// parseRow takes a stored row apart, appending the handles to nums. Row.Data points into value.
func parseRow(value []byte, nums []store.Num) (row store.Row, all []store.Num, err error) {
	if len(value) < 3 || !store.GoneCause(value[0]).Known() {
		return row, nums, corrupt("row")
	}
	row.Gone = store.GoneCause(value[0])
	count, size := binary.Uvarint(value[1:])
	rest := value[1+max(size, 0):]
	if size <= 0 || count > uint64(len(rest)) {
		return row, nums, corrupt("row")
	}
	first := len(nums)
	for range count {
		n, size := binary.Uvarint(rest)
		if size <= 0 || n > maxNum {
			return row, nums, corrupt("row")
		}
		nums = append(nums, store.Num(n))
		rest = rest[size:]
	}
	if len(rest) == 0 {
		return row, nums, corrupt("row")
	}
	row.Data = rest
	row.Handles = nums[first:len(nums):len(nums)]
	return row, nums, nil
}

// Row implements store.Reader.
func (t *tx) Row(kind directory.Kind, n store.Num) (store.Row, bool, error) {
	p, err := objectsOf(kind)
	if err != nil {
		return store.Row{}, false, err
	}
	value, ok := t.get(p, t.numKey(n))
	if !ok {
		return store.Row{}, false, nil
	}
	row, err := t.row(p, n, value)
	return row, err == nil, err
}

// row takes a stored row apart; it is valid until the transaction ends.
func (t *tx) row(p bucketID, n store.Num, value []byte) (store.Row, error) {
	// Handles of many rows share one piece of memory, which is left behind when it is full.
	if cap(t.nums)-len(t.nums) < 16 {
		t.nums = make([]store.Num, 0, 1024)
	}
	row, nums, err := parseRow(value, t.nums)
	if err != nil {
		return store.Row{}, t.corrupt(p)
	}
	row.Num, t.nums = n, nums
	return row, nil
}

// RowsOf implements store.Reader.
func (t *tx) RowsOf(kind directory.Kind, nums []store.Num, rows []store.Row) ([]store.Row, error) {
	p, err := objectsOf(kind)
	if err != nil {
		return rows, err
	}
	first := len(rows)
	rows = slices.Grow(rows, len(nums))[:first+len(nums)]
	walk, order := t.walk(p), order(nums)
	for i := range nums {
		at := position(order, i)
		value, ok := walk.get(t.numKey(nums[at]))
		if !ok {
			rows[first+at] = store.Row{}
			continue
		}
		if rows[first+at], err = t.row(p, nums[at], value); err != nil {
			return rows[:first], err
		}
	}
	return rows, nil
}

// Rows implements store.Reader.
func (t *tx) Rows(kind directory.Kind, after store.Num, fn func(store.Row) bool) error {
	p, err := objectsOf(kind)
	if err != nil {
		return err
	}
	var nums []store.Num
	for k, v := range t.after(p, after) {
		n, ok := keyNum(k)
		row, all, err := parseRow(v, nums[:0])
		if !ok || err != nil {
			return t.corrupt(p)
		}
		row.Num, nums = n, all
		if !fn(row) {
			return nil
		}
	}
	return nil
}

// state is what the store knows of an object beside its fields.
type state struct {
	exists  bool
	present bool
	handles []store.Num
	links   []link
	match   []store.MatchKey
}

// link is a directory.Link with the number of the handle that it points to.
type link struct {
	kind directory.LinkType
	to   store.Num
}

// PutRow implements store.Writer.
func (t *tx) PutRow(o *directory.Object, gone store.GoneCause) (store.Num, error) {
	p, err := objectsOf(o.Kind)
	if err != nil {
		return 0, err
	}
	if !gone.Known() {
		return 0, misuse("unknown cause %d", gone)
	}
	n, isNew, err := t.internID(o.ID)
	if err != nil {
		return 0, err
	}
	var old state
	if !isNew {
		if old, err = t.stateOf(o.Kind, n); err != nil {
			return 0, err
		}
	}
	now := state{exists: true, present: gone == store.Here}
	if now.handles, err = t.claim(n, o.Handles); err != nil {
		return 0, err
	}
	if now.links, err = t.internLinks(o.Links); err != nil {
		return 0, err
	}
	if now.match, err = t.matchKeys(o); err != nil {
		return 0, err
	}
	if err := t.replaceState(o.Kind, n, old, now); err != nil {
		return 0, err
	}
	t.buf = appendRow(t.buf[:0], gone, now.handles, o)
	return n, t.put(p, t.numKey(n), t.keep(t.buf))
}

// DeleteRow implements store.Writer.
func (t *tx) DeleteRow(kind directory.Kind, n store.Num) error {
	p, err := objectsOf(kind)
	if err != nil {
		return err
	}
	old, err := t.stateOf(kind, n)
	if err != nil {
		return err
	}
	if err := t.replaceState(kind, n, old, state{}); err != nil {
		return err
	}
	if kind == directory.Group {
		if err := t.dropMembers(n); err != nil {
			return err
		}
	}
	return t.del(p, t.numKey(n))
}

// stateOf reads what is stored of an object.
func (t *tx) stateOf(kind directory.Kind, n store.Num) (state, error) {
	row, ok, err := t.Row(kind, n)
	if err != nil || !ok {
		return state{}, err
	}
	o, err := directory.ParseObject(row.Data)
	if err != nil {
		return state{}, t.corrupt(objects + bucketID(kind))
	}
	links, err := t.internLinks(o.Links)
	if err != nil {
		return state{}, err
	}
	keys, err := t.matchKeys(&o)
	return state{exists: true, present: row.Gone == store.Here, handles: row.Handles, links: links, match: keys}, err
}

func (t *tx) internLinks(links []directory.Link) ([]link, error) {
	if len(links) == 0 {
		return nil, nil
	}
	list := make([]link, 0, len(links))
	for _, l := range links {
		to, _, err := t.intern(l.To)
		if err != nil {
			return nil, err
		}
		list = append(list, link{kind: l.Type, to: to})
	}
	return list, nil
}

// replaceState gives up the handles and links that an object has no longer, and notes new links. New handles
// were claimed before.
func (t *tx) replaceState(kind directory.Kind, n store.Num, old, now state) error {
	switch {
	case old.present && !now.present:
		t.count.present[kind]--
	case now.present && !old.present:
		t.count.present[kind]++
	}
	if len(old.match)+len(now.match) > 0 {
		if err := t.replaceMatch(n, old.match, now.match); err != nil {
			return err
		}
	}
	for _, l := range now.links {
		if !slices.Contains(old.links, l) {
			if err := t.changePair(referrers, uint8(l.kind), l.to, n, false); err != nil {
				return err
			}
		}
	}
	if !old.exists || (slices.Equal(old.handles, now.handles) && slices.Equal(old.links, now.links)) {
		return nil
	}
	shared, err := t.sharedState(kind, n)
	if err != nil {
		return err
	}
	for _, l := range old.links {
		if !slices.Contains(now.links, l) && !slices.Contains(shared.links, l) {
			if err := t.changePair(referrers, uint8(l.kind), l.to, n, true); err != nil {
				return err
			}
		}
	}
	for _, h := range old.handles {
		if !slices.Contains(now.handles, h) && !slices.Contains(shared.handles, h) {
			if err := t.unclaim(n, h); err != nil {
				return err
			}
		}
	}
	return nil
}

// sharedState collects the handles and links of objects of other kinds that have the same id, hence the same
// number: what one of them gives up may still be another one's. Only objects that nothing points to may
// share an id, so that this is rare.
func (t *tx) sharedState(kind directory.Kind, n store.Num) (state, error) {
	var all state
	for _, other := range directory.Kinds() {
		if other == kind {
			continue
		}
		s, err := t.stateOf(other, n)
		if err != nil {
			return state{}, err
		}
		all.handles = append(all.handles, s.handles...)
		all.links = append(all.links, s.links...)
	}
	return all, nil
}

// ReferrersOf implements store.Reader.
func (t *tx) ReferrersOf(l directory.LinkType, handles []store.Num, fn func(handle, object store.Num) bool) error {
	return t.pairsOfMany(referrers, uint8(l), handles, fn)
}
