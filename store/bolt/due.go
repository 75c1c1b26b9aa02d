package bolt

import (
	"encoding/binary"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// What is due is stored twice: by time, and by object. Times are whole seconds, in the order of the keys.

const (
	dueSize   = 13 // seconds8 kind1 num4
	dueOfSize = 5  // kind1 num4
)

func appendDueTime(buf []byte, at time.Time) []byte {
	return binary.BigEndian.AppendUint64(buf, uint64(at.Unix())^1<<63)
}

func dueTime(b []byte) time.Time {
	return time.Unix(int64(binary.BigEndian.Uint64(b)^1<<63), 0).UTC()
}

func dueOfKey(kind directory.Kind, n store.Num) []byte {
	return binary.BigEndian.AppendUint32([]byte{byte(kind)}, uint32(n))
}

func dueKey(at time.Time, ofKey []byte) []byte {
	return append(appendDueTime(make([]byte, 0, dueSize), at), ofKey...)
}

func parseDueKey(k []byte) (at time.Time, kind directory.Kind, n store.Num, ok bool) {
	if len(k) != dueSize {
		return time.Time{}, 0, 0, false
	}
	return dueTime(k), directory.Kind(k[8]), store.Num(binary.BigEndian.Uint32(k[9:])), true
}

// Due implements store.Reader.
func (t *tx) Due(until time.Time, fn func(at time.Time, kind directory.Kind, n store.Num) bool) error {
	for k := range t.all(due) {
		at, kind, n, ok := parseDueKey(k)
		if !ok {
			return t.corrupt(due)
		}
		if at.After(until) || !fn(at, kind, n) {
			return nil
		}
	}
	return nil
}

// DueOf implements store.Reader.
func (t *tx) DueOf(kind directory.Kind, nums []store.Num, times []time.Time) ([]time.Time, error) {
	for _, n := range nums {
		v, ok := t.get(dueOf, dueOfKey(kind, n))
		switch {
		case !ok:
			times = append(times, time.Time{})
		case len(v) != 8:
			return times, t.corrupt(dueOf)
		default:
			times = append(times, dueTime(v))
		}
	}
	return times, nil
}

// PutDue implements store.Writer.
func (t *tx) PutDue(kind directory.Kind, n store.Num, at time.Time) error {
	if kind == 0 || kind >= maxKinds {
		return misuse("object kind %d is unknown", kind)
	}
	if err := t.checkNum(n); err != nil {
		return err
	}
	key := dueOfKey(kind, n)
	if old, ok := t.get(dueOf, key); ok {
		if len(old) != 8 {
			return t.corrupt(dueOf)
		}
		if err := t.del(due, dueKey(dueTime(old), key)); err != nil {
			return err
		}
		if at.IsZero() {
			return t.del(dueOf, key)
		}
	}
	if at.IsZero() {
		return nil
	}
	if at.Nanosecond() > 0 {
		at = at.Truncate(time.Second).Add(time.Second)
	}
	if err := t.put(due, dueKey(at, key), nil); err != nil {
		return err
	}
	return t.put(dueOf, key, appendDueTime(t.alloc(8)[:0], at))
}

// due checks that what is due is found by time and by object.
func (v *verifier) due() {
	var found uint64
	for k := range v.all(due) {
		at, kind, n, ok := parseDueKey(k)
		if !ok || kind == 0 || kind >= maxKinds || v.checkNum(n) != nil {
			v.bad(due, "entry %x is damaged", k)
			continue
		}
		found++
		if value, _ := v.get(dueOf, dueOfKey(kind, n)); len(value) != 8 || !dueTime(value).Equal(at) {
			v.bad(dueOf, "entry of %s %d is missing", kind, n)
		}
	}
	v.equal(dueOf, "entries", v.entries(dueOf), found)
}
