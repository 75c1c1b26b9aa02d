package bolt

import (
	"runtime"
	"strconv"
	"testing"

	"dirsyncd/store"
)

// A large index takes nothing of the collector's heap, and what it has outgrown is given back at once: to find a name in a directory of a million
// costs the table and no more.
func TestLargeIndexIsNotTheCollectors(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("this system gives no memory")
	}
	x := &nameIndex{}
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	const names = 600_000
	before := heap()
	var buf []byte
	for i := range names {
		buf = strconv.AppendInt(buf[:0], int64(i), 10)
		h := hashName(buf)
		x.add(&h, store.Num(i+1))
	}
	if grown := int64(heap()) - int64(before); grown > names*slotSize/4 {
		t.Errorf("%d bytes of the heap for %d names", grown, names)
	}
	for i := 0; i < names; i += 1000 {
		h := hashName(strconv.AppendInt(buf[:0], int64(i), 10))
		if n, err := x.find(&h, func(_ *nameHash, n store.Num) (bool, error) { return n == store.Num(i+1), nil }); n != store.Num(i+1) || err != nil {
			t.Fatalf("%d is found as %d, %v", i, n, err)
		}
	}
	given := x.slots.own
	if given == nil || len(given.bytes) > names*slotSize*3 {
		t.Fatalf("%d slots for %d names", x.slots.count(), names)
	}
	runtime.KeepAlive(x)
}

// Few slots are the collector's, as a partition of a few people must cost next to nothing.
func TestFewSlots(t *testing.T) {
	s := newSlots(leastSlots)
	if s.own != nil || s.count() != leastSlots {
		t.Errorf("%d slots, of the system: %t", s.count(), s.own != nil)
	}
	s.set(3, 1<<63+7)
	if s.get(3) != 1<<63+7 || s.get(2) != 0 || s.get(4) != 0 {
		t.Error("another number is at its place")
	}
	s.free()
	if s.count() != 0 {
		t.Error("slots are left")
	}
}
