package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"dirsyncd/store/encoding"
	"dirsyncd/sync/fault"
)

// schemaObjects are the tables of what is read from a source, and of the store itself. A table whose name is not among tables is not a
// partition's.
const schemaObjects = `
create table @.meta (one bool primary key default true check (one), format text not null, version int not null);
create table @.worker (id uuid primary key, name text not null, session text not null, started timestamptz not null, expires timestamptz not null) with (fillfactor = 30);
create table @.lease (name text primary key, holder uuid, fence int8 not null default 0, since timestamptz) with (fillfactor = 30);
create index lease_holder on @.lease (holder) where holder is not null;
create table @.partition (id int generated always as identity primary key, connection text collate "C" not null, tenant text collate "C" not null,
  last_num int8 not null default 0, members int8 not null default 0, present int8[] not null default '{}', active int8[] not null default '{}',
  desk int8[] not null default '{}', unique (connection, tenant)) with (fillfactor = 20);
create table @.ledger (name text collate "C" primary key, value bytea not null);
create table @.tenant (part int primary key, state text not null);
create table @.name (part int, hash uuid, num int not null, primary key (part, hash) include (num));
create table @.owner (part int, handle int, num int not null, primary key (part, handle));
create table @.contested (part int, handle int, num int, primary key (part, handle, num));
create table @.object (part int, kind int2, num int, gone int2 not null, handles bytea not null, data bytea not null, primary key (part, kind, num));
create table @.member (part int, grp int, handle int, primary key (part, grp, handle));
create index member_of on @.member (part, handle, grp);
create table @.digest (part int, grp int, count int8 not null, sum uuid not null, primary key (part, grp));
create table @.link (part int, type int2, target int, num int, primary key (part, type, target, num));
create table @.dirty (part int, kind int2, num int, why int2 not null, primary key (part, kind, num))
  with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);
create table @.due (part int, kind int2, num int, at int8 not null, primary key (part, kind, num));
create index due_at on @.due (part, at, kind, num);
create table @.stream (part int, name text collate "C", state text not null, primary key (part, name));
create table @.seen (part int, stream text collate "C", seq int8, chunk bytea not null, primary key (part, stream, seq));
create table @.journal (part int, n int8, entries bytea not null, primary key (part, n));
create table @.record (part int, kind int2, num int, active bool not null, data bytea not null, primary key (part, kind, num));
`

// tables are those that have a column part: what a partition consists of beside its row.
func tables() []string {
	return append([]string{"tenant", "name", "owner", "contested", "object", "member", "digest", "link", "dirty", "due", "stream", "seen",
		"journal", "record"}, deskTables()...)
}

// formatName says in meta whose schema it is.
const formatName = "dirsyncd"

// migration is one step from a schema version to the next. All steps that are missing are one transaction.
type migration struct {
	about string // completes "upgrade state: …", for the operator
	sql   string // "@." stands for the schema
}

// migrations lists the steps in order: the first leads from version 1, which a new schema has, to 2. The list is appended to, never
// changed: the version that a program writes is one more than its length.
func migrations() []migration { return nil }

// migrationLock is the key of the advisory lock under which a schema is made and changed. With several processes that start at the
// same time, one does that and the others find it done.
const migrationLock = 0x64697273796e63

// migrate brings the schema to the version that the steps lead to, and makes a new one.
func (s *Store) migrate(ctx context.Context, steps []migration) error {
	latest := len(steps) + 1
	if version, err := s.version(ctx, s.pool); err != nil || version == latest {
		return err
	} else if version > latest {
		return s.tooNew(version, latest)
	}
	err := pgx.BeginFunc(ctx, s.pool, func(btx pgx.Tx) error {
		if _, err := btx.Exec(ctx, `select set_config('lock_timeout', '60s', true), set_config('statement_timeout', '0', true), pg_advisory_xact_lock($1)`, int64(migrationLock)); err != nil {
			return err
		}
		version, err := s.version(ctx, btx)
		switch {
		case err != nil || version == latest:
			return err
		case version > latest:
			return s.tooNew(version, latest)
		case version == 0:
			return s.make(ctx, btx, latest)
		}
		for _, step := range steps[version-1:] {
			if _, err := btx.Exec(ctx, s.in(step.sql), pgx.QueryExecModeSimpleProtocol); err != nil {
				return s.classify("upgrade state: "+step.about, err)
			}
		}
		_, err = btx.Exec(ctx, s.in(`update @.meta set version = $1`), latest)
		return err
	})
	return s.classify("open state", err)
}

// make makes a new schema.
func (s *Store) make(ctx context.Context, btx pgx.Tx, version int) error {
	// One that somebody made for a role that may make none is used; "if not exists" asks for that right all the same.
	var there bool
	err := btx.QueryRow(ctx, `select exists (select from pg_catalog.pg_namespace where nspname = $1)`, s.schema).Scan(&there)
	if err == nil && !there {
		_, err = btx.Exec(ctx, "create schema "+s.schema)
		err = s.mayNotMake(err, "make the schema of the state", "", "have somebody make an empty one: CREATE SCHEMA "+s.schema+" AUTHORIZATION "+pgx.Identifier{s.config.ConnConfig.User}.Sanitize())
	}
	if err == nil {
		_, err = btx.Exec(ctx, s.in(schemaObjects+schemaDesk), pgx.QueryExecModeSimpleProtocol)
	}
	if err != nil {
		return s.classify("make the schema of the state", err)
	}
	_, err = btx.Exec(ctx, s.in(`insert into @.meta (format, version) values ($1, $2)`), formatName, version)
	return err
}

type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// version reads the schema's version; zero for one that is not there or has nothing.
func (s *Store) version(ctx context.Context, q querier) (version int, err error) {
	var format string
	var tables int
	err = q.QueryRow(ctx, `select count(*) from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where n.nspname = $1 and c.relkind in ('r', 'p', 'v')`, s.schema).Scan(&tables)
	if err != nil || tables == 0 {
		return 0, s.classify("open state", err)
	}
	err = q.QueryRow(ctx, s.in(`select format, version from @.meta`)).Scan(&format, &version)
	pg := (*pgconn.PgError)(nil)
	moving, isMoving := encoding.MovingOf(format)
	moved, wasMoved := encoding.MovedOf(format)
	switch {
	case isMoving:
		return 0, moving.Error(s.place())
	case wasMoved:
		return 0, moved.Error(s.place())
	case errors.As(err, &pg) && strings.HasPrefix(pg.Code, "42") && pg.Code != "42501":
		return 0, s.notOurs(errors.New("its tables are not those of dirsyncd"))
	case errors.Is(err, pgx.ErrNoRows), err == nil && (format != formatName || version < 1):
		return 0, s.notOurs(errors.New("it does not say so"))
	case err != nil:
		return 0, s.classify("open state", err)
	}
	return version, nil
}

// place names the state in errors about it as a whole.
func (s *Store) place() string { return s.where + ", schema " + s.schema }

func (s *Store) tooNew(version, latest int) error {
	return &fault.Error{Class: fault.Configuration, Op: "open state", Where: s.place(),
		Err:  fmt.Errorf("the state has version %d, this program knows versions up to %d", version, latest),
		Hint: "a newer dirsyncd wrote it: use that one, or give this one a state of its own"}
}

func (s *Store) notOurs(cause error) error {
	return &fault.Error{Class: fault.Configuration, Op: "open state", Where: s.place(),
		Err:  fmt.Errorf("this is not a state of dirsyncd: %w", cause),
		Hint: "name another schema: this one is left as it is"}
}
