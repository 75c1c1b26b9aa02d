package e2e

import (
	stdsql "database/sql"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"dirsyncd/sync/database/mariadbtest"
	"dirsyncd/sync/database/postgrestest"
)

// register is a table of people that a program of the operator's has kept for long. Triggers note who was written to.
type register struct {
	t     *testing.T
	db    *stdsql.DB
	block string
	// words of its database
	id, mark string
	// triggers note each row that is written in the table written. Once it has as many as the table gate says they let no transaction go on.
	triggers []string
	// drop ends what the database still does for a program that was killed, and reports whether nothing is left of it.
	drop func() bool
}

// batch is how many rows the program writes in one transaction.
const batch = 10

// gateOpen is what the gate says while nobody is to be kept waiting.
const gateOpen = 1_000_000

func (r *register) exec(statements ...string) {
	r.t.Helper()
	for _, s := range statements {
		if _, err := r.db.ExecContext(r.t.Context(), s); err != nil {
			r.t.Fatalf("%s: %v", s, err)
		}
	}
}

// fill makes the rows that are there before; half of them have other log-ins than we would give them, one in ten is out of use.
func (r *register) fill() {
	r.exec("CREATE TABLE people (id "+r.id+", dirsync_mark "+r.mark+" UNIQUE, login varchar(100) UNIQUE, mail varchar(100), full_name varchar(100), title varchar(50), note varchar(50), in_use int NOT NULL DEFAULT 1)",
		"CREATE TABLE written (person bigint)", "CREATE TABLE gate (upto int)", fmt.Sprintf("INSERT INTO gate VALUES (%d)", gateOpen))
	add := func(login, mail, name string, inUse int) {
		r.exec(fmt.Sprintf("INSERT INTO people (login, mail, full_name, note, in_use) VALUES ('%s', '%s', '%s', 'by hand', %d)", login, mail, name, inUse))
	}
	for i := range known {
		login, name, inUse := fmt.Sprintf("LOGIN%d", i), "", 1
		if i%2 == 1 {
			login = fmt.Sprintf("former-name-%d", i)
		}
		if i%5 == 0 {
			name = fmt.Sprintf("As written there %d", i)
		}
		if i%10 == 9 {
			inUse = 0
		}
		add(login, fmt.Sprintf("P%d@example.test", i), name, inUse)
		if i%2 == 1 && i < 2*sharing {
			add(fmt.Sprintf("shares-%d", i), fmt.Sprintf("p%d@example.test", i), "Somebody else", 1)
		}
	}
	for i := range others {
		add(fmt.Sprintf("other%d", i), fmt.Sprintf("other%d@elsewhere.test", i), fmt.Sprintf("Person %d", i), i%2)
	}
	r.exec(r.triggers...)
}

// everybody is a dump of the table, by id.
func (r *register) everybody() map[string]map[string]string {
	r.t.Helper()
	rows, err := r.db.QueryContext(r.t.Context(), "SELECT id, dirsync_mark, login, mail, full_name, title, note, in_use FROM people")
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	names := []string{"id", "mark", "login", "mail", "full_name", "title", "note", "in_use"}
	all := map[string]map[string]string{}
	for rows.Next() {
		values, into := make([]stdsql.NullString, len(names)), make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			r.t.Fatal(err)
		}
		row := map[string]string{}
		for i, name := range names {
			if values[i].Valid {
				row[name] = values[i].String
			}
		}
		all[row["id"]] = row
	}
	if err := rows.Err(); err != nil {
		r.t.Fatal(err)
	}
	return all
}

// writes counts what was ever written, and to how many who have no mark.
func (r *register) writes() (n, foreign int) {
	r.t.Helper()
	err := r.db.QueryRowContext(r.t.Context(), "SELECT count(*), (SELECT count(*) FROM written w JOIN people p ON p.id = w.person WHERE p.dirsync_mark IS NULL) FROM written").Scan(&n, &foreign)
	if err != nil {
		r.t.Fatal(err)
	}
	return n, foreign
}

