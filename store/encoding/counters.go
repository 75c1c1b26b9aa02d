package encoding

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"dirsyncd/store"
)

// Counters are what a partition counts, and the numbers that it gave last, by name. What is zero may be missing.
type Counters map[string]uint64

// The names of counters. Those of a kind, or of a state of links, have its number added (CounterOf).
const (
	CounterHandles     = "handles"     // numbers given to handles; never missing
	CounterMemberships = "memberships" //
	CounterPresent     = "present"     // of a kind: objects that are not gone
	CounterActive      = "active"      // of a kind: active records
	CounterParked      = "parked"      //
	CounterLastParked  = "parked.last" // ids given to what was parked,
	CounterLastWait    = "waits.last"  // to what waits at targets,
	CounterLastReview  = "reviews.last"
	CounterReviews     = "reviews"
	CounterLinks       = "links"   // of a state
	CounterHistory     = "history" // bytes of the actions of runs that are kept, their keys included
)

// CounterOf is the name of a counter of a kind or state.
func CounterOf(name string, number int) string { return fmt.Sprintf("%s.%02d", name, number) }

// Export calls put with an entry for each counter that is not zero, in order, and for the handles.
func (c Counters) Export(put func(store.Entry) error) error {
	c[CounterHandles] += 0
	for _, name := range slices.Sorted(maps.Keys(c)) {
		if c[name] == 0 && name != CounterHandles {
			continue
		}
		err := put(store.Entry{Table: TableCounters, Key: []byte(name), Value: binary.AppendUvarint(nil, c[name])})
		if err != nil {
			return err
		}
	}
	return nil
}

// Take takes in what Export handed out; ok is false for something else.
func (c Counters) Take(e store.Entry) (ok bool) {
	n, size := binary.Uvarint(e.Value)
	c[string(e.Key)] = n
	return size > 0 && size == len(e.Value)
}

// Remove takes a counter out and returns it. What is left, when all that a store knows were taken out, it does not know.
func (c Counters) Remove(name string) uint64 {
	n := c[name]
	delete(c, name)
	return n
}
