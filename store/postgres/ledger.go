package postgres

import (
	"bytes"
	"context"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Ledger implements store.Store. Whoever comes second waits before it looks, also where there is no row yet that could be locked.
func (s *Store) Ledger(ctx context.Context, name string, fn func(was []byte) (is []byte, err error)) error {
	if name == "" || strings.Contains(name, "\x00") {
		return misuse("ledger %q cannot be named", name)
	}
	return s.change(ctx, "write state", func(t *tx) error {
		was, err := t.ledger(name)
		if err != nil {
			return err
		}
		is, err := fn(bytes.Clone(was))
		if err != nil || bytes.Equal(was, is) && (was == nil) == (is == nil) {
			return err
		}
		t.wrote = true
		ctx, cancel := t.patience()
		defer cancel()
		if is == nil {
			_, err = t.conn.Exec(ctx, t.s.in(`delete from @.ledger where name = $1`), name)
		} else {
			_, err = t.conn.Exec(ctx, t.s.in(`insert into @.ledger (name, value) values ($1, $2) on conflict (name) do update set value = excluded.value`), name, is)
		}
		return t.fail(err)
	})
}

// ledger reads a value that nobody else changes until the transaction ends; nil where there is none.
func (t *tx) ledger(name string) (value []byte, err error) {
	batch := &pgx.Batch{}
	batch.Queue(`select pg_advisory_xact_lock(hashtextextended($1, 0))`, t.s.schema+".ledger."+name)
	batch.Queue(t.s.in(`select value from @.ledger where name = $1`), name)
	ctx, cancel := t.patience()
	defer cancel()
	results := t.conn.SendBatch(ctx, batch)
	err = skip(results, 1)
	if err == nil {
		err = scanAll(results, func(rows pgx.Rows) error { return rows.Scan(&value) })
	}
	if closed := results.Close(); err == nil {
		err = closed
	}
	return value, t.fail(err)
}
