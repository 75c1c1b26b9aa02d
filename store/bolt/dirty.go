package bolt

import (
	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

const allReasons = store.Changed | store.MembersChanged | store.Regrouped | store.Remapped

// Dirty implements store.Reader.
func (t *tx) Dirty(kind directory.Kind, after store.Num, fn func(n store.Num, why store.DirtyReason) bool) error {
	p, err := dirtyOf(kind)
	if err != nil {
		return err
	}
	for k, v := range t.after(p, after) {
		n, why, ok := parseDirty(k, v)
		if !ok {
			return t.corrupt(p)
		}
		if !fn(n, why) {
			return nil
		}
	}
	return nil
}

func parseDirty(k, v []byte) (n store.Num, why store.DirtyReason, ok bool) {
	n, ok = keyNum(k)
	if !ok || len(v) != 1 || v[0] == 0 || store.DirtyReason(v[0])&^allReasons != 0 {
		return 0, 0, false
	}
	return n, store.DirtyReason(v[0]), true
}

// MarkDirty implements store.Writer.
func (t *tx) MarkDirty(kind directory.Kind, n store.Num, why store.DirtyReason) error {
	p, err := dirtyOf(kind)
	if err != nil {
		return err
	}
	if err := t.checkNum(n); err != nil {
		return err
	}
	if why == 0 || why&^allReasons != 0 {
		return misuse("unknown dirty reasons %b", why)
	}
	old, _ := t.get(p, t.numKey(n))
	if len(old) == 1 {
		if old[0]|byte(why) == old[0] {
			return nil
		}
		why |= store.DirtyReason(old[0])
	}
	value := t.alloc(1)
	value[0] = byte(why)
	return t.put(p, t.numKey(n), value)
}

// ClearDirty implements store.Writer.
func (t *tx) ClearDirty(kind directory.Kind, nums []store.Num) error {
	p, err := dirtyOf(kind)
	if err != nil {
		return err
	}
	for _, n := range nums {
		if err := t.del(p, t.numKey(n)); err != nil {
			return err
		}
	}
	return nil
}
