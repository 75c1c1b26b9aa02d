package bolt

import (
	"bytes"
	"cmp"
	"slices"

	"go.etcd.io/bbolt"

	"dirsyncd/store"
)

// walk reads the values of ascending keys of one bucket. Keys that are asked for together tend to lie together: going
// from one to the next costs a small part of what finding one from the root does. The bucket must not change meanwhile.
type walk struct {
	c     *bbolt.Cursor // nil for a bucket that does not exist
	begun bool
	k, v  []byte // where the walk stands; k is nil behind the end
}

// nearby is how many keys a walk passes over before it looks from the root.
const nearby = 4

func (t *tx) walk(p bucketID) walk {
	if b := t.bucket(p); b != nil {
		return walk{c: b.Cursor()}
	}
	return walk{}
}

// get returns the value of a key that is not less than the one before, valid until the transaction ends.
func (w *walk) get(key []byte) ([]byte, bool) {
	if w.c == nil {
		return nil, false
	}
	steps := 0
	for ; w.begun && steps < nearby && w.k != nil && bytes.Compare(w.k, key) < 0; steps++ {
		w.k, w.v = w.c.Next()
	}
	if !w.begun || (steps == nearby && w.k != nil && bytes.Compare(w.k, key) < 0) {
		w.begun = true
		w.k, w.v = w.c.Seek(key)
	}
	if !bytes.Equal(w.k, key) {
		return nil, false
	}
	return w.v, true
}

// ascending returns numbers in ascending order, each once.
func ascending(nums []store.Num) []store.Num {
	for i := 1; i < len(nums); i++ {
		if nums[i] <= nums[i-1] {
			nums = slices.Clone(nums)
			slices.Sort(nums)
			return slices.Compact(nums)
		}
	}
	return nums
}

// order returns the positions of numbers in the order in which a walk takes them; nil when that is theirs.
func order(nums []store.Num) []int {
	if slices.IsSorted(nums) {
		return nil
	}
	positions := make([]int, len(nums))
	for i := range positions {
		positions[i] = i
	}
	slices.SortFunc(positions, func(a, b int) int { return cmp.Compare(nums[a], nums[b]) })
	return positions
}

// position returns the i-th of the positions that order returned.
func position(order []int, i int) int {
	if order == nil {
		return i
	}
	return order[i]
}
