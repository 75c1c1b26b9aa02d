//go:build !linux

package socket

import "net"

// peerOf cannot tell on this system.
func peerOf(*net.UnixConn) (uid uint32, ok bool) { return 0, false }
