package ldap

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os/exec"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"dirsyncd/connectors"
	"dirsyncd/connectors/ldap/slapdtest"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/settings"
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
				err := connectors.Guard(c).Read(context.Background(), connectors.Request{Stream: stream, Mode: connectors.Full},
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
	attributes := newTranslator(directory.Person, openLDAP(), &c.cfg).row.names
	for name, read := range map[string]func(*testing.B, *slapdtest.Server, []string) int{
		"with go-ldap alone": goLDAPRead, "with ldapsearch": ldapsearchRead,
	} {
		b.Run(name, func(b *testing.B) {
			entries := 0
			for b.Loop() {
				entries += read(b, s, attributes)
			}
			b.ReportMetric(float64(entries)/b.Elapsed().Seconds(), "objects/s")
		})
	}
}

// ldapsearchRead is the same read of people with the command of the OpenLDAP project.
func ldapsearchRead(b *testing.B, s *slapdtest.Server, attributes []string) int {
	b.Helper()
	if _, err := exec.LookPath("ldapsearch"); err != nil {
		b.Skip("ldapsearch is not installed")
	}
	args := []string{"-x", "-LLL", "-E", "pr=1000/noprompt", "-H", s.URL, "-D", s.ReplicatorDN, "-w", slapdtest.ReplicatorPassword,
		"-b", s.Suffix, openLDAP().userFilter}
	out, err := exec.CommandContext(b.Context(), "ldapsearch", append(args, attributes...)...).Output()
	if err != nil {
		b.Fatal(err)
	}
	return bytes.Count(out, []byte("\ndn: ")) + 1
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
	cfg.Bind = BindConfig{User: s.ReplicatorDN, Password: settings.NewSecret(slapdtest.ReplicatorPassword)}
	cfg.Base = Names{s.Suffix}
	if change != nil {
		change(cfg)
	}
	if issues := cfg.Validate(); len(issues) > 0 {
		tb.Fatalf("configuration: %v", issues)
	}
	c, err := open(cfg, testEnv())
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func testEnv() connectors.Env {
	return connectors.Env{Connection: "test", Log: slog.New(slog.DiscardHandler), Now: time.Now}
}

// BenchmarkIncremental reads what changed in a directory of 100,000 people: nothing, and a hundred of them.
func BenchmarkIncremental(b *testing.B) {
	people := slapdtest.Population{People: 100_000, Groups: 2_000}
	s := slapdtest.Start(b, slapdtest.Options{SessionLog: 100_000, Load: people.WriteLDIF})
	s.AddPerson("last", nil) // see BenchmarkIdleRead
	for name, method := range map[string]string{"syncrepl": methodSyncrepl, "timestamp": methodTimestamp} {
		c := openFor(b, s, func(c *Config) { c.Incremental = method })
		var cursor []byte
		var meter connectors.Meter
		read := func(b *testing.B, mode connectors.Mode) (objects int) {
			b.Helper()
			err := connectors.Guard(c).Read(connectors.WithMeter(context.Background(), &meter), connectors.Request{Stream: streamUsers, Mode: mode, Cursor: cursor}, func(p *connectors.Page) error {
				objects += len(p.Objects)
				cursor = append(cursor[:0:0], p.Cursor...)
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
			return objects
		}
		read(b, connectors.Full)
		report := func(b *testing.B, before int) {
			b.ReportMetric(float64(meter.Requests()-before)/float64(b.N), "requests/op")
			b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(b.N), "ms/op")
		}
		b.Run(name+"/no changes", func(b *testing.B) {
			defer report(b, meter.Requests())
			for b.Loop() {
				if n := read(b, connectors.Delta); n != 0 {
					b.Fatalf("%d objects", n)
				}
			}
		})
		b.Run(name+"/100 changes", func(b *testing.B) {
			old := cursor
			for i := range 100 {
				s.Replace(s.PersonDN(fmt.Sprintf("p%d", i*997)), "title", fmt.Sprint(name, i))
			}
			defer report(b, meter.Requests())
			for b.Loop() {
				cursor = old
				if n := read(b, connectors.Delta); n < 100 {
					b.Fatalf("%d objects", n)
				}
			}
		})
	}
}

// BenchmarkIdleRead reads nothing from a directory of 20,000 people, once a minute by the connector's clock, with and without
// an index on entryCSN.
func BenchmarkIdleRead(b *testing.B) {
	for name, bare := range map[string]bool{"index": false, "no index": true} {
		b.Run(name, func(b *testing.B) {
			people := slapdtest.Population{People: 20_000, Groups: 400}
			s := slapdtest.Start(b, slapdtest.Options{SessionLog: 100, NoCSNIndex: bare, Load: people.WriteLDIF})
			s.AddPerson("last", nil) // of those who were loaded thousands have one CSN but for its counter, as an index sees it
			c, now := openFor(b, s, nil), time.Now()
			c.env.Now = func() time.Time { return now }
			var cursor []byte
			var meter connectors.Meter
			read := func(mode connectors.Mode) {
				err := connectors.Guard(c).Read(connectors.WithMeter(b.Context(), &meter), connectors.Request{Stream: streamUsers, Mode: mode, Cursor: cursor}, func(p *connectors.Page) error {
					cursor = append(cursor[:0:0], p.Cursor...)
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			read(connectors.Full)
			before := meter.Requests()
			for b.Loop() {
				now = now.Add(time.Minute)
				read(connectors.Delta)
			}
			b.ReportMetric(float64(meter.Requests()-before)/float64(b.N), "requests/op")
			b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(b.N), "ms/op")
		})
	}
}
