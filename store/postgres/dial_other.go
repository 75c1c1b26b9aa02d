//go:build !linux

package postgres

import "syscall"

// endSilence leaves the connection as the system makes it.
func endSilence(string, string, syscall.RawConn) error { return nil }
