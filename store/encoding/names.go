package encoding

import (
	"encoding/binary"

	"dirsyncd/store"
)

// NameSize is how much is kept of the hash of a handle, in bytes; NamesAtOnce is how many are in an entry of TableNames.
const (
	NameSize    = 16
	NamesAtOnce = 32
)

// NameEntries makes entries of TableNames of hashes that come in the order of their numbers, beginning with the first.
type NameEntries struct {
	Put func(store.Entry) error

	block uint32
	value []byte
}

// Add takes in the next hash.
func (n *NameEntries) Add(hash [NameSize]byte) error {
	if n.value = append(n.value, hash[:]...); len(n.value) < NamesAtOnce*NameSize {
		return nil
	}
	return n.End()
}

// End hands out what is left.
func (n *NameEntries) End() error {
	if len(n.value) == 0 {
		return nil
	}
	err := n.Put(store.Entry{Table: TableNames, Key: binary.BigEndian.AppendUint32(nil, n.block), Value: n.value})
	n.block, n.value = n.block+1, n.value[:0]
	return err
}
