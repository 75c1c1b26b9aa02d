package relations

import (
	"github.com/RoaringBitmap/roaring/v2"

	"dirsyncd/store"
)

// Set makes a set of numbers.
func Set(list []store.Num) *roaring.Bitmap {
	b := roaring.New()
	for _, n := range list {
		b.Add(uint32(n))
	}
	return b
}

// Nums are the numbers of a set, ascending.
func Nums(b *roaring.Bitmap) []store.Num {
	list := make([]store.Num, 0, b.GetCardinality())
	for it := b.Iterator(); it.HasNext(); {
		list = append(list, store.Num(it.Next()))
	}
	return list
}
