package bolt

import (
	"encoding/binary"
	"sync"

	"dirsyncd/store"
)

// nameIndex finds the numbers of hashes: a table of open addressing (D. Knuth, The Art of Computer Programming 3, 6.4,
// algorithm L) with eight bytes a slot, the beginning of the hash and the number. Whoever finds a number there compares
// the whole hash. So what is too much does no harm: numbers that were given later than a transaction began, and those of
// a transaction that was not committed. What was committed is always in it.
//
// Places are in the order of hashes, so that a table that grows is read and written from one end to the other.
type nameIndex struct {
	mu    sync.RWMutex
	slots slots // beginning of the hash4, number4; zero is free
	used  int
	upTo  store.Num // all numbers up to it are in the table

	uncommitted bool // has names of a transaction that was not committed, or not yet; only who writes asks
}

const leastSlots = 16

// full reports whether a table with so many slots has to grow before it takes so many.
func full(used, slots int) bool { return used > slots/5*4 }

// roomFor returns how many slots a table has that is made for so many, and for half as many again.
func roomFor(used int) int { return max(leastSlots, used+used/2+used/4) }

func tagOf(hash []byte) uint32 { return binary.BigEndian.Uint32(hash) }

// place returns where to look for a beginning first.
func place(tag uint32, slots int) int { return int(uint64(tag) * uint64(slots) >> 32) }

// find returns the number of a hash, zero if there is none. is reports whether a number is that of the hash.
func (x *nameIndex) find(h *nameHash, is func(*nameHash, store.Num) (bool, error)) (store.Num, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if x.slots.count() == 0 {
		return 0, nil
	}
	tag := tagOf(h[:])
	for at := place(tag, x.slots.count()); ; at = x.next(at) {
		slot := x.slots.get(at)
		if slot == 0 {
			return 0, nil
		}
		if uint32(slot>>32) != tag {
			continue
		}
		n := store.Num(uint32(slot))
		if ok, err := is(h, n); ok || err != nil {
			return n, err
		}
	}
}

func (x *nameIndex) next(at int) int {
	if at++; at < x.slots.count() {
		return at
	}
	return 0
}

// add takes in the number of a hash, the next one.
func (x *nameIndex) add(h *nameHash, n store.Num) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.grow(x.used + 1)
	x.insert(uint64(tagOf(h[:]))<<32 | uint64(n))
	x.upTo = n
}

func (x *nameIndex) insert(slot uint64) {
	at := place(uint32(slot>>32), x.slots.count())
	for x.slots.get(at) != 0 {
		at = x.next(at)
	}
	x.slots.set(at, slot)
	x.used++
}

// grow makes room for so many.
func (x *nameIndex) grow(used int) {
	if !full(used, x.slots.count()) {
		return
	}
	old := x.slots
	x.slots, x.used = newSlots(roomFor(used)), 0
	for at := range old.count() {
		if slot := old.get(at); slot != 0 {
			x.insert(slot)
		}
	}
	old.free()
}

// readUpTo takes in what the file has up to a number and the table has not.
func (x *nameIndex) readUpTo(t *tx, last store.Num) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.upTo >= last {
		return nil
	}
	x.grow(x.used + int(last-x.upTo))
	first, at := placeOf(x.upTo + 1)
	for k, hashes := range scan(t.bucket(names), numKey(first), nil) {
		block, ok := keyNum(k)
		want := int(min(uint64(last)-uint64(block)*perBlock, perBlock))
		if wantBlock, _ := placeOf(x.upTo + 1); !ok || block != wantBlock || len(hashes) != want*nameSize {
			return t.corrupt(names)
		}
		for ; at < want; at++ {
			x.upTo++
			x.insert(uint64(tagOf(hashes[at*nameSize:]))<<32 | uint64(x.upTo))
		}
		if at = 0; x.upTo == last {
			return nil
		}
	}
	return t.corrupt(names)
}

// nameIndexes are the indexes that were made, by the number that the file gave to the names of a partition. Each is kept
// until the partition is dropped.
type nameIndexes struct {
	mu sync.Mutex
	by map[uint64]*nameIndex
}

func (all *nameIndexes) of(id uint64) *nameIndex {
	all.mu.Lock()
	defer all.mu.Unlock()
	x := all.by[id]
	if x == nil {
		if all.by == nil {
			all.by = map[uint64]*nameIndex{}
		}
		x = &nameIndex{}
		all.by[id] = x
	}
	return x
}

func (all *nameIndexes) forget(id uint64) {
	all.mu.Lock()
	defer all.mu.Unlock()
	delete(all.by, id)
}
