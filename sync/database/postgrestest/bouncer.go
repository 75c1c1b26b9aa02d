package postgrestest

import (
	stdsql "database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"dirsyncd/sync/database/testserver"
)

// Bouncer starts a PgBouncer before the server, which gives a session to somebody else after each transaction, and returns the address at
// which it is. Whoever comes to it is the database's owner. Settings are lines of its configuration to add. The test is skipped where there is no PgBouncer.
func (d *Database) Bouncer(tb testing.TB, server *Server, settings string) (address string) {
	tb.Helper()
	program := "/usr/sbin/pgbouncer"
	if _, err := os.Stat(program); err != nil {
		testserver.Missing(tb, "PgBouncer", "pgbouncer")
	}
	dir, port := testserver.Folder(tb), testserver.Port(tb)
	users, file := filepath.Join(dir, "users.txt"), filepath.Join(dir, "pgbouncer.ini")
	check(tb, os.WriteFile(users, fmt.Appendf(nil, "%q %q\n", Admin, AdminPassword), 0o600))
	check(tb, os.WriteFile(file, fmt.Appendf(nil, `[databases]
%s = host=127.0.0.1 port=%d
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = plain
auth_file = %s
pool_mode = transaction
default_pool_size = 6
%s
`, d.Name, server.Port, port, users, settings), 0o600))
	testserver.Own(tb, dir)
	address = testserver.Address(port)
	db, err := stdsql.Open("pgx", fmt.Sprintf("postgres://%s:%s@%s/%s?sslmode=disable&default_query_exec_mode=exec", Admin, AdminPassword, address, d.Name))
	check(tb, err)
	tb.Cleanup(func() { _ = db.Close() })
	testserver.Start(tb, dir, db.Ping, program, file)
	return address
}
