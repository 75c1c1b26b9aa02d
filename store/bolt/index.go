package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"dirsyncd/store"
)

// partitionIndex tells in which partitions something is, so that nobody has to look into all of them. Its keys end with the name of
// a partition's bucket; its values are empty. It is kept by the transactions that change what it is about.
type partitionIndex struct {
	bucket string
	what   string // in messages
	// partition returns the name of the partition's bucket in a key.
	partition func(key []byte) []byte
	// due works out from the partitions what the index has to hold, in order.
	due func(btx *bbolt.Tx) ([][]byte, error)
}

// list returns the partitions of the keys that begin with any of some prefixes, after which nothing but the partition follows.
func (x *partitionIndex) list(ctx context.Context, s *Store, prefixes ...[]byte) ([]store.Partition, error) {
	var list []store.Partition
	err := s.transact(ctx, false, "list waiting partitions", func(btx *bbolt.Tx) (bool, error) {
		b := btx.Bucket([]byte(x.bucket))
		for _, prefix := range prefixes {
			for k := range scan(b, prefix, prefix) {
				list = append(list, partitionOf(k[len(prefix):]))
			}
		}
		return false, nil
	})
	slices.SortFunc(list, store.Partition.Compare)
	return slices.Compact(list), err
}

// note puts a key into the index, or takes it out.
func (x *partitionIndex) note(t *tx, key []byte, there bool) error {
	b := t.btx.Bucket([]byte(x.bucket))
	switch {
	case !there && b == nil:
		return nil
	case !there:
		return t.failed(b.Delete(key))
	case b == nil:
		var err error
		if b, err = t.btx.CreateBucket([]byte(x.bucket)); err != nil {
			return t.failed(err)
		}
	}
	if k, _ := b.Cursor().Seek(key); bytes.Equal(k, key) {
		return nil
	}
	return t.failed(b.Put(key, nil))
}

// move gives a partition another name; none removes it.
func (x *partitionIndex) move(btx *bbolt.Tx, was, is []byte) error {
	b := btx.Bucket([]byte(x.bucket))
	if b == nil {
		return nil
	}
	var gone [][]byte
	for k := range scan(b, nil, nil) {
		if bytes.Equal(x.partition(k), was) {
			gone = append(gone, bytes.Clone(k))
		}
	}
	for _, k := range gone {
		if err := b.Delete(k); err != nil {
			return err
		}
		if is == nil {
			continue
		}
		if err := b.Put(append(slices.Clip(k[:len(k)-len(was)]), is...), nil); err != nil {
			return err
		}
	}
	return nil
}

// make makes the index of a file that has none.
func (x *partitionIndex) make(btx *bbolt.Tx) error {
	keys, err := x.due(btx)
	if err != nil || len(keys) == 0 {
		return err
	}
	b, err := btx.CreateBucketIfNotExists([]byte(x.bucket))
	if err != nil {
		return err
	}
	for _, k := range keys {
		err = errors.Join(err, b.Put(k, nil))
	}
	return err
}

// verify checks that the index says what the partitions do.
func (x *partitionIndex) verify(ctx context.Context, s *Store) (problems []error, err error) {
	err = s.transact(ctx, false, "verify state", func(btx *bbolt.Tx) (bool, error) {
		want, err := x.due(btx)
		if err != nil {
			return false, nil //nolint:nilerr // the check of the partition names it
		}
		var got [][]byte
		for k := range scan(btx.Bucket([]byte(x.bucket)), nil, nil) {
			got = append(got, k)
		}
		if !slices.EqualFunc(got, want, bytes.Equal) {
			problems = append(problems, fmt.Errorf("%s: %d entries are listed, %d are due, or others", x.what, len(got), len(want)))
		}
		return false, nil
	})
	return problems, err
}
