package sql

import (
	"context"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/sync/database/mariadbtest"
	"dirsyncd/sync/database/postgrestest"
	"dirsyncd/sync/database/testserver"
	"dirsyncd/sync/fault"
)

// TestCutAnywhere ends the connection after any number of bytes: a read proves nothing unless it has read everything.
func TestCutAnywhere(t *testing.T) {
	const kinds = "{person: {query: SELECT * FROM t, count: SELECT count(*) FROM t, absent: gone}}"
	rows := "INSERT INTO t VALUES (0, 'somebody')"
	for range 99 {
		rows += ", (0, 'somebody')"
	}
	t.Run("postgres", func(t *testing.T) {
		s := postgrestest.Start(t)
		d := s.Database(t)
		d.Exec("CREATE TABLE t (id serial, name text)", "INSERT INTO t (name) SELECT 'somebody' FROM generate_series(1, 100)")
		d.Grant()
		cutAnywhere(t, d.Wire, connect(t, settingsOf(t, postgresBlock(s, d, kinds))))
	})
	t.Run("mariadb", func(t *testing.T) {
		s := mariadbtest.Start(t)
		d := s.Database(t)
		d.Exec("CREATE TABLE t (id int AUTO_INCREMENT PRIMARY KEY, name text)", rows)
		cutAnywhere(t, d.Wire, connect(t, settingsOf(t, mariadbBlock(s, d, kinds))))
	})
}

func cutAnywhere(t *testing.T, wire *testserver.Wire, c *Connector) {
	t.Helper()
	c.db.SetMaxIdleConns(0) // every read makes a connection
	c.pageSize = 20
	whole, broken := 0, 0
	for bytes := 50; whole == 0 && bytes < 100_000; bytes += 61 {
		wire.CutAfter(bytes)
		listed, proven := 0, false
		err := c.Read(context.Background(), connectors.Request{Stream: "users", Mode: connectors.Full}, func(p *connectors.Page) error {
			listed, proven = listed+len(p.Objects), p.Proof != nil
			return nil
		})
		switch {
		case err == nil:
			whole++
			if listed != 100 || !proven {
				t.Errorf("cut after %d bytes: %d listed, proven: %t", bytes, listed, proven)
			}
		case proven:
			t.Errorf("cut after %d bytes: a proof and an error: %v", bytes, err)
		case fault.ClassOf(err) != fault.Transient:
			t.Errorf("cut after %d bytes: class %s: %v", bytes, fault.ClassOf(err), err)
		default:
			broken++
		}
	}
	t.Logf("%d reads were cut", broken)
	if whole == 0 || broken < 30 {
		t.Errorf("%d whole reads, %d that were cut", whole, broken)
	}
}
