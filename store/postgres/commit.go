package postgres

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"dirsyncd/sync/fault"
)

// commitTimeout bounds how long the database is asked what became of a commit.
const commitTimeout = 30 * time.Second

// commit sends what is pending and the commit, in one round trip. It is not called off: nobody would know what became of it.
func (t *tx) commit(op string) error {
	if !t.wrote {
		t.rollback()
		return nil
	}
	ctx, cancel := t.patience()
	defer cancel()
	batch := &pgx.Batch{}
	t.queue(batch)
	writes := batch.Len()
	batch.Queue("commit")
	results := t.conn.SendBatch(ctx, batch)
	err := skip(results, writes)
	if err == nil {
		var ended interface{ String() string }
		if ended, err = results.Exec(); err == nil && ended.String() != "COMMIT" {
			err = errRolledBack
		}
	}
	_ = results.Close() // what ends the session after it was committed changes nothing about that
	switch {
	case err == nil:
		t.keepNames()
		return nil
	case answered(err):
		t.failed = err
		return t.outcome(op, err)
	}
	t.s.noteAway(err)
	t.failed = err
	return t.whatBecame(op, err)
}

// errRolledBack is what the server did instead of a commit.
var errRolledBack = errors.New("the transaction was rolled back")

// answered reports whether an error is the server's answer, so that nothing was stored. What ends a session is no answer: a server that is
// told to stop while it commits does that first, and a pooler whose server is gone does not know.
func answered(err error) bool {
	if pg := (*pgconn.PgError)(nil); errors.As(err, &pg) {
		ends := slices.Contains([]string{"FATAL", "PANIC"}, cmp.Or(pg.SeverityUnlocalized, pg.Severity))
		return !ends && !strings.HasPrefix(pg.Code, "08")
	}
	return errors.Is(err, errRolledBack) || !gone(err) && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled)
}

// whatBecame finds out whether a commit took place whose answer was lost. While the server still works on the transaction it is ended there.
func (t *tx) whatBecame(op string, cause error) error {
	// Nobody takes a second connection while holding one: all could be held by those who wait for a second.
	closeAtOnce(t.conn.Conn())
	t.conn.Release()
	t.conn = nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.ctx), commitTimeout)
	defer cancel()
	for ctx.Err() == nil {
		var status *string
		err := t.s.pool.QueryRow(ctx, `select pg_xact_status($1::text::xid8)`, t.xid).Scan(&status)
		switch {
		case err != nil && !again(err):
			return t.unknown(op, cause)
		case err != nil:
			waitFor(ctx, time.Second/4)
		case status == nil:
			return t.unknown(op, cause)
		case *status == "committed":
			t.s.noteBack()
			return nil
		case *status == "aborted":
			return t.outcome(op, cause) // and it is repeatable
		default:
			_, _ = t.s.pool.Exec(ctx, `select pg_terminate_backend($1)`, t.backend)
			waitFor(ctx, 50*time.Millisecond)
		}
	}
	return t.unknown(op, cause)
}

// closeAtOnce closes a connection that may not answer.
func closeAtOnce(conn *pgx.Conn) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = conn.Close(ctx)
}

// unknown is the error of a transaction of which nobody can say whether it was stored. Who asked begins from what is.
func (t *tx) unknown(op string, cause error) error {
	t.repeatable = false
	return &fault.Error{Class: fault.Transient, Op: op, Where: t.s.where, Err: errors.Join(errors.New("whether the last transaction was stored is not known"), discreet(cause)),
		Hint: "nothing is to be done: the next run begins from what is stored"}
}
