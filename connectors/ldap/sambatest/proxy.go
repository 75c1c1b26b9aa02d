package sambatest

import (
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Proxy is a way into the server's network, from free loopback ports. Each has its own connections, which a test
// can cut or freeze without harm to others.
type Proxy struct {
	// URL and URLS are the plain and the TLS address.
	URL, URLS string
	// KDC is host and port of the Kerberos server, over TCP.
	KDC string

	server    *Server
	frozen    atomic.Bool
	listeners []net.Listener
	running   sync.WaitGroup
	mu        sync.Mutex
	conns     map[net.Conn]bool
	shut      bool
}

// Proxy opens a way into the server that ends with the test.
func (s *Server) Proxy(tb testing.TB) *Proxy {
	tb.Helper()
	p := &Proxy{server: s, conns: make(map[net.Conn]bool)}
	p.URL = "ldap://" + p.listen(tb, "389")
	p.URLS = "ldaps://" + p.listen(tb, "636")
	p.KDC = p.listen(tb, "88")
	tb.Cleanup(func() {
		p.Shut()
		p.running.Wait()
	})
	return p
}

func (p *Proxy) listen(tb testing.TB, port string) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("sambatest: listen: %v", err)
	}
	p.listeners = append(p.listeners, l)
	p.running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			p.running.Go(func() { p.forward(conn, port) })
		}
	})
	return l.Addr().String()
}

// Shut closes the way: nothing listens there any more, and every connection is cut.
func (p *Proxy) Shut() {
	for _, l := range p.listeners {
		_ = l.Close()
	}
	p.mu.Lock()
	p.shut = true // what was accepted just now is cut as soon as it is known
	p.mu.Unlock()
	p.Cut()
}

// Cut breaks every connection that is open now.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.conns {
		_ = conn.Close()
	}
}

// Freeze lets no more of the server's answers through.
func (p *Proxy) Freeze() { p.frozen.Store(true) }

func (p *Proxy) keep(conn net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns[conn] = true
	if p.shut {
		_ = conn.Close()
	}
}

func (p *Proxy) drop(conn net.Conn) {
	_ = conn.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, conn)
}

func (p *Proxy) forward(client net.Conn, port string) {
	p.keep(client)
	defer p.drop(client)
	server, err := dialInside(int(p.server.pid.Load()), net.JoinHostPort(address, port))
	if err != nil {
		return
	}
	p.keep(server)
	defer p.drop(server)
	p.running.Go(func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	})
	buf := make([]byte, 32<<10)
	for {
		n, err := server.Read(buf)
		if err != nil {
			return
		}
		if p.frozen.Load() {
			continue // swallowed; the client waits
		}
		if _, err := client.Write(buf[:n]); err != nil {
			return
		}
	}
}

// dialInside connects to an address inside the network namespace of a process. A socket belongs for good to the
// namespace of the thread that made it, so the thread goes there and comes back. It may not end instead: the
// server is told to die with the thread that started it, which can be this one.
func dialInside(pid int, addr string) (net.Conn, error) {
	there, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return nil, err
	}
	defer func() { _ = there.Close() }()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	here, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, err
	}
	defer func() { _ = here.Close() }()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, err
	}
	conn, err := (&net.Dialer{Timeout: time.Minute}).Dial("tcp4", addr)
	if back := unix.Setns(int(here.Fd()), unix.CLONE_NEWNET); back != nil {
		panic(back) // nothing in this process could be trusted to be on its own network any more
	}
	return conn, err
}
