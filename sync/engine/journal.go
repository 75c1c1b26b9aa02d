package engine

import (
	"slices"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
)

// journalKept is how many transactions a partition's journal goes back. Whoever follows it and comes later reads everything.
const journalKept = 2000

// journaling says what is done with a partition's journal (store.Writer) when something is written.
type journaling uint8

const (
	journalLeft    journaling = iota // nothing: no object is written
	journalDropped                   // nobody follows the partition any more
	journalWritten
)

// journalled is a Writer that remembers what it changes of objects, members and records, for the connections that are made of this
// one (Connection.Followed).
type journalled struct {
	store.Writer
	told    []string // fields of records
	entries []store.JournalEntry
}

func (j *journalled) note(kind directory.Kind, nums ...store.Num) {
	for _, n := range nums {
		j.entries = append(j.entries, store.JournalEntry{Kind: kind, Num: n})
	}
}

func (j *journalled) noteMembers(group store.Num, handles []store.Num) {
	for _, n := range handles {
		j.entries = append(j.entries, store.JournalEntry{Kind: directory.Group, Num: group, Member: n})
	}
}

// PutRow implements store.Writer, and so do those that follow.
func (j *journalled) PutRow(o *directory.Object, gone store.GoneCause) (store.Num, error) {
	n, err := j.Writer.PutRow(o, gone)
	j.note(o.Kind, n)
	return n, err
}

func (j *journalled) SetGone(kind directory.Kind, n store.Num, gone store.GoneCause) error {
	j.note(kind, n)
	return j.Writer.SetGone(kind, n, gone)
}

func (j *journalled) DeleteRow(kind directory.Kind, n store.Num) error {
	j.note(kind, n)
	return j.Writer.DeleteRow(kind, n)
}

// ClearDirty tells that somebody who is gone is missed no longer: until then the removal may wait.
func (j *journalled) ClearDirty(kind directory.Kind, nums []store.Num) error {
	rows, err := j.RowsOf(kind, nums, nil)
	if err != nil {
		return err
	}
	for i := range rows {
		if rows[i].Gone != store.Here {
			j.note(kind, nums[i])
		}
	}
	return j.Writer.ClearDirty(kind, nums)
}

func (j *journalled) AddMembers(group store.Num, handles, added []store.Num) ([]store.Num, error) {
	before := len(added)
	added, err := j.Writer.AddMembers(group, handles, added)
	if err == nil {
		j.noteMembers(group, added[before:])
	}
	return added, err
}

func (j *journalled) RemoveMembers(group store.Num, handles, removed []store.Num) ([]store.Num, error) {
	before := len(removed)
	removed, err := j.Writer.RemoveMembers(group, handles, removed)
	if err == nil {
		j.noteMembers(group, removed[before:])
	}
	return removed, err
}

// PutRecord implements store.Writer. The former fields are told, for nobody else remembers them. Where nobody asks for any it is told once
// that there were records of the kind: whoever is asked for them later goes on from no journal that was silent about them.
func (j *journalled) PutRecord(n store.Num, rec *directory.Record) error {
	untold := store.JournalEntry{Kind: mapping.ObjectOf(rec.Kind), Record: rec.Kind}
	switch {
	case untold.Kind == 0:
	case len(j.told) == 0:
		if !slices.ContainsFunc(j.entries, func(e store.JournalEntry) bool { return e.Record == rec.Kind }) {
			j.entries = slices.Insert(j.entries, 0, untold)
		}
	default:
		before, _, err := j.Record(rec.Kind, n)
		if err != nil {
			return err
		}
		e := store.JournalEntry{Kind: mapping.ObjectOf(rec.Kind), Num: n, Record: rec.Kind}
		for _, name := range j.told {
			if before.Active {
				v, _ := before.Get(name)
				e.Former = append(e.Former, directory.Field{Name: name, Value: v})
			}
		}
		j.entries = append(j.entries, e)
	}
	return j.Writer.PutRecord(n, rec)
}

// journal runs write, if there is one, and keeps the journal of what it changes, in the same transaction. A partition that was never
// settled has nobody who could have followed it.
func (s *tenantState) journal(tx store.Writer, settled bool, write func(store.Writer) error) error {
	if write == nil {
		write = func(store.Writer) error { return nil }
	}
	switch {
	case s.journaling == journalDropped:
		if err := tx.DropJournal(); err != nil {
			return err
		}
		return write(tx)
	case s.journaling == journalLeft || !settled:
		return write(tx)
	}
	j := &journalled{Writer: tx, told: s.told}
	if err := write(j); err != nil {
		return err
	}
	_, last, err := tx.JournalBounds()
	if err != nil || len(j.entries) == 0 && last != 0 {
		return err
	}
	return tx.AppendJournal(uint64(max(s.now().UnixNano(), 1)), journalKept, j.entries)
}
