package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"dirsyncd/store"
)

// tx is a transaction on one partition: store.Reader, and store.Writer where it is writable.
//
// Each area (a file) has a buffer of what was written and a flush method that turns it into statements (write, erase). A read
// first flushes the areas that it looks at, and then asks (query): all of that is one round trip.
type tx struct {
	s        *Store
	ctx      context.Context //nolint:containedctx // a transaction's calls have no context of their own
	conn     *pgxpool.Conn
	name     store.Partition
	part     int32 // zero while the partition does not exist
	writable bool
	xid      string // of a writer
	backend  int32  // the server's process, of a writer

	count  counters
	stored counters // as in the database

	pending []statement // sent before the next query or with the commit
	wrote   bool        // something was sent or is pending
	failed  error       // why nothing more can be done
	// repeatable: nothing of the attempt can have stayed, and the caller takes another one.
	repeatable bool

	held  []*lease // of a writer
	begun bool     // the partition is read
	ahead ahead
	long  bool // a statement may take as long as it needs

	names   names
	claims  claims
	objects objects
	links   map[referrer]bool // not flushed: false for what is stated no longer
	members memberships
	records records
	dirty   map[objectKey]mark      // not flushed
	due     map[objectKey]time.Time // not flushed; zero for never
	streams streams
	seen    map[string]seen // not flushed
	tenant  tenant
	journal journal

	desk desk // queues, waits, links, reviews, matches, runs
}

func newTx(ctx context.Context, s *Store, like *tx) *tx {
	if s.pooled { // a new connection of the pooler to the database is none of this process
		s.names.forget()
	}
	t := &tx{
		s: s, ctx: ctx, name: like.name, writable: like.writable, long: like.long,
		ahead:   ahead{groups: map[store.Num][]store.Num{}, records: map[recordKey][]byte{}},
		names:   names{known: map[nameHash]store.Num{}, epoch: s.names.begin()},
		claims:  claims{owner: map[store.Num]store.Num{}, contestants: map[store.Num][]store.Num{}, changed: map[store.Num]bool{}, contested: map[pair]bool{}},
		objects: objects{known: map[objectKey]*object{}},
		links:   map[referrer]bool{},
		members: memberships{
			of: map[store.Num]*memberSet{}, changed: map[pair]bool{},
			digests: digests{known: map[store.Num]store.MemberDigest{}, changed: map[store.Num]bool{}},
		},
		records: records{active: map[recordKey]bool{}, changed: map[recordKey]changedRecord{}},
		dirty:   map[objectKey]mark{}, due: map[objectKey]time.Time{}, streams: streams{changed: map[string]bool{}}, seen: map[string]seen{},
	}
	if need, ok := store.Expected(ctx); ok && like.name.Connection != "" {
		t.ahead.need = &need
	}
	return t
}

var _ store.Writer = (*tx)(nil)

// statement is one that answers nothing. Its first argument is the partition's number.
type statement struct {
	sql  string
	args []any
}

// write notes a statement that stores something. $1 is the partition's number and args begin with $2; "@." stands for the schema.
// The partition comes to exist with it.
func (t *tx) write(sql string, args ...any) error {
	if t.failed != nil {
		return t.failed
	}
	if t.part == 0 {
		if err := t.create(); err != nil {
			return err
		}
	}
	t.wrote = true
	t.pending = append(t.pending, statement{t.s.in(sql), append([]any{t.part}, args...)})
	return nil
}

// erase is write for a statement that only removes something: where there is no partition there is nothing to remove.
func (t *tx) erase(sql string, args ...any) error {
	if t.part == 0 {
		return t.failed
	}
	return t.write(sql, args...)
}

// query sends what is pending and asks. $1 is the partition's number and args begin with $2; "@." stands for the schema. scan is
// called for each row and must not use the transaction; what it scans into byte slices is a copy. Of a partition that does not
// exist nothing is asked.
func (t *tx) query(scan func(pgx.Rows) error, sql string, args ...any) error {
	return t.queries(question{scan, sql, args})
}

// question is what queries asks.
type question struct {
	scan func(pgx.Rows) error
	sql  string
	args []any
}

// queries asks several things in one round trip.
func (t *tx) queries(list ...question) error {
	if t.failed != nil || t.part == 0 || len(list) == 0 {
		return t.failed
	}
	batch := &pgx.Batch{}
	t.queue(batch)
	for _, q := range list {
		batch.Queue(t.s.in(q.sql), append([]any{t.part}, q.args...)...)
	}
	sent := batch.Len() - len(list)
	ctx, cancel := t.patience()
	defer cancel()
	results := t.conn.SendBatch(ctx, batch)
	err := skip(results, sent)
	for _, q := range list {
		if err != nil {
			break
		}
		err = scanAll(results, q.scan)
	}
	if closed := results.Close(); err == nil {
		err = closed
	}
	return t.fail(err)
}

// patience is the context of a statement. What a writer has begun it brings to its end: it may be its own function that ends the
// context, by giving a lease back. A server that does not answer is given up all the same.
func (t *tx) patience() (context.Context, context.CancelFunc) {
	if !t.writable {
		return t.ctx, func() {}
	}
	timeout := answerTimeout
	if t.long {
		timeout = longTimeout
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.ctx), timeout)
	stop := context.AfterFunc(t.ctx, func() {
		waitFor(ctx, grace)
		cancel()
	})
	return ctx, func() {
		stop()
		cancel()
	}
}

// grace is how long an answer is waited for when nobody else waits any longer.
const grace = 10 * time.Second

// answerTimeout is longer than what the server lets a statement take (session), longTimeout for those that change a whole partition.
const (
	answerTimeout = 150 * time.Second
	longTimeout   = time.Hour
)

// unhurried lets statements take as long as they need.
const unhurried = `select set_config('statement_timeout', '0', true)`

// queue moves what is pending into a batch.
func (t *tx) queue(batch *pgx.Batch) {
	for _, s := range t.pending {
		batch.Queue(s.sql, s.args...)
	}
	t.pending = nil
}

// skip takes the answers of statements that answer nothing.
func skip(results pgx.BatchResults, n int) error {
	for range n {
		if _, err := results.Exec(); err != nil {
			return err
		}
	}
	return nil
}

func scanAll(results pgx.BatchResults, scan func(pgx.Rows) error) error {
	rows, err := results.Query()
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// fail notes an error of the database: the transaction is of no use any longer. What it returns is classified.
func (t *tx) fail(err error) error {
	if err == nil {
		return nil
	}
	if ctxErr := ended(t.ctx, "use state"); ctxErr != nil {
		err = ctxErr
	}
	if t.failed == nil {
		t.failed = err
	}
	return t.s.classify(t.op(), err)
}

func (t *tx) op() string {
	if t.writable {
		return "write state"
	}
	return "read state"
}

// flush turns all that is buffered into statements. What is put is resolved first: that gives numbers, and counts.
func (t *tx) flush() error {
	for _, flush := range []func() error{
		t.flushObjects, t.flushClaims, t.flushLinks, t.flushMembers, t.flushRecords, t.flushDirty, t.flushDue, t.flushStreams, t.flushSeen,
		t.flushTenant, t.flushJournal, t.flushDesk, t.flushNames, t.flushCounters,
	} {
		if err := flush(); err != nil {
			return err
		}
	}
	return nil
}

// checkNum refuses a number that was never given: it would be taken for a real one for ever.
func (t *tx) checkNum(n store.Num) error {
	if n == 0 || uint64(n) > t.count.lastNum {
		return misuse("number %d was not given to a handle", n)
	}
	return nil
}
