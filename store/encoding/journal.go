// Package encoding has what several implementations of package store write in the same form.
package encoding

import (
	"encoding/binary"
	"slices"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// The forms of what follows in a part of a journal, by which it begins. With records, each entry has the record's kind and, of some, the
// record as it was.
const (
	journalForm        = 1
	journalWithRecords = 2
)

// AppendJournal appends the form of entries.
func AppendJournal(value []byte, entries []store.JournalEntry) []byte {
	form := byte(journalForm)
	if slices.ContainsFunc(entries, func(e store.JournalEntry) bool { return e.Record != 0 }) {
		form = journalWithRecords
	}
	value = append(value, form)
	for _, e := range entries {
		value = append(value, byte(e.Kind))
		value = binary.AppendUvarint(value, uint64(e.Num))
		value = binary.AppendUvarint(value, uint64(e.Member))
		if form == journalWithRecords {
			value = appendFormer(value, &e)
		}
	}
	return value
}

// appendFormer appends the kind of the record, and the length and the form of what it was: nothing when it was not active.
func appendFormer(value []byte, e *store.JournalEntry) []byte {
	var former []byte
	if len(e.Former) > 0 {
		rec := directory.Record{Kind: e.Record, Active: true}
		for _, f := range e.Former {
			rec.Fields = append(rec.Fields, directory.RecordField{Field: f})
		}
		former = directory.AppendRecord(nil, &rec)
	}
	value = append(value, byte(e.Record))
	value = binary.AppendUvarint(value, uint64(len(former)))
	return append(value, former...)
}

// ParseJournal appends what AppendJournal wrote to entries; ok is false for what it did not write.
func ParseJournal(value []byte, entries []store.JournalEntry) (all []store.JournalEntry, ok bool) {
	if len(value) == 0 || value[0] != journalForm && value[0] != journalWithRecords {
		return entries, false
	}
	form := value[0]
	for value = value[1:]; len(value) > 0; {
		e := store.JournalEntry{Kind: directory.Kind(value[0])}
		num, n := binary.Uvarint(value[1:])
		if n <= 0 {
			return entries, false
		}
		member, m := binary.Uvarint(value[1+n:])
		if m <= 0 {
			return entries, false
		}
		e.Num, e.Member = store.Num(num), store.Num(member)
		value = value[1+n+m:]
		if form == journalWithRecords {
			if value, ok = parseFormer(value, &e); !ok {
				return entries, false
			}
		}
		entries = append(entries, e)
	}
	return entries, true
}

// parseFormer reads what appendFormer wrote, and returns what follows.
func parseFormer(value []byte, e *store.JournalEntry) (rest []byte, ok bool) {
	if len(value) == 0 {
		return nil, false
	}
	e.Record = directory.RecordKind(value[0])
	size, n := binary.Uvarint(value[1:])
	if n <= 0 || size > uint64(len(value)-1-n) {
		return nil, false
	}
	former, rest := value[1+n:][:size], value[1+n:][size:]
	if size == 0 {
		return rest, true
	}
	rec, err := directory.ParseRecord(former)
	for i := range rec.Fields {
		e.Former = append(e.Former, rec.Fields[i].Field)
	}
	return rest, err == nil
}
