package sql

import (
	"context"
	stdsql "database/sql"
	"fmt"
	"strings"
	"time"

	"dirsyncd/connectors/internal/columns"
	"dirsyncd/sync/database"
	"dirsyncd/sync/fault"
)

// postgres reads PostgreSQL. What is set for a transaction is set within it, so that a pooler such as PgBouncer may stand between.
type postgres struct{ cfg *Config }

func (d *postgres) begin(ctx context.Context, conn *stdsql.Conn, timeout time.Duration) (*stdsql.Tx, error) {
	tx, err := conn.BeginTx(ctx, &stdsql.TxOptions{Isolation: stdsql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return nil, err
	}
	set := fmt.Sprintf("SELECT set_config('statement_timeout', '%d', true), set_config('TimeZone', 'UTC', true)", max(1, timeout.Milliseconds()))
	if d.cfg.removes() {
		// Rows that a policy hides would be taken for gone: with this the server refuses instead of hiding.
		set += ", set_config('row_security', 'off', true)"
	}
	if _, err := tx.ExecContext(ctx, set); err != nil {
		_ = tx.Rollback()
		return nil, err
	}
	return tx, nil
}

func (d *postgres) clock() string { return "SELECT now()" }

func (d *postgres) moment(any) (time.Time, bool) { return time.Time{}, false } // "infinity"

func (d *postgres) partOfAnother(string) bool { return true }

func (d *postgres) since(query, column, of string, t time.Time) (string, []any) {
	name, typ := database.Quote(database.Postgres, column), "timestamptz"
	switch of {
	case "TIMESTAMP":
		typ = "timestamp"
	case "DATE":
		typ = "date"
	}
	text := t.UTC().Format("2006-01-02 15:04:05.999999")
	if typ == "timestamptz" {
		text += "+00"
	}
	return wrap(query, fmt.Sprintf("changed_rows.%s >= $1::text::%s OR changed_rows.%s IS NULL", name, typ, name)), []any{text}
}

func (d *postgres) sinceNumber(query, column string, n int64) (string, []any) {
	name := database.Quote(database.Postgres, column)
	return wrap(query, fmt.Sprintf("changed_rows.%s >= $1 OR changed_rows.%s IS NULL", name, name)), []any{n}
}

func (d *postgres) converter(databaseType string) func(any) columns.Cell {
	switch {
	case databaseType == "DATE":
		return dateCell
	case databaseType == "TIMESTAMP":
		return localCell
	case databaseType == "TIMESTAMPTZ":
		return momentCell
	case databaseType == "BYTEA":
		return hexCell
	case databaseType == "JSON" || databaseType == "JSONB":
		return jsonCell
	case strings.HasPrefix(databaseType, "_"):
		return arrayCell
	default:
		return anyCell
	}
}

func (d *postgres) means(p database.Problem, _ error) (fault.Class, string) {
	switch p {
	case database.Hidden:
		return fault.Forbidden, "policies hide rows from this account, who would be taken for gone: ALTER ROLE … BYPASSRLS, or write absent: keep"
	case database.Denied, database.Policy:
		return fault.Forbidden, "GRANT SELECT on what the query reads to this account"
	case database.Slow:
		return fault.Transient, "the query took longer than timeout: raise it, or make the query faster"
	case database.ReadOnly:
		return fault.Configuration, "the query writes: nothing is ever written to the database"
	default:
		return fault.Configuration, "try the query with psql as this account"
	}
}

func (d *postgres) server(ctx context.Context, tx *stdsql.Tx) (string, error) {
	var version string
	var standby bool
	if err := tx.QueryRowContext(ctx, "SELECT current_setting('server_version'), pg_is_in_recovery()").Scan(&version, &standby); err != nil {
		return "", err
	}
	if standby {
		version += ", a standby: it may lag behind"
	}
	return "PostgreSQL " + version, nil
}

func (d *postgres) writable(ctx context.Context, tx *stdsql.Tx) (what, hint string, err error) {
	var super bool
	var tables int
	err = tx.QueryRowContext(ctx, `SELECT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user),
		(SELECT count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		 WHERE c.relkind IN ('r', 'p', 'v', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
		 AND pg_catalog.has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE'))`).Scan(&super, &tables)
	switch {
	case err != nil || !super && tables == 0:
		return "", "", err
	case super:
		what = "the account is a superuser"
	default:
		what = fmt.Sprintf("the account may write to tables or views (%d)", tables)
	}
	return what, "CREATE ROLE … LOGIN; GRANT SELECT ON …: the account needs no more than that", nil
}
