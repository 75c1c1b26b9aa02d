package encoding

import (
	"bytes"
	"slices"

	"dirsyncd/store"
)

const triedFlag = 1

// AppendWait appends the form of what waits. Its target and id are beside it.
func AppendWait(buf []byte, w *store.Wait) []byte {
	var flags byte
	if w.Tried {
		flags |= triedFlag
	}
	buf = append(slices.Grow(buf, 128+len(w.Action)), flags)
	buf = appendNanos(appendNanos(buf, w.Due), w.Since)
	for _, s := range []string{w.Subject, w.Cause, w.Key, w.Text} {
		buf = appendText(buf, s)
	}
	return appendText(buf, w.Action)
}

// ParseWait reads what AppendWait wrote; ok is false for what it did not write. The wait does not refer to data.
func ParseWait(data []byte) (w store.Wait, ok bool) {
	f := form{rest: data}
	flags := f.byte()
	w.Tried = flags&triedFlag != 0
	w.Due, w.Since = f.nanos(), f.nanos()
	for _, s := range []*string{&w.Subject, &w.Cause, &w.Key, &w.Text} {
		*s = f.text()
	}
	w.Action = bytes.Clone(f.bytes(f.uvarint()))
	return w, f.ok() && flags <= triedFlag
}
