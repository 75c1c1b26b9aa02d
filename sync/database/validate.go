package database

import (
	"net"
	"slices"
	"strings"

	"dirsyncd/sync/settings"
	"dirsyncd/sync/spelling"
)

// Validate reports everything that is wrong, without I/O. It returns false when nothing else can be looked at: there is no driver.
func (s *Server) Validate(report settings.Reporter) bool {
	if s.Driver == "" {
		report("driver", "driver: "+strings.Join(Drivers(), ", or "), "must not be empty")
		return false
	}
	if !slices.Contains(Drivers(), s.Driver) {
		report("driver", spelling.Suggest(s.Driver, Drivers()), "unknown driver %q", s.Driver)
		return false
	}
	if s.Driver == SQLite {
		s.validateFile(report)
	} else {
		s.validateServer(report)
	}
	return true
}

func (s *Server) validateFile(report settings.Reporter) {
	if s.File == "" {
		report("file", "write the path of the database file", "must not be empty for sqlite")
	}
	for _, key := range []struct {
		name  string
		given bool
	}{
		{"host", s.Host != ""}, {"port", s.Port != 0}, {"database", s.Database != ""}, {"user", s.User != ""},
		{"password", !s.Password.IsZero()}, {"ca_file", s.CAFile != ""}, {"server_name", s.ServerName != ""},
	} {
		if key.given {
			report(key.name, "remove it: sqlite reads a file", "means nothing for sqlite")
		}
	}
}

func (s *Server) validateServer(report settings.Reporter) {
	if s.File != "" {
		report("file", "remove it, or write driver: sqlite", "means nothing for %s", s.Driver)
	}
	for _, key := range []struct{ name, value, hint string }{
		{"host", s.Host, "write the name of the database server"}, {"database", s.Database, "write the name of the database"},
		{"user", s.User, "write the account to log in with"},
	} {
		if key.value == "" {
			report(key.name, key.hint, "must not be empty for %s", s.Driver)
		}
	}
	if strings.Contains(s.Host, "://") || strings.ContainsAny(s.Host, " ,@\\") {
		report("host", "write the name alone, and port: beside it", "%q is no host", s.Host)
	} else if host, port, err := net.SplitHostPort(s.Host); err == nil && net.ParseIP(s.Host) == nil {
		report("host", "write host: "+host+" and port: "+port, "holds a port")
	}
	if s.Port < 0 || s.Port > 65535 {
		report("port", "leave it out for the usual one", "must be from 1 to 65535")
	}
	if s.TLS != tlsVerify && s.TLS != tlsNone {
		report("tls", "verify, or none for a server on this machine", "unknown word %q", s.TLS)
	}
	if s.TLS == tlsNone && (s.CAFile != "" || s.ServerName != "") {
		report("tls", "write tls: verify", "is none, so ca_file and server_name mean nothing")
	}
	if s.Driver == SQLServer && s.Socket() {
		report("host", "write the name of the server", "SQL Server is not reached by a socket")
	}
}

// Advise reports what is allowed and probably not meant.
func (s *Server) Advise(report settings.Reporter) {
	if s.TLS == tlsNone && s.Driver != SQLite && !s.Socket() && !loopback(s.Host) {
		report("tls", "write tls: verify, with ca_file for an authority of your own", "is none: the password and all that goes over it can be seen and changed on the way")
	}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
