package storetest

import (
	"fmt"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

func journalOf(r store.Reader, after uint64) []string {
	return collect(func(fn func(string) bool) error {
		return r.Journal(after, func(n uint64, entries []store.JournalEntry) bool { return fn(fmt.Sprint(n, entries)) })
	})
}

func journal(e *env) {
	bounds := func(r store.Reader) string {
		first, last, err := r.JournalBounds()
		return fmt.Sprint(must(first, err), "-", last)
	}
	one := []store.JournalEntry{{Kind: directory.Person, Num: 7}, {Kind: directory.Group, Num: 300, Member: 1 << 20}}
	e.both(func(w store.Writer) error { return w.DropJournal() }, func(r store.Reader) {
		e.equal("none", bounds(r), "0-0")
		e.equal("nothing", journalOf(r, 0), []string{})
	})
	e.both(func(w store.Writer) error {
		must(0, w.AppendJournal(100, 3, one))
		return w.AppendJournal(900, 3, nil)
	}, func(r store.Reader) {
		e.equal("bounds", bounds(r), "100-101")
		e.equal("all", journalOf(r, 0), []string{fmt.Sprint(100, one), "101 []"})
		e.equal("after one", journalOf(r, 100), []string{"101 []"})
		e.equal("after the last", journalOf(r, 101), []string{})
	})
	e.both(func(w store.Writer) error {
		must(0, w.AppendJournal(900, 3, one[:1]))
		return w.AppendJournal(900, 3, one[1:])
	}, func(r store.Reader) {
		e.equal("the newest", bounds(r), "101-103")
		e.equal("of them", len(journalOf(r, 0)), 3)
	})
	records := []store.JournalEntry{
		{Kind: directory.Person, Num: 7},
		{Kind: directory.Person, Num: 8, Record: directory.UserRecord},
		{Kind: directory.Device, Num: 9, Record: directory.AssetRecord, Former: []directory.Field{
			{Name: "customer", Value: directory.Null()}, {Name: "site", Value: directory.Text("Leeds")}, {Name: "teams", Value: directory.List("A", "B")},
		}},
		{Kind: directory.Group, Num: 300, Member: 2},
	}
	e.both(func(w store.Writer) error { return w.AppendJournal(900, 3, records) }, func(r store.Reader) {
		e.equal("records", journalOf(r, 103), []string{fmt.Sprint(104, records)})
	})
	e.both(func(w store.Writer) error { return w.DropJournal() }, func(r store.Reader) { e.equal("dropped", bounds(r), "0-0") })
	e.both(func(w store.Writer) error { return w.AppendJournal(500, 3, one) }, func(r store.Reader) { e.equal("anew", bounds(r), "500-500") })
}
