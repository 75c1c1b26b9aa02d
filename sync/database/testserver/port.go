package testserver

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// Port is a port on which nobody listens, below those from which the system takes one for an outgoing connection
// (ip_local_port_range). It is the test's until it ends, also while its server is not up yet, or down for a while: nobody
// who asks here gets it meanwhile, in this process or in one that tests another package at the same time.
func Port(tb testing.TB) int {
	tb.Helper()
	for range 1000 {
		if port := 10_000 + rand.IntN(22_000); reserve(tb, port) {
			return port
		}
	}
	tb.Fatal("testserver: every port is taken")
	return 0
}

// reserve takes a port for a test, unless it is taken. What tells processes of each other is a lock of one byte in a file
// that all of them have: the system lifts it when its file is closed, and so whenever a process ends.
func reserve(tb testing.TB, port int) bool {
	tb.Helper()
	f, err := os.OpenFile(filepath.Join(os.TempDir(), fmt.Sprintf("dirsyncd-test-ports-%d", os.Getuid())), os.O_RDWR|os.O_CREATE, 0o600)
	check(tb, err)
	lock := unix.Flock_t{Type: unix.F_WRLCK, Start: int64(port), Len: 1}
	if unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &lock) != nil {
		_ = f.Close()
		return false
	}
	l, err := net.Listen("tcp", Address(port))
	if err != nil {
		_ = f.Close()
		return false
	}
	_ = l.Close()
	tb.Cleanup(func() { _ = f.Close() })
	return true
}
