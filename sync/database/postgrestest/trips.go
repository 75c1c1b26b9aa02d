package postgrestest

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"dirsyncd/sync/database/testserver"
)

// Trips is a way to a database, without TLS, that counts how often a client waits for the server's answer. Its methods may be called at any time.
type Trips struct {
	// URL is how the database's owner gets there.
	URL string

	l     net.Listener
	to    string
	trips atomic.Int64
	wg    sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]struct{}
	over  bool
}

// Trips makes a way to the database. It ends with the test.
func (d *Database) Trips(tb testing.TB, server *Server) *Trips {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(tb, err)
	t := &Trips{l: l, to: testserver.Address(server.Port), conns: map[net.Conn]struct{}{}}
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
	for typed := false; ; typed = true { // the first message, of the start, has no type
		header := make([]byte, 4, 5)
		if typed {
			header = header[:5]
		}
		if _, err := io.ReadFull(in, header); err != nil {
			return
		}
		if kind := header[0]; typed && (kind == 'Q' || kind == 'S') {
			t.trips.Add(1)
		}
		size := int64(binary.BigEndian.Uint32(header[len(header)-4:])) - 4
		if _, err := to.Write(header); err != nil {
			return
		}
		if _, err := io.CopyN(to, in, size); err != nil {
			return
		}
	}
}
