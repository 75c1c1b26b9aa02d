package postgrestest

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"dirsyncd/sync/database/testserver"
)

// Trips is a way to a database, without TLS, that counts how often a client asks the server and waits for the answer, and notes what it asks. That
// a client gives up a transaction does not count: store/postgres waits for no answer to that. Its methods may be called at any time.
type Trips struct {
	// URL is how the database's owner gets there.
	URL string

	l     net.Listener
	to    string
	trips atomic.Int64
	wg    sync.WaitGroup

	mu         sync.Mutex
	conns      map[net.Conn]struct{}
	over       bool
	statements map[string]struct{}
	each       func(statements []string)
}

// Trips makes a way to the database. It ends with the test.
func (d *Database) Trips(tb testing.TB, server *Server) *Trips {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(tb, err)
	t := &Trips{l: l, to: testserver.Address(server.Port), conns: map[net.Conn]struct{}{}, statements: map[string]struct{}{}}
	t.URL = fmt.Sprintf("postgres://%s:%s@%s/%s?sslmode=disable", Admin, AdminPassword, l.Addr(), d.Name)
	t.wg.Go(t.serve)
	tb.Cleanup(func() {
		_ = l.Close()
		t.mu.Lock()
		t.over = true
		for c := range t.conns {
			_ = c.Close()
		}
		t.mu.Unlock()
		t.wg.Wait()
	})
	return t
}

// Count returns how many round trips fn takes, of all connections.
func (t *Trips) Count(fn func()) int {
	before := t.trips.Load()
	fn()
	return int(t.trips.Load() - before)
}

// Each has fn called at each round trip with what is asked, instead of who was called before.
func (t *Trips) Each(fn func(statements []string)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.each = fn
}

// Statements are all that clients have asked, in order, each once.
func (t *Trips) Statements() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Sorted(maps.Keys(t.statements))
}

func (t *Trips) serve() {
	for {
		client, err := t.l.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", t.to)
		if err != nil {
			_ = client.Close()
			continue
		}
		if !t.keep(client, server) {
			return
		}
		t.wg.Go(func() { _, _ = io.Copy(client, server); _ = client.Close() })
		t.wg.Go(func() { t.forward(server, client); _ = server.Close() })
	}
}

// keep notes connections, which the end of the test closes. It reports whether that has not come yet.
func (t *Trips) keep(conns ...net.Conn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range conns {
		t.conns[c] = struct{}{}
		if t.over {
			_ = c.Close()
		}
	}
	return !t.over
}

// forward hands over what a client says and counts what asks for an answer: a simple query, and the end of a pipeline (PostgreSQL, Message Formats).
func (t *Trips) forward(to io.Writer, from io.Reader) {
	in := bufio.NewReader(from)
	prepared := map[string]string{}
	var asked []string
	for typed := false; ; typed = true { // the first message, of the start, has no type
		message := make([]byte, 4, 5)
		if typed {
			message = message[:5]
		}
		if _, err := io.ReadFull(in, message); err != nil {
			return
		}
		header := len(message)
		message = append(message, make([]byte, int(binary.BigEndian.Uint32(message[header-4:]))-4)...)
		if _, err := io.ReadFull(in, message[header:]); err != nil {
			return
		}
		if typed {
			texts := strings.SplitN(string(message[header:]), "\x00", 3)
			switch message[0] {
			case 'P': // the statement's name and its text
				prepared[texts[0]] = texts[1]
			case 'B': // the portal's name and the statement's
				asked = append(asked, prepared[texts[1]])
			case 'Q':
				if texts[0] != "rollback" {
					t.count([]string{texts[0]})
				}
			case 'S':
				t.count(asked)
				asked = nil
			}
		}
		if _, err := to.Write(message); err != nil {
			return
		}
	}
}

func (t *Trips) count(asked []string) {
	t.trips.Add(1)
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, text := range asked {
		t.statements[text] = struct{}{}
	}
	if t.each != nil {
		t.each(asked)
	}
}
