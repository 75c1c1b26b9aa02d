package encoding

import (
	"encoding/binary"
	"time"
)

// The small forms that links, waiting actions and items are made of. Integers are varints, texts are length and bytes, lists are
// count and items.

func appendText[T ~string | ~[]byte](buf []byte, s T) []byte {
	return append(binary.AppendUvarint(buf, uint64(len(s))), s...)
}

func appendTexts(buf []byte, list []string) []byte {
	buf = binary.AppendUvarint(buf, uint64(len(list)))
	for _, s := range list {
		buf = appendText(buf, s)
	}
	return buf
}

// appendNanos writes a time to the nanosecond; zero for none.
func appendNanos(buf []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(buf, 0)
	}
	return binary.AppendVarint(buf, t.UnixNano())
}

// appendSeconds writes a time to the second; zero for none.
func appendSeconds(buf []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(buf, 0)
	}
	return binary.AppendVarint(buf, t.Unix())
}

// form takes such a form apart. The first error sticks; what is read after it is zero.
type form struct {
	rest []byte
	bad  bool
}

func (f *form) fail() { f.rest, f.bad = nil, true }

// ok reports whether it was read to its end, without an error.
func (f *form) ok() bool { return !f.bad && len(f.rest) == 0 }

func (f *form) byte() byte {
	if len(f.rest) == 0 {
		f.fail()
		return 0
	}
	b := f.rest[0]
	f.rest = f.rest[1:]
	return b
}

func (f *form) uvarint() uint64 {
	n, size := binary.Uvarint(f.rest)
	if size <= 0 {
		f.fail()
		return 0
	}
	f.rest = f.rest[size:]
	return n
}

func (f *form) varint() int64 {
	n, size := binary.Varint(f.rest)
	if size <= 0 {
		f.fail()
		return 0
	}
	f.rest = f.rest[size:]
	return n
}

// bytes returns the next n bytes; they are those of the form.
func (f *form) bytes(n uint64) []byte {
	if n > uint64(len(f.rest)) {
		f.fail()
		return nil
	}
	b := f.rest[:n:n]
	f.rest = f.rest[n:]
	return b
}

func (f *form) text() string { return string(f.bytes(f.uvarint())) }

func (f *form) texts() []string {
	n := f.uvarint()
	if n > uint64(len(f.rest)) { // a damaged count must not allocate memory
		f.fail()
		return nil
	}
	if n == 0 {
		return nil
	}
	list := make([]string, n)
	for i := range list {
		list[i] = f.text()
	}
	return list
}

func (f *form) nanos() time.Time {
	n := f.varint()
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

func (f *form) seconds() time.Time {
	n := f.varint()
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}
