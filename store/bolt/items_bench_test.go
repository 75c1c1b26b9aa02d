package bolt_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"dirsyncd/store"
	"dirsyncd/store/bolt"
)

// BenchmarkItems is durable: alone, and with 50 who wait together, as at a hundred sign-ins a second.
func BenchmarkItems(b *testing.B) {
	put := func(items store.Items, n int64) error {
		return items.Put(b.Context(), "session", store.Item{
			Key: fmt.Appendf(nil, "%032d", n), Owners: [][]byte{fmt.Append(nil, n/2)}, Until: time.Unix(2e9, 0), Value: make([]byte, 600),
		})
	}
	b.Run("alone", func(b *testing.B) {
		items := openStore(b, bolt.Options{}).Items()
		for n := int64(0); b.Loop(); n++ {
			if err := put(items, n); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("together", func(b *testing.B) {
		items := openStore(b, bolt.Options{}).Items()
		var n atomic.Int64
		b.SetParallelism(50)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if err := put(items, n.Add(1)); err != nil {
					b.Error(err)
				}
			}
		})
	})
}
