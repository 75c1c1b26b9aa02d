package postgres

import (
	"context"

	"dirsyncd/store"
)

// Waiting implements store.Store.
func (s *Store) Waiting(ctx context.Context, target string) ([]store.Partition, error) {
	return nil, misuse("not yet")
}

// Awaiting implements store.Store.
func (s *Store) Awaiting(ctx context.Context, target string, keys ...string) ([]store.Partition, error) {
	return nil, misuse("not yet")
}
