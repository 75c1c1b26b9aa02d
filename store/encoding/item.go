package encoding

import (
	"bytes"
	"encoding/binary"
	"time"

	"dirsyncd/store"
)

// Ceil rounds a time up to the second, in which the times of items are kept.
func Ceil(at time.Time) time.Time {
	if at.Nanosecond() > 0 {
		at = at.Truncate(time.Second).Add(time.Second)
	}
	return at
}

// AppendItem appends what is stored of an item beside its key: a form number, until in seconds and whether there is one, the owners, and the value.
func AppendItem(buf []byte, item *store.Item) []byte {
	buf = append(buf, 1)
	if item.Until.IsZero() {
		buf = append(buf, 0)
	} else {
		buf = binary.AppendVarint(append(buf, 1), Ceil(item.Until).Unix())
	}
	buf = binary.AppendUvarint(buf, uint64(len(item.Owners)))
	for _, owner := range item.Owners {
		buf = appendText(buf, owner)
	}
	return append(buf, item.Value...)
}

// ParseItem reads what AppendItem wrote; ok is false for what it did not write. The item does not refer to value.
func ParseItem(value []byte) (item store.Item, ok bool) {
	f := form{rest: value}
	if f.byte() != 1 {
		return item, false
	}
	switch f.byte() {
	case 0:
	case 1:
		item.Until = time.Unix(f.varint(), 0).UTC()
	default:
		return item, false
	}
	count := f.uvarint()
	if f.bad || count > store.MaxItemOwners {
		return item, false
	}
	for range count {
		item.Owners = append(item.Owners, bytes.Clone(f.bytes(f.uvarint())))
	}
	item.Value = bytes.Clone(f.rest)
	return item, !f.bad
}
