package wire

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// Of a page of which much is still to come nobody reads each entry as it comes; of its end, and of an answer whose length nobody knows,
// every byte at once.
func TestGatheredBytes(t *testing.T) {
	const room = 1 << 20
	told := []int{}
	g := gathering{lowWater: func(bytes int) error { told = append(told, bytes); return nil }}
	read := func(entries, size int) {
		for range entries {
			g.came(size)
		}
		g.tell(g.want(room))
	}
	g.begin(1000)
	read(0, 0)
	read(1, 500)
	read(9, 500)
	read(790, 500)
	read(100, 500)
	read(90, 500)
	read(10, 500)
	read(5, 500) // more than it was asked for
	if want := []int{mostGathered, 50_000, 25_000, 1}; !slices.Equal(told, want) {
		t.Errorf("told %d, want %d", told, want)
	}
	told = nil
	g.begin(0)
	read(1000, 500)
	if len(told) > 0 {
		t.Errorf("without pages: told %d", told)
	}
	g.begin(1000)
	g.came(500)
	if n := g.want(2 * leastGathered); n != 2*leastGathered {
		t.Errorf("want %d where there is room for %d", n, 2*leastGathered)
	}
	g.tell(g.want(room))
	g.lowWater = func(int) error { return net.ErrClosed }
	g.tell(1)
	if n := g.want(room); n != 1 {
		t.Errorf("want %d of a system that takes nothing", n)
	}
	if g.tell(1); g.told != mostGathered {
		t.Errorf("told %d, by a system that did not take it", g.told)
	}
	g = gathering{lowWater: func(int) error { return syscall.ENOPROTOOPT }}
	if g.tell(mostGathered); g.told != 0 {
		t.Errorf("told %d, by a system that takes none: each read would wait in vain", g.told)
	}
}

// lateAlert is a TLS connection that has read something, and waited in vain for the rest of an alert behind it.
type lateAlert struct{ net.Conn }

func (lateAlert) SetReadDeadline(time.Time) error { return nil }

func (lateAlert) Read(p []byte) (int, error) { return copy(p, "read"), os.ErrDeadlineExceeded }

// What was read while more was waited for is no failure.
func TestWaitedForAnAlert(t *testing.T) {
	c := &Conn{conn: lateAlert{}, gather: gathering{lowWater: func(int) error { return nil }}}
	c.gather.begin(1000)
	c.gather.came(500)
	if n, err := (deadlined{c}).Read(make([]byte, 1<<20)); n != len("read") || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

// A page that is shorter than it was asked for comes to its end, and does so soon. The other end waits for that.
func TestShorterPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		defer func() { _, _ = client.Close(), server.Close() }()
		go servePages(server, 300, 3)
		waits := &unwoken{Conn: client}
		c := NewConn(waits, time.Minute)
		c.gather.lowWater = func(bytes int) error { waits.most = max(waits.most, bytes); waits.forAny = bytes == 1; return nil }
		began := time.Now()
		if n := readPage(t, c); n != 303 {
			t.Errorf("%d entries, want 303", n)
		}
		if took := time.Since(began); took == 0 || took > 10*gatheredFor || waits.most < leastGathered {
			t.Errorf("waited %s for %d bytes", took, waits.most)
		}
	})
}

// unwoken is a connection whose reader waits until it may wait no longer, once it waits for more than anything. A pipe itself wakes him at once.
type unwoken struct {
	net.Conn
	most   int
	forAny bool
	until  time.Time
}

func (u *unwoken) SetReadDeadline(t time.Time) error { u.until = t; return u.Conn.SetReadDeadline(t) }

func (u *unwoken) Read(p []byte) (int, error) {
	if u.most > 0 && !u.forAny {
		time.Sleep(time.Until(u.until))
	}
	return u.Conn.Read(p)
}

// TestLowWater holds the marks against the system's sockets: what is below the mark is read all the same, be it part of a record of TLS.
func TestLowWater(t *testing.T) {
	certified := httptest.NewTLSServer(http.NotFoundHandler())
	defer certified.Close()
	for name, secure := range map[string]*tls.Config{"plain": nil, "TLS 1.2": {MaxVersion: tls.VersionTLS12}, "TLS 1.3": {MinVersion: tls.VersionTLS13}} {
		t.Run(name, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = listener.Close() }()
			go func() {
				server, err := listener.Accept()
				if err != nil {
					return
				}
				defer func() { _ = server.Close() }()
				if secure != nil {
					server = tls.Server(inPieces{server}, certified.TLS)
				}
				for _, entries := range [][2]int{{300, 40}, {1000, 0}, {0, 0}} {
					servePages(server, entries[0], entries[1])
				}
			}()
			client, err := net.Dial("tcp", listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = client.Close() }()
			if secure != nil {
				config := secure.Clone()
				config.ServerName = "example.com"
				config.RootCAs = certified.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
				client = tls.Client(client, config)
			}
			c := NewConn(client, time.Minute)
			most, lowWater := 0, c.gather.lowWater
			if lowWater == nil {
				t.Skip("this system has no marks")
			}
			c.gather.lowWater = func(bytes int) error {
				most = max(most, bytes)
				if err := lowWater(bytes); err != nil {
					t.Errorf("mark of %d bytes: %v", bytes, err)
				}
				return nil
			}
			for _, want := range []int{340, 1000, 0} {
				if n := readPage(t, c); n != want {
					t.Errorf("%d entries, want %d", n, want)
				}
			}
			if most < leastGathered {
				t.Errorf("no more than %d bytes were waited for", most)
			}
		})
	}
}

// inPieces sends half of what is written, be it half a record, and the rest when a reader may have waited in vain for it.
type inPieces struct{ net.Conn }

func (c inPieces) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p[:len(p)/2])
	if err != nil || len(p) < mostGathered/8 {
		rest, err := c.Conn.Write(p[n:])
		return n + rest, err
	}
	time.Sleep(2 * gatheredFor)
	rest, err := c.Conn.Write(p[n:])
	return n + rest, err
}

// readPage asks for a page of 1000 and returns how many entries came.
func readPage(t *testing.T, c *Conn) (entries int) {
	t.Helper()
	if err := c.Send(Search{Filter: "(cn=a)", PageSize: 1000}); err != nil {
		t.Fatal(err)
	}
	var e Entry
	for {
		switch item, _, err := c.Next(&e); {
		case err != nil:
			t.Fatal(err)
		case item == DoneItem:
			return entries
		}
		entries++
	}
}

// servePages answers one search with some entries at once and some one by one.
func servePages(server net.Conn, together, single int) {
	p, err := ber.ReadPacket(server)
	if err != nil {
		return
	}
	id, _ := p.Children[0].Value.(int64)
	var first []byte
	for i := range together + single {
		message := envelope(id, entry(fmt.Sprintf("cn=%0100d", i)))
		if first = append(first, message...); i < together {
			continue
		}
		_, _ = server.Write(first)
		first = first[:0]
	}
	_, _ = server.Write(append(first, envelope(id, outcome(ldap.ApplicationSearchResultDone, 0, ""))...))
}
