package bolt

import (
	"bytes"
	"context"
	"slices"

	"go.etcd.io/bbolt"

	"dirsyncd/store"
)

// waiting tells which partitions have actions for a target. Its keys are target, NUL, name of the partition's bucket. It is kept by
// the transactions that make an outbox empty, or no longer empty.
func waiting() *partitionIndex {
	return &partitionIndex{bucket: "\x00waiting", what: "waiting", due: waitingKeys, partition: func(key []byte) []byte {
		_, partition, _ := bytes.Cut(key, []byte{0})
		return partition
	}}
}

func waitingKey(target string, partition []byte) []byte {
	return append([]byte(target+"\x00"), partition...)
}

// Waiting implements store.Store.
func (s *Store) Waiting(ctx context.Context, target string) ([]store.Partition, error) {
	if !canBeTarget(target) {
		return nil, misuse("target %q cannot be named", target)
	}
	return waiting().list(ctx, s, waitingKey(target, nil))
}

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
