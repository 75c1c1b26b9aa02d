package bolt

import (
	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// Record implements store.Reader.
func (t *tx) Record(kind directory.RecordKind, n store.Num) (directory.Record, bool, error) {
	p, err := recordsOf(kind)
	if err != nil {
		return directory.Record{}, false, err
	}
	value, ok := t.get(p, t.numKey(n))
	if !ok {
		return directory.Record{}, false, nil
	}
	rec, err := directory.ParseRecord(value)
	if err != nil {
		return directory.Record{}, false, t.corrupt(p)
	}
	return rec, true, nil
}

// RecordsOf implements store.Reader.
func (t *tx) RecordsOf(m *directory.Memory, kinds []directory.RecordKind, nums []store.Num, fn func(store.Num, directory.Record) bool) error {
	buckets, walks := make([]bucketID, len(kinds)), make([]walk, len(kinds))
	for i, kind := range kinds {
		p, err := recordsOf(kind)
		if err != nil {
			return err
		}
		buckets[i], walks[i] = p, t.walk(p)
	}
	for _, n := range ascending(nums) {
		for i := range walks {
			value, ok := walks[i].get(t.numKey(n))
			if !ok {
				continue
			}
			rec, err := directory.ParseRecordIn(m, value)
			if err != nil {
				return t.corrupt(buckets[i])
			}
			if !fn(n, rec) {
				return nil
			}
		}
	}
	return nil
}

// Records implements store.Reader.
func (t *tx) Records(kind directory.RecordKind, after store.Num, fn func(store.Num, directory.Record) bool) error {
	p, err := recordsOf(kind)
	if err != nil {
		return err
	}
	for k, v := range t.after(p, after) {
		n, ok := keyNum(k)
		rec, err := directory.ParseRecord(v)
		if !ok || err != nil {
			return t.corrupt(p)
		}
		if !fn(n, rec) {
			return nil
		}
	}
	return nil
}

// PutRecord implements store.Writer.
func (t *tx) PutRecord(n store.Num, rec *directory.Record) error {
	p, err := recordsOf(rec.Kind)
	if err != nil {
		return err
	}
	if err := t.checkNum(n); err != nil {
		return err
	}
	if err := t.countActive(p, rec.Kind, n, rec.Active); err != nil {
		return err
	}
	t.buf = directory.AppendRecord(t.buf[:0], rec)
	return t.put(p, t.numKey(n), t.keep(t.buf))
}

// countActive counts a record that becomes active, or is no longer.
func (t *tx) countActive(p bucketID, kind directory.RecordKind, n store.Num, active bool) error {
	was := false
	if old, ok := t.get(p, t.numKey(n)); ok {
		var err error
		if was, err = directory.RecordActive(old); err != nil {
			return t.corrupt(p)
		}
	}
	switch {
	case active && !was:
		t.count.active[kind]++
	case was && !active:
		t.count.active[kind]--
	}
	return nil
}
