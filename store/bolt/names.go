package bolt

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math/bits"
	"slices"

	"dirsyncd/store"
)

// The table of names gives each handle text its number. Texts are replaced by a truncated hash: they are long
// and the number is all that anybody asks for.
//
// Hashes arrive at random, and a B+tree with one entry per hash would rewrite most of its pages in every
// transaction of a first sync. So entries are packed, sorted, into slots of a linear hash table (W. Litwin,
// "Linear hashing", VLDB 1980): a function of the number of entries says how many slots there are, and growth
// splits one slot after the other. And there are two tables: a small one takes what is new, and when it is full a
// part of it is merged into the large one, so that the large one's pages are touched once for many transactions.

type nameHash [16]byte

const (
	nameSize     = 20 // hash16, num4
	perSlot      = 32 // a page holds several slots: bbolt never splits one with fewer than five entries
	newNameSlots = 1 << 10
	maxNewNames  = newNameSlots * perSlot
)

// nameEntry is a name on its way into a table.
type nameEntry struct {
	order uint64 // slot, beginning of the hash: nearly always enough to sort by
	hash  nameHash
	num   store.Num
}

func newNameEntry(slot uint32, h nameHash, n store.Num) nameEntry {
	return nameEntry{order: uint64(slot)<<32 | uint64(binary.BigEndian.Uint32(h[:])), hash: h, num: n}
}

func (e *nameEntry) slot() uint32 { return uint32(e.order >> 32) }

func hashName(buf []byte) nameHash {
	sum := sha256.Sum256(buf)
	return nameHash(sum[:16])
}

// slotCount is how many slots a table with this many entries has.
func slotCount(entries uint64) uint32 { return uint32(entries/perSlot) + 1 }

// slotOf returns the slot of a hash in a table of so many slots.
func slotOf(h *nameHash, slots uint32) uint32 {
	mask := uint32(1)<<bits.Len32(slots-1) - 1
	slot := binary.BigEndian.Uint32(h[4:]) & mask
	if slot >= slots {
		slot &= mask >> 1
	}
	return slot
}

// newSlotOf returns the slot of a hash in the table of new names. It takes other bits of the hash.
func newSlotOf(h *nameHash) uint32 { return uint32(binary.BigEndian.Uint16(h[:])) % newNameSlots }

func newSlotKey(buf []byte, slot uint32) []byte {
	return binary.BigEndian.AppendUint16(buf, uint16(slot))
}

