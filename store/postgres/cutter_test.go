package postgres_test

import (
	"encoding/binary"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
)

// cut is what becomes of a round trip, after which the connection is closed.
type cut int

const (
	unheard    cut = iota // the server does not hear it
	unanswered            // the client does not hear the answer
	ended                 // the client hears the answer, and that the server ends the session, as at a restart
	crashed               // the client hears from a pooler that the server is gone, and no answer
)

// cutter is a way to the server, without TLS, that is cut at one round trip.
type cutter struct {
	l  net.Listener
	to string
	wg sync.WaitGroup

	mu    sync.Mutex
	trips int // counted since begin
	at    int // cut there; zero: nowhere
	how   cut
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
func (c *cutter) begin(at int, how cut) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trips, c.at, c.how, c.was = 0, at, how, false
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
func (c *cutter) trip() (here bool, how cut) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trips++
	here = c.trips == c.at
	c.was = c.was || here
	return here, c.how
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
		here, how := false, unheard
		if !startup {
			here, how = c.trip()
		}
		if here && how == unheard {
			return
		}
		if _, err := server.Write(question); err != nil {
			return
		}
		answer, err := answerOf(server, startup, client)
		if err != nil {
			return
		}
		if here {
			switch how {
			case ended:
				_, _ = client.Write(slices.Concat(answer[:len(answer)-readyForQuery], fatal("57P01", "terminating connection due to administrator command")))
			case crashed:
				_, _ = client.Write(fatal("08P01", "server conn crashed?"))
			}
			return
		}
		if _, err := client.Write(answer); err != nil {
			return
		}
		startup = false
	}
}

// readyForQuery is how long that message is, the last one of an answer.
const readyForQuery = 6

// fatal is the message by which a session is ended.
func fatal(code, text string) []byte {
	body := "SFATAL\x00VFATAL\x00C" + code + "\x00M" + text + "\x00\x00"
	return append(binary.BigEndian.AppendUint32([]byte{'E'}, uint32(len(body))+4), body...)
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
