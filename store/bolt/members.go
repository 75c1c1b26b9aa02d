package bolt

import (
	"bytes"
	"encoding/binary"
	"slices"

	"dirsyncd/store"
)

// memberKeySize is group4 handle3: a value lists the last bytes of the handles that share the first three.
const memberKeySize = 7

func memberKey(buf []byte, group, handle store.Num) []byte {
	buf = binary.BigEndian.AppendUint32(buf, uint32(group))
	return append(buf, byte(handle>>24), byte(handle>>16), byte(handle>>8))
}

// firstOf returns the number that the first byte of a value with this key would stand for, were it zero.
func firstOf(key []byte) (group, handle store.Num) {
	group = store.Num(binary.BigEndian.Uint32(key))
	return group, store.Num(key[4])<<24 | store.Num(key[5])<<16 | store.Num(key[6])<<8
}

// Members implements store.Reader.
func (t *tx) Members(group store.Num, fn func(handle store.Num) bool) error {
	prefix := numKey(group)
	for k, lows := range scan(t.bucket(members), prefix, prefix) {
		if len(k) != memberKeySize {
			return t.corrupt(members)
		}
		_, first := firstOf(k)
		for _, low := range lows {
			if !fn(first | store.Num(low)) {
				return nil
			}
		}
	}
	return nil
}

// MembersOf implements store.Reader.
func (t *tx) MembersOf(groups []store.Num, fn func(group, handle store.Num) bool) error {
	b := t.bucket(members)
	if b == nil {
		return nil
	}
	c := b.Cursor()
	for _, want := range ascending(groups) {
		prefix := t.numKey(want)
		for k, lows := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, lows = c.Next() {
			if len(k) != memberKeySize {
				return t.corrupt(members)
			}
			group, first := firstOf(k)
			for _, low := range lows {
				if !fn(group, first|store.Num(low)) {
					return nil
				}
			}
		}
	}
	return nil
}

// GroupsOf implements store.Reader.
func (t *tx) GroupsOf(handles []store.Num, fn func(handle, group store.Num) bool) error {
	return t.pairsOfMany(memberOf, 0, handles, fn)
}

// AddMembers implements store.Writer. What it appends to added is in ascending order.
func (t *tx) AddMembers(group store.Num, handles, added []store.Num) ([]store.Num, error) {
	return t.changeMembers(group, handles, added, false)
}

// RemoveMembers implements store.Writer. What it appends to removed is in ascending order.
func (t *tx) RemoveMembers(group store.Num, handles, removed []store.Num) ([]store.Num, error) {
	return t.changeMembers(group, handles, removed, true)
}

func (t *tx) changeMembers(group store.Num, handles, changed []store.Num, remove bool) ([]store.Num, error) {
	if err := t.checkNum(group); err != nil {
		return changed, err
	}
	if !slices.IsSorted(handles) {
		handles = slices.Clone(handles)
		slices.Sort(handles)
	}
	before := len(changed)
	for len(handles) > 0 {
		n := 1
		for n < len(handles) && handles[n]>>8 == handles[0]>>8 {
			n++
		}
		var err error
		if changed, err = t.changeMemberValue(group, handles[:n], changed, remove); err != nil {
			return changed, err
		}
		handles = handles[n:]
	}
	return changed, t.noteMembers(group, changed[before:], remove)
}

// changeMemberValue changes the one value in which all these handles live.
func (t *tx) changeMemberValue(group store.Num, handles, changed []store.Num, remove bool) ([]store.Num, error) {
	var set [256]bool
	old, _ := t.get(members, memberKey(t.key16[:0], group, handles[0]))
	for _, low := range old {
		set[low] = true
	}
	before := len(changed)
	for _, h := range handles {
		if err := t.checkNum(h); err != nil {
			return changed, err
		}
		if set[byte(h)] == remove {
			set[byte(h)] = !remove
			changed = append(changed, h)
		}
	}
	if len(changed) == before {
		return changed, nil
	}
	value := t.alloc(len(old) + len(handles))[:0]
	for low, in := range set {
		if in {
			value = append(value, byte(low))
		}
	}
	key := memberKey(t.key16[:0], group, handles[0])
	if len(value) == 0 {
		return changed, t.del(members, key)
	}
	return changed, t.put(members, key, value)
}

// noteMembers brings everything that depends on a group's members up to date.
func (t *tx) noteMembers(group store.Num, changed []store.Num, remove bool) error {
	if len(changed) == 0 {
		return nil
	}
	for _, h := range changed {
		if err := t.changePair(memberOf, 0, h, group, remove); err != nil {
			return err
		}
	}
	if remove {
		t.count.members -= uint64(len(changed))
	} else {
		t.count.members += uint64(len(changed))
	}
	return t.del(digests, t.numKey(group))
}

// dropMembers takes all members from a group.
func (t *tx) dropMembers(group store.Num) error {
	var all []store.Num
	err := t.Members(group, func(h store.Num) bool {
		all = append(all, h)
		return true
	})
	if err != nil {
		return err
	}
	if len(all) > 0 {
		_, err = t.RemoveMembers(group, all, nil)
		return err
	}
	return t.del(digests, t.numKey(group))
}

const digestSize = 24

// MemberDigest implements store.Reader.
func (t *tx) MemberDigest(group store.Num) (store.MemberDigest, error) {
	value, ok := t.get(digests, t.numKey(group))
	if !ok {
		return store.MemberDigest{}, nil
	}
	if len(value) != digestSize {
		return store.MemberDigest{}, t.corrupt(digests)
	}
	order := binary.BigEndian
	return store.MemberDigest{
		Count: order.Uint64(value), Sum: [2]uint64{order.Uint64(value[8:]), order.Uint64(value[16:])},
	}, nil
}

// SetMemberDigest implements store.Writer.
func (t *tx) SetMemberDigest(group store.Num, d store.MemberDigest) error {
	if err := t.checkNum(group); err != nil {
		return err
	}
	if d == (store.MemberDigest{}) {
		return t.del(digests, t.numKey(group))
	}
	value := t.alloc(digestSize)[:0]
	for _, n := range []uint64{d.Count, d.Sum[0], d.Sum[1]} {
		value = binary.BigEndian.AppendUint64(value, n)
	}
	return t.put(digests, t.numKey(group), value)
}
