package database

import (
	"errors"
	"slices"
	"strings"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	mssql "github.com/microsoft/go-mssqldb"
	driver "modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"
)

// Problem is what an error of a database says. What follows from it is for those who asked.
type Problem uint8

// The problems.
const (
	// None: it is no error of the database's, such as a lost connection.
	None Problem = iota
	Credentials
	Denied     // a right is missing
	Hidden     // policies of PostgreSQL would hide rows, and were forbidden to
	Policy     // policies of PostgreSQL do not let a row be written
	Slow       // the statement took too long
	ReadOnly   // a statement that writes, where nothing may be written
	NoDatabase // there is no database of that name
	NoLogin    // SQL Server: the account may not enter the database
	Contended  // a deadlock, a lock, a serialization failure: nothing was done
	Busy       // the server has no room, or goes down
	CannotOpen // SQLite: the file
	Damaged    // SQLite: the file
	Unique     // a row with the same unique value is there
	Reference  // a row that is referred to is not there, or one that is removed is referred to
	Missing    // a column needs a value
	Rule       // a CHECK, or an error that a trigger raises
	TooLong    // a text does not fit
	Value      // a value is none of the column's type or characters
	NoTLS      // the server has no TLS
	Refused    // anything else
)

// ProblemOf says what an error of any of the drivers says.
func ProblemOf(err error) Problem {
	var (
		pg *pgconn.PgError
		my *mysql.MySQLError
		ms mssql.Error
		li *driver.Error
	)
	switch {
	case errors.As(err, &pg):
		return postgresProblem(pg)
	case errors.As(err, &my):
		return mysqlProblem(my.Number)
	case errors.As(err, &ms):
		return sqlServerProblem(ms.Number)
	case errors.As(err, &li):
		return sqliteProblem(li.Code())
	case errors.Is(err, mysql.ErrNoTLS), err != nil && (strings.Contains(err.Error(), "server refused TLS") || strings.Contains(err.Error(), "does not support encryption")):
		return NoTLS
	default:
		return None
	}
}

// postgresProblem: PostgreSQL, Appendix A.
func postgresProblem(pg *pgconn.PgError) Problem {
	switch class := pg.Code[:min(2, len(pg.Code))]; {
	case class == "28":
		return Credentials
	case pg.Code == "42501" && strings.Contains(pg.Message, "new row violates"):
		return Policy
	case pg.Code == "42501" && strings.Contains(pg.Message, "row-level security"):
		return Hidden
	case pg.Code == "42501":
		return Denied
	case pg.Code == "57014":
		return Slow
	case pg.Code == "25006":
		return ReadOnly
	case pg.Code == "3D000":
		return NoDatabase
	case class == "40", pg.Code == "55P03":
		return Contended
	case slices.Contains([]string{"08", "53", "55", "57", "58", "XX"}, class):
		return Busy
	case pg.Code == "23505":
		return Unique
	case pg.Code == "23503", pg.Code == "23001":
		return Reference
	case pg.Code == "23502":
		return Missing
	case class == "23", class == "P0", class == "44":
		return Rule
	case pg.Code == "22001":
		return TooLong
	case class == "22":
		return Value
	default:
		return Refused
	}
}

// mysqlProblem: MariaDB error codes; MySQL server error message reference.
func mysqlProblem(number uint16) Problem {
	is := func(numbers ...uint16) bool { return slices.Contains(numbers, number) }
	switch {
	case is(1045, 1698, 1820, 1862, 3118, 4151):
		return Credentials
	case is(1044, 1142, 1143, 1227, 1345, 1356, 1370, 1410):
		return Denied
	case is(1969, 3024):
		return Slow
	case is(1792, 1290, 1036):
		return ReadOnly
	case is(1049):
		return NoDatabase
	case is(1205, 1213):
		return Contended
	case is(1040, 1041, 1053, 1077, 1129, 1135, 1152, 1158, 1159, 1160, 1161, 1184, 1203, 1226, 1317, 1412, 1927, 2006, 2013):
		return Busy
	case is(1062, 1586, 1859):
		return Unique
	case is(1216, 1217, 1451, 1452):
		return Reference
	case is(1048, 1364):
		return Missing
	case is(1644, 3819, 4025):
		return Rule
	case is(1406):
		return TooLong
	case is(1264, 1265, 1292, 1366, 1411):
		return Value
	default:
		return Refused
	}
}

// sqlServerProblem: "Database Engine events and errors".
func sqlServerProblem(number int32) Problem {
	is := func(numbers ...int32) bool { return slices.Contains(numbers, number) }
	switch {
	case is(18456, 18452, 18470, 18486, 18487, 18488):
		return Credentials
	case is(229, 230, 262, 297, 300, 916):
		return Denied
	case is(4060):
		return NoLogin
	case is(1205, 1222, 3960, 3961):
		return Contended
	case is(701, 8645, 8651, 10928, 10929, 40197, 40501, 40613, 49918, 49919, 49920):
		return Busy
	case is(2601, 2627):
		return Unique
	case is(547):
		return Reference
	case is(515):
		return Missing
	case is(2628, 8152):
		return TooLong
	case is(220, 241, 242, 245, 8114, 8115, 8169):
		return Value
	case number >= 50000:
		return Rule // RAISERROR and THROW of a trigger
	default:
		return Refused
	}
}

// sqliteProblem: "Result and Error Codes".
func sqliteProblem(code int) Problem {
	switch code {
	case codes.SQLITE_CONSTRAINT_UNIQUE, codes.SQLITE_CONSTRAINT_PRIMARYKEY, codes.SQLITE_CONSTRAINT_ROWID:
		return Unique
	case codes.SQLITE_CONSTRAINT_FOREIGNKEY:
		return Reference
	case codes.SQLITE_CONSTRAINT_NOTNULL:
		return Missing
	case codes.SQLITE_CONSTRAINT_DATATYPE:
		return Value
	}
	switch code & 0xff {
	case codes.SQLITE_BUSY, codes.SQLITE_LOCKED:
		return Contended
	case codes.SQLITE_IOERR, codes.SQLITE_INTERRUPT, codes.SQLITE_NOMEM, codes.SQLITE_SCHEMA, codes.SQLITE_FULL:
		return Busy
	case codes.SQLITE_CANTOPEN:
		return CannotOpen
	case codes.SQLITE_PERM, codes.SQLITE_AUTH:
		return Denied
	case codes.SQLITE_READONLY:
		return ReadOnly
	case codes.SQLITE_CORRUPT, codes.SQLITE_NOTADB:
		return Damaged
	case codes.SQLITE_CONSTRAINT:
		return Rule
	case codes.SQLITE_TOOBIG:
		return TooLong
	case codes.SQLITE_MISMATCH:
		return Value
	default:
		return Refused
	}
}

// Discreet cuts what databases quote out of rows: `invalid input syntax for type integer: "0049 123"`.
func Discreet(text string) string {
	lower := strings.ToLower(text)
	if i := strings.Index(lower, "duplicate entry '"); i >= 0 {
		if j := strings.LastIndex(lower, "' for key "); j > i {
			return text[:i] + "duplicate entry" + text[j+1:]
		}
	}
	for _, words := range []string{"invalid input ", "out of range", "incorrect ", "conversion failed", "truncated ", "invalid byte sequence", "duplicate key value is"} {
		i := strings.Index(lower, words)
		if i < 0 {
			continue
		}
		if j := strings.IndexAny(text[i:], `"'(`); j >= 0 {
			return text[:i+j] + "…"
		}
	}
	return text
}
