package postgres

import (
	"cmp"
	"slices"

	"github.com/jackc/pgx/v5"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// recordKey names a record.
type recordKey struct {
	kind directory.RecordKind
	num  store.Num
}

// records are what a writer knows of records, and those that are not flushed.
type records struct {
	active  map[recordKey]bool // whether those in the table are
	changed map[recordKey]changedRecord
	flushed bool // some are in the table that this transaction stored
}

type changedRecord struct {
	active bool
	data   []byte
}

// scanRecord calls found with a record and whether it is active.
func scanRecord(found func(key recordKey, data []byte)) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		var kind int16
		var num int32
		var data []byte
		err := rows.Scan(&kind, &num, &data)
		if err == nil {
			found(recordKey{directory.RecordKind(kind), store.Num(num)}, data)
		}
		return err
	}
}

// Record implements store.Reader.
func (t *tx) Record(kind directory.RecordKind, n store.Num) (rec directory.Record, there bool, err error) {
	err = t.RecordsOf(nil, []directory.RecordKind{kind}, []store.Num{n}, func(_ store.Num, r directory.Record) bool {
		rec, there = r, true
		return false
	})
	return rec, there, err
}

// storedRecord is one with its place in the order in which RecordsOf hands them out.
type storedRecord struct {
	key  recordKey
	at   int
	data []byte
}

// RecordsOf implements store.Reader.
func (t *tx) RecordsOf(m *directory.Memory, kinds []directory.RecordKind, nums []store.Num, fn func(store.Num, directory.Record) bool) error {
	asked := make([]int16, len(kinds))
	for i, kind := range kinds {
		if err := checkRecordKind(kind); err != nil {
			return err
		}
		asked[i] = int16(kind)
	}
	nums = t.given(nums)
	if err := t.readRecords(kinds, nums); err != nil {
		return err
	}
	var list []storedRecord
	var ask []store.Num
	for _, n := range nums {
		if t.recordsKnown(kinds, n) {
			for i, kind := range kinds {
				key := recordKey{kind, n}
				data := t.ahead.records[key]
				if changed, ok := t.records.changed[key]; ok {
					data = changed.data
				}
				if data != nil {
					list = append(list, storedRecord{key, i, data})
				}
			}
			continue
		}
		if !t.writable || !t.isFresh(n) || t.records.flushed {
			ask = append(ask, n)
		}
		for i, kind := range kinds {
			if changed, ok := t.records.changed[recordKey{kind, n}]; ok {
				list = append(list, storedRecord{recordKey{kind, n}, i, changed.data})
			}
		}
	}
	if len(ask) > 0 && len(kinds) > 0 {
		err := t.query(scanRecord(func(key recordKey, data []byte) {
			if _, ok := t.records.changed[key]; !ok {
				list = append(list, storedRecord{key, slices.Index(kinds, key.kind), data})
			}
		}), `select k.kind, n.num, r.data from unnest($2::int2[]) k(kind) cross join unnest($3::int[]) n(num)
			cross join lateral (select data from @.record where part = $1 and kind = k.kind and num = n.num limit 1) r`, asked, ints(ask))
		if err != nil {
			return err
		}
	}
	slices.SortFunc(list, func(a, b storedRecord) int { return cmp.Or(cmp.Compare(a.key.num, b.key.num), cmp.Compare(a.at, b.at)) })
	recs, err := t.parseRecords(m, list)
	if err != nil {
		return err
	}
	if t.writable {
		t.learnActive(kinds, ask, list, recs)
	}
	for i := range list {
		if !fn(list[i].key.num, recs[i]) {
			return nil
		}
	}
	return nil
}

// readRecords reads, for a writer, all records that were foreseen when the first of them is wanted: most only put them.
func (t *tx) readRecords(kinds []directory.RecordKind, nums []store.Num) error {
	need := t.ahead.need
	if !t.writable || need == nil || t.ahead.recordsRead || len(need.Nums) == 0 || t.part == 0 {
		return nil
	}
	wanted := func(kind directory.RecordKind) bool { return slices.Contains(need.Records, kind) }
	in := func(n store.Num) bool { _, ok := slices.BinarySearch(need.Nums, n); return ok }
	if !slices.ContainsFunc(kinds, wanted) || !slices.ContainsFunc(nums, in) {
		return nil
	}
	t.ahead.recordsRead = true
	err := t.queries(t.recordsQuestions(need)...)
	for key := range t.records.changed { // what is in the table by now may be newer
		delete(t.ahead.records, key)
	}
	return err
}

// recordsKnown reports whether the records of some kinds were read ahead.
func (t *tx) recordsKnown(kinds []directory.RecordKind, n store.Num) bool {
	for _, kind := range kinds {
		if _, ok := t.ahead.records[recordKey{kind, n}]; !ok {
			return false
		}
	}
	return len(kinds) > 0
}

