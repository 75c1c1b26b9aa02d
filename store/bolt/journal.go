package bolt

import (
	"dirsyncd/store"
	"dirsyncd/store/encoding"
)

// Journal implements store.Reader.
func (t *tx) Journal(after uint64, fn func(n uint64, entries []store.JournalEntry) bool) error {
	var entries []store.JournalEntry
	for key, value := range scan(t.bucket(journal), seqKey(after+1), nil) {
		n, isSeq := keySeq(key)
		var ok bool
		if entries, ok = encoding.ParseJournal(value, entries[:0]); !ok || !isSeq {
			return t.corrupt(journal)
		}
		if !fn(n, entries) {
			return nil
		}
	}
	return nil
}

// JournalBounds implements store.Reader.
func (t *tx) JournalBounds() (first, last uint64, err error) {
	b := t.bucket(journal)
	if b == nil {
		return 0, 0, nil
	}
	oldest, _ := b.Cursor().First()
	newest, _ := b.Cursor().Last()
	first, ok := keySeq(oldest)
	last, also := keySeq(newest)
	if !ok || !also {
		return 0, 0, t.corrupt(journal)
	}
	return first, last, nil
}

// AppendJournal implements store.Writer.
func (t *tx) AppendJournal(begin uint64, keep int, entries []store.JournalEntry) error {
	if begin == 0 || keep < 1 {
		return misuse("a journal begins with %d and keeps %d", begin, keep)
	}
	first, last, err := t.JournalBounds()
	if err != nil {
		return err
	}
	if last == 0 {
		first, last = begin, begin-1
	}
	value := encoding.AppendJournal(make([]byte, 0, 1+8*len(entries)), entries)
	if err := t.put(journal, seqKey(last+1), value); err != nil {
		return err
	}
	for ; last+1-first >= uint64(keep); first++ {
		if err := t.failed(t.bucket(journal).Delete(seqKey(first))); err != nil {
			return err
		}
	}
	return nil
}

// DropJournal implements store.Writer.
func (t *tx) DropJournal() error { return t.remove(journal) }
