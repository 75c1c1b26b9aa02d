package bolt

import (
	"bytes"
	"context"

	"go.etcd.io/bbolt"
)

// ledgerBucket has the values of Ledger by their names. Older programs leave it alone.
const ledgerBucket = "\x00ledger"

// Ledger implements store.Store.
func (s *Store) Ledger(ctx context.Context, name string, fn func(was []byte) (is []byte, err error)) error {
	if name == "" {
		return misuse("a ledger needs a name")
	}
	return s.transact(ctx, true, "write state", func(btx *bbolt.Tx) (changed bool, err error) {
		b := btx.Bucket([]byte(ledgerBucket))
		var was []byte
		if b != nil {
			was = bytes.Clone(b.Get([]byte(name)))
		}
		is, err := fn(was)
		switch {
		case err != nil || bytes.Equal(was, is) && (was == nil) == (is == nil):
			return false, err
		case b == nil:
			b, err = btx.CreateBucket([]byte(ledgerBucket))
		}
		switch {
		case err != nil:
		case is == nil:
			err = b.Delete([]byte(name))
		default:
			err = b.Put([]byte(name), bytes.Clone(is))
		}
		if err != nil {
			return false, classify("write state", s.path, err)
		}
		return true, nil
	})
}
