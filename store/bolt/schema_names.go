package bolt

import (
	"encoding/binary"
	"errors"
	"slices"

	"go.etcd.io/bbolt"
)

// orderNames leads from version 5 to 6. Version 5 had names in two tables by hash, "names" and "names.new", whose values
// are hash16, num4 entries, and counted those of the second one in its counters. The values of what is made live as long
// as the transaction: 16 bytes a name.
func orderNames(btx *bbolt.Tx) error {
	for _, key := range slices.Collect(partitionNames(btx)) {
		root := btx.Bucket(key)
		count := root.Get([]byte(countersKey))
		if count == nil {
			continue
		}
		last, size := binary.Uvarint(count)
		_, sizeOfNew := binary.Uvarint(count[max(size, 0):])
		if size <= 0 || sizeOfNew <= 0 {
			return corrupt("counters")
		}
		count = slices.Concat(count[:size], count[size+sizeOfNew:])
		if err := new(counters).parse(count); err != nil {
			return err
		}
		column, err := columnOfTables(root, last)
		if err != nil {
			return err
		}
		if err := errors.Join(root.Put([]byte(countersKey), count), putColumn(btx, root, column)); err != nil {
			return err
		}
	}
	return nil
}

// tablesOfNames5 are the buckets of names in version 5.
func tablesOfNames5() []string { return []string{"names", "names.new"} }

// columnOfTables returns the hashes of the tables in the order of their numbers, of which there are so many.
func columnOfTables(root *bbolt.Bucket, last uint64) (column []byte, err error) {
	const entrySize = nameSize + 4
	var found uint64
	for _, table := range tablesOfNames5() {
		for _, entries := range scan(root.Bucket([]byte(table)), nil, nil) {
			if len(entries)%entrySize != 0 {
				return nil, corrupt(table)
			}
			found += uint64(len(entries) / entrySize)
		}
	}
	if found != last {
		return nil, corrupt("names")
	}
	column, taken := make([]byte, last*nameSize), make([]bool, last)
	for _, table := range tablesOfNames5() {
		for _, entries := range scan(root.Bucket([]byte(table)), nil, nil) {
			for e := range slices.Chunk(entries, entrySize) {
				at := uint64(binary.BigEndian.Uint32(e[nameSize:])) - 1
				if at >= last || taken[at] {
					return nil, corrupt(table)
				}
				taken[at] = true
				copy(column[at*nameSize:], e[:nameSize])
			}
		}
	}
	return column, nil
}

// putColumn puts the column of names in place of the tables.
func putColumn(btx *bbolt.Tx, root *bbolt.Bucket, column []byte) error {
	for _, table := range tablesOfNames5() {
		if root.Bucket([]byte(table)) == nil {
			continue
		}
		if err := root.DeleteBucket([]byte(table)); err != nil {
			return err
		}
	}
	if len(column) == 0 {
		return nil
	}
	b, err := root.CreateBucket([]byte("names"))
	if err != nil {
		return err
	}
	b.FillPercent = 0.95
	id, err := btx.Bucket([]byte(metaBucket)).NextSequence()
	if err != nil {
		return err
	}
	if err := b.SetSequence(id); err != nil {
		return err
	}
	for block := uint32(0); len(column) > 0; block++ {
		n := min(len(column), 32*nameSize)
		if err := b.Put(binary.BigEndian.AppendUint32(nil, block), column[:n:n]); err != nil {
			return err
		}
		column = column[n:]
	}
	return nil
}
