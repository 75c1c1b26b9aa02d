package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"iter"

	"go.etcd.io/bbolt"

	"dirsyncd/store"
)

const (
	countersKey = "counters"
	tenantKey   = "tenant"
	matchingKey = "matching"
)

// tx is a transaction on one partition: store.Reader, and store.Writer where bbolt's transaction is writable.
//
// Buckets and cursors are kept once opened, since opening one costs as much as reading from it. What a writer
// learns at random (names, memberships, referrers) is collected and written in the order of the keys before
// it is read again, or when the transaction ends.
type tx struct {
	s    *Store
	btx  *bbolt.Tx
	key  []byte        // of the partition
	root *bbolt.Bucket // of the partition; nil while it does not exist

	opened  [bucketCount]*bbolt.Bucket
	cursors [bucketCount]*bbolt.Cursor
	absent  [bucketCount]bool

	count   counters
	stored  counters // as in the file
	changed bool     // there is something to commit

	nameIndex *nameIndex // nil while nobody asked for it
	block     nameBlock
	hash      nameHash             // of the name that is looked for
	fresh     []nameHash           // names that are in no bucket yet, in the order of their numbers
	pending   [bucketCount]pairLog // changes of pair sets that are in no bucket yet
	queues    map[string]*queue    // those that this transaction looked at

	matching matching

	desk       *deskCounts // nil while nobody looked at them
	storedDesk deskCounts  // as in the file

	chunk, merged []store.Num // scratch of members.go

	bytes []byte // room for values that live as long as the transaction
	nums  []store.Num
	buf   []byte // scratch, valid until the next use
	key16 [16]byte
}

var (
	_ store.Reader = (*tx)(nil)
	_ store.Writer = (*tx)(nil)
)

func (s *Store) begin(btx *bbolt.Tx, key []byte) (*tx, error) {
	t := &tx{s: s, btx: btx, key: key, root: btx.Bucket(key)}
	if t.root != nil {
		if err := t.count.parse(t.value(countersKey)); err != nil {
			return nil, damage("open partition", s.path, err)
		}
	}
	t.stored = t.count
	return t, nil
}

// flush writes what was collected.
func (t *tx) flush() error {
	err := errors.Join(t.flushNames(), t.flushPairs(memberOf), t.flushPairs(referrers), t.flushPairs(contested),
		t.flushMatch(), t.flushQueues(), t.flushDesk())
	if err != nil || t.count == t.stored {
		return err
	}
	t.stored = t.count
	return t.putValue(countersKey, t.count.append(nil))
}

// corrupt makes the error for a value that does not decode.
func (t *tx) corrupt(p bucketID) error { return damage("read state", t.s.path, corrupt(p.String())) }

// failed classifies an error of bbolt; nil stays nil.
func (t *tx) failed(err error) error {
	if err == nil {
		return nil
	}
	return classify("write state", t.s.path, err)
}

// bucket returns a bucket for reading, nil when it does not exist.
func (t *tx) bucket(p bucketID) *bbolt.Bucket {
	if t.opened[p] != nil || t.absent[p] || t.root == nil {
		return t.opened[p]
	}
	b := t.root.Bucket([]byte(p.String()))
	if b == nil {
		t.absent[p] = true
		return nil
	}
	b.FillPercent = p.fill()
	t.opened[p] = b
	return b
}

// writable returns a bucket for writing.
func (t *tx) writable(p bucketID) (*bbolt.Bucket, error) {
	t.changed = true
	if b := t.bucket(p); b != nil {
		return b, nil
	}
	if err := t.create(); err != nil {
		return nil, err
	}
	b, err := t.root.CreateBucketIfNotExists([]byte(p.String()))
	if err != nil {
		return nil, t.failed(err)
	}
	b.FillPercent = p.fill()
	t.opened[p], t.absent[p] = b, false
	return b, nil
}

// create makes the partition exist.
func (t *tx) create() (err error) {
	t.changed = true
	if t.root == nil {
		t.root, err = t.btx.CreateBucketIfNotExists(t.key)
	}
	return t.failed(err)
}

