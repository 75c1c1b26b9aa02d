package database

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	mssql "github.com/microsoft/go-mssqldb"
	"github.com/microsoft/go-mssqldb/msdsn"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/settings"
)

// TestSQLServer looks at what the driver is told: there is no server to be had.
func TestSQLServer(t *testing.T) {
	s := Server{Driver: SQLServer, Host: "db.test", Database: "hr", User: "reader", Password: settings.NewSecret("hush"), TLS: tlsVerify, ServerName: "cert.test"}
	cfg, err := s.sqlServer(Reading, time.Minute)
	if err != nil || cfg.Encryption != msdsn.EncryptionRequired || cfg.TLSConfig == nil || cfg.TLSConfig.InsecureSkipVerify || !cfg.ReadOnlyIntent ||
		cfg.TLSConfig.ServerName != "cert.test" || cfg.TrustServerCertificate || cfg.Database != "hr" || cfg.Port != 1433 || cfg.Instance != "" {
		t.Errorf("%+v %v", cfg, err)
	}
	s.TLS, s.ServerName = tlsNone, ""
	if cfg, err = s.sqlServer(Writing, time.Minute); err != nil || cfg.Encryption != msdsn.EncryptionDisabled || cfg.TLSConfig != nil || cfg.ReadOnlyIntent {
		t.Errorf("%+v %v", cfg, err)
	}
}

func TestProblems(t *testing.T) {
	pg := func(code, message string) error {
		return fmt.Errorf("exec: %w", &pgconn.PgError{Code: code, Message: message})
	}
	my := func(number uint16) error { return &mysql.MySQLError{Number: number} }
	ms := func(number int32) error { return mssql.Error{Number: number} }
	for _, test := range []struct {
		err  error
		want Problem
	}{
		{pg("28P01", ""), Credentials},
		{pg("42501", "permission denied"), Denied},
		{pg("42501", "query would be affected by row-level security policy"), Hidden},
		{pg("42501", `new row violates row-level security policy for table "t"`), Policy},
		{pg("40P01", ""), Contended},
		{pg("57P01", ""), Busy},
		{pg("57014", ""), Slow},
		{pg("23505", ""), Unique},
		{pg("23503", ""), Reference},
		{pg("23502", ""), Missing},
		{pg("23514", ""), Rule},
		{pg("P0001", ""), Rule},
		{pg("22001", ""), TooLong},
		{pg("22P02", ""), Value},
		{pg("42P01", ""), Refused},
		{my(1062), Unique},
		{my(1213), Contended},
		{my(2013), Busy},
		{my(1406), TooLong},
		{my(1366), Value},
		{my(4025), Rule},
		{my(1146), Refused},
		{ms(18456), Credentials},
		{ms(229), Denied},
		{ms(4060), NoLogin},
		{ms(1205), Contended},
		{ms(2627), Unique},
		{ms(208), Refused},
		{ms(50001), Rule},
		{mysql.ErrNoTLS, NoTLS},
		{errors.New("EOF"), None},
		{nil, None},
	} {
		if got := ProblemOf(test.err); got != test.want {
			t.Errorf("%v: %d, want %d", test.err, got, test.want)
		}
	}
}

func TestFail(t *testing.T) {
	s := Server{Driver: SQLServer, Host: "db.test"}
	means := func(p Problem, _ error) (fault.Class, string) {
		if p == Denied {
			return fault.Forbidden, "GRANT"
		}
		return fault.Configuration, ""
	}
	for number, want := range map[int32]fault.Class{
		18456: fault.Auth, 229: fault.Forbidden, 4060: fault.Forbidden, 1205: fault.Transient, 208: fault.Configuration, 102: fault.Configuration,
	} {
		if class := fault.ClassOf(s.Fail(t.Context(), "x", time.Minute, mssql.Error{Number: number}, means)); class != want {
			t.Errorf("%d: %s, want %s", number, class, want)
		}
	}
	if err := s.Fail(t.Context(), "x", time.Minute, errors.New("broken pipe"), means); fault.ClassOf(err) != fault.Transient {
		t.Error(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Fail(ended, "x", time.Minute, errors.New("broken pipe"), means); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// FuzzDiscreet: what a database quotes out of a row is not in what is left.
func FuzzDiscreet(f *testing.F) {
	f.Add("0049 123")
	f.Add("x' for key 'y")
	f.Add("")
	f.Fuzz(func(t *testing.T, value string) {
		secret := "personal" + value + "personal"
		for _, text := range []string{
			`ERROR: invalid input syntax for type integer: "` + secret + `" (SQLSTATE 22P02)`,
			"Error 1062 (23000): Duplicate entry '" + secret + "' for key 'email'",
			"Error 1366 (22007): Incorrect string value: '" + secret + "' for column `a`.`b`.`c` at row 1",
			"mssql: Violation of UNIQUE KEY constraint 'x'. Cannot insert duplicate key in object 't'. The duplicate key value is (" + secret + ").",
		} {
			if got := Discreet(text); strings.Contains(got, "personal") {
				t.Errorf("%q is left of %q", got, text)
			}
		}
	})
}
