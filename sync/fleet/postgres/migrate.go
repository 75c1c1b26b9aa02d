package postgres

import (
	"context"
	_ "embed" // the tables
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"dirsyncd/sync/fault"
)

// migrations lead from an empty schema to the present one, one version each.
var migrations = []string{
	tables,
	"alter table fleet.worker add portion float8 not null default 0",
}

//go:embed schema.sql
var tables string

// migrate brings the tables up to date, River's too. Of several that start at once one does, and the others wait. Where nothing is to be done it
// takes no more rights than those that the daemon needs anyway.
//
// River's own migrations do not fit into one transaction (its MigrateTx is deprecated): PostgreSQL refuses a value of an enum that the
// same transaction has added (55P04). They run beside the transaction that has the lock, and before ours, which therefore tell that all is there.
func (f *Fleet) migrate(ctx context.Context) error {
	queue, err := rivermigrate.New(riverpgxv5.New(f.pool), &rivermigrate.Config{Schema: f.schema, Logger: f.quiet})
	if err != nil {
		return err
	}
	done := false
	err = f.transact(ctx, func(tx pgx.Tx) error {
		version, err := f.version(ctx, tx)
		if err != nil || version < len(migrations) {
			return err
		}
		done, err = f.knowsQueue(ctx, queue, tx)
		return err
	})
	if err != nil || done {
		return err
	}
	err = f.migrating(ctx, func(tx pgx.Tx) error {
		var there bool // "if not exists" asks for the right to make one all the same
		if err := tx.QueryRow(ctx, "select exists (select 1 from pg_namespace where nspname = $1)", f.schema).Scan(&there); err != nil || there {
			return err
		}
		_, err := tx.Exec(ctx, "create schema "+f.schema)
		if pg := (*pgconn.PgError)(nil); errors.As(err, &pg) && pg.Code == "42501" {
			at := f.pool.Config().ConnConfig
			role := pgx.Identifier{at.User}.Sanitize()
			err = &fault.Error{Class: fault.Configuration, Op: "open", Where: "schema " + f.schema, Err: fmt.Errorf("the role may make no schema: %s (SQLSTATE %s)", pg.Message, pg.Code),
				Hint: fmt.Sprintf("GRANT CREATE ON DATABASE %s TO %s, or have somebody make an empty one: CREATE SCHEMA %s AUTHORIZATION %s", pgx.Identifier{at.Database}.Sanitize(), role, f.schema, role)}
		}
		return err
	})
	if err != nil {
		return err
	}
	return f.migrating(ctx, func(tx pgx.Tx) error {
		version, err := f.version(ctx, tx)
		if err != nil {
			return err
		}
		if _, err := f.knowsQueue(ctx, queue, tx); err != nil {
			return err
		}
		if _, err := queue.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
			return err
		}
		for _, m := range migrations[version:] {
			if _, err := tx.Exec(ctx, f.sql(m)); err != nil {
				return err
			}
		}
		if version < len(migrations) {
			if _, err := tx.Exec(ctx, f.sql("insert into fleet.meta (version) values ($1) on conflict (one) do update set version = excluded.version"), len(migrations)); err != nil {
				return err
			}
		}
		return nil
	})
}

// migrating runs fn in a transaction while nobody else migrates.
func (f *Fleet) migrating(ctx context.Context, fn func(tx pgx.Tx) error) error {
	return f.transact(ctx, func(tx pgx.Tx) error {
		// Whoever has it may take longer than the pool lets others wait for a lock.
		if _, err := tx.Exec(ctx, f.sql("select set_config('lock_timeout', '2min', true), set_config('statement_timeout', '0', true), pg_advisory_xact_lock(hashtext('fleet.migrate'))")); err != nil {
			return err
		}
		return fn(tx)
	})
}

// version is that of our tables; 0 when there are none. Newer ones than this program knows are an error.
func (f *Fleet) version(ctx context.Context, tx pgx.Tx) (version int, err error) {
	var there bool
	err = tx.QueryRow(ctx, "select to_regclass($1) is not null", f.schema+".meta").Scan(&there)
	if err != nil || !there {
		return 0, err
	}
	if err := tx.QueryRow(ctx, f.sql("select version from fleet.meta")).Scan(&version); err != nil {
		return 0, err
	}
	if version > len(migrations) {
		err = &fault.Error{Class: fault.Configuration, Op: "open", Where: "schema " + f.schema,
			Err:  fmt.Errorf("it is of version %d, and this program knows %d", version, len(migrations)),
			Hint: "a newer program has changed it; start that one"}
	}
	return version, err
}

// knowsQueue refuses tables of the queue that a newer program has made. It reports whether they are those that this one makes.
func (f *Fleet) knowsQueue(ctx context.Context, queue *rivermigrate.Migrator[pgx.Tx], tx pgx.Tx) (same bool, err error) {
	newest := 0
	for _, v := range queue.AllVersions() {
		newest = max(newest, v.Version)
	}
	var made bool
	if err := tx.QueryRow(ctx, "select to_regclass($1) is not null", f.schema+".river_migration").Scan(&made); err != nil || !made {
		return false, err
	}
	var there int
	if err := tx.QueryRow(ctx, f.sql("select coalesce(max(version), 0) from fleet.river_migration where line = 'main'")).Scan(&there); err != nil {
		return false, err
	}
	if there > newest {
		return false, &fault.Error{Class: fault.Configuration, Op: "open", Where: "schema " + f.schema,
			Err:  fmt.Errorf("its queue is of version %d, and this program knows %d", there, newest),
			Hint: "a newer program has changed it; start that one"}
	}
	return there == newest, nil
}

// transact runs fn in a transaction.
func (f *Fleet) transact(ctx context.Context, fn func(tx pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, f.pool, fn)
}