// remove deletes a whole bucket.
func (t *tx) remove(p bucketID) error {
	if t.bucket(p) == nil {
		return nil
	}
	t.changed = true
	t.opened[p], t.cursors[p], t.absent[p] = nil, nil, true
	return t.failed(t.root.DeleteBucket([]byte(p.String())))
}

// get returns the value of a key, valid until the transaction ends.
func (t *tx) get(p bucketID, key []byte) ([]byte, bool) {
	k, v := t.seek(p, key)
	if !bytes.Equal(k, key) {
		return nil, false
	}
	return v, true
}

// seek returns the first key that is not less than another one, and its value, valid until the transaction ends; nil
// when there is none.
func (t *tx) seek(p bucketID, key []byte) (k, v []byte) {
	c := t.cursors[p]
	if c == nil {
		b := t.bucket(p)
		if b == nil {
			return nil, nil
		}
		c = b.Cursor()
		t.cursors[p] = c
	}
	return c.Seek(key)
}

// put stores a value, which must not change until the transaction ends. The key is copied.
func (t *tx) put(p bucketID, key, value []byte) error {
	b, err := t.writable(p)
	if err != nil {
		return err
	}
	return t.failed(b.Put(key, value))
}

// del removes a key, which need not exist.
func (t *tx) del(p bucketID, key []byte) error {
	if _, ok := t.get(p, key); !ok {
		return nil
	}
	t.changed = true
	return t.failed(t.cursors[p].Delete()) // it stands at the key
}

// putValue stores one of the values that are beside the buckets.
func (t *tx) putValue(key string, value []byte) error {
	if err := t.create(); err != nil {
		return err
	}
	return t.failed(t.root.Put([]byte(key), value))
}

// scan iterates over the keys of a bucket that begin with prefix, from a key on.
func scan(b *bbolt.Bucket, from, prefix []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		if b == nil {
			return
		}
		c := b.Cursor()
		for k, v := c.Seek(from); k != nil && bytes.HasPrefix(k, prefix); k, v = c.Next() {
			if !yield(k, v) {
				return
			}
		}
	}
}

// all iterates over a whole bucket.
func (t *tx) all(p bucketID) iter.Seq2[[]byte, []byte] { return scan(t.bucket(p), nil, nil) }

// after iterates over the keys of a bucket that are greater than a number.
func (t *tx) after(p bucketID, n store.Num) iter.Seq2[[]byte, []byte] {
	if n == maxNum {
		return scan(nil, nil, nil)
	}
	return scan(t.bucket(p), numKey(n+1), nil)
}

// alloc returns room for a value that lives as long as the transaction. One large piece of memory for many
// values spares the collector most of its work.
func (t *tx) alloc(size int) []byte {
	if size > len(t.bytes) {
		t.bytes = make([]byte, max(size, 64<<10))
	}
	b := t.bytes[:size:size]
	t.bytes = t.bytes[size:]
	return b
}

// keep copies a value to where it lives as long as the transaction.
func (t *tx) keep(value []byte) []byte {
	b := t.alloc(len(value))
	copy(b, value)
	return b
}

// maxNum is the largest number of a handle.
const maxNum = 1<<32 - 1

// numKey is a number as a key. See tx.numKey for one that costs no memory.
func numKey(n store.Num) []byte { return binary.BigEndian.AppendUint32(nil, uint32(n)) }

// numKey returns a key that is valid until the next call.
func (t *tx) numKey(n store.Num) []byte { return binary.BigEndian.AppendUint32(t.key16[:0], uint32(n)) }

func seqKey(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// keyNum and keySeq read keys back; ok is false for one that has another length.
func keyNum(key []byte) (n store.Num, ok bool) {
	if len(key) != 4 {
		return 0, false
	}
	return store.Num(binary.BigEndian.Uint32(key)), true
}

func keySeq(key []byte) (n uint64, ok bool) {
	if len(key) != 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(key), true
}

// checkNum refuses a number that was never given: it would be taken for a real one for ever.
func (t *tx) checkNum(n store.Num) error {
	if n == 0 || uint64(n) > t.count.lastNum {
		return misuse("number %d was not given to a handle", n)
	}
	return nil
}
