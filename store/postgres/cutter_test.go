package postgres_test

import (
	"encoding/binary"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
)

// cutter is a way to the server, without TLS, that is cut at one round trip: before the server has it, or after the server has answered
// and before the client has the answer.
type cutter struct {
	l  net.Listener
	to string
	wg sync.WaitGroup

	mu    sync.Mutex
	trips int // counted since begin
	at    int // cut there; zero: nowhere
	after bool
	was   bool // it was cut
	shut  bool // nobody gets through
	conns map[net.Conn]bool
}

func newCutter(t *testing.T, to string) *cutter {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{l: l, to: to, conns: map[net.Conn]bool{}}
	c.wg.Go(c.serve)
	t.Cleanup(func() {
		_ = l.Close()
		c.mu.Lock()
		for conn := range c.conns {
			_ = conn.Close()
		}
		c.mu.Unlock()
		c.wg.Wait()
	})
	return c
}

// begin counts anew, and cuts at a round trip.
func (c *cutter) begin(at int, after bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trips, c.at, c.after, c.was = 0, at, after, false
}

// silent ends all connections and lets nobody through, or does so again.
func (c *cutter) silent(is bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shut = is
	for conn := range c.conns {
		_ = conn.Close()
	}
	clear(c.conns)
}

// wasCut reports whether the round trip came at which to cut.
func (c *cutter) wasCut() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.was
}

// trip counts one, and reports whether it is where to cut.
func (c *cutter) trip() (cut, after bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trips++
	cut = c.trips == c.at
	c.was = c.was || cut
	return cut, c.after
}

func (c *cutter) serve() {
	for {
		client, err := c.l.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", c.to)
		if err != nil {
			_ = client.Close()
			continue
		}
		c.mu.Lock()
		shut := c.shut
		if !shut {
			c.conns[client], c.conns[server] = true, true
		}
		c.mu.Unlock()
		if shut {
			_ = client.Close()
			_ = server.Close()
			continue
		}
		c.wg.Go(func() {
			c.carry(client, server)
			_ = client.Close()
			_ = server.Close()
		})
	}
}

// carry hands over what the client says until it waits for an answer, and then what the server says until it is ready for more.
func (c *cutter) carry(client, server net.Conn) {
	startup := true
	for {
		question, err := questionOf(client, startup)
		if err != nil {
			return
		}
		cut, after := false, false
		if !startup {
			cut, after = c.trip()
		}
		if cut && !after {
			return
		}
		if _, err := server.Write(question); err != nil {
			return
		}
		answer, err := answerOf(server, startup, client)
		if cut || err != nil {
			return
		}
		if _, err := client.Write(answer); err != nil {
			return
		}
		startup = false
	}
}

// questionOf reads messages up to the one after which the server answers: Sync or Query.
func questionOf(client io.Reader, startup bool) (all []byte, err error) {
	for {
		head := make([]byte, 5)
		if startup {
			head = head[:4]
		}
		if _, err := io.ReadFull(client, head); err != nil {
			return nil, err
		}
		body := make([]byte, binary.BigEndian.Uint32(head[len(head)-4:])-4)
		if _, err := io.ReadFull(client, body); err != nil {
			return nil, err
		}
		all = append(append(all, head...), body...)
		if startup || head[0] == 'S' || head[0] == 'Q' || head[0] == 'X' {
			return all, nil
		}
	}
}

// answerOf reads messages up to ReadyForQuery. At the start the two talk about the password, which is handed over at once.
func answerOf(server io.ReadWriter, startup bool, client io.ReadWriter) (all []byte, err error) {
	for {
		head := make([]byte, 5)
		if _, err := io.ReadFull(server, head); err != nil {
			return nil, err
		}
		body := make([]byte, binary.BigEndian.Uint32(head[1:])-4)
		if _, err := io.ReadFull(server, body); err != nil {
			return nil, err
		}
		all = append(append(all, head...), body...)
		switch {
		case head[0] == 'Z':
			return all, nil
		case startup && head[0] == 'R':
			if _, err := client.Write(all); err != nil {
				return nil, err
			}
			all = nil
			if kind := binary.BigEndian.Uint32(body); kind == 0 || kind == 12 { // it is done, or the last word was the server's
				continue
			}
			said, err := passwordOf(client)
			if err != nil {
				return nil, err
			}
			if _, err := server.Write(said); err != nil {
				return nil, err
			}
		}
	}
}

func passwordOf(client io.Reader) ([]byte, error) {
	head := make([]byte, 5)
	if _, err := io.ReadFull(client, head); err != nil {
		return nil, err
	}
	body := make([]byte, binary.BigEndian.Uint32(head[1:])-4)
	_, err := io.ReadFull(client, body)
	return slices.Concat(head, body), err
}
