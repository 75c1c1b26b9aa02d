package ldap

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"dirsyncd/connectors"
	"dirsyncd/connectors/ldap/slapdtest"
	"dirsyncd/sync/config"
)

// BenchmarkFullRead reads a whole directory through the connector, and with go-ldap's own paged search for
// comparison. Set -benchtime=3x: an iteration is a read of everybody.
func BenchmarkFullRead(b *testing.B) {
	people := slapdtest.Population{People: 100_000, Groups: 2_000}
	s := slapdtest.Start(b, slapdtest.Options{Load: people.WriteLDIF})
	c := openFor(b, s, nil)
	for _, stream := range []string{streamUsers, streamGroups} {
		b.Run(stream, func(b *testing.B) {
			b.ReportAllocs()
			objects := 0
			for b.Loop() {
				err := c.Read(context.Background(), connectors.Request{Stream: stream, Mode: connectors.Full},
					func(p *connectors.Page) error {
						objects += len(p.Objects)
						return nil
					})
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(objects)/b.Elapsed().Seconds(), "objects/s")
		})
	}
	b.Run("go-ldap", func(b *testing.B) {
		entries := 0
		for b.Loop() {
			entries += goLDAPRead(b, s, newTranslator(1, openLDAP(), &c.cfg).row.names)
		}
		b.ReportMetric(float64(entries)/b.Elapsed().Seconds(), "objects/s")
	})
}

// goLDAPRead is the same read of people with the library alone.
func goLDAPRead(b *testing.B, s *slapdtest.Server, attributes []string) int {
	b.Helper()
	conn, err := ldap.DialURL(s.URL)
	if err == nil {
		err = conn.Bind(s.ReplicatorDN, slapdtest.ReplicatorPassword)
	}
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	entries := 0
	var cookie []byte
	for {
		paging := ldap.NewControlPaging(1000)
		paging.SetCookie(cookie)
		res := conn.SearchAsync(context.Background(), ldap.NewSearchRequest(s.Suffix, ldap.ScopeWholeSubtree, 0, 0, 0, false,
			openLDAP().userFilter, attributes, []ldap.Control{paging}), 1000)
		cookie = nil
		for res.Next() {
			if res.Entry() != nil {
				entries++
			}
			if answer, ok := ldap.FindControl(res.Controls(), ldap.ControlTypePaging).(*ldap.ControlPaging); ok {
				cookie = answer.Cookie
			}
		}
		if res.Err() != nil {
			b.Fatal(res.Err())
		}
		if len(cookie) == 0 {
			return entries
		}
	}
}

// openFor opens a connector that reads a server as its replicator.
func openFor(tb testing.TB, s *slapdtest.Server, change func(*Config)) *Connector {
	tb.Helper()
	cfg := Defaults()
	cfg.Servers = []string{s.URL}
	cfg.Bind = BindConfig{User: s.ReplicatorDN, Password: config.NewSecret(slapdtest.ReplicatorPassword)}
	cfg.Base = Names{s.Suffix}
	if change != nil {
		change(cfg)
	}
	if issues := cfg.Validate(); len(issues) > 0 {
		tb.Fatalf("configuration: %v", issues)
	}
	c, err := Open(cfg, testEnv())
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func testEnv() connectors.Env {
	return connectors.Env{Connection: "test", Log: slog.New(slog.DiscardHandler), Now: time.Now}
}
