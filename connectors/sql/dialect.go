package sql

import (
	"context"
	stdsql "database/sql"
	"time"

	"dirsyncd/connectors/internal/columns"
	"dirsyncd/sync/database"
	"dirsyncd/sync/fault"
)

// dialect is what differs between the databases.
type dialect interface {
	// begin starts a transaction that only reads and in which all queries see the same, and limits the time of its queries.
	begin(ctx context.Context, conn *stdsql.Conn, timeout time.Duration) (*stdsql.Tx, error)
	// clock is a query for the time of the database, in UTC.
	clock() string
	// moment reads the answer of clock, and of a column of times, as far as it is not a time.Time.
	moment(value any) (time.Time, bool)
	// since wraps a query so that it returns what has a column no older than a moment; of is how the column is typed.
	since(query, column, of string, t time.Time) (wrapped string, args []any)
	// sinceNumber is the same for a column of numbers.
	sinceNumber(query, column string, n int64) (wrapped string, args []any)
	// partOfAnother reports whether a query can be a part of another one.
	partOfAnother(query string) bool
	// converter returns how a column with a type becomes a cell.
	converter(databaseType string) func(value any) columns.Cell
	// means says what follows from a problem, "" when there is nothing special.
	means(p database.Problem, err error) (class fault.Class, hint string)
	// server asks what is at the other end, for people.
	server(ctx context.Context, tx *stdsql.Tx) (string, error)
	// writable says in words what the account may change, "" when that is nothing.
	writable(ctx context.Context, tx *stdsql.Tx) (what, hint string, err error)
}

func (c *Config) dialect() dialect {
	switch c.Driver {
	case database.Postgres:
		return &postgres{c}
	case database.MySQL:
		return &mysqlDialect{cfg: c}
	case database.SQLServer:
		return &sqlServer{c}
	default:
		return &sqlite{c}
	}
}

// wrap makes a query a part of another one. A comment at its end does not swallow what follows.
func wrap(query, condition string) string {
	return "SELECT * FROM (\n" + query + "\n) AS changed_rows WHERE " + condition
}
