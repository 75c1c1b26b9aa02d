// Package mariadbtest starts a real MariaDB for tests: private, on a free loopback port, with TLS, as a user without rights. It
// starts in a few seconds; tests share one and make databases of their own in it.
package mariadbtest

import (
	"crypto/tls"
	"crypto/x509"
	stdsql "database/sql"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/go-sql-driver/mysql"

	"dirsyncd/sync/database/testserver"
)

// Packages is what to install, for people to read.
const Packages = "mariadb-server-core"

// The accounts of every server. Admin owns everything; Database.Reader may read one database. The passwords are marks that no log,
// error or report may show.
const (
	Admin          = "admin"
	AdminPassword  = "mariadb-admin-5d21"
	ReaderPassword = "mariadb-reader-e8f4"
)

// Server is a running server. Its methods fail the test on errors.
type Server struct {
	Port int
	// CAFile is the authority of the server's certificate, which is for localhost and 127.0.0.1.
	CAFile string
	names  atomic.Int64
	tls    *tls.Config
	*testserver.Process
}

// Start starts a server that ends with the test. Options are for its command line. The test is skipped where there is no
// MariaDB, and fails then when CI or DIRSYNCD_REQUIRE_REAL is set.
func Start(tb testing.TB, options ...string) *Server {
	tb.Helper()
	const server, tables = "/usr/sbin/mariadbd", "/usr/share/mysql"
	if _, err := os.Stat(server); err != nil {
		testserver.Missing(tb, "MariaDB", Packages)
	}
	dir := testserver.Folder(tb)
	data, socket, first := filepath.Join(dir, "data"), filepath.Join(dir, "s"), filepath.Join(dir, "first.sql")
	s := &Server{Port: testserver.Port(tb), CAFile: filepath.Join(dir, "ca.pem")}
	testserver.Certificates(tb, dir)
	check(tb, os.WriteFile(first, []byte(fmt.Sprintf("CREATE USER '%s'@'127.0.0.1' IDENTIFIED BY '%s';\nGRANT ALL ON *.* TO '%[1]s'@'127.0.0.1' WITH GRANT OPTION;\n",
		Admin, AdminPassword)), 0o600))
	testserver.Own(tb, dir)
	small := []string{"--innodb-log-file-size=8M", "--innodb-buffer-pool-size=32M", "--innodb-flush-log-at-trx-commit=0", "--skip-name-resolve"}
	// What mariadb-install-db does, without the programs of other packages that it wants.
	sql := []io.Reader{strings.NewReader("CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket = NULL, @skip_auth_anonymous = 1;\n")}
	for _, file := range []string{"mysql_system_tables.sql", "mysql_performance_tables.sql", "mysql_system_tables_data.sql"} {
		text, err := os.ReadFile(filepath.Join(tables, file))
		check(tb, err)
		lines := slices.DeleteFunc(strings.Split(string(text), "\n"), func(l string) bool { return strings.Contains(l, "@current_hostname") })
		sql = append(sql, strings.NewReader(strings.Join(lines, "\n")))
	}
	check(tb, os.Mkdir(data, 0o700))
	testserver.Own(tb, dir)
	testserver.Run(tb, dir, io.MultiReader(sql...), server, append([]string{
		"--no-defaults", "--bootstrap", "--datadir=" + data, "--tmpdir=" + dir, "--log-warnings=0",
	}, small[:2]...)...)
	pem, err := os.ReadFile(s.CAFile)
	check(tb, err)
	s.tls = &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "localhost", MinVersion: tls.VersionTLS12}
	s.tls.RootCAs.AppendCertsFromPEM(pem)
	db := s.open(tb, "mysql")
	args := append([]string{
		"--no-defaults", "--datadir=" + data, "--tmpdir=" + dir, "--socket=" + socket, "--pid-file=" + filepath.Join(dir, "pid"),
		"--bind-address=127.0.0.1", fmt.Sprintf("--port=%d", s.Port), "--init-file=" + first,
		"--ssl-cert=" + filepath.Join(dir, "server.pem"), "--ssl-key=" + filepath.Join(dir, "server.key"), "--ssl-ca=" + s.CAFile,
		// A client on a busy machine has minutes, not ten seconds, to sign in and to go on.
		"--connect-timeout=300", "--net-read-timeout=300", "--net-write-timeout=300",
	}, small...)
	s.Process = testserver.Start(tb, dir, db.Ping, server, append(args, options...)...)
	return s
}

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// silent is a logger for a driver that writes to standard error while the server comes up.
type silent struct{}

func (silent) Print(...any) {}

// Config is how the driver reaches a database of the server as its owner.
func (s *Server) Config(database string) *mysql.Config {
	cfg := mysql.NewConfig()
	cfg.User, cfg.Passwd, cfg.Net, cfg.Addr, cfg.DBName = Admin, AdminPassword, "tcp", testserver.Address(s.Port), database
	cfg.TLS, cfg.Logger = s.tls, silent{}
	return cfg
}

func (s *Server) open(tb testing.TB, database string) *stdsql.DB {
	tb.Helper()
	connector, err := mysql.NewConnector(s.Config(database))
	check(tb, err)
	db := stdsql.OpenDB(connector)
	tb.Cleanup(func() { _ = db.Close() })
	return db
}

// Database is one of the server's, for one test.
type Database struct {
	Name string
	// Reader is an account that may read this database.
	Reader string
	// DB is the owner's.
	DB *stdsql.DB
	// Wire leads to the server, by a port of its own.
	Wire *testserver.Wire
	tb   testing.TB
}

// Database makes an empty one, and its reader.
func (s *Server) Database(tb testing.TB) *Database {
	tb.Helper()
	n := s.names.Add(1)
	d := &Database{Name: fmt.Sprintf("test%d", n), Reader: fmt.Sprintf("reader%d", n), tb: tb}
	admin := s.open(tb, "mysql")
	d.DB = admin
	d.Exec("CREATE DATABASE "+d.Name+" CHARACTER SET utf8mb4", "CREATE USER '"+d.Reader+"'@'%' IDENTIFIED BY '"+ReaderPassword+"'",
		"GRANT SELECT ON "+d.Name+".* TO '"+d.Reader+"'@'%'")
	d.DB, d.Wire = s.open(tb, d.Name), testserver.NewWire(tb, testserver.Address(s.Port))
	return d
}

// Exec runs statements as the owner.
func (d *Database) Exec(statements ...string) {
	d.tb.Helper()
	for _, s := range statements {
		if _, err := d.DB.Exec(s); err != nil {
			d.tb.Fatalf("%s: %v", s, err)
		}
	}
}
