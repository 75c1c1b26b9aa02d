package postgres

import (
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// endSilence sets TCP_USER_TIMEOUT (tcp(7)) of a connection that is about to be made. One that cannot have it is good all the same.
func endSilence(network, _ string, c syscall.RawConn) error {
	if !strings.HasPrefix(network, "tcp") {
		return nil
	}
	return c.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(deadAfter.Milliseconds()))
	})
}
