package sql

import (
	"context"
	stdsql "database/sql"
	"time"

	"dirsyncd/connectors/internal/columns"
	"dirsyncd/sync/database"
	"dirsyncd/sync/fault"
)

// sqlite reads a file of SQLite.
type sqlite struct{ cfg *Config }

// begin: the file is opened read-only, and query_only refuses what would write to another one.
func (d *sqlite) begin(ctx context.Context, conn *stdsql.Conn, _ time.Duration) (*stdsql.Tx, error) {
	return conn.BeginTx(ctx, nil)
}

func (d *sqlite) clock() string { return "SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')" }

// moment reads the texts that SQLite's own functions take for times.
func (d *sqlite) moment(value any) (time.Time, bool) {
	text, ok := value.(string)
	if !ok {
		return time.Time{}, false
	}
	for _, layout := range []string{"2006-01-02 15:04:05.999999999", "2006-01-02T15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02T15:04:05.999999999", "2006-01-02 15:04", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

func (d *sqlite) partOfAnother(string) bool { return true }

// since compares as times, whatever form the texts have; julianday keeps milliseconds. What is no time is always read.
func (d *sqlite) since(query, column, _ string, t time.Time) (string, []any) {
	name := "changed_rows." + database.Quote(database.SQLite, column)
	return wrap(query, "julianday("+name+") >= julianday(?) OR julianday("+name+") IS NULL"),
		[]any{t.UTC().Add(-time.Second).Format("2006-01-02 15:04:05.000")}
}

func (d *sqlite) sinceNumber(query, column string, n int64) (string, []any) {
	name := "changed_rows." + database.Quote(database.SQLite, column)
	return wrap(query, name+" >= ? OR "+name+" IS NULL"), []any{n}
}

// converter: a column's type says little of what is in it, and the driver goes by it for times only. A time without a zone
// is in UTC, as SQLite's own functions have it.
func (d *sqlite) converter(databaseType string) func(any) columns.Cell {
	switch databaseType {
	case "DATE":
		return dateCell
	case "BLOB":
		return binaryCell
	default:
		return anyCell
	}
}

func (d *sqlite) means(p database.Problem, _ error) (fault.Class, string) {
	switch p {
	case database.Denied:
		return fault.Forbidden, "let the service's user read the file, and its -wal and -shm"
	case database.ReadOnly:
		return fault.Configuration, "the query writes, or the database needs a recovery that only its own program can make"
	default:
		return fault.Configuration, "try the query with sqlite3"
	}
}

func (d *sqlite) server(ctx context.Context, tx *stdsql.Tx) (string, error) {
	var version string
	err := tx.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&version)
	return "SQLite " + version, err
}

// writable: the file is opened read-only, whatever the account may do.
func (d *sqlite) writable(context.Context, *stdsql.Tx) (what, hint string, err error) {
	return "", "", nil
}
