package postgres

import (
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A connection to the server is found dead in seconds from our end, too; that of signs of life also while something is on its way.
func TestDeadPath(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	for name, c := range map[string]struct {
		dialer  *net.Dialer
		timeout int
	}{"pool": {dialer(), 0}, "line": {lineDialer(), 8000}} {
		conn, err := c.dialer.DialContext(t.Context(), "tcp", server.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		raw, err := conn.(*net.TCPConn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		err = raw.Control(func(fd uintptr) {
			for _, o := range []struct {
				option         string
				number, wanted int
			}{{"user timeout", unix.TCP_USER_TIMEOUT, c.timeout}, {"idle", unix.TCP_KEEPIDLE, 4}, {"interval", unix.TCP_KEEPINTVL, 2}, {"count", unix.TCP_KEEPCNT, 2}} {
				if got, err := unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, o.number); err != nil || got != o.wanted {
					t.Errorf("%s, %s: %d, not %d; %v", name, o.option, got, o.wanted, err)
				}
			}
		})
		if err != nil {
			t.Error(err)
		}
		_ = conn.Close()
	}
}

// Of several hosts the second one has its turn within the time that a statement about leases may take.
func TestLineOfSeveralHosts(t *testing.T) {
	for url, most := range map[string]time.Duration{
		"postgres://u@a.example.test,b.example.test/d?sslmode=require": leaseIO / 2, "postgres://u@a.example.test/d?sslmode=require": connectTimeout,
	} {
		s, err := prepare(Options{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		if got := s.lineConfig().ConnectTimeout; got != most {
			t.Errorf("%s: %s", url, got)
		}
	}
}