// findName looks for a hash in the sorted entries of a slot.
func findName(entries []byte, h *nameHash) store.Num {
	lo, hi := 0, len(entries)/nameSize
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		e := entries[mid*nameSize : (mid+1)*nameSize]
		switch bytes.Compare(e[:16], h[:]) {
		case 0:
			return store.Num(binary.BigEndian.Uint32(e[16:]))
		case -1:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	return 0
}

// lookup returns the number of a name, zero if it has none.
func (t *tx) lookup(h *nameHash) (store.Num, error) {
	if n := t.fresh[*h]; n != 0 {
		return n, nil
	}
	if t.count.newNames > 0 {
		entries, _ := t.get(newNames, newSlotKey(t.key16[:0], newSlotOf(h)))
		if len(entries)%nameSize != 0 {
			return 0, t.corrupt(newNames)
		}
		if n := findName(entries, h); n != 0 {
			return n, nil
		}
	}
	old := t.oldNames()
	if old == 0 {
		return 0, nil
	}
	entries, _ := t.get(names, t.numKey(store.Num(slotOf(h, slotCount(old)))))
	if len(entries)%nameSize != 0 {
		return 0, t.corrupt(names)
	}
	return findName(entries, h), nil
}

// oldNames is how many names are in the large table.
func (t *tx) oldNames() uint64 { return t.count.lastNum - t.count.newNames - uint64(len(t.fresh)) }

// Lookup implements store.Reader.
func (t *tx) Lookup(handles []string, nums []store.Num) ([]store.Num, error) {
	for _, handle := range handles {
		t.buf = append(t.buf[:0], handle...)
		h := hashName(t.buf)
		n, err := t.lookup(&h)
		if err != nil {
			return nums, err
		}
		nums = append(nums, n)
	}
	return nums, nil
}

// Intern implements store.Writer.
func (t *tx) Intern(handles []string, nums []store.Num) ([]store.Num, error) {
	for _, handle := range handles {
		n, _, err := t.intern(handle)
		if err != nil {
			return nums, err
		}
		nums = append(nums, n)
	}
	return nums, nil
}

// intern returns the number of a handle and whether it was given just now.
func (t *tx) intern(handle string) (n store.Num, isNew bool, err error) {
	t.buf = append(t.buf[:0], handle...)
	return t.internHash(hashName(t.buf))
}

// internID is intern for directory.IDHandle(id), without making that text.
func (t *tx) internID(id string) (n store.Num, isNew bool, err error) {
	t.buf = append(append(t.buf[:0], "id:"...), id...)
	return t.internHash(hashName(t.buf))
}

func (t *tx) internHash(h nameHash) (n store.Num, isNew bool, err error) {
	if n, err = t.lookup(&h); n != 0 || err != nil {
		return n, false, err
	}
	if t.count.lastNum == maxNum {
		return 0, false, misuse("partition is full: all numbers of handles are given")
	}
	if t.fresh == nil {
		t.fresh = make(map[nameHash]store.Num)
	}
	t.changed = true
	t.count.lastNum++
	n = store.Num(t.count.lastNum)
	t.fresh[h] = n
	return n, true, nil
}

// flushNames writes the names of this transaction into the small table, and makes room in it when it is full.
func (t *tx) flushNames() error {
	if len(t.fresh) == 0 {
		return nil
	}
	entries := make([]nameEntry, 0, len(t.fresh))
	for h, n := range t.fresh {
		entries = append(entries, newNameEntry(newSlotOf(&h), h, n))
	}
	old := t.oldNames()
	t.fresh = nil
	if t.count.newNames+uint64(len(entries)) <= maxNewNames {
		t.count.newNames += uint64(len(entries))
		return t.insertNames(newNames, newSlotKey, entries)
	}
	for _, slot := range t.all(newNames) {
		if len(slot)%nameSize != 0 {
			return t.corrupt(newNames)
		}
		for e := range slices.Chunk(slot, nameSize) {
			h := nameHash(e)
			entries = append(entries, newNameEntry(newSlotOf(&h), h, store.Num(binary.BigEndian.Uint32(e[16:]))))
		}
	}
	moving, staying := chooseNames(entries, slotCount(old))
	t.count.newNames = uint64(len(staying))
	slots := slotCount(old + uint64(len(moving)))
	for i, e := range moving {
		moving[i] = newNameEntry(slotOf(&e.hash, slots), e.hash, e.num)
	}
	return errors.Join(t.remove(newNames), t.growNames(slotCount(old), slots), t.insertNames(names, appendSlot, moving),
		t.insertNames(newNames, newSlotKey, staying))
}

const (
	// nameParts is into how many parts, of neighbouring slots, the large table is thought to be divided. A merge
	// touches whole parts: all of them at once would be too much for one transaction's memory.
	nameParts = 16
	// namesStay is how many names stay in the small table at most.
	namesStay = maxNewNames * 3 / 4
)

// chooseNames divides entries into those that move to a large table with so many slots and those that stay. The
// parts for which there is most go first, until there is room enough. It may reorder the entries.
func chooseNames(entries []nameEntry, slots uint32) (moving, staying []nameEntry) {
	part := func(e *nameEntry) int { return int(uint64(slotOf(&e.hash, slots)) * nameParts / uint64(slots)) }
	var count, rank, byCount [nameParts]int
	for i := range entries {
		count[part(&entries[i])]++
	}
	for i := range byCount {
		byCount[i] = i
	}
	slices.SortStableFunc(byCount[:], func(a, b int) int { return cmp.Compare(count[b], count[a]) })
	left, chosen := len(entries), 0
	for i, p := range byCount {
		rank[p] = i
		if left > namesStay {
			left -= count[p]
			chosen = i + 1
		}
	}
	n := 0
	for i := range entries {
		if rank[part(&entries[i])] < chosen {
			entries[n], entries[i] = entries[i], entries[n]
			n++
		}
	}
	return entries[:n:n], entries[n:]
}

func appendSlot(buf []byte, slot uint32) []byte { return binary.BigEndian.AppendUint32(buf, slot) }

// insertNames merges entries into their slots.
func (t *tx) insertNames(p bucketID, key func([]byte, uint32) []byte, entries []nameEntry) error {
	slices.SortFunc(entries, func(a, b nameEntry) int {
		if a.order != b.order {
			return cmp.Compare(a.order, b.order)
		}
		return bytes.Compare(a.hash[:], b.hash[:])
	})
	for len(entries) > 0 {
		slot := entries[0].slot()
		n := 1
		for n < len(entries) && entries[n].slot() == slot {
			n++
		}
		k := key(t.key16[:0], slot)
		old, _ := t.get(p, k)
		if len(old)%nameSize != 0 {
			return t.corrupt(p)
		}
		if err := t.put(p, k, mergeNames(t.alloc(len(old) + n*nameSize)[:0], old, entries[:n])); err != nil {
			return err
		}
		entries = entries[n:]
	}
	return nil
}

// mergeNames appends the union of two sorted lists.
func mergeNames(buf, old []byte, entries []nameEntry) []byte {
	for _, e := range entries {
		for len(old) > 0 && bytes.Compare(old[:16], e.hash[:]) < 0 {
			buf = append(buf, old[:nameSize]...)
			old = old[nameSize:]
		}
		buf = append(buf, e.hash[:]...)
		buf = binary.BigEndian.AppendUint32(buf, uint32(e.num))
	}
	return append(buf, old...)
}

// splitFrom returns the slot that gives a new slot its entries: the one with the same bits below the highest.
func splitFrom(slot uint32) uint32 { return slot - 1<<(bits.Len32(slot)-1) }

// growNames gives the large table more slots.
func (t *tx) growNames(from, to uint32) error {
	for i := from; i < to; i++ {
		parent := splitFrom(i)
		old, _ := t.get(names, t.numKey(store.Num(parent)))
		if len(old)%nameSize != 0 {
			return t.corrupt(names)
		}
		stay, move := t.alloc(len(old))[:0], t.alloc(len(old))[:0]
		for e := range slices.Chunk(old, nameSize) {
			h := nameHash(e)
			if slotOf(&h, i+1) == i {
				move = append(move, e...)
			} else {
				stay = append(stay, e...)
			}
		}
		if len(move) == 0 {
			continue
		}
		err := errors.Join(t.put(names, t.numKey(store.Num(parent)), stay), t.put(names, t.numKey(store.Num(i)), move))
		if err != nil {
			return err
		}
	}
	return nil
}
