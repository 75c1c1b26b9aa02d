package postgres

import (
	"context"

	"dirsyncd/store"
)

// Scratch implements store.Store.
func (s *Store) Scratch(ctx context.Context, parts ...store.Partition) (store.Store, error) {
	return nil, misuse("not yet")
}

func (s *Store) dropSchema() error { return nil }
