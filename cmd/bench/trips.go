package main

import (
	"context"
	"encoding/binary"
	"net"
	"strings"
	"sync/atomic"
)

// trips counts how often a client of PostgreSQL asks and waits for the answer. It counts in the connections themselves, as a process between them
// and the server would cost time that is measured.
type trips struct{ count atomic.Int64 }

// dial makes a connection that counts.
func (t *trips) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &countedConn{Conn: c, trips: t}, nil
}

// countedConn looks at the messages that are sent (PostgreSQL, Message Formats): a type of one byte, but for the first one, and a length of four that counts itself.
type countedConn struct {
	net.Conn
	trips   *trips
	started bool
	rest    []byte // of a message that is not whole yet
}

// Write implements net.Conn.
func (c *countedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.look(p[:n])
	return n, err
}

func (c *countedConn) look(sent []byte) {
	if len(c.rest) > 0 {
		sent = append(c.rest, sent...)
	}
	for {
		header := 5
		if !c.started {
			header = 4
		}
		if len(sent) < header {
			break
		}
		size := header - 4 + int(binary.BigEndian.Uint32(sent[header-4:]))
		if len(sent) < size {
			break
		}
		if c.started && asks(sent[0], sent[header:size]) {
			c.trips.count.Add(1)
		}
		c.started, sent = true, sent[size:]
	}
	c.rest = append(c.rest[:0:0], sent...)
}

// asks reports whether an answer is waited for: a simple query, or the end of a pipeline. Nobody waits for the answer to that a transaction is given up.
func asks(kind byte, body []byte) bool {
	return kind == 'S' || kind == 'Q' && !strings.HasPrefix(string(body), "rollback\x00")
}
