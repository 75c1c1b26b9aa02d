package sql

import (
	"context"
	stdsql "database/sql"
	"fmt"
	"regexp"
	"strings"
	"time"

	"dirsyncd/connectors/internal/columns"
	"dirsyncd/sync/database"
	"dirsyncd/sync/fault"
)

// mysqlDialect reads MariaDB and MySQL.
type mysqlDialect struct{ cfg *Config }

func (d *mysqlDialect) begin(ctx context.Context, conn *stdsql.Conn, timeout time.Duration) (*stdsql.Tx, error) {
	var version string
	if err := conn.QueryRowContext(ctx, "SELECT version()").Scan(&version); err != nil {
		return nil, err
	}
	limit := fmt.Sprintf("SET max_execution_time = %d", max(1, timeout.Milliseconds()))
	if strings.Contains(version, "MariaDB") {
		limit = fmt.Sprintf("SET max_statement_time = %.3f", max(0.001, timeout.Seconds()))
	}
	if _, err := conn.ExecContext(ctx, limit); err != nil {
		return nil, err
	}
	return conn.BeginTx(ctx, &stdsql.TxOptions{Isolation: stdsql.LevelRepeatableRead, ReadOnly: true})
}

func (d *mysqlDialect) clock() string { return "SELECT utc_timestamp(6)" }

func (d *mysqlDialect) moment(any) (time.Time, bool) { return time.Time{}, false }

func (d *mysqlDialect) partOfAnother(string) bool { return true }

func (d *mysqlDialect) since(query, column, _ string, t time.Time) (string, []any) {
	name := "changed_rows." + database.Quote(database.MySQL, column)
	return wrap(query, name+" >= ? OR "+name+" IS NULL"), []any{t.UTC().Format("2006-01-02 15:04:05.999999")}
}

func (d *mysqlDialect) sinceNumber(query, column string, n int64) (string, []any) {
	name := "changed_rows." + database.Quote(database.MySQL, column)
	return wrap(query, name+" >= ? OR "+name+" IS NULL"), []any{n}
}

func (d *mysqlDialect) converter(databaseType string) func(any) columns.Cell {
	switch databaseType {
	case "DATE":
		return dateCell
	case "DATETIME":
		return localCell
	case "TIMESTAMP":
		return momentCell
	case "BIT":
		return bitCell
	case "SET":
		return setCell
	case "JSON":
		return jsonCell
	case "BINARY", "VARBINARY", "BLOB", "TINYBLOB", "MEDIUMBLOB", "LONGBLOB", "GEOMETRY", "VECTOR":
		return binaryCell
	default:
		return anyCell
	}
}

func (d *mysqlDialect) means(p database.Problem, _ error) (fault.Class, string) {
	switch p {
	case database.Denied:
		return fault.Forbidden, "GRANT SELECT on what the query reads to this account"
	case database.Slow:
		return fault.Transient, "the query took longer than timeout: raise it, or make the query faster"
	case database.ReadOnly:
		return fault.Configuration, "the query writes: nothing is ever written to the database"
	default:
		return fault.Configuration, "try the query with mariadb or mysql as this account"
	}
}

func (d *mysqlDialect) server(ctx context.Context, tx *stdsql.Tx) (string, error) {
	var version string
	err := tx.QueryRowContext(ctx, "SELECT version()").Scan(&version)
	if !strings.Contains(version, "MariaDB") {
		version = "MySQL " + version
	}
	return version, err
}

// writes finds privileges by which data is changed, in the words of SHOW GRANTS.
var writes = regexp.MustCompile(`(?i)\b(ALL PRIVILEGES|INSERT|UPDATE|DELETE|CREATE|DROP|ALTER|SUPER|FILE)\b`)

func (d *mysqlDialect) writable(ctx context.Context, tx *stdsql.Tx) (what, hint string, err error) {
	rows, err := tx.QueryContext(ctx, "SHOW GRANTS")
	if err != nil {
		return "", "", err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var grant string
		if err := rows.Scan(&grant); err != nil {
			return "", "", err
		}
		granted, _, _ := strings.Cut(grant, " ON ")
		if found := writes.FindString(granted); found != "" {
			what, hint = "the account has the privilege "+strings.ToUpper(found), "CREATE USER …; GRANT SELECT ON …: the account needs no more than that"
		}
	}
	return what, hint, rows.Err()
}