// cut is a cutting: when n more rows are there for all to see the program is killed, and one batch later it would not get on by itself.
func (r *register) cut(n int, _ bool, kill func()) func(<-chan struct{}) {
	r.t.Helper()
	now, _ := r.writes()
	until := now + n
	r.exec(fmt.Sprintf("UPDATE gate SET upto = %d", until+batch))
	return func(ended <-chan struct{}) {
		r.t.Helper()
		eventually(r.t, fmt.Sprintf("%d rows were written, or the program has ended", until), func() bool {
			select {
			case <-ended:
				return true
			default:
			}
			if now, _ := r.writes(); now < until {
				return false
			}
			kill()
			<-ended
			return true
		})
		eventually(r.t, "the database has let go of the program", r.drop)
		r.exec(fmt.Sprintf("UPDATE gate SET upto = %d", gateOpen))
	}
}

func TestCompanyInPostgres(t *testing.T) {
	t.Parallel()
	s := postgrestest.Start(t)
	d := s.Database(t)
	d.Exec("GRANT USAGE ON SCHEMA public TO "+d.Reader, "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE ON TABLES TO "+d.Reader)
	companyInDatabase(t, &register{t: t, db: d.DB, id: "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY", mark: "text",
		block: fmt.Sprintf("driver: postgres, host: 127.0.0.1, port: %d, database: %s, user: %s, ca_file: %s, password: {env: DB_PASSWORD}", s.Port, d.Name, d.Reader, s.CAFile),
		triggers: []string{"CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO written VALUES (NEW.id); " +
			"IF (SELECT count(*) FROM written) >= (SELECT upto FROM gate) THEN PERFORM pg_sleep(3600); END IF; RETURN NULL; END'",
			"CREATE TRIGGER note AFTER INSERT OR UPDATE ON people FOR EACH ROW EXECUTE FUNCTION note()"},
		drop: func() bool {
			var left int
			err := d.DB.QueryRowContext(t.Context(), "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = $1", d.Reader).Scan(&left)
			fatal(t, err)
			return left == 0
		},
	}, postgrestest.ReaderPassword)
}

func TestCompanyInMariaDB(t *testing.T) {
	t.Parallel()
	s := mariadbtest.Start(t, "--sql-mode=")
	d := s.Database(t)
	d.Exec("GRANT SELECT, INSERT, UPDATE ON " + d.Name + ".* TO '" + d.Reader + "'@'%'")
	const note = "BEGIN INSERT INTO written VALUES (NEW.id); IF (SELECT count(*) FROM written) >= (SELECT upto FROM gate) THEN DO SLEEP(3600); END IF; END"
	companyInDatabase(t, &register{t: t, db: d.DB, id: "bigint AUTO_INCREMENT PRIMARY KEY", mark: "varchar(700) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
		block:    fmt.Sprintf("driver: mysql, host: 127.0.0.1, port: %d, database: %s, user: %s, ca_file: %s, password: {env: DB_PASSWORD}", s.Port, d.Name, d.Reader, s.CAFile),
		triggers: []string{"CREATE TRIGGER made AFTER INSERT ON people FOR EACH ROW " + note, "CREATE TRIGGER changed AFTER UPDATE ON people FOR EACH ROW " + note},
		drop: func() bool {
			var left int
			// It asks for the end of each first, and says then how many there are.
			_, _ = d.DB.ExecContext(t.Context(), "KILL CONNECTION USER "+d.Reader)
			fatal(t, d.DB.QueryRowContext(t.Context(), "SELECT count(*) FROM information_schema.processlist WHERE user = ?", d.Reader).Scan(&left))
			return left == 0
		},
	}, mariadbtest.ReaderPassword)
}

func TestCompanyInSQLite(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "register.db")
	db, err := stdsql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(600000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	const hold = " WHEN (SELECT count(*) FROM written) >= (SELECT upto FROM gate) BEGIN SELECT n FROM forever; END"
	companyInDatabase(t, &register{t: t, db: db, id: "INTEGER PRIMARY KEY AUTOINCREMENT", mark: "TEXT", block: "driver: sqlite, file: " + file,
		triggers: []string{"CREATE TRIGGER made AFTER INSERT ON people BEGIN INSERT INTO written VALUES (NEW.id); END",
			"CREATE TRIGGER changed AFTER UPDATE ON people BEGIN INSERT INTO written VALUES (NEW.id); END",
			// Counting without an end: nothing waits in SQLite.
			"CREATE VIEW forever AS WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) AS n FROM c",
			"CREATE TRIGGER hold_made AFTER INSERT ON people" + hold, "CREATE TRIGGER hold_changed AFTER UPDATE ON people" + hold},
		drop: func() bool { return true }, // its locks went with the process
	}, "unused")
}

