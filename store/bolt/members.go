package bolt

import (
	"bytes"
	"encoding/binary"
	"iter"
	"slices"

	"dirsyncd/store"
	"dirsyncd/store/encoding"
)

// The members of a group are cut into chunks. The key of a chunk is the group and a bound: the chunk has all members up to
// it that are beyond the bound of the chunk before. The last chunk has the highest bound that there is, so that whoever
// seeks a member always comes to where it is or should be. A value is the first member and the distances of the others, as
// varints: a small group is a single value of two bytes for each member, and a change of a large one touches one chunk.

const (
	memberKeySize = 8   // group4 bound4
	maxChunk      = 512 // members
)

func memberKey(buf []byte, group, bound store.Num) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(buf, uint32(group)), uint32(bound))
}

// boundOf takes a key apart; ok is false for one that has another length.
func boundOf(key []byte) (group, bound store.Num, ok bool) {
	if len(key) != memberKeySize {
		return 0, 0, false
	}
	return store.Num(binary.BigEndian.Uint32(key)), store.Num(binary.BigEndian.Uint32(key[4:])), true
}

// chunksOf cuts an ascending list of members into chunks, of which the last one has a bound that is given.
func chunksOf(list []store.Num, bound store.Num) iter.Seq2[store.Num, []store.Num] {
	return func(yield func(bound store.Num, chunk []store.Num) bool) {
		for pieces := (len(list) + maxChunk - 1) / maxChunk; pieces > 1; pieces-- {
			n := len(list) / pieces
			if !yield(list[n-1], list[:n]) {
				return
			}
			list = list[n:]
		}
		if len(list) > 0 {
			yield(bound, list)
		}
	}
}

// Members implements store.Reader.
func (t *tx) Members(group store.Num, fn func(handle store.Num) bool) error {
	prefix, more := numKey(group), true
	for k, value := range scan(t.bucket(members), prefix, prefix) {
		ok := len(k) == memberKeySize && encoding.ParseMembers(value, func(h store.Num) bool { more = fn(h); return more })
		if !ok {
			return t.corrupt(members)
		}
		if !more {
			return nil
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
	c, more := b.Cursor(), true
	for _, group := range ascending(groups) {
		prefix := t.numKey(group)
		for k, value := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, value = c.Next() {
			ok := len(k) == memberKeySize && encoding.ParseMembers(value, func(h store.Num) bool { more = fn(group, h); return more })
			if !ok {
				return t.corrupt(members)
			}
			if !more {
				return nil
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
		bound, chunk, err := t.chunkFor(group, handles[0])
		if err != nil {
			return changed, err
		}
		n := len(handles)
		if bound < maxNum {
			n, _ = slices.BinarySearch(handles, bound+1)
		}
		if changed, err = t.changeChunk(group, bound, chunk, handles[:n], changed, remove); err != nil {
			return changed, err
		}
		handles = handles[n:]
	}
	return changed, t.noteMembers(group, changed[before:], remove)
}

// chunkFor returns the bound and the members of the chunk in which a member is, if it is one. They are valid until the next call.
func (t *tx) chunkFor(group, handle store.Num) (bound store.Num, chunk []store.Num, err error) {
	k, value := t.seek(members, memberKey(t.key16[:0], group, handle))
	of, bound, ok := boundOf(k)
	switch {
	case k == nil:
		return maxNum, nil, nil
	case !ok:
		return 0, nil, t.corrupt(members)
	case of != group:
		return maxNum, nil, nil
	}
	t.chunk = t.chunk[:0]
	if !encoding.ParseMembers(value, func(h store.Num) bool { t.chunk = append(t.chunk, h); return true }) {
		return 0, nil, t.corrupt(members)
	}
	return bound, t.chunk, nil
}

// changeChunk changes the one chunk in which all these handles live. They ascend, as the members that it has do.
func (t *tx) changeChunk(group, bound store.Num, old, handles, changed []store.Num, remove bool) ([]store.Num, error) {
	before, list := len(changed), t.merged[:0]
	for i, h := range handles {
		if err := t.checkNum(h); err != nil {
			return changed, err
		}
		if i > 0 && handles[i-1] == h {
			continue
		}
		for len(old) > 0 && old[0] < h {
			list, old = append(list, old[0]), old[1:]
		}
		has := len(old) > 0 && old[0] == h
		if has {
			old = old[1:]
		}
		if has == remove {
			changed = append(changed, h)
		}
		if !remove {
			list = append(list, h)
		}
	}
	list = append(list, old...)
	t.merged = list
	switch {
	case len(changed) == before:
		return changed, nil
	case len(list) == 0:
		return changed, t.del(members, memberKey(t.key16[:0], group, bound))
	}
	for bound, chunk := range chunksOf(list, bound) {
		t.buf = encoding.AppendMembers(t.buf[:0], chunk)
		if err := t.put(members, memberKey(t.key16[:0], group, bound), t.keep(t.buf)); err != nil {
			return changed, err
		}
	}
	return changed, nil
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
