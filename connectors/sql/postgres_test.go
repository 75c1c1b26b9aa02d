package sql

import (
	"fmt"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/sync/database/postgrestest"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/settings"
)

// postgresBlock is a block that reads a database as the reader.
func postgresBlock(s *postgrestest.Server, d *postgrestest.Database, kinds string) string {
	return fmt.Sprintf("{driver: postgres, host: 127.0.0.1, port: %d, database: %s, user: %s, password: %s, ca_file: %s, kinds: %s}",
		d.Wire.Port, d.Name, d.Reader, postgrestest.ReaderPassword, s.CAFile, kinds)
}

func TestPostgres(t *testing.T) {
	s := postgrestest.Start(t)

	t.Run("types", func(t *testing.T) {
		d := s.Database(t)
		d.Exec(`CREATE TYPE mood AS ENUM ('fine', 'so so')`, `CREATE TABLE t (id uuid, name char(10), email varchar(50), n bigint, dec numeric(10,2), f float8,
			b boolean, d date, ts timestamp, tz timestamptz, j jsonb, arr text[], js json, by bytea, m mood, x xml, ip inet, mo money, iv interval, o oid)`,
			`INSERT INTO t VALUES ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'Ann', 'a@x', 9007199254740993, 12.50, 0.1, true, '2024-03-07', '2024-03-07 10:00',
			'2024-03-07 10:00+02', '["a", "b"]', '{a,"b c","d\"e",NULL}', '{"k": 1}', '\xdead', 'so so', '<a/>', '10.0.0.1', 12.5, '1 day', 4000000000)`,
			`INSERT INTO t (id, name, d, ts, tz, arr) VALUES ('b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '', 'infinity', '-infinity', 'infinity', '{}')`)
		d.Grant()
		c := connect(t, settingsOf(t, postgresBlock(s, d, `{person: {query: "SELECT *, tz AS created, ts AS last_login FROM t ORDER BY id", attributes: all, columns: {enabled: b}}}`)))
		lines, _ := read(t, c, "users", connectors.Full, nil)
		same(t, lines, `person:a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11 attributes.arr=a, b c, d"e attributes.by=dead attributes.d=2024-03-07 attributes.dec=12.50 attributes.f=0.1`+
			` attributes.ip=10.0.0.1 attributes.iv=1 day attributes.j=a, b attributes.js={"k": 1} attributes.m=so so attributes.mo=$12.50 attributes.n=9007199254740993`+
			` attributes.o=4000000000 attributes.ts=2024-03-07T10:00:00 attributes.tz=2024-03-07T08:00:00Z attributes.x=<a/> created=2024-03-07T08:00:00Z email=a@x emails=a@x`+
			` enabled=true last_login=2024-03-07T10:00:00Z name=Ann`,
			`person:b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11`)
	})

	t.Run("changes", func(t *testing.T) {
		d := s.Database(t)
		d.Exec(`CREATE TABLE t (id int, name text, touched timestamptz, local timestamp, epoch bigint, day date)`,
			`INSERT INTO t SELECT i, 'n' || i, now() - '1 day'::interval, localtimestamp - '1 day'::interval, extract(epoch FROM now())::bigint - 86400, current_date - 2 FROM generate_series(1, 5) i`)
		d.Grant()
		for column, as := range map[string]string{"touched": "time", "local": "time", "epoch": "seconds", "day": "time"} {
			c := connect(t, settingsOf(t, postgresBlock(s, d, fmt.Sprintf(`{person: {query: "SELECT * FROM t ORDER BY id -- all", changed: {column: %s, as: %s, overlap: 1m}}}`, column, as))))
			_, last := read(t, c, "users", connectors.Full, nil)
			// The greatest time of change is a day old: with it, and only so, comes what is as old.
			d.Exec(`UPDATE t SET touched = touched - '1 hour'::interval, local = local - '1 hour'::interval, epoch = epoch - 3600, day = day - 2 WHERE id <> 3`)
			d.Exec(`INSERT INTO t VALUES (9, 'new', now(), localtimestamp, extract(epoch FROM now())::bigint, current_date)`, `INSERT INTO t VALUES (10, 'timeless')`)
			lines, _ := read(t, c, "users", connectors.Delta, last.Cursor)
			same(t, lines, "person:3 name=n3", "person:9 name=new", "person:10 name=timeless")
			d.Exec(`DELETE FROM t WHERE id > 8`, `UPDATE t SET touched = touched + '1 hour'::interval, local = local + '1 hour'::interval, epoch = epoch + 3600, day = day + 2 WHERE id <> 3`)
		}
	})

	t.Run("nothing is written", func(t *testing.T) {
		d := s.Database(t)
		d.Exec(`CREATE TABLE t (id int)`, `GRANT ALL ON t TO `+d.Reader,
			`CREATE FUNCTION w() RETURNS int LANGUAGE sql VOLATILE AS 'INSERT INTO t VALUES (1) RETURNING id'`)
		c := connect(t, settingsOf(t, postgresBlock(s, d, `{person: {query: SELECT w() AS id}}`)))
		refused(t, c, "users", fault.Configuration, "read-only transaction")
		c = connect(t, settingsOf(t, postgresBlock(s, d, `{person: {query: "WITH x AS (INSERT INTO t VALUES (1) RETURNING id) SELECT id FROM x"}}`)))
		refused(t, c, "users", fault.Configuration, "")
		found(t, c, "account", "the account may write to tables or views (1)")
	})

	t.Run("hidden rows", func(t *testing.T) {
		d := s.Database(t)
		d.Exec(`CREATE TABLE t (id int)`, `INSERT INTO t VALUES (1), (2)`, `ALTER TABLE t ENABLE ROW LEVEL SECURITY`, `CREATE POLICY p ON t USING (id = 1)`)
		d.Grant()
		lines, _ := read(t, connect(t, settingsOf(t, postgresBlock(s, d, `{person: {query: SELECT * FROM t}}`))), "users", connectors.Full, nil)
		same(t, lines, "person:1")
		c := connect(t, settingsOf(t, postgresBlock(s, d, `{person: {query: SELECT * FROM t, absent: gone}}`)))
		refused(t, c, "users", fault.Forbidden, "row-level security")
	})

	t.Run("a query that takes too long", func(t *testing.T) {
		d := s.Database(t)
		cfg := settingsOf(t, postgresBlock(s, d, `{person: {query: "SELECT 1 AS id, pg_sleep(60)"}}`))
		cfg.Timeout = settings.Duration(100 * time.Millisecond)
		refused(t, connect(t, cfg), "users", fault.Transient, "")
	})

	t.Run("errors", func(t *testing.T) {
		d := s.Database(t)
		d.Exec(`CREATE TABLE t (id int, secret text)`, `INSERT INTO t VALUES (1, 'personal')`, `CREATE TABLE other (id int)`, `GRANT SELECT ON t TO `+d.Reader)
		for query, want := range map[string]struct {
			class fault.Class
			text  string
		}{
			"SELECT * FROM other":             {fault.Forbidden, "permission denied"},
			"SELECT * FROM nowhere":           {fault.Configuration, "does not exist"},
			"SELECT id FROM t WHERE":          {fault.Configuration, "syntax error"},
			"SELECT secret::int AS id FROM t": {fault.Configuration, "invalid input syntax for type integer: …"},
			"SELECT id, id FROM t":            {fault.Configuration, `"id" both mean id`},
			"SELECT secret FROM t":            {fault.Configuration, "no column is the key"},
		} {
			refused(t, connect(t, settingsOf(t, postgresBlock(s, d, fmt.Sprintf("{person: {query: %q}}", query)))), "users", want.class, want.text)
		}
		cfg := settingsOf(t, postgresBlock(s, d, `{person: {query: SELECT 1 AS id}}`))
		cfg.CAFile = ""
		refused(t, connect(t, cfg), "users", fault.Configuration, "certificate")
		cfg = settingsOf(t, postgresBlock(s, d, `{person: {query: SELECT 1 AS id}}`))
		cfg.ServerName = "another.test"
		refused(t, connect(t, cfg), "users", fault.Configuration, "another.test")
		cfg = settingsOf(t, postgresBlock(s, d, `{person: {query: SELECT 1 AS id}}`))
		cfg.Database = "nowhere"
		refused(t, connect(t, cfg), "users", fault.Configuration, "does not exist")
	})
}
