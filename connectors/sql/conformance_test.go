package sql

import (
	stdsql "database/sql"
	"fmt"
	"os"
	"strings"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/connectors/connectortest"
	"dirsyncd/sync/database/mariadbtest"
	"dirsyncd/sync/database/postgrestest"
	"dirsyncd/sync/database/testserver"
	"dirsyncd/sync/directory"
)

// trial is a database that the suite changes.
type trial struct {
	db *stdsql.DB
	// now is the database's expression for the present; pad makes rows so wide that few are on the way at once.
	now, pad string
	file     string              // of SQLite
	wire     *testserver.Wire    // of the others
	lock     map[string][]string // statements by breakage
}

// conformanceKinds reads people with counts and changes, and groups with a query for their members.
const conformanceKinds = `{person: {query: SELECT * FROM people, count: SELECT count(*) FROM people, changed: {column: touched}},
	group: {query: SELECT * FROM teams, count: SELECT count(*) FROM teams}, member: {query: "SELECT team, person FROM members", columns: {group: team, member: person}}}`

func (f *trial) fixture(tb testing.TB, block string) *connectortest.Fixture {
	tb.Helper()
	do(tb, f.db, "CREATE TABLE people (id int, name varchar(50), email varchar(50), title varchar(50), created varchar(30), touched timestamp NULL, pad text)",
		"CREATE TABLE teams (id int, name varchar(50), description varchar(50), email varchar(50), pad text)", "CREATE TABLE members (team int, person int)")
	var people, teams, members []string
	for i := range 250 {
		people = append(people, fmt.Sprintf("(%d, 'n%[1]d', 'n%[1]d@x', 't', '2024-01-01', '2025-01-01 00:00:00', %s)", i, f.pad))
		teams = append(teams, fmt.Sprintf("(%d, 'g%[1]d', 'd', 'g%[1]d@x', %s)", i, f.pad))
		members = append(members, fmt.Sprintf("(%d, %[1]d), (%[1]d, %d)", i, i/2))
	}
	for table, rows := range map[string][]string{"people": people, "teams": teams, "members": members} {
		do(tb, f.db, "INSERT INTO "+table+" VALUES "+strings.Join(rows, ", "))
	}
	c := connect(tb, settingsOf(tb, block))
	c.pageSize = 20
	table := func(stream string) (string, directory.Kind) {
		if stream == "users" {
			return "people", directory.Person
		}
		return "teams", directory.Group
	}
	change := func(n int, people, teams string) func(testing.TB, string) directory.Ref {
		return func(tb testing.TB, stream string) directory.Ref {
			_, kind := table(stream)
			if stream == "users" {
				do(tb, f.db, strings.ReplaceAll(people, "NOW", f.now))
			} else {
				do(tb, f.db, teams)
			}
			return directory.Ref{Kind: kind, ID: fmt.Sprintf("%s:%d", kind, n)}
		}
	}
	return &connectortest.Fixture{
		Connector: connectors.Guard(c),
		Add:       change(999, "INSERT INTO people VALUES (999, 'new', 'new@x', 't', NULL, NOW, NULL)", "INSERT INTO teams VALUES (999, 'new', 'd', NULL, NULL)"),
		Change:    change(3, "UPDATE people SET title = 'changed', touched = NOW WHERE id = 3", "UPDATE teams SET description = 'changed' WHERE id = 3"),
		Rename:    change(4, "UPDATE people SET name = 'other', email = 'other@x', touched = NOW WHERE id = 4", "UPDATE teams SET name = 'other', email = 'other@x' WHERE id = 4"),
		Delete:    change(5, "DELETE FROM people WHERE id = 5", "DELETE FROM teams WHERE id = 5"),
		Break: func(tb testing.TB, how connectortest.Breakage) {
			switch how {
			case connectortest.MidListing:
				f.wire.Cut()
			case connectortest.Silence:
				f.wire.Silence()
			case connectortest.Unreachable:
				if f.wire != nil {
					f.wire.Close()
				} else if err := os.Remove(f.file); err != nil {
					tb.Fatal(err)
				}
			case connectortest.BadEntry:
				do(tb, f.db, "UPDATE people SET created = 'nonsense' WHERE id = 7", "UPDATE teams SET id = NULL WHERE id = 7")
			default:
				do(tb, f.db, f.lock[string(how)]...)
			}
		},
	}
}

func TestConformancePostgres(t *testing.T) {
	s := postgrestest.Start(t)
	connectortest.Run(t, connectortest.Harness{
		Start: func(tb testing.TB) *connectortest.Fixture {
			d := s.Database(tb)
			f := &trial{db: d.DB, now: "localtimestamp", pad: "repeat('x', 4000)", wire: d.Wire, lock: map[string][]string{
				string(connectortest.BadCredentials):    {"ALTER ROLE " + d.Reader + " PASSWORD 'another'"},
				string(connectortest.MissingPermission): {"REVOKE SELECT ON ALL TABLES IN SCHEMA public FROM " + d.Reader},
			}}
			d.Exec("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO " + d.Reader)
			return f.fixture(tb, postgresBlock(s, d, conformanceKinds))
		},
		Secrets:     []string{postgrestest.AdminPassword, postgrestest.ReaderPassword},
		Unsupported: map[connectortest.Breakage]string{connectortest.LostCursors: "a time is never forgotten"},
	})
}

func TestConformanceMariaDB(t *testing.T) {
	s := mariadbtest.Start(t)
	connectortest.Run(t, connectortest.Harness{
		Start: func(tb testing.TB) *connectortest.Fixture {
			d := s.Database(tb)
			account := "'" + d.Reader + "'@'%'"
			f := &trial{db: d.DB, now: "utc_timestamp()", pad: "repeat('x', 4000)", wire: d.Wire, lock: map[string][]string{
				string(connectortest.BadCredentials):    {"ALTER USER " + account + " IDENTIFIED BY 'another'"},
				string(connectortest.MissingPermission): {"REVOKE SELECT ON " + d.Name + ".* FROM " + account, "GRANT INSERT ON " + d.Name + ".members TO " + account},
			}}
			return f.fixture(tb, mariadbBlock(s, d, conformanceKinds))
		},
		Secrets:     []string{mariadbtest.AdminPassword, mariadbtest.ReaderPassword},
		Unsupported: map[connectortest.Breakage]string{connectortest.LostCursors: "a time is never forgotten"},
	})
}

func TestConformanceSQLite(t *testing.T) {
	connectortest.Run(t, connectortest.Harness{
		Start: func(tb testing.TB) *connectortest.Fixture {
			db, file := fileOf(tb)
			f := &trial{db: db, now: "datetime('now')", pad: "NULL", file: file}
			return f.fixture(tb, "{driver: sqlite, file: "+file+", kinds: "+conformanceKinds+"}")
		},
		Unsupported: map[connectortest.Breakage]string{
			connectortest.LostCursors:       "a time is never forgotten",
			connectortest.BadCredentials:    "a file has none",
			connectortest.MissingPermission: "tests run as root, whom no file is closed to",
			connectortest.MidListing:        "there is no wire that could be cut",
			connectortest.Silence:           "there is no server that could be silent",
		},
	})
}
