package wire

import (
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// spied is a connection that knows what go-ldap does with it.
type spied struct {
	net.Conn
	begun, ended, deadlines atomic.Int32
}

func (s *spied) Read(p []byte) (int, error) {
	s.begun.Add(1)
	defer s.ended.Add(1)
	return s.Conn.Read(p)
}

func (s *spied) SetDeadline(t time.Time) error { s.deadlines.Add(1); return s.Conn.SetDeadline(t) }
func (s *spied) SetReadDeadline(t time.Time) error {
	s.deadlines.Add(1)
	return s.Conn.SetReadDeadline(t)
}
func (s *spied) SetWriteDeadline(t time.Time) error {
	s.deadlines.Add(1)
	return s.Conn.SetWriteDeadline(t)
}

// TestLibraryReads pins what Handover knows of go-ldap and go-ldap does not promise: between two requests exactly one
// goroutine of it waits in Read, on the connection that it was given and without a deadline of its own; where Read
// does not return, it stays; and Close lets it go. When this fails after an update of go-ldap, Handover needs another look.
func TestLibraryReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		go serveSearches(server)
		h := NewHandover(client)
		h.Allow(1 << 20)
		spy := &spied{Conn: h}
		library := ldap.NewConn(spy, false)
		library.Start()
		finish := func() {
			_, _ = library.Close(), server.Close()
			synctest.Wait()
		}
		defer finish()
		waits := func(when string) {
			t.Helper()
			synctest.Wait()
			if begun, ended := spy.begun.Load(), spy.ended.Load(); begun != ended+1 {
				t.Fatalf("%s: %d reads have begun and %d have ended, want one that waits", when, begun, ended)
			}
			if n := spy.deadlines.Load(); n > 0 {
				t.Fatalf("%s: go-ldap has set %d deadlines", when, n)
			}
		}
		waits("before the first request")
		if err := library.Bind("cn=x", "y"); err != nil {
			t.Fatal(err)
		}
		waits("after the bind")
		req := ldap.NewSearchRequest("", ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", nil, nil)
		if res, err := library.Search(req); err != nil || len(res.Entries) != 1 {
			t.Fatal(res, err)
		}
		waits("after a search")

		before := spy.begun.Load()
		c, err := h.Take(time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		waits("after the connection was taken over")
		for range 2 {
			if err := c.Send(Search{Filter: "(cn=a)"}); err != nil {
				t.Fatal(err)
			}
			var e Entry
			for _, want := range []Item{EntryItem, DoneItem} {
				if item, _, err := c.Next(&e); err != nil || item != want {
					t.Fatalf("item %d, error %v; want %d", item, err, want)
				}
			}
			time.Sleep(time.Hour) // of the bubble's time: no clock of go-ldap's runs
			waits("after a search of ours")
		}
		if after := spy.begun.Load(); after != before {
			t.Errorf("go-ldap has read %d times from a connection that is no longer its own", after-before)
		}
		finish()
		if begun, ended := spy.begun.Load(), spy.ended.Load(); begun != ended {
			t.Errorf("%d of go-ldap's reads are left behind after Close", begun-ended)
		}
	})
}

// serveSearches answers a bind, and each search with one entry.
func serveSearches(server net.Conn) {
	for {
		p, err := ber.ReadPacket(server)
		if err != nil {
			return
		}
		id := p.Children[0].Value.(int64)
		switch p.Children[1].Tag {
		case ldap.ApplicationBindRequest:
			_, _ = server.Write(envelope(id, outcome(ldap.ApplicationBindResponse, 0, "")))
		case ldap.ApplicationSearchRequest:
			_, _ = server.Write(append(envelope(id, entry("cn=a")), envelope(id, outcome(ldap.ApplicationSearchResultDone, 0, ""))...))
		}
	}
}
