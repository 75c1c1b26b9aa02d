package postgres

import (
	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// schemaDesk are the tables of what is delivered to targets and known of their places, and of sign-in.
const schemaDesk = ``

// deskTables are those of them that have a column part.
func deskTables() []string { return nil }

// The counters of a partition that are the desk side's (counters.desk). They are appended to, never changed.
const (
	deskCounters = iota
)

// desk is what a transaction has in memory of the desk side.
type desk struct{}

// flushDesk turns what is buffered into statements. It is called once, when the function of an Update has returned, and by nobody else.
func (t *tx) flushDesk() error { return nil }

// matchKeys are the keys by which an object is found in the index match (SetMatching): none where there is no index, and of objects
// that are no people. It is called while the object is stored, before replaceMatch.
func (t *tx) matchKeys(o *directory.Object) ([]store.MatchKey, error) { return nil, nil }

// replaceMatch takes the keys that a person had, and gives those that it has now.
func (t *tx) replaceMatch(n store.Num, old, now []store.MatchKey) error { return nil }
