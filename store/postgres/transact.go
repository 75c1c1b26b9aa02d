package postgres

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"dirsyncd/store"
	"dirsyncd/sync/fault"
)

// View implements store.Store. One that goes on for too long (longestView) is given up.
func (s *Store) View(ctx context.Context, p store.Partition, fn func(store.Reader) error) error {
	limited, cancel := context.WithTimeout(ctx, s.longestView)
	defer cancel()
	err := s.view(limited, p, fn)
	if err != nil && limited.Err() != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return &fault.Error{Class: fault.Transient, Op: "read state", Where: p.String(), Err: fmt.Errorf("it took longer than %v in one transaction, and was given up: the database cleans up nothing meanwhile", s.longestView),
			Hint: "read on without a pause, or when the database has less to do. If it comes again, report it with the line of the log that says which view was held open"}
	}
	return err
}

// view is View without a bound, for who has to read all there is of a partition at one moment.
func (s *Store) view(ctx context.Context, p store.Partition, fn func(store.Reader) error) error {
	if err := checkName(p); err != nil {
		return err
	}
	return s.transact(ctx, "read state", &tx{name: p}, func(t *tx) error {
		began := time.Now()
		err := fn(t)
		if held := time.Since(began); held > s.longView {
			// Nothing that was deleted since can be cleaned up in the whole database, and queues become slow.
			s.log.Warn("a view of the state was held open for long", "held", held.Round(time.Millisecond), "partition", p.String(),
				"by", runtime.FuncForPC(reflect.ValueOf(fn).Pointer()).Name())
		}
		return err
	})
}

// Update implements store.Store. A transaction in which nothing was changed writes nothing.
func (s *Store) Update(ctx context.Context, p store.Partition, fn func(store.Writer) error) error {
	if err := checkName(p); err != nil {
		return err
	}
	return s.transact(ctx, "write state", &tx{name: p, writable: true}, func(t *tx) error { return fn(t) })
}

// change runs fn in a transaction that writes and is of no partition. It may run again, as that of an Update.
func (s *Store) change(ctx context.Context, op string, fn func(*tx) error) error {
	return s.transact(ctx, op, &tx{writable: true}, fn)
}

// attempts is how often a transaction is tried before its error is the caller's; between two of them is a pause that doubles.
const (
	attempts   = 8
	firstPause = 20 * time.Millisecond
)

// transact runs body in transactions like one that is given until one of them is not given up by the database. An error of body
// comes back unchanged.
func (s *Store) transact(ctx context.Context, op string, like *tx, body func(*tx) error) error {
	if s.readOnly && like.writable {
		return misuse("the state was opened for reading only")
	}
	for attempt, pause := 1, firstPause; ; attempt, pause = attempt+1, 2*pause {
		if err := ended(ctx, op); err != nil {
			return err
		}
		t := newTx(ctx, s, like)
		err := t.run(op, body)
		if err == nil || !t.repeatable || !again(t.failed) {
			return err
		}
		if attempt == attempts {
			return s.classify(op, t.failed)
		}
		waitFor(ctx, pause)
	}
}

