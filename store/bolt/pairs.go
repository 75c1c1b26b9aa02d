package bolt

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
	"sort"

	"dirsyncd/store"
)

// A pair set holds pairs (a, b) of numbers under a tag and answers which b there are for an a, in ascending
// order. Pairs of pairSpan neighbouring a are packed into one value of sorted entries, the low bits of a and
// the whole b, under the key tag and high bits of a: people and their groups are read together and written
// together, and a page holds hundreds of pairs instead of tens.

const (
	pairBits = 5
	pairSpan = 1 << pairBits
	pairSize = 5 // low bits of a, b4
)

// pairLog collects changes of a pair set in the order in which they were made.
type pairLog []pairChange

type pairChange struct {
	tag    uint8
	remove bool
	pair   uint64 // a, b
}

func (c *pairChange) a() store.Num { return store.Num(c.pair >> 32) }
func (c *pairChange) b() store.Num { return store.Num(c.pair) }

// sameValue reports whether both pairs live in the same value.
func (c *pairChange) sameValue(d *pairChange) bool {
	return c.tag == d.tag && c.a()>>pairBits == d.a()>>pairBits
}

// maxPending bounds the memory that collected pairs take.
const maxPending = 1 << 18

// changePair notes that a pair enters or leaves a set.
func (t *tx) changePair(p bucketID, tag uint8, a, b store.Num, remove bool) error {
	t.pending[p] = append(t.pending[p], pairChange{tag: tag, remove: remove, pair: uint64(a)<<32 | uint64(b)})
	if len(t.pending[p]) < maxPending {
		return nil
	}
	return t.flushPairs(p)
}

func pairKey(buf []byte, tag uint8, a store.Num) []byte {
	return binary.BigEndian.AppendUint32(append(buf, tag), uint32(a>>pairBits))
}

// pairsOf calls fn with the b of an a.
func (t *tx) pairsOf(p bucketID, tag uint8, a store.Num, fn func(b store.Num) bool) error {
	if err := t.flushPairs(p); err != nil {
		return err
	}
	entries, _ := t.get(p, pairKey(t.key16[:0], tag, a))
	if len(entries)%pairSize != 0 {
		return t.corrupt(p)
	}
	for entries = pairsFrom(entries, a); startsWith(entries, a); entries = entries[pairSize:] {
		if !fn(store.Num(binary.BigEndian.Uint32(entries[1:]))) {
			return nil
		}
	}
	return nil
}

// pairsFrom returns the entries of a value from those of an a on.
func pairsFrom(entries []byte, a store.Num) []byte {
	low := byte(a % pairSpan)
	first := sort.Search(len(entries)/pairSize, func(i int) bool { return entries[i*pairSize] >= low })
	return entries[first*pairSize:]
}

// startsWith reports whether the first entry is one of an a.
func startsWith(entries []byte, a store.Num) bool {
	return len(entries) > 0 && entries[0] == byte(a%pairSpan)
}

// pairsOfMany calls fn with the pairs of many a, in order.
func (t *tx) pairsOfMany(p bucketID, tag uint8, list []store.Num, fn func(a, b store.Num) bool) error {
	if err := t.flushPairs(p); err != nil {
		return err
	}
	walk := t.walk(p)
	var entries []byte // what is left of the value that the walk stands at
	at := ^store.Num(0)
	for _, a := range ascending(list) {
		if a>>pairBits != at {
			at = a >> pairBits
			if entries, _ = walk.get(pairKey(t.key16[:0], tag, a)); len(entries)%pairSize != 0 {
				return t.corrupt(p)
			}
		}
		for entries = pairsFrom(entries, a); startsWith(entries, a); entries = entries[pairSize:] {
			if !fn(a, store.Num(binary.BigEndian.Uint32(entries[1:]))) {
				return nil
			}
		}
	}
	return nil
}

// flushPairs writes what was collected.
func (t *tx) flushPairs(p bucketID) error {
	log := t.pending[p]
	if len(log) == 0 {
		return nil
	}
	t.pending[p] = log[:0]
	slices.SortStableFunc(log, func(c, d pairChange) int {
		return cmp.Or(cmp.Compare(c.tag, d.tag), cmp.Compare(c.pair, d.pair))
	})
	for len(log) > 0 {
		n := 1
		for n < len(log) && log[n].sameValue(&log[0]) {
			n++
		}
		if err := t.mergeValue(p, lastOfEach(log[:n])); err != nil {
			return err
		}
		log = log[n:]
	}
	return nil
}

// lastOfEach keeps the last change of each pair.
func lastOfEach(log pairLog) pairLog {
	kept := log[:0]
	for i, c := range log {
		if i+1 == len(log) || log[i+1].pair != c.pair {
			kept = append(kept, c)
		}
	}
	return kept
}

// mergeValue applies sorted changes that concern one value.
func (t *tx) mergeValue(p bucketID, log pairLog) error {
	key := pairKey(t.key16[:0], log[0].tag, log[0].a())
	old, _ := t.get(p, key)
	if len(old)%pairSize != 0 {
		return t.corrupt(p)
	}
	merged := mergePairs(t.alloc(len(old) + len(log)*pairSize)[:0], old, log)
	if len(merged) == 0 {
		return t.del(p, key)
	}
	return t.put(p, key, merged)
}

func mergePairs(buf, old []byte, log pairLog) []byte {
	for i := range log {
		var e [pairSize]byte
		e[0] = byte(log[i].a() % pairSpan)
		binary.BigEndian.PutUint32(e[1:], uint32(log[i].b()))
		for len(old) > 0 && bytes.Compare(old[:pairSize], e[:]) < 0 {
			buf = append(buf, old[:pairSize]...)
			old = old[pairSize:]
		}
		if len(old) > 0 && [pairSize]byte(old) == e {
			old = old[pairSize:]
		}
		if !log[i].remove {
			buf = append(buf, e[:]...)
		}
	}
	return append(buf, old...)
}
