package testserver

import (
	"net"
	"sync"
	"testing"
)

// Wire is a way to a server that can go bad. Its methods may be called at any time.
type Wire struct {
	Port   int
	target string
	l      net.Listener

	mu     sync.Mutex
	pairs  map[net.Conn]net.Conn
	silent bool
	closed bool
	limit  int // bytes that the server may still send on each connection; -1: all
	wg     sync.WaitGroup
}

// NewWire makes a way to an address. It ends with the test.
func NewWire(tb testing.TB, target string) *Wire {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(tb, err)
	w := &Wire{Port: l.Addr().(*net.TCPAddr).Port, target: target, l: l, pairs: map[net.Conn]net.Conn{}, limit: -1}
	w.wg.Go(w.serve)
	tb.Cleanup(func() {
		w.Close()
		w.wg.Wait()
	})
	return w
}

func (w *Wire) serve() {
	for {
		client, err := w.l.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", w.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		_ = client.(*net.TCPConn).SetWriteBuffer(4 << 10) // little is on the way when the wire is cut
		w.mu.Lock()
		limit, closed := w.limit, w.closed
		if !closed {
			w.pairs[client] = server
		}
		w.mu.Unlock()
		if closed { // after it was taken and before it was known
			_ = client.Close()
			_ = server.Close()
			return
		}
		w.wg.Go(func() { w.copy(client, server, -1) })
		w.wg.Go(func() { w.copy(server, client, limit) })
	}
}

// copy hands over what comes, up to a limit of bytes.
func (w *Wire) copy(from, to net.Conn, limit int) {
	defer func() {
		_ = from.Close()
		_ = to.Close()
		w.mu.Lock()
		delete(w.pairs, from)
		delete(w.pairs, to)
		w.mu.Unlock()
	}()
	buf, lost := make([]byte, 4096), false
	for {
		n, err := from.Read(buf)
		w.mu.Lock()
		silent := w.silent
		w.mu.Unlock()
		if silent && err == nil {
			lost = true
			continue
		}
		if limit >= 0 {
			n = min(n, limit)
			limit -= n
		}
		if lost {
			return
		}
		if _, failed := to.Write(buf[:n]); failed != nil || err != nil || limit == 0 {
			return
		}
	}
}

// Cut ends all connections.
func (w *Wire) Cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for client, server := range w.pairs {
		_ = client.Close()
		_ = server.Close()
	}
}

// CutAfter ends each connection that begins now after so many bytes of the server.
func (w *Wire) CutAfter(bytes int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.limit = bytes
}

// Silence lets nothing through any more, and ends nothing.
func (w *Wire) Silence() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.silent = true
}

// Close ends all connections and takes no more.
func (w *Wire) Close() {
	_ = w.l.Close()
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.Cut()
}

// Mend undoes Silence and CutAfter. A connection that lost something in silence ends with the next that it would carry.
func (w *Wire) Mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.silent, w.limit = false, -1
}
