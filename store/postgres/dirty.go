package postgres

import (
	"github.com/jackc/pgx/v5"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

const allReasons = store.Changed | store.MembersChanged | store.Regrouped | store.Remapped

// mark is what became of a dirty mark since the last flush: reasons were added, and before that it may have been cleared.
type mark struct {
	cleared bool
	why     store.DirtyReason
}

// Dirty implements store.Reader.
func (t *tx) Dirty(kind directory.Kind, after store.Num, fn func(n store.Num, why store.DirtyReason) bool) error {
	if err := checkKind(kind); err != nil {
		return err
	}
	if err := t.flushDirty(); err != nil {
		return err
	}
	if need := t.ahead.need; t.ahead.marked && kind == need.Marks && after == need.Nums[0]-1 {
		for _, d := range t.ahead.marks {
			if !fn(d.num, d.why) {
				return nil
			}
			after = d.num
		}
		if len(t.ahead.marks) <= len(need.Nums) { // one more was asked for
			return nil
		}
	}
	first, err := t.firstMarks(kind, after)
	if err != nil {
		return err
	}
	return chunks(firstSmall, func(limit int) (more bool, err error) {
		if uint64(after) >= t.count.lastNum {
			return false, nil
		}
		list := make([]dirty, 0, limit)
		if first != nil {
			list, first = *first, nil
		} else {
			err = t.queries(t.dirtyQuestion(kind, after, limit, func(d dirty) { list = append(list, d) }))
		}
		for _, d := range list {
			if err != nil || !fn(d.num, d.why) {
				return false, err
			}
			after = d.num
		}
		return len(list) == limit, err
	})
}

// firstMarks returns the first marks of a kind, where a reader asks for them: whoever looks for what is to be done will ask for those of all kinds.
func (t *tx) firstMarks(kind directory.Kind, after store.Num) (*[]dirty, error) {
	if t.writable || after != 0 {
		return nil, nil
	}
	if t.ahead.first == nil {
		t.ahead.first = map[directory.Kind]*[]dirty{}
		var list []question
		for _, k := range directory.Kinds() {
			marks := &[]dirty{}
			t.ahead.first[k] = marks
			list = append(list, t.dirtyQuestion(k, 0, firstSmall, func(d dirty) { *marks = append(*marks, d) }))
		}
		if err := t.queries(list...); err != nil {
			return nil, err
		}
	}
	return t.ahead.first[kind], nil
}

// dirty is a mark.
type dirty struct {
	num store.Num
	why store.DirtyReason
}

func (t *tx) dirtyQuestion(kind directory.Kind, after store.Num, limit int, found func(dirty)) question {
	return question{func(rows pgx.Rows) error {
		var num int32
		var why int16
		err := rows.Scan(&num, &why)
		found(dirty{store.Num(num), store.DirtyReason(why)})
		return err
	}, `select num, why from @.dirty where part = $1 and kind = $2 and num > $3 order by num limit $4`, []any{int16(kind), int32(after), limit}}
}

// MarkDirty implements store.Writer.
func (t *tx) MarkDirty(kind directory.Kind, n store.Num, why store.DirtyReason) error {
	if err := checkKind(kind); err != nil {
		return err
	}
	if err := t.checkNum(n); err != nil {
		return err
	}
	if why == 0 || why&^allReasons != 0 {
		return misuse("unknown dirty reasons %b", why)
	}
	m := t.dirty[objectKey{kind, n}]
	m.why |= why
	t.dirty[objectKey{kind, n}] = m
	return t.failed
}

// ClearDirty implements store.Writer.
func (t *tx) ClearDirty(kind directory.Kind, nums []store.Num) error {
	if err := checkKind(kind); err != nil {
		return err
	}
	for _, n := range nums {
		if t.isKnown(n) {
			t.dirty[objectKey{kind, n}] = mark{cleared: true}
		}
	}
	return t.failed
}

func (t *tx) flushDirty() error {
	var clearedKinds, markedKinds, whys []int16
	var clearedNums, markedNums []int32
	for key, m := range t.dirty {
		if m.cleared && !t.isFresh(key.num) || m.cleared && t.wrote {
			clearedKinds, clearedNums = append(clearedKinds, int16(key.kind)), append(clearedNums, int32(key.num))
		}
		if m.why != 0 {
			markedKinds, markedNums, whys = append(markedKinds, int16(key.kind)), append(markedNums, int32(key.num)), append(whys, int16(m.why))
		}
	}
	clear(t.dirty)
	if len(clearedNums) > 0 {
		err := t.erase(`delete from @.dirty where ctid = any(array(select d.ctid from unnest($2::int2[], $3::int[]) k(kind, num)
			cross join lateral (select ctid from @.dirty where part = $1 and kind = k.kind and num = k.num limit 1) d))`, clearedKinds, clearedNums)
		if err != nil {
			return err
		}
	}
	if len(markedNums) > 0 {
		return t.write(`insert into @.dirty as d (part, kind, num, why) select $1, * from unnest($2::int2[], $3::int[], $4::int2[])
			on conflict (part, kind, num) do update set why = d.why | excluded.why where d.why | excluded.why <> d.why`, markedKinds, markedNums, whys)
	}
	return nil
}
