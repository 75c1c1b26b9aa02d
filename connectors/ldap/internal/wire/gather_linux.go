package wire

import (
	"net"
	"syscall"
)

// lowWaterOf returns what tells the system from how many bytes on the reader of a connection is woken (SO_RCVLOWAT of socket(7)); nil where
// there is no socket.
func lowWaterOf(conn net.Conn) func(bytes int) error {
	socket, ok := conn.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return nil
	}
	return func(bytes int) (err error) {
		if failed := raw.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, bytes) }); failed != nil {
			return failed
		}
		return err
	}
}
