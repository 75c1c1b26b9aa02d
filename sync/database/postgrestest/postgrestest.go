// Package postgrestest starts a real PostgreSQL for tests: private, on a free loopback port, with TLS, as a user without rights.
// It starts in a second or two; tests share one and make databases of their own in it.
package postgrestest

import (
	stdsql "database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"dirsyncd/sync/database/testserver"
)

// Packages is what to install, for people to read.
const Packages = "postgresql"

const product = "PostgreSQL"

// The accounts of every server. Admin owns everything; Database.Reader may read what it is granted, see Database.Grant. The
// passwords are marks that no log, error or report may show.
const (
	Admin          = "admin"
	AdminPassword  = "postgres-admin-3f9a"
	ReaderPassword = "postgres-reader-b07c"
)

// Server is a running server. Its methods fail the test on errors.
type Server struct {
	Port int
	// CAFile is the authority of the server's certificate, which is for localhost and 127.0.0.1.
	CAFile string
	names  atomic.Int64
	*testserver.Process
}

// Versions is the folder in which Debian keeps the versions that are installed.
const Versions = "/usr/lib/postgresql"

// Bin returns the folder of the newest version's programs.
func Bin(tb testing.TB) string {
	tb.Helper()
	dir, err := Programs(Versions)
	if err != nil {
		testserver.Missing(tb, product, Packages)
	}
	return dir
}

// Programs returns the folder of the newest version's programs among those in a folder. The error says what to install.
func Programs(versions string) (string, error) {
	list, _ := filepath.Glob(filepath.Join(versions, "*", "bin", "initdb"))
	if len(list) == 0 {
		return "", testserver.NotInstalled(product, Packages)
	}
	slices.Sort(list)
	return filepath.Dir(list[len(list)-1]), nil
}

// Start starts a server that ends with the test. Settings are lines of postgresql.conf to add. The test is skipped where there is
// no PostgreSQL, and fails then when CI or DIRSYNCD_REQUIRE_REAL is set.
func Start(tb testing.TB, settings ...string) *Server {
	tb.Helper()
	programs, dir := Bin(tb), testserver.Folder(tb)
	data, password := filepath.Join(dir, "data"), filepath.Join(dir, "password")
	s := &Server{Port: testserver.Port(tb), CAFile: filepath.Join(dir, "ca.pem")}
	testserver.Certificates(tb, dir)
	check(tb, os.WriteFile(password, []byte(AdminPassword), 0o600))
	testserver.Own(tb, dir)
	testserver.Run(tb, dir, nil, filepath.Join(programs, "initdb"), "-D", data, "-U", Admin, "-A", "scram-sha-256", "--pwfile", password,
		"-E", "UTF8", "--no-locale", "--no-sync", "--no-instructions")
	lines := append([]string{
		fmt.Sprintf("port = %d", s.Port), "listen_addresses = '127.0.0.1'", "unix_socket_directories = '" + dir + "'",
		"ssl = on", "ssl_cert_file = '" + filepath.Join(dir, "server.pem") + "'", "ssl_key_file = '" + filepath.Join(dir, "server.key") + "'",
		"fsync = off", "synchronous_commit = off", "full_page_writes = off", "shared_buffers = 32MB", "max_connections = 200", "autovacuum = off",
		"authentication_timeout = 300", // for a client on a busy machine
	}, settings...)
	f, err := os.OpenFile(filepath.Join(data, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	check(tb, err)
	_, err = f.WriteString("\n" + strings.Join(lines, "\n") + "\n")
	check(tb, err)
	check(tb, f.Close())
	db := s.open(tb, "postgres")
	s.Process = testserver.Start(tb, dir, db.Ping, filepath.Join(programs, "postgres"), "-D", data)
	return s
}

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func exec(tb testing.TB, db *stdsql.DB, statements ...string) {
	tb.Helper()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			tb.Fatalf("%s: %v", s, err)
		}
	}
}

// DSN is how pgx reaches a database of the server as its owner.
func (s *Server) DSN(database string) string {
	return fmt.Sprintf("host=127.0.0.1 port=%d user=%s password=%s dbname=%s sslmode=verify-full sslrootcert=%s",
		s.Port, Admin, AdminPassword, database, s.CAFile)
}

// open makes a pool of the owner's.
func (s *Server) open(tb testing.TB, database string) *stdsql.DB {
	tb.Helper()
	db, err := stdsql.Open("pgx", s.DSN(database))
	check(tb, err)
	tb.Cleanup(func() { _ = db.Close() })
	return db
}

// Database is one of the server's, for one test.
type Database struct {
	Name string
	// Reader is an account that may read what it is granted.
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
	name, reader := fmt.Sprintf("test%d", n), fmt.Sprintf("reader%d", n)
	exec(tb, s.open(tb, "postgres"), "CREATE DATABASE "+name, "CREATE ROLE "+reader+" LOGIN PASSWORD '"+ReaderPassword+"'")
	return &Database{Name: name, Reader: reader, DB: s.open(tb, name), Wire: testserver.NewWire(tb, testserver.Address(s.Port)), tb: tb}
}

// Exec runs statements as the owner.
func (d *Database) Exec(statements ...string) {
	d.tb.Helper()
	exec(d.tb, d.DB, statements...)
}

// Grant lets Reader read everything that is there now.
func (d *Database) Grant() {
	d.tb.Helper()
	d.Exec("GRANT USAGE ON SCHEMA public TO "+d.Reader, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO "+d.Reader)
}
