package bolt

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"slices"
	"strings"

	"go.etcd.io/bbolt"

	"dirsyncd/store"
	"dirsyncd/sync/fault"
)

// View implements store.Store.
func (s *Store) View(ctx context.Context, p store.Partition, fn func(store.Reader) error) error {
	key, err := partitionKey(p)
	if err != nil {
		return err
	}
	return s.transact(ctx, false, "read state", func(btx *bbolt.Tx) (bool, error) {
		t, err := s.begin(btx, key)
		if err != nil {
			return false, err
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
		t, err := s.begin(btx, key)
		if err != nil {
			return false, err
		}
		if err := fn(t); err != nil {
			return false, err
		}
		return t.changed, t.flush()
	})
}

// transact runs body in a transaction, which is committed when body says so. An error of body comes back
// unchanged.
func (s *Store) transact(ctx context.Context, writable bool, op string, body func(*bbolt.Tx) (bool, error)) error {
	if err := ended(ctx, op); err != nil {
		return err
	}
	if writable {
		select {
		case s.writer <- struct{}{}:
			defer func() { <-s.writer }()
		case <-ctx.Done():
			return ended(ctx, op)
		}
		end, err := s.fence(ctx, op)
		if err != nil {
			return err
		}
		defer end()
	}
	return s.run(writable, op, body)
}

// run is transact for whoever has the token of the one writer, or only reads.
func (s *Store) run(writable bool, op string, body func(*bbolt.Tx) (bool, error)) (err error) {
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
	if err == nil && commit {
		err = s.commit(op, btx)
	} else {
		_ = btx.Rollback() // cannot fail: the transaction is open
	}
	done = true
	return err
}

// commit makes a transaction durable. When it fails and has had its effect all the same (the last small write
// was made, its sync failed), what Update says and what the file holds differ: the store stops there.
func (s *Store) commit(op string, btx *bbolt.Tx) error {
	id := btx.ID()
	err := btx.Commit()
	if err == nil {
		return nil
	}
	err = classify(op, s.path, err)
	now, beginErr := s.db.Begin(false)
	if beginErr != nil {
		s.broken.CompareAndSwap(nil, &err)
		return err
	}
	if now.ID() >= id {
		err = &fault.Error{Class: fault.Internal, Op: op, Where: s.path, Err: err,
			Hint: "the disk did not confirm the write: check it, then start dirsyncd again"}
		s.broken.CompareAndSwap(nil, &err)
	}
	_ = now.Rollback()
	return err
}

// abandon rolls back after a panic. When bbolt cannot do even that, its locks may stay taken.
func (s *Store) abandon(op string, btx *bbolt.Tx) {
	if btx == nil {
		return
	}
	defer func() {
		if cause := recover(); cause != nil {
			_ = s.breakDown(op, cause) // the panic under way says it
		}
	}()
	_ = btx.Rollback()
}

// updatedAtOnce bounds how many partitions UpdateEach writes before others have their turn.
const updatedAtOnce = 1000

// UpdateEach implements store.Grouper: a commit waits for the disk, so there is one for many partitions.
func (s *Store) UpdateEach(ctx context.Context, parts []store.Partition, fn func(store.Partition, store.Writer) error) error {
	for chunk := range slices.Chunk(parts, updatedAtOnce) {
		err := s.transact(ctx, true, "write state", func(btx *bbolt.Tx) (changed bool, err error) {
			for _, p := range chunk {
				key, err := partitionKey(p)
				if err != nil {
					return false, err
				}
				t, err := s.begin(btx, key)
				if err != nil {
					return false, err
				}
				if err := fn(p, t); err != nil {
					return false, err
				}
				if err := t.flush(); err != nil {
					return false, err
				}
				changed = changed || t.changed
			}
			return changed, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Partitions implements store.Store.
func (s *Store) Partitions(ctx context.Context, connections ...string) ([]store.Partition, error) {
	var list []store.Partition
	err := s.transact(ctx, false, "list partitions", func(btx *bbolt.Tx) (bool, error) {
		if len(connections) == 0 {
			for name := range partitionNames(btx) {
				if p := partitionOf(name); !ofTarget(p) {
					list = append(list, p)
				}
			}
			return false, nil
		}
		c := btx.Cursor()
		for _, connection := range slices.Compact(slices.Sorted(slices.Values(connections))) {
			prefix := []byte(connection + "\x00")
			for name, _ := c.Seek(prefix); connection != "" && bytes.HasPrefix(name, prefix); name, _ = c.Next() {
				list = append(list, partitionOf(name))
			}
		}
		return false, nil
	})
	return list, err
}

// partitionNames iterates over the names of the partitions' buckets, in order.
func partitionNames(btx *bbolt.Tx) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		c := btx.Cursor()
		for name, _ := c.First(); name != nil; name, _ = c.Next() {
			if name[0] != 0 && !yield(name) {
				return
			}
		}
	}
}

// DropPartition implements store.Store.
func (s *Store) DropPartition(ctx context.Context, p store.Partition) error {
	key, err := partitionKey(p)
	if err != nil {
		return err
	}
	return s.transact(ctx, true, "drop partition", func(btx *bbolt.Tx) (bool, error) {
		root := btx.Bucket(key)
		if root == nil {
			return false, nil
		}
		if b := root.Bucket([]byte(names.String())); b != nil {
			s.nameIndexes.forget(b.Sequence()) // who needs it once more makes it once more
		}
		if err := dropPartition(btx, key); err != nil {
			return false, classify("drop partition", s.path, err)
		}
		return true, nil
	})
}

// MovePartition implements store.Store. Nothing is copied but what is beside the buckets.
func (s *Store) MovePartition(ctx context.Context, from, to store.Partition) error {
	was, err := partitionKey(from)
	if err != nil {
		return err
	}
	is, err := partitionKey(to)
	if err != nil {
		return err
	}
	return s.transact(ctx, true, "move partition", func(btx *bbolt.Tx) (bool, error) {
		switch {
		case btx.Bucket(was) == nil:
			return false, nil
		case btx.Bucket(is) != nil:
			return false, misuse("partition %q is moved to %q, where there is something", from, to)
		}
		if err := movePartition(btx, was, is); err != nil {
			return false, classify("move partition", s.path, err)
		}
		return true, nil
	})
}

func movePartition(btx *bbolt.Tx, was, is []byte) error {
	into, err := btx.CreateBucket(is)
	if err != nil {
		return err
	}
	from := btx.Bucket(was)
	var buckets [][]byte
	err = from.ForEach(func(k, v []byte) error {
		if v == nil {
			buckets = append(buckets, bytes.Clone(k))
			return nil
		}
		return into.Put(k, v)
	})
	if err != nil {
		return err
	}
	for _, k := range buckets {
		if err := from.MoveBucket(k, into); err != nil {
			return err
		}
	}
	return errors.Join(btx.DeleteBucket(was), waiting().move(btx, was, is), awaiting().move(btx, was, is))
}

func dropPartition(btx *bbolt.Tx, key []byte) error {
	if err := btx.DeleteBucket(key); err != nil {
		return err
	}
	return errors.Join(waiting().move(btx, key, nil), awaiting().move(btx, key, nil))
}

// partitionKey names a partition's bucket. NUL sorts before everything else, so that the buckets' order is
// that of connections, then tenants.
func partitionKey(p store.Partition) ([]byte, error) {
	if p.Connection == "" || strings.Contains(p.Connection+p.Tenant, "\x00") {
		return nil, misuse("partition %q cannot be named", p)
	}
	return []byte(p.Connection + "\x00" + p.Tenant), nil
}

func ofTarget(p store.Partition) bool {
	_, ok := p.Target()
	return ok
}

// partitionOf reads a name of a partition's bucket back.
func partitionOf(key []byte) store.Partition {
	connection, tenant, _ := strings.Cut(string(key), "\x00")
	return store.Partition{Connection: connection, Tenant: tenant}
}
