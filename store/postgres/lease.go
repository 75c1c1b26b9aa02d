package postgres

import (
	"context"
	"time"
)

type leases struct{ s *Store }

type lease struct {
	name  string
	fence int64
}

func newLeases(s *Store, _ time.Duration) *leases { return &leases{s: s} }

func (l *leases) close() {}

func (l *leases) enter(context.Context, string) (held []*lease, end func(), err error) {
	return nil, func() {}, nil
}

func (l *leases) lose([]*lease) {}

func fencesOf(held []*lease) (names []string, fences []int64) { return []string{}, []int64{} }

// Lease implements store.Store.
func (s *Store) Lease(ctx context.Context, name string, ttl time.Duration) (context.Context, func(), error) {
	return nil, nil, misuse("not yet")
}
