package bolt

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"

	"go.etcd.io/bbolt"

	"dirsyncd/store/encoding"
)

// verifyItems checks what sign-in keeps: every item is found by its owners and its time, and by nothing else, and is counted.
func (s *Store) verifyItems(ctx context.Context) (problems []error, err error) {
	err = s.transact(ctx, false, "verify state", func(btx *bbolt.Tx) (bool, error) {
		problems = s.itemsTx(btx).verify()
		return false, nil
	})
	return problems, err
}

func (t *itemsTx) verify() (problems []error) {
	bad := func(name, format string, args ...any) {
		if len(problems) < maxProblems {
			problems = append(problems, fmt.Errorf("items, %s: "+format, append([]any{name}, args...)...))
		}
	}
	counts, times, owners := map[string]uint64{}, 0, 0
	for k, v := range scan(t.bucket(itemsOf), nil, nil) {
		space, key, ok := cutItemKey(k, 0)
		item, also := encoding.ParseItem(v)
		if !ok || !also || len(key) == 0 {
			bad(itemsOf, "an item of %q is damaged", space)
			continue
		}
		item.Key = key
		counts[space]++
		if !item.Until.IsZero() {
			times++
			if !t.has(itemUntil, itemUntilKey(space, &item)) {
				bad(itemUntil, "an item of %q is missing", space)
			}
		}
		for _, owner := range item.Owners {
			owners++
			if !t.has(itemOwners, itemOwnerKey(space, owner, key)) {
				bad(itemOwners, "an item of %q is missing", space)
			}
		}
	}
	for name, want := range map[string]int{itemUntil: times, itemOwners: owners} {
		found := 0
		for range scan(t.bucket(name), nil, nil) {
			found++
		}
		if found != want {
			bad(name, "%d entries are there, %d are due", found, want)
		}
	}
	for k, v := range scan(t.bucket(itemCounts), nil, nil) {
		space := string(bytes.TrimSuffix(k, []byte{0}))
		if n, ok := keySeq(v); !ok || n != counts[space] {
			bad(itemCounts, "%d of %q are counted, %d are there", n, space, counts[space])
		}
		delete(counts, space)
	}
	for _, space := range slices.Sorted(maps.Keys(counts)) {
		bad(itemCounts, "those of %q are not counted", space)
	}
	return problems
}

// has reports whether a key without a value is there.
func (t *itemsTx) has(name string, key []byte) bool {
	b := t.bucket(name)
	if b == nil {
		return false
	}
	k, _ := b.Cursor().Seek(key)
	return bytes.Equal(k, key)
}
