package bolt

import (
	"encoding/binary"

	"dirsyncd/sync/directory"
)

// counters are what a partition counts, so that nobody has to walk it, and the numbers given last. They are
// read when a transaction begins and written, if they changed, when it ends.
type counters struct {
	lastNum    uint64           // numbers given to handles
	members    uint64           // memberships
	parked     uint64           // parked entries
	lastParked uint64           // ids given to parked entries
	present    [maxKinds]uint64 // objects of a kind that are not gone
	active     [maxKinds]uint64 // active records of a kind
}

func (c *counters) fields() []*uint64 {
	list := []*uint64{&c.lastNum, &c.members, &c.parked, &c.lastParked}
	for i := range maxKinds {
		list = append(list, &c.present[i], &c.active[i])
	}
	return list
}

func (c *counters) append(buf []byte) []byte {
	for _, n := range c.fields() {
		buf = binary.AppendUvarint(buf, *n)
	}
	return buf
}

// parse reads what append wrote; nothing is all zero.
func (c *counters) parse(data []byte) error {
	if len(data) == 0 {
		return nil
	}
	for _, n := range c.fields() {
		var size int
		if *n, size = binary.Uvarint(data); size <= 0 {
			return corrupt("counters")
		}
		data = data[size:]
	}
	if len(data) > 0 || c.lastNum > maxNum {
		return corrupt("counters")
	}
	return nil
}

// Count implements store.Reader.
func (t *tx) Count(kind directory.Kind) (int, error) {
	if _, err := objectsOf(kind); err != nil {
		return 0, err
	}
	return int(t.count.present[kind]), nil
}

// Memberships implements store.Reader.
func (t *tx) Memberships() (int, error) { return int(t.count.members), nil }

// ActiveRecords implements store.Reader.
func (t *tx) ActiveRecords(kind directory.RecordKind) (int, error) {
	if _, err := recordsOf(kind); err != nil {
		return 0, err
	}
	return int(t.count.active[kind]), nil
}

// ParkedCount implements store.Reader.
func (t *tx) ParkedCount() (int, error) { return int(t.count.parked), nil }
