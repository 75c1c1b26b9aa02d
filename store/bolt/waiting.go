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

// waitingBucket tells which partitions have actions for a target, so that nobody has to look into all of them. Its
// keys are target, NUL, name of the partition's bucket; its values are empty. It is kept by the transactions that make
// an outbox empty, or no longer empty.
const waitingBucket = "\x00waiting"

func waitingKey(target string, partition []byte) []byte {
	return append([]byte(target+"\x00"), partition...)
}

// Waiting implements store.Store.
func (s *Store) Waiting(ctx context.Context, target string) ([]store.Partition, error) {
	if !canBeTarget(target) {
		return nil, misuse("target %q cannot be named", target)
	}
	var list []store.Partition
	err := s.transact(ctx, false, "list waiting partitions", func(btx *bbolt.Tx) (bool, error) {
		prefix := waitingKey(target, nil)
		for k := range scan(btx.Bucket([]byte(waitingBucket)), prefix, prefix) {
			list = append(list, partitionOf(k[len(prefix):]))
		}
		return false, nil
	})
	return list, err
}

// noteWaiting brings the index up to date with an outbox of the partition.
func (t *tx) noteWaiting(target string, waits bool) error {
	b, err := t.btx.CreateBucketIfNotExists([]byte(waitingBucket))
	if err != nil {
		return t.failed(err)
	}
	key := waitingKey(target, t.key)
	if waits {
		return t.failed(b.Put(key, nil))
	}
	return t.failed(b.Delete(key))
}

// forgetWaiting removes a partition from the index.
func forgetWaiting(btx *bbolt.Tx, partition []byte) error { return moveWaiting(btx, partition, nil) }

// moveWaiting gives a partition another name in the index; none removes it.
func moveWaiting(btx *bbolt.Tx, was, is []byte) error {
	b := btx.Bucket([]byte(waitingBucket))
	if b == nil {
		return nil
	}
	var gone [][]byte
	for k := range scan(b, nil, nil) {
		if _, p, _ := bytes.Cut(k, []byte{0}); bytes.Equal(p, was) {
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
		target, _, _ := bytes.Cut(k, []byte{0})
		if err := b.Put(waitingKey(string(target), is), nil); err != nil {
			return err
		}
	}
	return nil
}

// waitingKeys works out from the outboxes what the index has to hold, in order.
func waitingKeys(btx *bbolt.Tx) (keys [][]byte, err error) {
	for name := range partitionNames(btx) {
		for target, value := range scan(btx.Bucket(name).Bucket([]byte(queues.String())), nil, nil) {
			var q queue
			if err := q.parse(value); err != nil {
				return nil, err
			}
			if q.depth > 0 {
				keys = append(keys, waitingKey(string(target), name))
			}
		}
	}
	slices.SortFunc(keys, bytes.Compare)
	return keys, nil
}

// indexWaiting makes the index of a file that has none.
func indexWaiting(btx *bbolt.Tx) error {
	keys, err := waitingKeys(btx)
	if err != nil {
		return err
	}
	b, err := btx.CreateBucketIfNotExists([]byte(waitingBucket))
	for _, k := range keys {
		err = errors.Join(err, b.Put(k, nil))
	}
	return err
}

// verifyWaiting checks that the index says what the outboxes do.
func (s *Store) verifyWaiting(ctx context.Context) (problems []error, err error) {
	err = s.transact(ctx, false, "verify state", func(btx *bbolt.Tx) (bool, error) {
		want, err := waitingKeys(btx)
		if err != nil {
			return false, nil //nolint:nilerr // the check of the partition names it
		}
		var got [][]byte
		for k := range scan(btx.Bucket([]byte(waitingBucket)), nil, nil) {
			got = append(got, k)
		}
		if !slices.EqualFunc(got, want, bytes.Equal) {
			problems = append(problems, fmt.Errorf("waiting: %d outboxes are listed, %d have actions, or others", len(got), len(want)))
		}
		return false, nil
	})
	return problems, err
}
