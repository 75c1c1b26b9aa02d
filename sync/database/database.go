// Package database is how a server of PostgreSQL, MariaDB and MySQL or SQL Server, or a file of SQLite, is reached, and what its
// errors mean. Connectors and targets import it; what is asked and written is theirs.
package database

import (
	"net"
	"strconv"
	"strings"

	"dirsyncd/sync/settings"
)

// The drivers, as operators name them.
const (
	Postgres  = "postgres"
	MySQL     = "mysql" // MariaDB, too
	SQLServer = "sqlserver"
	SQLite    = "sqlite"
)

// The words of Server.TLS.
const (
	tlsVerify = "verify"
	tlsNone   = "none"
)

// Drivers lists the drivers.
func Drivers() []string { return []string{Postgres, MySQL, SQLServer, SQLite} }

// Server is where a database is, and as whom to log in. Its keys stand among those of the block that has it.
type Server struct {
	// Driver is one of Drivers.
	Driver string `yaml:"driver"`
	// Host and Port are the server's; a host that begins with a slash is the folder of its socket, or the socket.
	Host     string          `yaml:"host"`
	Port     int             `yaml:"port"`
	Database string          `yaml:"database"`
	User     string          `yaml:"user"`
	Password settings.Secret `yaml:"password"`
	// TLS is verify, or none for a server that is trusted as the network to it is.
	TLS string `yaml:"tls"`
	// CAFile holds the authorities that may have signed the server's certificate, in place of the system's.
	CAFile settings.Path `yaml:"ca_file"`
	// ServerName is the name in the server's certificate where that is not the host.
	ServerName string `yaml:"server_name"`
	// File is the database of SQLite. It is never made.
	File settings.Path `yaml:"file"`
}

// Defaults are those of a Server.
func Defaults() Server { return Server{TLS: tlsVerify} }

// Socket reports whether the host is a socket of this machine.
func (s *Server) Socket() bool { return strings.HasPrefix(s.Host, "/") }

// Local says what a Server needs of the machine that it is used on; empty: nothing.
func (s *Server) Local() string {
	switch {
	case s.Driver == SQLite:
		return "the file " + string(s.File)
	case s.Socket():
		return "the socket " + s.Host
	}
	return ""
}

// Perishables implements settings.Perishing.
func (s *Server) Perishables() []settings.Perishable {
	return settings.Certificates(map[string]settings.Path{"ca_file": s.CAFile})
}

// Address is the server as it stands in errors, or the file.
func (s *Server) Address() string {
	if s.Driver == SQLite {
		return string(s.File)
	}
	if s.Socket() {
		return s.Host
	}
	return net.JoinHostPort(s.Host, strconv.Itoa(s.PortInForce()))
}

// PortInForce is the port, or the usual one.
func (s *Server) PortInForce() int {
	if s.Port != 0 {
		return s.Port
	}
	return map[string]int{Postgres: 5432, MySQL: 3306, SQLServer: 1433}[s.Driver]
}

// Quote writes a name so that a driver's statements take it for that name and nothing else.
func Quote(driver, name string) string {
	switch driver {
	case Postgres:
		return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
	case SQLServer:
		return "[" + strings.ReplaceAll(name, "]", "]]") + "]"
	default:
		return "`" + strings.ReplaceAll(name, "`", "``") + "`"
	}
}
