package bolt

import (
	"bytes"
	"context"
	"errors"
	"strings"

	"go.etcd.io/bbolt"

	"dirsyncd/store"
)

// View implements store.Store.
func (s *Store) View(ctx context.Context, p store.Partition, fn func(store.Reader) error) error {
	key, err := partitionKey(p)
	if err != nil {
		return err
	}
	return s.transact(ctx, false, "read state", func(btx *bbolt.Tx) (bool, error) {
		t, err := begin(btx, key)
		if err != nil {
			return false, damage("read state", s.path, err)
		}
		return false, fn(t)
	})
}

// Update implements store.Store. A transaction in which nothing was changed costs no write.
func (s *Store) Update(ctx context.Context, p store.Partition, fn func(store.Writer) error) error {
	key, err := partitionKey(p)
	if err != nil {
		return err
	}
	return s.transact(ctx, true, "write state", func(btx *bbolt.Tx) (bool, error) {
		t, err := begin(btx, key)
		if err != nil {
			return false, damage("write state", s.path, err)
		}
		if err := fn(t); err != nil {
			return false, err
		}
		if err := t.flush(); err != nil {
			return false, classify("write state", s.path, err)
		}
		return t.changed, nil
	})
}

// transact runs body in a transaction, which is committed when body says so. An error of body comes back
// unchanged.
func (s *Store) transact(ctx context.Context, writable bool, op string, body func(*bbolt.Tx) (bool, error)) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	if writable {
		select {
		case s.writer <- struct{}{}:
			defer func() { <-s.writer }()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if broken := s.broken.Load(); broken != nil {
		return *broken
	}
	var btx *bbolt.Tx
	done := false
	defer s.guard(op, &done, &err, func() { s.abandon(op, btx) })()
	if btx, err = s.db.Begin(writable); err != nil {
		done = true
		return classify(op, s.path, err)
	}
	commit, err := body(btx)
	if err != nil || !commit {
		err = errors.Join(err, nil)
	}
	done, err = s.finish(op, btx, commit, err)
	return err
}
