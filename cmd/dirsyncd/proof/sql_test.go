package proof

import (
	stdsql "database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/connectors/sql"
	"dirsyncd/sync/settings"
	"dirsyncd/sync/settings/strict"
)

// staffDB is a database in a file, in which what is not there any more is gone.
type staffDB struct {
	t     *testing.T
	file  string
	db    *stdsql.DB
	named int
	// edit is what was edited in the configuration.
	edit func(*sql.Config)
	undo []func()
}

func sqlWorld(t *testing.T) *world {
	s := &staffDB{t: t, file: filepath.Join(t.TempDir(), "company.db")}
	s.open()
	t.Cleanup(func() { _ = s.db.Close() })
	s.do(`CREATE TABLE people (no TEXT, name TEXT, mail TEXT, boss TEXT, site INT, job TEXT, since TEXT)`, `CREATE TABLE teams (no INT, name TEXT)`,
		`CREATE TABLE members (team INT, person TEXT)`, `CREATE TABLE sites (no INT, name TEXT, customer INT)`, `CREATE TABLE customers (no INT, name TEXT)`,
		`CREATE VIEW staff AS SELECT * FROM people`, `INSERT INTO customers VALUES (1, 'Acme'), (2, 'Bolt')`,
		`INSERT INTO sites VALUES (0, 'Site 0', 1), (1, 'Site 1', 2), (2, 'Site 2', 1)`)
	for i := range 40 {
		s.do(fmt.Sprintf("INSERT INTO people VALUES ('%04d', 'Person %[1]d', 'p%[1]d@acme.test', '%04d', %d, 'job', '2024-01-01')", i, i/7, i%3))
	}
	for i := range 5 {
		s.do(fmt.Sprintf("INSERT INTO teams VALUES (%d, 'Team %[1]d')", i),
			fmt.Sprintf("INSERT INTO members VALUES (%d, '%04d'), (%[1]d, '%04[3]d'), (%[1]d, '%04[4]d')", i, i, i+7, i+20))
	}
	var w *world
	w = &world{
		name: "sql", timeout: patience,
		open: func(t *testing.T, env connectors.Env) connectors.Connector {
			cfg := s.config()
			cfg.Timeout = settings.Duration(w.timeout)
			if s.edit != nil {
				s.edit(cfg)
			}
			c, err := sql.Factory().Open(cfg, env)
			check(t, err)
			return c
		},
		join: func(*testing.T) {
			s.do(fmt.Sprintf("INSERT INTO people VALUES ('%d', 'New', '%s@acme.test', '0001', 1, 'job', NULL)", 5000+s.named, s.next()))
		},
		leave: func(*testing.T) {
			s.do("DELETE FROM people WHERE no = '0003'", "DELETE FROM members WHERE person = '0003'")
		},
		hurt: s.hurt,
		mend: s.mend,
	}
	w.change = func(_ *testing.T, rnd *rand.Rand) bool {
		person := fmt.Sprintf("(SELECT no FROM people ORDER BY no LIMIT 1 OFFSET abs(%d) %% (SELECT count(*) FROM people))", rnd.Int32())
		switch team := rnd.IntN(5); rnd.IntN(8) {
		case 0:
			w.join(nil)
		case 1:
			s.do("DELETE FROM people WHERE no = " + person)
		case 2:
			s.do("UPDATE people SET name = '" + s.next() + "' WHERE no = " + person)
		case 3:
			s.do(fmt.Sprintf("UPDATE people SET boss = %s, site = %d WHERE no = %s", person, rnd.IntN(3), person))
		case 4:
			s.do(fmt.Sprintf("UPDATE sites SET name = '%s' WHERE no = %d", s.next(), rnd.IntN(3)))
		case 5:
			s.do(fmt.Sprintf("INSERT INTO members SELECT %d, no FROM people WHERE no = %s", team, person))
		case 6:
			s.do(fmt.Sprintf("DELETE FROM members WHERE rowid IN (SELECT rowid FROM members WHERE team = %d LIMIT 1)", team))
		default:
			s.do(fmt.Sprintf("UPDATE teams SET name = '%s' WHERE no = %d", s.next(), team))
		}
		return true
	}
	return w
}

// config reads every kind, and takes absence for what it is.
func (s *staffDB) config() *sql.Config {
	cfg := sql.Defaults()
	doc := strict.Parse([]byte(`driver: sqlite
file: `+s.file+`
kinds:
  person:
    query: SELECT * FROM staff
    count: SELECT count(*) FROM people
    key: no
    columns: {email: mail, manager: boss, title: job, created: since}
    absent: gone
  member: {query: SELECT * FROM members, columns: {group: team, member: person}}
  group: {query: SELECT * FROM teams, key: no, absent: gone}
  site: {query: SELECT * FROM sites, key: no, absent: gone}
  customer: {query: SELECT * FROM customers, key: no, absent: gone}
`), strict.Options{})
	if !doc.Root().Into(cfg) {
		s.t.Fatal(doc.Problems())
	}
	return cfg
}

func (s *staffDB) open() {
	db, err := stdsql.Open("sqlite", s.file+"?_pragma=busy_timeout(300000)&_pragma=synchronous(0)")
	check(s.t, err)
	s.db = db
}

func (s *staffDB) do(statements ...string) {
	s.t.Helper()
	for _, text := range statements {
		if _, err := s.db.Exec(text); err != nil {
			s.t.Fatalf("%s: %v", text, err)
		}
	}
}

func (s *staffDB) next() string {
	s.named++
	return fmt.Sprint("new", s.named)
}

