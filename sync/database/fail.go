package database

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"time"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/settings"
)

// Meaning turns a problem into a class and what to do about it; no class leaves it to Fail.
type Meaning func(p Problem, err error) (class fault.Class, hint string)

// Fail classifies an error of a database, whoever asked. The end of ctx, which is the caller's, is returned as it is. A lost
// connection is transient.
func (s *Server) Fail(ctx context.Context, op string, timeout time.Duration, err error, means Meaning) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var f *fault.Error
	if errors.As(err, &f) {
		return err
	}
	e := &fault.Error{Class: fault.Transient, Op: op, Where: s.Address(), Err: errors.New(Discreet(err.Error()))}
	problem := ProblemOf(err)
	var (
		authority   x509.UnknownAuthorityError
		name        x509.HostnameError
		certificate *tls.CertificateVerificationError
	)
	switch {
	case problem == NoTLS:
		e.Class, e.Hint = fault.Configuration, "the server has no TLS: give it a certificate, or write tls: none"
		return e
	case problem == Credentials:
		e.Class, e.Hint = fault.Auth, s.credentialsHint()
		return e
	case problem == NoDatabase:
		e.Class, e.Hint = fault.Configuration, "look at database"
		return e
	case problem == NoLogin:
		e.Class, e.Hint = fault.Forbidden, "look at database, and whether the account has a user in it"
		return e
	case problem == CannotOpen:
		e.Class, e.Hint = s.cannotOpen()
		return e
	case problem == Damaged:
		e.Class, e.Hint = fault.Configuration, "the file is damaged, or no database of SQLite"
		return e
	case problem == Contended, problem == Busy:
		return e
	case problem != None:
		if class, hint := means(problem, err); class != "" {
			e.Class, e.Hint = class, hint
			return e
		}
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		e.Err = errors.New("no end within " + settings.Duration(timeout).String())
		e.Hint = "raise timeout, or make the query faster"
	case errors.As(err, &name):
		e.Class, e.Hint = fault.Configuration, "write the name that is in the certificate as host or server_name"
	case errors.As(err, &authority), errors.As(err, &certificate):
		e.Class, e.Hint = fault.Configuration, "give the authority that signed the server's certificate: ca_file"
	}
	return e
}

func (s *Server) credentialsHint() string {
	switch s.Driver {
	case Postgres:
		return "look at user and password, and at the server's pg_hba.conf"
	case MySQL:
		return "look at user and password, and from which hosts the account may come"
	default:
		return "look at user and password: it must be an account of SQL Server, not of Windows"
	}
}

func (s *Server) cannotOpen() (fault.Class, string) {
	f, err := os.Open(string(s.File))
	if err == nil {
		_ = f.Close()
	}
	if errors.Is(err, os.ErrPermission) {
		return fault.Forbidden, "let the service's user read the file, and its -wal and -shm"
	}
	return fault.Transient, "look at file: it must be there, and so must its -shm in WAL mode if the service may not write to the folder"
}

// Client is the program with which to try a statement by hand.
func (s *Server) Client() string {
	switch s.Driver {
	case Postgres:
		return "psql"
	case MySQL:
		return "mariadb or mysql"
	case SQLite:
		return "sqlite3"
	default:
		return "sqlcmd"
	}
}
