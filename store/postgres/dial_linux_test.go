package postgres

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// A connection to the server is found dead in seconds, from our end, too.
func TestDeadPath(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	conn, err := dialer().DialContext(t.Context(), "tcp", server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	err = raw.Control(func(fd uintptr) {
		for _, o := range []struct {
			name           string
			option, wanted int
		}{{"user timeout", unix.TCP_USER_TIMEOUT, 8000}, {"idle", unix.TCP_KEEPIDLE, 4}, {"interval", unix.TCP_KEEPINTVL, 2}, {"count", unix.TCP_KEEPCNT, 2}} {
			if got, err := unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, o.option); err != nil || got != o.wanted {
				t.Errorf("%s: %d, not %d; %v", o.name, got, o.wanted, err)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}
