package bolt

import (
	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// SetGone implements store.Writer.
func (t *tx) SetGone(kind directory.Kind, n store.Num, gone store.GoneCause) error {
	p, err := objectsOf(kind)
	if err != nil {
		return err
	}
	if !gone.Known() {
		return misuse("unknown cause %d", gone)
	}
	value, ok := t.get(p, t.numKey(n))
	if !ok {
		return misuse("no %s has the number %d", kind, n)
	}
	if len(value) == 0 {
		return t.corrupt(p)
	}
	was, is := store.GoneCause(value[0]) == store.Here, gone == store.Here
	switch {
	case was && !is:
		t.count.present[kind]--
	case is && !was:
		t.count.present[kind]++
	}
	value = t.keep(value)
	value[0] = byte(gone)
	return t.put(p, t.numKey(n), value)
}
