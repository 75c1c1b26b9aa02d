package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

var (
	// ErrNone is in the chain of the error with which Open refuses to read a state that is not there.
	ErrNone = errors.New("there is no state yet")
	// ErrOutdated is in the chain of the error with which Open refuses to read a state that has to be brought up to date first.
	ErrOutdated = errors.New("the state has to be brought up to date")
)

const (
	hintDamage = "restore the database from a backup, or give dirsyncd an empty schema to begin anew: the next sync then reads every source in full"
	hintAway   = "check that the server runs and is reached from here; work goes on by itself when it is"
	hintGrants = "the role must be the owner of the schema: see docs/postgresql.md for what to grant"
	hintLogin  = "check the user and the password that `state` gives, and pg_hba.conf"
)

// classify says what an error of the database means for the operator; nil stays nil, and what is classified as it is.
func (s *Store) classify(op string, err error) error {
	var (
		f  *fault.Error
		pg *pgconn.PgError
	)
	switch {
	case err == nil, errors.As(err, &f):
		return err
	case errors.Is(err, context.Canceled):
		return err
	}
	e := &fault.Error{Class: fault.Transient, Op: op, Where: s.where, Err: discreet(err)}
	if !errors.As(err, &pg) {
		if errors.Is(err, directory.ErrCorrupt) {
			e.Class, e.Hint = fault.Internal, hintDamage
		}
		if e.Hint == "" {
			e.Hint = hintAway
		}
		return e
	}
	switch class := pg.Code[:min(2, len(pg.Code))]; {
	case class == "28":
		e.Class, e.Hint = fault.Configuration, hintLogin
	case pg.Code == "3D000":
		e.Class, e.Hint = fault.Configuration, "make the database, or check its name in `state`"
	case pg.Code == "42501":
		e.Class, e.Hint = fault.Configuration, hintGrants
	case pg.Code == "25006":
		e.Hint = "the server takes no writes: it is a standby, or its disk is full; name the primary in `state`"
	case pg.Code == "53100":
		e.Hint = "free some space on the database's disk; nothing was lost, and work goes on by itself afterwards"
	case pg.Code == "53300":
		e.Hint = "raise max_connections of the server, or let dirsyncd use fewer"
	case pg.Code == "26000", pg.Code == "42P05":
		e.Class, e.Hint = fault.Configuration, "a pooler is between that does not keep prepared statements: add default_query_exec_mode=exec to `state`, or connect directly"
	case class == "08", class == "40", class == "53", class == "55", class == "57", class == "58":
	case class == "XX":
		e.Class, e.Hint = fault.Internal, "the database reports damage: see the server's log; "+hintDamage
	default:
		e.Class = fault.Internal
	}
	return e
}

// mayNotMake says what a role needs that may not make a schema. why comes before that, and instead is what else can be done; other errors it leaves as they are.
func (s *Store) mayNotMake(err error, op, why, instead string) error {
	if pg := (*pgconn.PgError)(nil); !errors.As(err, &pg) || pg.Code != "42501" {
		return err
	}
	at := s.config.ConnConfig
	return &fault.Error{Class: fault.Configuration, Op: op, Where: s.where, Err: fmt.Errorf("the role may make no schema: %w", discreet(err)),
		Hint: fmt.Sprintf("%sGRANT CREATE ON DATABASE %s TO %s, or %s", why, pgx.Identifier{at.Database}.Sanitize(), pgx.Identifier{at.User}.Sanitize(), instead)}
}

// discreet leaves out what a server quotes of a row: only the message, not the detail, is kept.
func discreet(err error) error {
	if pg := (*pgconn.PgError)(nil); errors.As(err, &pg) {
		return fmt.Errorf("%s (SQLSTATE %s)", pg.Message, pg.Code)
	}
	if connect := (*pgconn.ConnectError)(nil); errors.As(err, &connect) {
		if inner := connect.Unwrap(); inner != nil { // its own text names the user
			err = inner
		}
	}
	if first, _, several := strings.Cut(err.Error(), "\n"); several { // one for each way that was tried, with TLS and without
		return errors.New(first)
	}
	return err
}

// again reports whether a transaction that failed may be tried once more: nothing of it was stored.
func again(err error) bool {
	if pg := (*pgconn.PgError)(nil); errors.As(err, &pg) {
		switch pg.Code {
		case "40001", "40P01", "55P03", "57P01", "57P02", "57P03", "25P03":
			return true
		}
		return pg.Code[:min(2, len(pg.Code))] == "08"
	}
	return gone(err)
}

// gone reports whether an error is one of the connection's and not the server's answer.
func gone(err error) bool {
	var (
		f  *fault.Error
		pg *pgconn.PgError
	)
	if errors.Is(err, errAgain) {
		return true
	}
	return err != nil && !errors.As(err, &f) && !errors.As(err, &pg) && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}

// errAgain ends an attempt that another transaction came before.
var errAgain = errors.New("another transaction was first")

// ended returns why a context has ended; nil when it has not.
func ended(ctx context.Context, op string) error {
	if errors.Is(context.Cause(ctx), store.ErrLeaseLost) {
		return lost(op)
	}
	return ctx.Err()
}

// lost makes the error for what is done under a lease that is not held any longer.
func lost(op string) error {
	return &fault.Error{Class: fault.Conflict, Op: op, Err: store.ErrLeaseLost}
}

// misuse makes the error for a call that the contract does not allow: a defect of the caller.
func misuse(format string, args ...any) error {
	return &fault.Error{Class: fault.Internal, Op: "use state", Err: fmt.Errorf(format, args...)}
}

// corrupt makes the error for a value that does not decode. what names the table.
func (s *Store) corrupt(what string) error {
	return &fault.Error{Class: fault.Internal, Op: "read state", Where: s.where, Hint: hintDamage,
		Err: fmt.Errorf("the state is damaged: %s: %w", what, directory.ErrCorrupt)}
}
