package bolt

import (
	"context"
	"errors"
	"slices"

	"go.etcd.io/bbolt"
)

// copyChunk is how much is copied in one transaction, in bytes: bbolt keeps what a transaction writes in memory.
const copyChunk = 16 << 20

// copier fills an empty file with buckets of another one, in the order of their keys, so that its pages are full.
type copier struct {
	ctx  context.Context //nolint:containedctx // of the one call that the copier lives for
	db   *bbolt.DB
	tx   *bbolt.Tx
	size int // of what tx has put
}

// copyPartitions copies partitions' buckets, those that exist, and what the file says of itself.
func copyPartitions(ctx context.Context, db *bbolt.DB, from *bbolt.Tx, keys [][]byte) (err error) {
	c := &copier{ctx: ctx, db: db}
	if c.tx, err = db.Begin(true); err != nil {
		return err
	}
	defer func() {
		if c.tx != nil {
			_ = c.tx.Rollback() // also when the file that is read is damaged; after a commit it does nothing
		}
	}()
	for _, key := range slices.Concat([][]byte{[]byte(metaBucket)}, keys) {
		if b := from.Bucket(key); b != nil {
			if err := c.bucket(b, [][]byte{key}); err != nil {
				return err
			}
		}
	}
	if err := errors.Join(waiting().make(c.tx), awaiting().make(c.tx)); err != nil {
		return err
	}
	return c.tx.Commit()
}

// bucket copies what is in a bucket. path names it from the top level on.
func (c *copier) bucket(from *bbolt.Bucket, path [][]byte) error {
	to, err := c.open(path)
	if err != nil {
		return err
	}
	if err := to.SetSequence(from.Sequence()); err != nil {
		return err
	}
	cursor := from.Cursor()
	for k, v := cursor.First(); k != nil; k, v = cursor.Next() {
		if v == nil { // another bucket
			if err := c.bucket(from.Bucket(k), append(slices.Clone(path), k)); err != nil {
				return err
			}
			if to, err = c.open(path); err != nil {
				return err
			}
			continue
		}
		if c.size >= copyChunk {
			if err := c.next(); err != nil {
				return err
			}
			if to, err = c.open(path); err != nil {
				return err
			}
		}
		if err := to.Put(k, v); err != nil {
			return err
		}
		c.size += len(k) + len(v)
	}
	return nil
}

// open returns a bucket of the copy.
func (c *copier) open(path [][]byte) (*bbolt.Bucket, error) {
	b, err := c.tx.CreateBucketIfNotExists(path[0])
	for _, key := range path[1:] {
		if err != nil {
			return nil, err
		}
		b, err = b.CreateBucketIfNotExists(key)
	}
	if err != nil {
		return nil, err
	}
	b.FillPercent = 0.95
	return b, nil
}

// next goes on in another transaction.
func (c *copier) next() (err error) {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	if err := c.tx.Commit(); err != nil {
		return err
	}
	c.size = 0
	c.tx, err = c.db.Begin(true)
	return err
}
