package sql

import (
	"fmt"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/sync/database/mariadbtest"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/settings"
)

// mariadbBlock is a block that reads a database as its reader.
func mariadbBlock(s *mariadbtest.Server, d *mariadbtest.Database, kinds string) string {
	return fmt.Sprintf("{driver: mysql, host: 127.0.0.1, port: %d, database: %s, user: %s, password: %s, ca_file: %s, kinds: %s}",
		d.Wire.Port, d.Name, d.Reader, mariadbtest.ReaderPassword, s.CAFile, kinds)
}

func TestMariaDB(t *testing.T) {
	s := mariadbtest.Start(t, "--sql-mode=")

	t.Run("types", func(t *testing.T) {
		d := s.Database(t)
		d.Exec("SET time_zone = '+00:00'", `CREATE TABLE t (id bigint unsigned, name char(10), email varchar(50), deci decimal(10,2), f double, b tinyint(1), bits bit(10), flag bit(1),
			d date, dt datetime(6), ts timestamp NULL, j json, e enum('fine','so so'), st set('x','y','z'), raw binary(4), vb varbinary(10), u uuid, ip inet6, y year, ti time)`,
			`INSERT INTO t VALUES (18446744073709551615, 'Ann', 'a@x', 12.50, 0.1, 1, b'1000000001', b'1', '2024-03-07', '2024-03-07 10:00', '2024-03-07 10:00',
			'["a"]', 'so so', 'z,x', x'dead0000', 'text', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '::1', 2024, '10:00')`,
			`INSERT INTO t (id, name, d, dt) VALUES (2, '', '0000-00-00', '0000-00-00 00:00:00')`)
		c := connect(t, settingsOf(t, mariadbBlock(s, d, `{person: {query: "SELECT *, ts AS created, dt AS last_login FROM t ORDER BY id DESC", attributes: all, columns: {enabled: flag}}}`)))
		lines, _ := read(t, c, "users", connectors.Full, nil)
		same(t, lines, `person:18446744073709551615 attributes.b=1 attributes.bits=513 attributes.d=2024-03-07 attributes.deci=12.50 attributes.dt=2024-03-07T10:00:00`+
			` attributes.e=so so attributes.f=0.1 attributes.ip=::1 attributes.j=["a"] attributes.raw=dead0000 attributes.st=x, z attributes.ti=10:00:00 attributes.ts=2024-03-07T10:00:00Z`+
			` attributes.u=a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11 attributes.vb=text attributes.y=2024 created=2024-03-07T10:00:00Z email=a@x emails=a@x enabled=true`+
			` last_login=2024-03-07T10:00:00Z name=Ann`,
			`person:2`)
	})

	t.Run("settings that end lists early without an error", func(t *testing.T) {
		d := s.Database(t)
		d.Exec("SET GLOBAL group_concat_max_len = 16, GLOBAL sql_select_limit = 2")
		defer d.Exec("SET GLOBAL group_concat_max_len = DEFAULT, GLOBAL sql_select_limit = DEFAULT")
		d.Exec(`CREATE TABLE t (id int, name varchar(50))`, `INSERT INTO t VALUES (1, 'a long name of a group'), (2, 'another long name'), (3, 'a third one')`)
		c := connect(t, settingsOf(t, mariadbBlock(s, d, `{person: {query: "SELECT id, (SELECT group_concat(name SEPARATOR ';') FROM t) AS groups FROM t ORDER BY id"}}`)))
		lines, _ := read(t, c, "users", connectors.Full, nil)
		const links = " 2>id:group:a long name of a group 2>id:group:another long name 2>id:group:a third one"
		same(t, lines, "person:1"+links, "person:2"+links, "person:3"+links)
	})

	t.Run("changes", func(t *testing.T) {
		d := s.Database(t)
		d.Exec(`CREATE TABLE t (id int, name varchar(20), touched timestamp NULL, local datetime, epoch bigint unsigned)`,
			`INSERT INTO t SELECT seq, concat('n', seq), now() - INTERVAL 1 DAY, utc_timestamp() - INTERVAL 1 DAY, unix_timestamp() * 1000 - 86400000 FROM seq_1_to_5`)
		for column, as := range map[string]string{"touched": "time", "local": "time", "epoch": "milliseconds"} {
			c := connect(t, settingsOf(t, mariadbBlock(s, d, fmt.Sprintf(`{person: {query: "SELECT * FROM t ORDER BY id -- all", changed: {column: %s, as: %s, overlap: 1m}}}`, column, as))))
			_, last := read(t, c, "users", connectors.Full, nil)
			d.Exec(`UPDATE t SET touched = touched - INTERVAL 1 HOUR, local = local - INTERVAL 1 HOUR, epoch = epoch - 3600000 WHERE id <> 3`)
			d.Exec(`INSERT INTO t VALUES (9, 'new', now(), utc_timestamp(), unix_timestamp() * 1000)`, `INSERT INTO t (id, name) VALUES (10, 'timeless')`)
			lines, _ := read(t, c, "users", connectors.Delta, last.Cursor)
			same(t, lines, "person:3 name=n3", "person:9 name=new", "person:10 name=timeless")
			d.Exec(`DELETE FROM t WHERE id > 8`, `UPDATE t SET touched = touched + INTERVAL 1 HOUR, local = local + INTERVAL 1 HOUR, epoch = epoch + 3600000 WHERE id <> 3`)
		}
	})

	t.Run("nothing is written", func(t *testing.T) {
		d := s.Database(t)
		d.Exec(`CREATE TABLE t (id int)`, "GRANT INSERT, EXECUTE ON "+d.Name+".* TO '"+d.Reader+"'@'%'",
			`CREATE FUNCTION w() RETURNS int MODIFIES SQL DATA BEGIN INSERT INTO t VALUES (1); RETURN 1; END`)
		c := connect(t, settingsOf(t, mariadbBlock(s, d, `{person: {query: SELECT w() AS id}}`)))
		refused(t, c, "users", fault.Configuration, "READ ONLY transaction")
		found(t, c, "account", "the account has the privilege INSERT")
	})

	t.Run("a query that takes too long", func(t *testing.T) {
		d := s.Database(t)
		cfg := settingsOf(t, mariadbBlock(s, d, `{person: {query: "SELECT 1 AS id, sleep(60)"}}`))
		cfg.Timeout = settings.Duration(100 * time.Millisecond)
		refused(t, connect(t, cfg), "users", fault.Transient, "")
	})

	t.Run("errors", func(t *testing.T) {
		d, other := s.Database(t), s.Database(t)
		d.Exec(`CREATE TABLE t (id int, secret text)`, `INSERT INTO t VALUES (1, 'personal')`)
		other.Exec(`CREATE TABLE t (id int)`)
		for query, want := range map[string]struct {
			class fault.Class
			text  string
		}{
			"SELECT * FROM " + other.Name + ".t": {fault.Forbidden, "command denied"},
			"SELECT * FROM nowhere":              {fault.Configuration, "doesn't exist"},
			"SELECT id FROM t WHERE":             {fault.Configuration, "error in your SQL syntax"},
			"SELECT secret FROM t":               {fault.Configuration, "no column is the key"},
		} {
			refused(t, connect(t, settingsOf(t, mariadbBlock(s, d, fmt.Sprintf("{person: {query: %q}}", query)))), "users", want.class, want.text)
		}
		cfg := settingsOf(t, mariadbBlock(s, d, `{person: {query: SELECT 1 AS id}}`))
		cfg.CAFile = ""
		refused(t, connect(t, cfg), "users", fault.Configuration, "certificate")
		cfg = settingsOf(t, mariadbBlock(s, d, `{person: {query: SELECT 1 AS id}}`))
		cfg.ServerName = "another.test"
		refused(t, connect(t, cfg), "users", fault.Configuration, "another.test")
	})
}
