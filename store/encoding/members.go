package encoding

import (
	"encoding/binary"

	"dirsyncd/store"
)

// AppendMembers appends the form of ascending handles: the first one and the distances of the others, as varints.
func AppendMembers(buf []byte, list []store.Num) []byte {
	var last store.Num
	for _, h := range list {
		buf = binary.AppendUvarint(buf, uint64(h-last))
		last = h
	}
	return buf
}

// ParseMembers calls fn with the handles of such a form until it returns false, and returns false for a damaged one.
func ParseMembers(value []byte, fn func(store.Num) bool) (ok bool) {
	const maxNum = 1<<32 - 1
	last := uint64(0)
	for len(value) > 0 {
		distance, size := binary.Uvarint(value)
		last += distance
		if size <= 0 || distance == 0 || distance > maxNum || last > maxNum {
			return false
		}
		if value = value[size:]; !fn(store.Num(last)) {
			return true
		}
	}
	return last > 0
}

// membersAtOnce is how many members are in an entry of TableMembers.
const membersAtOnce = 512

// MemberEntries makes entries of TableMembers of memberships that come in ascending order of the groups and then of the handles.
type MemberEntries struct {
	Put func(store.Entry) error

	group store.Num
	list  []store.Num
	buf   []byte
}

// Add takes in the next membership.
func (m *MemberEntries) Add(group, handle store.Num) error {
	if group != m.group || len(m.list) == membersAtOnce {
		if err := m.End(); err != nil {
			return err
		}
	}
	m.group, m.list = group, append(m.list, handle)
	return nil
}

// End hands out what is left.
func (m *MemberEntries) End() error {
	if len(m.list) == 0 {
		return nil
	}
	m.buf = binary.BigEndian.AppendUint32(m.buf[:0], uint32(m.group))
	m.buf = binary.BigEndian.AppendUint32(m.buf, uint32(m.list[0]))
	m.buf = AppendMembers(m.buf, m.list)
	m.list = m.list[:0]
	return m.Put(store.Entry{Table: TableMembers, Key: m.buf[:8], Value: m.buf[8:]})
}
