package store

import "context"

// Portable is a Store whose whole content another one can take over, whatever either of them is: both speak of it in one form (package
// encoding says which tables there are, and what an entry of each is).
type Portable interface {
	Store
	Verifier
	// Check is Verify that says how far it is, on the goroutine of the caller. tell may be nil.
	Check(ctx context.Context, tell func(Progress)) error
	// Export calls put with every entry of a partition, or with those of Items and Ledger for the zero Partition: table by table, in the order of
	// encoding.Tables, and within a table in ascending order of the keys, each once. All of them are of one moment. An entry is valid during the
	// call. What put returns ends it and comes back unchanged. A partition that was never written to has none, every other one at least one.
	Export(ctx context.Context, p Partition, put func(Entry) error) error
	// Import stores entries of a partition in one transaction: the next ones of those that Export hands out, of a partition of which nothing
	// else was stored. Numbers and counters become what the entries say. What follows from entries (indexes) is made here. The error is of class
	// fault.Configuration for what this store cannot hold, and names its table.
	Import(ctx context.Context, p Partition, entries []Entry) error
}

// Progress is how far somebody is who goes through a whole store.
type Progress struct {
	Partition Partition // the zero one: none, or what is in none
	Table     string    // in the words of the store, or of package encoding
	Done      uint64    // entries
	Total     uint64    // zero: not known
}

// ToldEvery is after how many entries it is said how far that is.
const ToldEvery = 4096

// Entry is a piece of what a partition consists of.
type Entry struct {
	Table      string
	Key, Value []byte
}
