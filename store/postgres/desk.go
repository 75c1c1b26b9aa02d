package postgres

import (
	"cmp"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"
)

// schemaDesk are the tables of what is delivered to targets and known of their places, and of sign-in.
const schemaDesk = schemaOutbox + schemaParked + schemaWaits + schemaRuns + schemaHistory + schemaLinks + schemaMatch + schemaItems

// deskTables are those of them that have a column part.
func deskTables() []string {
	return []string{"queue", "outbox", "parked", "wait", "wait_count", "run", "run_action", "history", "desk_link", "desk_review", "desk_rejected", "desk_state",
		"matching", "match"}
}

// The counters of a partition that are the desk side's (counters.desk). They are appended to, never changed.
const (
	parkedCount  = iota
	lastParked   // ids given to parked entries,
	lastWait     // to waits
	lastReview   // and to reviews
	reviewCount  //
	linkCounts   // of links in each state; the state is added
	deskCounters = linkCounts + 8
)

// desk is what a transaction has in memory of the desk side.
type desk struct {
	queues map[string]*queue
	outbox outboxWrites
	parked parkedState
	waits  waitState
	links  linkState
	match  matchState

	history history
}

// flushDesk turns what is buffered into statements. It is called once, when the function of an Update has returned, and by nobody else.
func (t *tx) flushDesk() error {
	for _, flush := range []func() error{t.flushOutbox, t.flushParked, t.flushWaits, t.flushDeskLinks, t.flushMatch} {
		if err := flush(); err != nil {
			return err
		}
	}
	return nil
}

// Targets implements store.Reader.
func (t *tx) Targets() ([]string, error) {
	if err := t.settleDepths(); err != nil {
		return nil, err
	}
	var list []string
	for target, q := range t.desk.queues {
		if q.depth > 0 || q.claimed > 0 {
			list = append(list, target)
		}
	}
	for c := range maps.Keys(t.desk.waits.counts) {
		list = append(list, c.target)
	}
	if t.count.desk[parkedCount] > 0 {
		parked, err := t.parkedTargets()
		if err != nil {
			return nil, err
		}
		list = append(list, parked...)
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

// fetch says how many rows an iteration asks for at a time: few at first, since many callers want only the first ones, then as many as fit
// into some memory.
type fetch struct{ rows, bytes, limit int }

const (
	fetchFirst = 200
	mostRows   = 5000
	fetchBytes = 8 << 20
)

func newFetch() *fetch { return &fetch{limit: fetchFirst} }

// got notes a row of so many bytes.
func (f *fetch) got(bytes int) { f.rows, f.bytes = f.rows+1, f.bytes+bytes }

// more reports whether there may be more rows, and says how many to ask for.
func (f *fetch) more() bool {
	full := f.rows == f.limit
	fit := fetchBytes / max(f.bytes/max(f.rows, 1), 1)
	*f = fetch{limit: max(min(5*f.limit, mostRows, fit), 1)}
	return full
}

// sortedKeys are the keys of a map in order: statements of several transactions take rows in one order.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// modify is query for a statement that stores something and answers what.
func (t *tx) modify(scan func(pgx.Rows) error, sql string, args ...any) error {
	t.wrote = t.wrote || t.part != 0
	return t.query(scan, sql, args...)
}