func (t *tx) parseRecords(m *directory.Memory, list []storedRecord) ([]directory.Record, error) {
	recs := make([]directory.Record, len(list))
	for i := range list {
		var err error
		if recs[i], err = directory.ParseRecordIn(m, list[i].data); err != nil {
			return nil, t.s.corrupt("record")
		}
	}
	return recs, nil
}

// learnActive notes which records of those that were asked for are active.
func (t *tx) learnActive(kinds []directory.RecordKind, asked []store.Num, list []storedRecord, recs []directory.Record) {
	for _, kind := range kinds {
		for _, n := range asked {
			if key := (recordKey{kind, n}); !t.isChanged(key) {
				t.records.active[key] = false
			}
		}
	}
	for i := range list {
		if !t.isChanged(list[i].key) {
			t.records.active[list[i].key] = recs[i].Active
		}
	}
}

func (t *tx) isChanged(key recordKey) bool { _, ok := t.records.changed[key]; return ok }

// Records implements store.Reader.
func (t *tx) Records(kind directory.RecordKind, after store.Num, fn func(store.Num, directory.Record) bool) error {
	if err := checkRecordKind(kind); err != nil {
		return err
	}
	if err := t.flushRecords(); err != nil {
		return err
	}
	return chunks(firstRows, func(limit int) (more bool, err error) {
		if uint64(after) >= t.count.lastNum {
			return false, nil
		}
		list := make([]storedRecord, 0, limit)
		err = t.query(scanRecord(func(key recordKey, data []byte) { list = append(list, storedRecord{key: key, data: data}) }),
			`select kind, num, data from @.record where part = $1 and kind = $2 and num > $3 order by num limit $4`, int16(kind), int32(after), limit)
		if err != nil {
			return false, err
		}
		for i := range list {
			rec, err := directory.ParseRecord(list[i].data)
			if err != nil {
				return false, t.s.corrupt("record")
			}
			if !fn(list[i].key.num, rec) {
				return false, nil
			}
			after = list[i].key.num
		}
		return len(list) == limit, nil
	})
}

// PutRecord implements store.Writer.
func (t *tx) PutRecord(n store.Num, rec *directory.Record) error {
	if err := checkRecordKind(rec.Kind); err != nil {
		return err
	}
	if err := t.checkNum(n); err != nil {
		return err
	}
	t.records.changed[recordKey{rec.Kind, n}] = changedRecord{rec.Active, directory.AppendRecord(nil, rec)}
	return t.failed
}

// countRecords brings the numbers of active records up to date. What was active before is asked for where nobody knows it.
func (t *tx) countRecords() error {
	r := &t.records
	var kinds []int16
	var nums []int32
	for key := range r.changed {
		if _, ok := r.active[key]; ok {
			continue
		}
		if r.active[key] = false; !t.isFresh(key.num) {
			kinds, nums = append(kinds, int16(key.kind)), append(nums, int32(key.num))
		}
	}
	if len(nums) > 0 {
		err := t.query(func(rows pgx.Rows) error {
			var kind int16
			var num int32
			err := rows.Scan(&kind, &num)
			r.active[recordKey{directory.RecordKind(kind), store.Num(num)}] = true
			return err
		}, `select k.kind, k.num from unnest($2::int2[], $3::int[]) k(kind, num)
			cross join lateral (select active from @.record where part = $1 and kind = k.kind and num = k.num limit 1) r where r.active`, kinds, nums)
		if err != nil {
			return err
		}
	}
	for key, changed := range r.changed {
		switch was := r.active[key]; {
		case changed.active && !was:
			t.count.active[key.kind]++
		case was && !changed.active:
			t.count.active[key.kind]--
		}
		r.active[key] = changed.active
	}
	return nil
}

func (t *tx) flushRecords() error {
	if len(t.records.changed) == 0 {
		return t.failed
	}
	if err := t.countRecords(); err != nil {
		return err
	}
	var kinds []int16
	var nums []int32
	var active []bool
	var datas [][]byte
	for key, changed := range t.records.changed {
		kinds, nums = append(kinds, int16(key.kind)), append(nums, int32(key.num))
		active, datas = append(active, changed.active), append(datas, changed.data)
	}
	for key := range t.records.changed {
		delete(t.ahead.records, key)
	}
	clear(t.records.changed)
	t.records.flushed = true
	return t.write(`insert into @.record (part, kind, num, active, data) select $1, * from unnest($2::int2[], $3::int[], $4::bool[], $5::bytea[])
		on conflict (part, kind, num) do update set active = excluded.active, data = excluded.data`, kinds, nums, active, datas)
}
