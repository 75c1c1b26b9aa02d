package bolt

import (
	"encoding/binary"

	"dirsyncd/store"
)

// Several objects may state the same handle: sources do not keep their names unique, and in mid-rename two
// entries have the same one. The last to claim it has it; the others are contestants, of whom one gets it
// when the owner gives it up.

// claimant returns the object that claims a handle, zero if none does.
func (t *tx) claimant(handle store.Num) (store.Num, error) {
	value, ok := t.get(owner, t.numKey(handle))
	if !ok {
		return 0, nil
	}
	n, ok := keyNum(value)
	if !ok {
		return 0, t.corrupt(owner)
	}
	return n, nil
}

// Owners implements store.Reader.
func (t *tx) Owners(handles, owners []store.Num) ([]store.Num, error) {
	first := len(owners)
	owners = append(owners, handles...)
	walk, order := t.walk(owner), order(handles)
	for i := range handles {
		at := position(order, i)
		value, ok := walk.get(t.numKey(handles[at]))
		if !ok {
			continue
		}
		n, ok := keyNum(value)
		if !ok {
			return owners[:first], t.corrupt(owner)
		}
		owners[first+at] = n
	}
	return owners, nil
}

// Contestants implements store.Reader.
func (t *tx) Contestants(handles []store.Num, fn func(handle, object store.Num) bool) error {
	return t.pairsOfMany(contested, 0, handles, fn)
}

// Give implements store.Writer.
func (t *tx) Give(handle, object store.Num) error {
	holder, err := t.claimant(handle)
	if err != nil || holder == object {
		return err
	}
	if object != 0 {
		states := false
		err := t.pairsOf(contested, 0, handle, func(b store.Num) bool { states = b == object; return !states })
		if err != nil {
			return err
		}
		if !states {
			return misuse("object %d does not state handle %d", object, handle)
		}
		if err := t.changePair(contested, 0, handle, object, true); err != nil {
			return err
		}
	}
	if holder != 0 {
		if err := t.changePair(contested, 0, handle, holder, false); err != nil {
			return err
		}
	}
	if object == 0 {
		return t.del(owner, t.numKey(handle))
	}
	return t.setOwner(handle, object)
}

func (t *tx) setOwner(handle, n store.Num) error {
	return t.put(owner, t.numKey(handle), binary.BigEndian.AppendUint32(t.alloc(4)[:0], uint32(n)))
}

// claim interns the handles of an object and makes it their owner.
func (t *tx) claim(n store.Num, handles []string) ([]store.Num, error) {
	nums := make([]store.Num, 0, len(handles))
	for _, handle := range handles {
		h, isNew, err := t.intern(handle)
		if err != nil {
			return nil, err
		}
		nums = append(nums, h)
		if isNew {
			err = t.setOwner(h, n)
		} else {
			err = t.takeOver(n, h)
		}
		if err != nil {
			return nil, err
		}
	}
	return nums, nil
}

// takeOver makes an object the owner of a handle that somebody may have.
func (t *tx) takeOver(n, handle store.Num) error {
	holder, err := t.claimant(handle)
	if err != nil || holder == n {
		return err
	}
	if holder != 0 {
		if err := t.changePair(contested, 0, handle, holder, false); err != nil {
			return err
		}
	}
	if err := t.changePair(contested, 0, handle, n, true); err != nil { // also where nobody was given it
		return err
	}
	if handle == n { // its own number is an object's without any entry
		return t.del(owner, t.numKey(handle))
	}
	return t.setOwner(handle, n)
}

// unclaim gives up a handle. Of several contestants the one with the highest number gets it.
func (t *tx) unclaim(n, handle store.Num) error {
	holder, err := t.claimant(handle)
	if err != nil {
		return err
	}
	if holder != n {
		return t.changePair(contested, 0, handle, n, true)
	}
	var heir store.Num
	err = t.pairsOf(contested, 0, handle, func(b store.Num) bool { heir = b; return true })
	switch {
	case err != nil:
		return err
	case heir == 0:
		return t.del(owner, t.numKey(handle))
	}
	if err := t.changePair(contested, 0, handle, heir, true); err != nil {
		return err
	}
	return t.setOwner(handle, heir)
}