// companyInDatabase: a company of whom many are in a table already is adopted there, without one row too many and without a
// change to any that is not ours, also when the program is killed again and again and when an older state comes back.
func companyInDatabase(t *testing.T, r *register, password string) {
	r.fill()
	before := r.everybody()
	in := install(t, fmt.Sprintf(`
state: state.db
connections:
  hr:
    connector: files
    mapping: staff
    targets: [register]
    files: {folder: in, settle: 0s, kinds: {person: {file: people.csv, key: id, attributes: []}}}
mappings:
  staff:
    rules: [{name: everyone, user: {name: = name, login: = login, email: = email, title: = title}}]
    guard: {create: {count: 100000}}
targets:
  register:
    target: sql
    sql: {%s, batch: %d, timeout: 10m, tables: {user: {table: people, keys: [mail], columns: {name: full_name, login: login, email: mail, title: title}, active: in_use}}}
`, r.block, batch))
	in.env = append(in.env, "DB_PASSWORD="+password)
	if err := os.Mkdir(in.path("in"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(in.path("in/people.csv"), []byte(people(staff)), 0o600); err != nil {
		t.Fatal(err)
	}

	in.expect(0, "check", "--probe")
	in.run("sync")
	held := ask[[]struct {
		Target, Hash string
		Counts       map[string]map[string]int
	}](in, 3, "adopt")
	if len(held) != 1 || held[0].Counts["user"]["adopt"] != known-sharing || held[0].Counts["user"]["create"] != staff-known || held[0].Counts["user"]["review"] != sharing {
		t.Fatalf("held: %+v", held)
	}
	if n, _ := r.writes(); n != 0 {
		t.Fatalf("%d rows were written before the approval", n)
	}
	killWhileWriting(t, in, held[0].Hash, 20, r.cut)
	settle := func() {
		t.Helper()
		eventually(t, "nothing is left to do", func() bool {
			in.run("sync")
			st := ask[struct {
				Targets []struct {
					Waiting, Parked int
					Waits           map[string]int
				}
			}](in, 0, "status")
			if st.Targets[0].Parked > 0 {
				t.Fatalf("%+v", st)
			}
			return st.Targets[0].Waiting == 0 && st.Targets[0].Waits["review"] == sharing && len(st.Targets[0].Waits) == 1
		})
	}
	settle()
	check := func() {
		t.Helper()
		now := r.everybody()
		if want := len(before) + staff - known; len(now) != want {
			t.Errorf("%d rows, and not %d", len(now), want)
		}
		marks := map[string]bool{}
		for id, p := range now {
			if m := p["mark"]; m != "" {
				if marks[m] {
					t.Errorf("%s is there twice", m)
				}
				marks[m] = true
			}
			was, old := before[id]
			switch {
			case !old:
			case p["mark"] == "" && !maps.Equal(was, p):
				t.Errorf("somebody who is not ours was changed:\n%v\n%v", was, p)
			case was["full_name"] != "" && was["full_name"] != p["full_name"], was["note"] != p["note"], was["login"] != p["login"]:
				t.Errorf("what was written there is overwritten: %v, %v", was, p)
			}
		}
		if len(marks) != staff-sharing {
			t.Errorf("%d are ours, and not %d", len(marks), staff-sharing)
		}
		if _, foreign := r.writes(); foreign > 0 {
			t.Errorf("%d times somebody was written to who is not ours", foreign)
		}
	}
	check()

	began, _ := r.writes()
	in.run("sync")
	if n, _ := r.writes(); n != began {
		t.Errorf("a run without changes wrote %d rows", n-began)
	}
	in.expect(0, "audit", "register")

	if err := os.Rename(in.path("older.db"), in.path("state.db")); err != nil {
		t.Fatal(err)
	}
	settle()
	check()
}