// swap puts other bytes in the place of the file until things are mended.
func (s *staffDB) swap(change func([]byte) []byte) {
	check(s.t, s.db.Close())
	whole, err := os.ReadFile(s.file)
	check(s.t, err)
	if now := change(append([]byte(nil), whole...)); now != nil {
		check(s.t, os.WriteFile(s.file, now, 0o600))
	} else {
		check(s.t, os.Remove(s.file))
	}
	s.undo = append(s.undo, func() {
		check(s.t, os.WriteFile(s.file, whole, 0o600))
		s.open()
	})
}

// tables are the places in which things go wrong, with the kind that reads each.
func tables() map[string]string {
	return map[string]string{"people": "person", "teams": "group", "members": "member", "sites": "site", "customers": "customer"}
}

// hurt is what can go wrong with a database.
func (s *staffDB) hurt(t *testing.T, w *wrong) {
	t.Helper()
	table, first := w.where, map[string]string{"people": "'0005'", "members": "2"}[w.where]
	if first == "" {
		first = "1"
	}
	if _, ok := tables()[table]; !ok && table != "file" {
		t.Fatalf("line %d: there is no place %q", w.line, w.where)
	}
	key := "no"
	if table == "members" {
		key = "team"
	}
	undo := func(statements ...string) { s.undo = append(s.undo, func() { s.do(statements...) }) }
	edit := func(change func(*sql.Kind)) {
		s.edit = func(cfg *sql.Config) {
			k := cfg.Kinds[tables()[table]]
			change(&k)
			cfg.Kinds[tables()[table]] = k
		}
	}
	switch w.kind {
	case "missing":
		s.swap(func([]byte) []byte { return nil })
	case "blank":
		s.swap(func([]byte) []byte { return []byte{} })
	case "garbage":
		s.swap(func(whole []byte) []byte { return []byte(strings.Repeat("no database ", len(whole)/12)) })
	case "cut":
		s.swap(func(whole []byte) []byte { return whole[:len(whole)/2] })
	case "overwritten": // pages of zeros in its middle
		s.swap(func(whole []byte) []byte { clear(whole[8192:min(len(whole), 16384)]); return whole })
	case "hang": // somebody writes, and does not end
		conn, err := s.db.Conn(t.Context())
		check(t, err)
		_, err = conn.ExecContext(t.Context(), "BEGIN EXCLUSIVE")
		check(t, err)
		s.undo = append(s.undo, func() {
			_, err := conn.ExecContext(t.Context(), "ROLLBACK")
			check(t, err)
			check(t, conn.Close())
		})
	case "empty":
		s.do("CREATE TABLE saved AS SELECT * FROM "+table, "DELETE FROM "+table)
		undo("INSERT INTO "+table+" SELECT * FROM saved", "DROP TABLE saved")
	case "half":
		s.do("CREATE TABLE saved AS SELECT * FROM "+table, "DELETE FROM "+table+" WHERE rowid % 2 = 0")
		undo("DELETE FROM "+table, "INSERT INTO "+table+" SELECT * FROM saved", "DROP TABLE saved")
	case "no-table":
		s.do("PRAGMA legacy_alter_table = 1", "ALTER TABLE "+table+" RENAME TO elsewhere")
		undo("PRAGMA legacy_alter_table = 1", "ALTER TABLE elsewhere RENAME TO "+table)
	case "no-key":
		s.do(fmt.Sprintf("UPDATE %s SET %s = NULL WHERE %[2]s = %s", table, key, first))
		undo(fmt.Sprintf("UPDATE %s SET %s = %s WHERE %[2]s IS NULL", table, key, first))
	case "twice": // somebody's key was given to somebody else
		s.do("UPDATE people SET no = '0006' WHERE no = '0005'")
		undo("UPDATE people SET no = '0005' WHERE no = '0006' AND name = 'Person 5'")
	case "bad":
		s.do("UPDATE people SET since = 'once' WHERE no = '0005'")
		undo("UPDATE people SET since = '2024-01-01' WHERE no = '0005'")
	case "short": // a view that leaves some out
		s.do("DROP VIEW staff", "CREATE VIEW staff AS SELECT * FROM people LIMIT 20")
		undo("DROP VIEW staff", "CREATE VIEW staff AS SELECT * FROM people")
	case "no-column":
		s.do("DROP VIEW staff", "CREATE VIEW staff AS SELECT no, name, mail, boss, job, since FROM people")
		undo("DROP VIEW staff", "CREATE VIEW staff AS SELECT * FROM people")
	case "another-column": // the numbers are in a column that has another name now, and others in the one with the old name
		s.do("DROP VIEW staff", "CREATE VIEW staff AS SELECT no AS number, rowid AS no, name, mail, boss, site, job, since FROM people")
		undo("DROP VIEW staff", "CREATE VIEW staff AS SELECT * FROM people")
	case "narrower":
		edit(func(k *sql.Kind) { k.Query += fmt.Sprintf(" WHERE %s <> %s", key, first) })
	case "another-key":
		edit(func(k *sql.Kind) { k.Key = settings.Names{"name"} })
	case "no-boss":
		edit(func(k *sql.Kind) { k.Columns["manager"] = k.Columns["nothing"] })
	case "bad-query":
		edit(func(k *sql.Kind) { k.Query += " WHERE" })
	case "keep":
		edit(func(k *sql.Kind) { k.Absent = "keep" })
	default:
		t.Fatalf("line %d: a database does not know %q", w.line, w.kind)
	}
}

func (s *staffDB) mend() {
	s.edit = nil
	for _, f := range s.undo {
		f()
	}
	s.undo = nil
}
