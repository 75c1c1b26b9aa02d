package bolt

import (
	"bytes"
	"context"
	"slices"

	"go.etcd.io/bbolt"

	"dirsyncd/store"
)

// awaiting tells which partitions have actions that wait at a target outside of its outbox, and for what. Its keys are target, NUL,
// "p", name of the partition's bucket; and target, NUL, "k", hash16 of what is waited for, name of the partition's bucket.
func awaiting() *partitionIndex {
	return &partitionIndex{bucket: "\x00awaiting", what: "awaiting", due: awaitedKeys, partition: awaitedBy}
}

func awaitedPartition(target string, partition []byte) []byte {
	return append([]byte(target+"\x00p"), partition...)
}

// awaitedKey takes the beginning of the partition's own entries (waitKeyPrefix).
func awaitedKey(target string, prefix, partition []byte) []byte {
	key := append([]byte(target+"\x00k"), prefix[len(target)+1:]...)
	return append(key, partition...)
}

// awaitedBy returns the name of the partition's bucket in a key of the index.
func awaitedBy(k []byte) []byte {
	_, rest, _ := bytes.Cut(k, []byte{0})
	skip := 1
	if len(rest) > 0 && rest[0] == 'k' {
		skip += len(nameHash{})
	}
	if len(rest) < skip {
		return nil
	}
	return rest[skip:]
}

// Awaiting implements store.Store.
func (s *Store) Awaiting(ctx context.Context, target string, keys ...string) ([]store.Partition, error) {
	if !canBeTarget(target) {
		return nil, misuse("target %q cannot be named", target)
	}
	prefixes := [][]byte{awaitedPartition(target, nil)}
	if len(keys) > 0 {
		prefixes = prefixes[:0]
		for _, key := range keys {
			prefixes = append(prefixes, awaitedKey(target, waitKeyPrefix(target, key), nil))
		}
	}
	return awaiting().list(ctx, s, prefixes...)
}

func awaitedKeys(btx *bbolt.Tx) ([][]byte, error) {
	var keys [][]byte
	for name := range partitionNames(btx) {
		for k := range scan(btx.Bucket(name).Bucket([]byte(waitCounts.String())), nil, nil) {
			target, _, _ := bytes.Cut(k, []byte{0})
			keys = append(keys, awaitedPartition(string(target), name))
		}
		for k := range scan(btx.Bucket(name).Bucket([]byte(waitKeys.String())), nil, nil) {
			target, _, _ := bytes.Cut(k, []byte{0})
			if end := len(target) + 1 + len(nameHash{}); len(k) > end {
				keys = append(keys, awaitedKey(string(target), k[:end], name))
			}
		}
	}
	slices.SortFunc(keys, bytes.Compare)
	return slices.CompactFunc(keys, bytes.Equal), nil
}
