package postgres

import (
	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// maxKinds is more than there are kinds of object or of record.
const maxKinds = 16

// counters are what a partition counts, so that nobody has to, and the numbers given last. They are in the partition's row, which
// a transaction reads first; a writer writes it, if they changed, with its commit.
type counters struct {
	lastNum uint64           // numbers given to handles
	members uint64           // memberships
	present [maxKinds]uint64 // objects of a kind that are not gone
	active  [maxKinds]uint64 // active records of a kind
	desk    [deskCounters]uint64
}

// maxNum is the largest number of a handle: an integer of PostgreSQL.
const maxNum = 1<<31 - 1

func (c *counters) parse(present, active, desk []int64) {
	for i, n := range present {
		c.present[i%maxKinds] = uint64(n)
	}
	for i, n := range active {
		c.active[i%maxKinds] = uint64(n)
	}
	for i, n := range desk {
		if i < len(c.desk) {
			c.desk[i] = uint64(n)
		}
	}
}

func int64s(list []uint64) []int64 {
	all := make([]int64, len(list))
	for i, n := range list {
		all[i] = int64(n)
	}
	return all
}

// flushCounters writes them, if they changed.
func (t *tx) flushCounters() error {
	if t.count == t.stored {
		return nil
	}
	c := &t.count
	err := t.write(`update @.partition set last_num = $2, members = $3, present = $4, active = $5, desk = $6 where id = $1`,
		int64(c.lastNum), int64(c.members), int64s(c.present[:]), int64s(c.active[:]), int64s(c.desk[:]))
	if err == nil {
		t.stored = t.count
	}
	return err
}

// Count implements store.Reader.
func (t *tx) Count(kind directory.Kind) (int, error) {
	if err := checkKind(kind); err != nil {
		return 0, err
	}
	err := t.resolve()
	return int(t.count.present[kind]), err
}

// Memberships implements store.Reader.
func (t *tx) Memberships() (int, error) { return int(t.count.members), nil }

// ActiveRecords implements store.Reader.
func (t *tx) ActiveRecords(kind directory.RecordKind) (int, error) {
	if err := checkRecordKind(kind); err != nil {
		return 0, err
	}
	err := t.countRecords()
	return int(t.count.active[kind]), err
}

func checkKind(kind directory.Kind) error {
	if kind == 0 || kind >= maxKinds {
		return misuse("object kind %d is unknown", kind)
	}
	return nil
}

func checkRecordKind(kind directory.RecordKind) error {
	if kind == 0 || kind >= maxKinds {
		return misuse("record kind %d is unknown", kind)
	}
	return nil
}

// ints are numbers as PostgreSQL takes them.
func ints(nums []store.Num) []int32 {
	list := make([]int32, len(nums))
	for i, n := range nums {
		list[i] = int32(n)
	}
	return list
}
