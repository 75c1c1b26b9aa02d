package bolt

import (
	"bytes"
	"crypto/sha256"

	"go.etcd.io/bbolt"

	"dirsyncd/store"
)

// Names give each handle text its number. Texts are replaced by a truncated hash: they are long and the number is all
// that anybody asks for.
//
// Hashes arrive at random, and a table in their order would rewrite most of its pages in every transaction of a first
// sync. So the file has them in the order of their numbers, where new ones are appended, and what finds the number of a
// hash is an index in memory (nameindex.go). It is made when a partition is first asked for a name.

// nameHash begins with what the index goes by.
type nameHash [nameSize]byte

const (
	nameSize = 16
	perBlock = 32 // hashes in a value; a page holds several values
)

func hashName(buf []byte) nameHash {
	sum := sha256.Sum256(buf)
	return nameHash(sum[:nameSize])
}

// nameBlock is a value of the column of names that was read last: those who are asked for together lie together.
type nameBlock struct {
	number store.Num
	hashes []byte // nil: none
}

// placeOf returns where the hash of a number is: in which block, and at which place of it.
func placeOf(n store.Num) (block store.Num, at int) {
	return (n - 1) / perBlock, int((n - 1) % perBlock)
}

// name returns the hash of a number that is in the file.
func (t *tx) name(n store.Num) ([]byte, error) {
	block, at := placeOf(n)
	if t.block.hashes == nil || t.block.number != block {
		hashes, _ := t.get(names, t.numKey(block))
		t.block = nameBlock{number: block, hashes: hashes}
	}
	if (at+1)*nameSize > len(t.block.hashes) {
		return nil, t.corrupt(names)
	}
	return t.block.hashes[at*nameSize : (at+1)*nameSize], nil
}

// isName reports whether a number is that of a hash. Numbers that this transaction does not know are no hash's: others
// gave them, later.
func (t *tx) isName(h *nameHash, n store.Num) (bool, error) {
	if n > store.Num(t.stored.lastNum) {
		fresh := uint64(n) - t.stored.lastNum - 1
		return fresh < uint64(len(t.fresh)) && t.fresh[fresh] == *h, nil
	}
	name, err := t.name(n)
	return bytes.Equal(name, h[:]), err
}

// lookup returns the number of a name, zero if it has none.
func (t *tx) lookup(h *nameHash) (store.Num, error) {
	x, err := t.index()
	if x == nil || err != nil {
		return 0, err
	}
	return x.find(h, t.isName)
}

// index returns the index of the partition's names; nil while it has none.
func (t *tx) index() (*nameIndex, error) {
	if t.nameIndex != nil || t.stored.lastNum == 0 {
		return t.nameIndex, nil
	}
	b := t.bucket(names)
	if b == nil {
		return nil, t.corrupt(names)
	}
	x := t.s.nameIndexes.of(b.Sequence())
	if err := x.readUpTo(t, store.Num(t.stored.lastNum)); err != nil {
		return nil, err
	}
	t.nameIndex = x
	return x, nil
}

// Lookup implements store.Reader.
func (t *tx) Lookup(handles []string, nums []store.Num) ([]store.Num, error) {
	for _, handle := range handles {
		t.buf = append(t.buf[:0], handle...)
		t.hash = hashName(t.buf)
		n, err := t.lookup(&t.hash)
		if err != nil {
			return nums, err
		}
		nums = append(nums, n)
	}
	return nums, nil
}

// Intern implements store.Writer.
func (t *tx) Intern(handles []string, nums []store.Num) ([]store.Num, error) {
	for _, handle := range handles {
		n, _, err := t.intern(handle)
		if err != nil {
			return nums, err
		}
		nums = append(nums, n)
	}
	return nums, nil
}

// intern returns the number of a handle and whether it was given just now.
func (t *tx) intern(handle string) (n store.Num, isNew bool, err error) {
	t.buf = append(t.buf[:0], handle...)
	t.hash = hashName(t.buf)
	return t.internHash(&t.hash)
}

// internID is intern for directory.IDHandle(id), without making that text.
func (t *tx) internID(id string) (n store.Num, isNew bool, err error) {
	t.buf = append(append(t.buf[:0], "id:"...), id...)
	t.hash = hashName(t.buf)
	return t.internHash(&t.hash)
}

func (t *tx) internHash(h *nameHash) (n store.Num, isNew bool, err error) {
	if n, err = t.lookup(h); n != 0 || err != nil {
		return n, false, err
	}
	if t.count.lastNum == maxNum {
		return 0, false, misuse("partition is full: all numbers of handles are given")
	}
	if len(t.fresh) == 0 {
		if err := t.indexForWriting(); err != nil {
			return 0, false, err
		}
	}
	t.changed = true
	t.count.lastNum++
	n = store.Num(t.count.lastNum)
	t.fresh = append(t.fresh, *h)
	t.nameIndex.add(h, n)
	return n, true, nil
}

// indexForWriting prepares the index for names that are not in the file yet. They are out of it again when this
// transaction is not committed: the next one to write finds that the index has too much, and takes a new one.
func (t *tx) indexForWriting() error {
	b, err := t.writable(names)
	if err != nil {
		return err
	}
	if err := t.numberNames(b); err != nil {
		return err
	}
	x := t.s.nameIndexes.of(b.Sequence())
	if x.uncommitted {
		t.s.nameIndexes.forget(b.Sequence())
		x = t.s.nameIndexes.of(b.Sequence())
	}
	if err := x.readUpTo(t, store.Num(t.stored.lastNum)); err != nil {
		return err
	}
	t.nameIndex, x.uncommitted = x, true
	t.btx.OnCommit(func() { x.uncommitted = false })
	return nil
}

// numberNames gives the names of a partition their number in the file, unless they have it. It stands for these names for ever, whatever becomes
// of the partition or of its name.
func (t *tx) numberNames(b *bbolt.Bucket) error {
	if b.Sequence() > 0 {
		return nil
	}
	id, err := t.btx.Bucket([]byte(metaBucket)).NextSequence()
	if err == nil {
		err = b.SetSequence(id)
	}
	return t.failed(err)
}

// flushNames appends the names of this transaction to those of the file.
func (t *tx) flushNames() error {
	first := store.Num(t.stored.lastNum) + 1
	for fresh := t.fresh; len(fresh) > 0; {
		block, at := placeOf(first)
		n := min(len(fresh), perBlock-at)
		old, _ := t.get(names, t.numKey(block))
		if len(old) != at*nameSize {
			return t.corrupt(names)
		}
		value := append(t.alloc((at + n) * nameSize)[:0], old...)
		for i := range fresh[:n] {
			value = append(value, fresh[i][:]...)
		}
		if err := t.put(names, t.numKey(block), value); err != nil {
			return err
		}
		fresh, first = fresh[n:], first+store.Num(n)
	}
	t.fresh, t.block = nil, nameBlock{}
	return nil
}
