package bolt

import (
	"encoding/binary"
	"runtime"
)

// slots are numbers of eight bytes, zero at first. Many of them are not the collector's: of a table in which there is nothing to collect it
// would take as much again as room for the heap to grow, and keep each one that was outgrown until it collects next.
type slots struct {
	bytes []byte
	own   *ownMemory // nil: the bytes are the collector's
}

const (
	slotSize = 8
	// leastOwn is from how many bytes on the system is asked for memory.
	leastOwn = 1 << 20
)

// ownMemory is memory that the system gave, and takes back when nobody has it any more.
type ownMemory struct {
	bytes []byte
	last  runtime.Cleanup
}

func newSlots(n int) slots {
	size := n * slotSize
	if size >= leastOwn {
		if bytes, err := mapMemory(size); err == nil {
			own := &ownMemory{bytes: bytes}
			own.last = runtime.AddCleanup(own, unmapMemory, bytes)
			return slots{bytes, own}
		}
	}
	return slots{bytes: make([]byte, size)}
}

func (s *slots) count() int { return len(s.bytes) / slotSize }

func (s *slots) get(at int) uint64 { return binary.NativeEndian.Uint64(s.bytes[at*slotSize:]) }

func (s *slots) set(at int, n uint64) { binary.NativeEndian.PutUint64(s.bytes[at*slotSize:], n) }

// free gives the memory back. Nobody may have the slots any more.
func (s *slots) free() {
	if s.own != nil {
		s.own.last.Stop()
		unmapMemory(s.own.bytes)
	}
	*s = slots{}
}
