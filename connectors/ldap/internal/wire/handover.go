package wire

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Handover is a connection that go-ldap uses first, for the bind, and that a Conn takes over then. go-ldap's
// reader stays parked in Read until Close.
//
// go-ldap takes messages of up to 2 GiB and makes ten times that of them, and more of small elements. So it reads no more
// for one request than Allow says.
type Handover struct {
	net.Conn
	limit  atomic.Int64 // of bytes for the present request
	used   atomic.Int64
	taken  atomic.Bool
	parked chan struct{}
	closed chan struct{}
	park   sync.Once
	end    sync.Once
}

// ErrTooLong is why a read failed when an answer was longer than Allow said.
var ErrTooLong = errors.New("the answer is too long")

// NewHandover wraps a connection, which may be a *tls.Conn. Nothing may be read before Allow.
func NewHandover(conn net.Conn) *Handover {
	return &Handover{Conn: conn, parked: make(chan struct{}), closed: make(chan struct{})}
}

// Read reads for go-ldap until the connection is taken over; then it blocks until Close.
func (h *Handover) Read(p []byte) (int, error) {
	n, err := h.Conn.Read(p)
	if h.used.Add(int64(n)) > h.limit.Load() {
		return 0, ErrTooLong
	}
	if n > 0 || !h.taken.Load() || !errors.Is(err, os.ErrDeadlineExceeded) {
		return n, err
	}
	h.park.Do(func() { close(h.parked) })
	<-h.closed
	return 0, io.EOF
}

// Allow lets go-ldap read so many bytes from here on.
func (h *Handover) Allow(bytes int64) {
	h.limit.Store(bytes)
	h.used.Store(0)
}

// Exceeded reports whether more came than Allow said. go-ldap keeps only the text of the errors of its reads.
func (h *Handover) Exceeded() bool { return h.used.Load() > h.limit.Load() }

// Close closes the connection and lets a parked reader go.
func (h *Handover) Close() error {
	h.end.Do(func() { close(h.closed) })
	return h.Conn.Close()
}

// Take gives the connection to a Conn. There must be no request of go-ldap under way, and none may follow. With
// idle greater than zero, a server that sends nothing for so long ends the read.
func (h *Handover) Take(idle time.Duration) (*Conn, error) {
	h.taken.Store(true)
	// A deadline in the past ends the Read in which go-ldap waits, without touching what is not read yet.
	if err := h.SetReadDeadline(time.Unix(1, 0)); err != nil {
		return nil, err
	}
	select {
	case <-h.parked:
	case <-h.closed:
		return nil, net.ErrClosed
	case <-time.After(5 * time.Second):
		// The reader got an error of its own and is gone: so is the connection.
		return nil, net.ErrClosed
	}
	if err := h.SetDeadline(time.Time{}); err != nil {
		return nil, err
	}
	return NewConn(h.Conn, idle), nil
}
