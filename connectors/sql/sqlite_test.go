package sql

import (
	"context"
	stdsql "database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"dirsyncd/connectors"
)

// fileOf makes a file of SQLite with statements.
func fileOf(tb testing.TB, statements ...string) (*stdsql.DB, string) {
	tb.Helper()
	file := filepath.Join(tb.TempDir(), "test.db")
	db, err := stdsql.Open("sqlite", file)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	do(tb, db, statements...)
	return db, file
}

func do(tb testing.TB, db *stdsql.DB, statements ...string) {
	tb.Helper()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			tb.Fatalf("%s: %v", s, err)
		}
	}
}

// connect opens a connector after it has looked at its configuration.
func connect(tb testing.TB, cfg *Config) *Connector {
	tb.Helper()
	if issues := cfg.Validate(); len(issues) > 0 {
		tb.Fatal(issues)
	}
	c, err := open(cfg, connectors.Env{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

// read reads a stream and returns its objects, a line each.
func read(tb testing.TB, c *Connector, stream string, mode connectors.Mode, cursor []byte) (lines []string, last connectors.Page) {
	tb.Helper()
	err := connectors.Guard(c).Read(context.Background(), connectors.Request{Stream: stream, Mode: mode, Cursor: cursor}, func(p *connectors.Page) error {
		for i := range p.Objects {
			o := &p.Objects[i]
			line := o.ID
			for _, f := range o.Fields {
				line += fmt.Sprintf(" %s=%v", f.Name, f.Value)
			}
			for _, l := range o.Links {
				line += fmt.Sprintf(" %d>%s", l.Type, l.To)
			}
			lines = append(lines, line)
		}
		for _, m := range p.Members {
			lines = append(lines, fmt.Sprintf("%s has %v", m.Group, m.Add))
		}
		for _, bad := range p.Invalid {
			lines = append(lines, fmt.Sprintf("bad %s: %v", bad.Where, bad.Err))
		}
		last = *p
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return lines, last
}

func TestSQLite(t *testing.T) {
	db, file := fileOf(t,
		`CREATE TABLE staff (id INTEGER PRIMARY KEY, name TEXT, email TEXT, boss INTEGER, active BOOLEAN, joined DATE, seen DATETIME, code STRING, plz TEXT, changed TEXT)`,
		`INSERT INTO staff VALUES (1, 'Ann', 'a@x', NULL, 1, '2024-03-07', '2024-03-07 10:00:00', '0049', '0049', '2025-01-01 00:00:00')`,
		`INSERT INTO staff VALUES (2, 'Bob', 'b@x', 1, 'no', 'soon', NULL, 'x1', '1', '2025-01-01T10:00:00Z')`,
		`INSERT INTO staff VALUES (3, 'Cy', NULL, 1, 0, NULL, NULL, NULL, NULL, NULL)`)
	cfg := settingsOf(t, `driver: sqlite
file: `+file+`
kinds:
  person:
    query: |
      SELECT *, seen AS last_login FROM staff ORDER BY id -- all of them
    count: SELECT count(*) FROM staff
    changed: {column: changed}
    columns: {manager: boss, enabled: active, created: joined}
    attributes: [code, plz]
`)
	c := connect(t, cfg)
	lines, last := read(t, c, "users", connectors.Full, nil)
	same(t, lines, `person:1 attributes.code=49 attributes.plz=0049 created=2024-03-07T00:00:00Z email=a@x emails=a@x enabled=true last_login=2024-03-07T10:00:00Z name=Ann`,
		`person:3 enabled=false name=Cy 1>id:person:1`,
		`bad person:2: read users: column "joined" is not a date (write it as 2025-12-31)`)
	if last.Proof.Count != 3 || last.Proof.Doubt != "" || len(last.Unlisted) != 1 {
		t.Errorf("%+v", last.Proof)
	}
	// A row that changed, one that did not, and one that has no time.
	do(t, db, `UPDATE staff SET name = 'Ann Lee', changed = strftime('%Y-%m-%dT%H:%M:%S', 'now') WHERE id = 1`)
	lines, _ = read(t, c, "users", connectors.Delta, last.Cursor)
	same(t, lines, `person:1 attributes.code=49 attributes.plz=0049 created=2024-03-07T00:00:00Z email=a@x emails=a@x enabled=true last_login=2024-03-07T10:00:00Z name=Ann Lee`,
		`person:3 enabled=false name=Cy 1>id:person:1`, `bad person:2: read users: column "joined" is not a date (write it as 2025-12-31)`)
	findings, err := c.Check(context.Background())
	t.Log(findings, err)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
}