// waitFor waits for a time, but no longer than until the context ends.
func waitFor(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// run makes one attempt. Where it fails for the database, t.failed says why, and t.repeatable whether nothing of it can have stayed.
func (t *tx) run(op string, body func(*tx) error) (err error) {
	t.repeatable = true
	if t.conn, err = t.s.left.acquire(t.ctx, t.s.pool); err != nil {
		t.s.noteAway(err)
		t.failed = err
		return t.outcome(op, err)
	}
	done, end := false, func() {}
	defer func() {
		if t.conn != nil {
			if !done { // an error, or a panic
				t.rollback()
			}
			t.conn.Release()
		}
		end()
	}()
	if t.writable {
		if t.held, end, err = t.s.leases.enter(t.ctx, op); err != nil {
			end = func() {}
			t.repeatable = false
			return err
		}
	}
	if err := t.begin(op); err != nil {
		return err
	}
	t.repeatable = t.writable // who only reads is called once
	if err := body(t); err != nil {
		return err
	}
	if t.failed == nil && t.writable {
		err = t.flush()
	}
	switch {
	case t.failed != nil:
		return t.outcome(op, t.failed)
	case err != nil:
		return err
	}
	if !t.writable {
		t.leave()
		return nil
	}
	err = t.commit(op)
	done = err == nil
	return err
}

// outcome says what an error of the database is for the caller.
func (t *tx) outcome(op string, err error) error {
	if ended := ended(t.ctx, op); ended != nil {
		return ended
	}
	return t.s.classify(op, err)
}

// begin begins the transaction, locks the partition's row and the leases of the context, and reads the counters, what nearly everybody asks
// for (head.go) and what is foreseen (ahead.go): one round trip.
func (t *tx) begin(op string) error {
	how := "begin isolation level repeatable read read only"
	if t.writable {
		how = "begin isolation level read committed read write"
	}
	batch := &pgx.Batch{}
	batch.Queue(how)
	skipped := 1
	if t.s.pooled {
		batch.Queue(`select set_config('lock_timeout', $1, true), set_config('statement_timeout', $2, true), set_config('idle_in_transaction_session_timeout', $3, true),
			set_config('enable_seqscan', 'off', true), set_config('jit', 'off', true)`,
			session()["lock_timeout"], session()["statement_timeout"], session()["idle_in_transaction_session_timeout"])
		skipped++
	}
	partition := `select id, last_num, members, present, active, desk from @.partition where connection = $1 and tenant = $2`
	if t.writable {
		partition += ` for update`
	}
	if t.long {
		batch.Queue(unhurried)
		skipped++
	}
	if t.name.Connection != "" {
		batch.Queue(t.s.in(partition), t.name.Connection, t.name.Tenant)
	}
	if t.writable {
		names, holders, fences := []string{}, []pgtype.UUID{}, []int64{}
		for _, h := range t.held {
			if t.s.unfenced {
				break
			}
			names, holders, fences = append(names, h.name), append(holders, h.holder), append(fences, h.fence)
		}
		batch.Queue(t.s.in(`select pg_current_xact_id()::text, pg_backend_pid(), array(select l.name from @.lease l join unnest($1::text[], $2::uuid[], $3::int8[])
			as h(name, holder, fence) on l.name = h.name and l.holder = h.holder and l.fence = h.fence for share of l)`), names, holders, fences)
	}
	if t.name.Connection != "" {
		batch.Queue(t.s.in(headQuestion), t.name.Connection, t.name.Tenant)
	}
	supposed := t.s.parts.get(t.name)
	t.part = supposed
	ahead, answered := t.lookAhead()
	for _, q := range ahead {
		batch.Queue(t.s.in(q.sql), append([]any{t.part}, q.args...)...)
	}
	t.part = 0
	results := t.conn.SendBatch(t.ctx, batch)
	err := skip(results, skipped)
	if err == nil && t.name.Connection != "" {
		err = scanAll(results, func(rows pgx.Rows) error { return t.scanPartition(rows) })
	}
	var found []string
	if err == nil && t.writable {
		err = scanAll(results, func(rows pgx.Rows) error { return rows.Scan(&t.xid, &t.backend, &found) })
	}
	t.knowHead()
	if err == nil && t.name.Connection != "" {
		err = scanAll(results, t.scanHead)
	}
	for _, q := range ahead {
		if err == nil {
			err = scanAll(results, q.scan)
		}
	}
	if closed := results.Close(); err == nil {
		err = closed
	}
	t.s.left.doubt.Store(t.conn.Conn().IsClosed())
	if err != nil {
		t.s.noteAway(err)
		t.failed = err
		return t.outcome(op, err)
	}
	t.s.noteBack()
	if !t.s.unfenced && !t.s.leases.check(t.held, found) {
		t.repeatable = false
		return lost(op)
	}
	t.begun, t.names.begun = true, t.count.lastNum
	t.s.parts.set(t.name, t.part)
	switch {
	case t.part == 0: // what came was of one that is gone
		t.forgetAhead()
		t.ahead.need = nil
	case t.part == supposed:
		answered()
	case t.ahead.need != nil: // what came was not of this partition
		t.forgetAhead()
		ahead, answered := t.lookAhead()
		if err := t.queries(ahead...); err != nil {
			return err
		}
		answered()
	}
	return nil
}

func (t *tx) scanPartition(rows pgx.Rows) error {
	var present, active, desk []int64
	var lastNum, members int64
	if err := rows.Scan(&t.part, &lastNum, &members, &present, &active, &desk); err != nil {
		return err
	}
	t.count.lastNum, t.count.members = uint64(lastNum), uint64(members)
	t.count.parse(present, active, desk)
	t.stored = t.count
	return nil
}

// create makes the partition. Whoever comes second finds that out here, and begins again with what the first one stored.
func (t *tx) create() error {
	var id int32
	ctx, cancel := t.patience()
	defer cancel()
	err := t.conn.QueryRow(ctx, t.s.in(`insert into @.partition (connection, tenant) values ($1, $2) on conflict do nothing returning id`),
		t.name.Connection, t.name.Tenant).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		err = errAgain
	}
	if err != nil {
		return t.fail(err)
	}
	t.part, t.wrote = id, true
	return nil
}

// leave ends a transaction that has only read.
func (t *tx) leave() {
	if t.s.left.leave(t.s.pool, t.conn) {
		t.conn = nil
		return
	}
	t.rollback()
}

// rollback ends the transaction without a trace. Where that fails, the connection is closed when it is given back, and so is the transaction.
func (t *tx) rollback() {
	if t.conn.Conn().PgConn().TxStatus() == 'I' || t.conn.Conn().IsClosed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.ctx), rollbackTimeout)
	defer cancel()
	_, _ = t.conn.Exec(ctx, "rollback")
}

const rollbackTimeout = 5 * time.Second

// checkName refuses a partition that cannot be named.
func checkName(p store.Partition) error {
	if p.Connection == "" || strings.Contains(p.Connection+p.Tenant, "\x00") {
		return misuse("partition %q cannot be named", p)
	}
	return nil
}

// noteAway and noteBack tell the log once when the database is not reached, and once when it is again.
func (s *Store) noteAway(err error) {
	if gone(err) && !errors.Is(err, errAgain) && s.away.CompareAndSwap(false, true) {
		s.log.Warn("the database of the state is not reached; work goes on when it is back", "error", s.classify("reach the database", err))
	}
}

func (s *Store) noteBack() {
	if s.away.Load() && s.away.CompareAndSwap(true, false) {
		s.log.Info("the database of the state is reached again")
	}
}
