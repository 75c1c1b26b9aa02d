package socket

import (
	"net"
	"syscall"
)

// peerOf asks whose process is at the other end (unix(7), SO_PEERCRED).
func peerOf(sock *net.UnixConn) (uid uint32, ok bool) {
	raw, err := sock.SyscallConn()
	if err != nil {
		return 0, false
	}
	var peer *syscall.Ucred
	err = raw.Control(func(fd uintptr) {
		peer, ok = credentials(int(fd))
	})
	if err != nil || !ok {
		return 0, false
	}
	return peer.Uid, true
}

func credentials(fd int) (*syscall.Ucred, bool) {
	peer, err := syscall.GetsockoptUcred(fd, syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	return peer, err == nil
}
