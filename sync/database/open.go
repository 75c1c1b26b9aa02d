package database

import (
	"crypto/tls"
	"crypto/x509"
	stdsql "database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	mssql "github.com/microsoft/go-mssqldb"
	"github.com/microsoft/go-mssqldb/msdsn"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"dirsyncd/sync/fault"
)

// Access is what a pool is for.
type Access uint8

// The kinds of access.
const (
	// Reading: queries of the operator's. Values come in the types of the columns; SQLite's file is opened read-only.
	Reading Access = iota
	// Writing: statements of ours with parameters that the server binds, whose types it knows. MariaDB and MySQL count the
	// rows that a change found, changed or not, and refuse what does not fit instead of cutting it; SQLite sees to references,
	// and a transaction is a writing one from its beginning.
	Writing
)

// dialTimeout bounds how long a connection may take to come about.
const dialTimeout = 20 * time.Second

// Open makes a pool without any I/O. A statement of it may take as long as timeout.
func (s *Server) Open(access Access, timeout time.Duration) (*stdsql.DB, error) {
	switch s.Driver {
	case Postgres:
		return s.openPostgres(access, timeout)
	case MySQL:
		return s.openMySQL(access, timeout)
	case SQLServer:
		cfg, err := s.sqlServer(access, timeout)
		if err != nil {
			return nil, err
		}
		return stdsql.OpenDB(mssql.NewConnectorConfig(cfg)), nil
	default:
		return s.openSQLite(access, timeout)
	}
}

// openPostgres: what is set for a transaction is set within it, so that a pooler such as PgBouncer may stand between.
func (s *Server) openPostgres(access Access, timeout time.Duration) (*stdsql.DB, error) {
	// The environment (PGHOST, PGSERVICE, …) and ~/.pgpass are the operator's shell's and not this program's.
	cfg, err := pgx.ParseConfig("host=localhost user=nobody password=none sslmode=disable")
	if err != nil {
		return nil, &fault.Error{Class: fault.Configuration, Op: "open sql", Err: errors.New("the environment holds settings of PostgreSQL that cannot be read"), Hint: "remove PG… from the environment of the service"}
	}
	cfg.Host, cfg.Port, cfg.Database = s.Host, uint16(s.PortInForce()), s.Database // Validate has looked at the port
	cfg.User, cfg.Password = s.User, s.Password.Reveal()
	if cfg.TLSConfig, err = s.tlsConfig(); err != nil {
		return nil, err
	}
	cfg.Fallbacks, cfg.ConnectTimeout = nil, min(dialTimeout, timeout)
	cfg.RuntimeParams = map[string]string{"application_name": "dirsyncd", "client_encoding": "UTF8"}
	cfg.DefaultQueryExecMode = pgx.QueryExecModeExec
	if access == Writing {
		// Asks once for the types of a statement's parameters and prepares nothing: texts become whatever a column is.
		cfg.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	return stdlib.OpenDB(*cfg), nil
}

// silent is a logger for a driver that would write to standard error.
type silent struct{}

func (silent) Print(...any) {}

func (s *Server) openMySQL(access Access, timeout time.Duration) (*stdsql.DB, error) {
	cfg := mysql.NewConfig()
	cfg.User, cfg.Passwd, cfg.DBName, cfg.Logger = s.User, s.Password.Reveal(), s.Database, silent{}
	cfg.Net, cfg.Addr = "tcp", net.JoinHostPort(s.Host, strconv.Itoa(s.PortInForce()))
	if s.Socket() {
		cfg.Net, cfg.Addr = "unix", s.Host
	}
	var err error
	if cfg.TLS, err = s.tlsConfig(); err != nil {
		return nil, err
	}
	cfg.Timeout = min(dialTimeout, timeout)
	cfg.Params = map[string]string{
		"time_zone": "'+00:00'",
		// Both end lists early, without an error, when the server's settings are low.
		"group_concat_max_len": "4294967295", "sql_select_limit": "18446744073709551615",
	}
	if access == Writing {
		cfg.ClientFoundRows = true
		cfg.Params["sql_mode"] = "CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')"
	} else {
		// Without parameters of the protocol, values come in the same types whether there are arguments or not.
		cfg.InterpolateParams, cfg.ParseTime, cfg.Loc = true, true, time.UTC
	}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, &fault.Error{Class: fault.Configuration, Op: "open sql", Where: s.Address(), Err: errors.New("the settings of the connection are not taken")}
	}
	return stdsql.OpenDB(connector), nil
}

func (s *Server) sqlServer(access Access, timeout time.Duration) (msdsn.Config, error) {
	cfg := msdsn.Config{
		Host: s.Host, Port: uint64(s.PortInForce()), Database: s.Database, User: s.User, Password: s.Password.Reveal(), // Validate has looked at the port
		Encryption: msdsn.EncryptionRequired, AppName: "dirsyncd", ReadOnlyIntent: access == Reading, Protocols: []string{"tcp"},
		DialTimeout: min(dialTimeout, timeout), KeepAlive: 30 * time.Second, PacketSize: 4096, Parameters: map[string]string{}, ProtocolParameters: map[string]any{},
		HostInCertificateProvided: s.ServerName != "",
	}
	tls, err := s.tlsConfig()
	if err != nil {
		return cfg, err
	}
	if cfg.TLSConfig = tls; tls == nil {
		cfg.Encryption = msdsn.EncryptionDisabled
	}
	return cfg, nil
}

func (s *Server) openSQLite(access Access, timeout time.Duration) (*stdsql.DB, error) {
	u := url.URL{Scheme: "file", Path: string(s.File)}
	how := "mode=ro&_txlock=deferred&_pragma=query_only(1)"
	if access == Writing {
		how = "mode=rw&_txlock=immediate&_pragma=foreign_keys(1)"
	}
	u.RawQuery = fmt.Sprintf("%s&_pragma=busy_timeout(%d)", how, min(10*time.Second, timeout).Milliseconds())
	db, err := stdsql.Open("sqlite", u.String())
	if err != nil {
		return nil, &fault.Error{Class: fault.Configuration, Op: "open sql", Where: s.Address(), Err: err}
	}
	return db, nil
}

// tlsConfig returns how the server is verified, nil for no TLS.
func (s *Server) tlsConfig() (*tls.Config, error) {
	if s.TLS == tlsNone || s.Socket() {
		return nil, nil
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: s.Host}
	if s.ServerName != "" {
		cfg.ServerName = s.ServerName
	}
	if s.CAFile != "" {
		pem, err := os.ReadFile(string(s.CAFile))
		if err != nil {
			return nil, &fault.Error{Class: fault.Configuration, Op: "open sql", Err: fmt.Errorf("ca_file: %w", err)}
		}
		if cfg.RootCAs = x509.NewCertPool(); !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, &fault.Error{
				Class: fault.Configuration, Op: "open sql", Where: string(s.CAFile), Err: errors.New("holds no certificate"),
				Hint: "ca_file is a file of certificates in PEM",
			}
		}
	}
	return cfg, nil
}
