package sql

import (
	"context"
	stdsql "database/sql"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"dirsyncd/connectors/internal/columns"
	"dirsyncd/sync/database"
	"dirsyncd/sync/fault"
)

// sqlServer reads SQL Server. Its statements and conversions are tested as texts; it was never tried on a server.
type sqlServer struct{ cfg *Config }

// begin: SQL Server has no transaction that only reads. That nothing is written is for the account's rights to see to.
func (d *sqlServer) begin(ctx context.Context, conn *stdsql.Conn, _ time.Duration) (*stdsql.Tx, error) {
	var state int
	if err := conn.QueryRowContext(ctx, snapshotState).Scan(&state); err != nil {
		return nil, err
	}
	if _, err := conn.ExecContext(ctx, "SET ROWCOUNT 0; SET LOCK_TIMEOUT 60000"); err != nil {
		return nil, err
	}
	level := stdsql.LevelReadCommitted
	if state == 1 {
		level = stdsql.LevelSnapshot
	}
	return conn.BeginTx(ctx, &stdsql.TxOptions{Isolation: level})
}

// snapshotState asks whether transactions may read a snapshot, which locks nobody out.
const snapshotState = "SELECT CAST(snapshot_isolation_state AS int) FROM sys.databases WHERE database_id = DB_ID()"

func (d *sqlServer) clock() string { return "SELECT SYSUTCDATETIME()" }

func (d *sqlServer) moment(any) (time.Time, bool) { return time.Time{}, false }

// partOfAnother: neither WITH nor ORDER BY may stand in a part of a query.
func (d *sqlServer) partOfAnother(query string) bool { return !alone.MatchString(query) }

var alone = regexp.MustCompile(`(?i)\b(with|order\s+by)\b`)

func (d *sqlServer) since(query, column, of string, t time.Time) (string, []any) {
	name, typ := "changed_rows."+database.Quote(database.SQLServer, column), strings.ToLower(of)
	if !slices.Contains([]string{"date", "datetime", "datetime2", "smalldatetime", "datetimeoffset"}, typ) {
		typ = "datetime2"
	}
	text := t.UTC().Format("2006-01-02T15:04:05.000")
	if typ == "datetimeoffset" {
		text += "+00:00"
	}
	return wrap(query, fmt.Sprintf("%s >= CONVERT(%s, @p1, 126) OR %s IS NULL", name, typ, name)), []any{text}
}

func (d *sqlServer) sinceNumber(query, column string, n int64) (string, []any) {
	name := "changed_rows." + database.Quote(database.SQLServer, column)
	return wrap(query, name+" >= @p1 OR "+name+" IS NULL"), []any{n}
}

func (d *sqlServer) converter(databaseType string) func(any) columns.Cell {
	switch databaseType {
	case "DATE":
		return dateCell
	case "DATETIME", "DATETIME2", "SMALLDATETIME":
		return localCell
	case "DATETIMEOFFSET":
		return momentCell
	case "TIME":
		return clockCell
	case "UNIQUEIDENTIFIER":
		return guidCell
	case "BINARY", "VARBINARY", "IMAGE", "TIMESTAMP", "ROWVERSION", "UDT":
		return hexCell
	default:
		return anyCell
	}
}

func (d *sqlServer) means(p database.Problem, _ error) (fault.Class, string) {
	if p == database.Denied {
		return fault.Forbidden, "GRANT SELECT on what the query reads to this account"
	}
	return fault.Configuration, "try the query as this account"
}

func (d *sqlServer) server(ctx context.Context, tx *stdsql.Tx) (version string, err error) {
	err = tx.QueryRowContext(ctx, "SELECT CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(128))").Scan(&version)
	return "SQL Server " + version, err
}

func (d *sqlServer) writable(ctx context.Context, tx *stdsql.Tx) (what, hint string, err error) {
	var may int
	err = tx.QueryRowContext(ctx, `SELECT CASE WHEN 1 IN (HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'INSERT'), HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'UPDATE'),
		HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'DELETE'), IS_ROLEMEMBER('db_owner')) THEN 1 ELSE 0 END`).Scan(&may)
	if err != nil || may == 0 {
		return "", "", err
	}
	return "the account may write to the database, and SQL Server has no transaction that forbids it", "make it a member of db_datareader alone", nil
}
