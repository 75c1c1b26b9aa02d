package socket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"dirsyncd/sync/fault"
)

// maxPath is the longest path of a unix socket on Linux (unix(7), sun_path without its final zero).
const maxPath = 107

// dialTimeout is how long a local socket may take to answer; a live one does so at once.
const dialTimeout = 5 * time.Second

// listen opens the control socket. What keeps two daemons from one state is the state's own lock: that another
// one answers is looked for only to say so clearly.
func listen(ctx context.Context, path string) (net.Listener, error) {
	if len(path) > maxPath {
		err := fmt.Errorf("the path has %d bytes; a socket's path has at most %d", len(path), maxPath)
		return nil, listenError(path, err, "set `control` to a shorter path")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, listenError(path, err, "")
	}
	if err := clearStale(ctx, path); err != nil {
		return nil, err
	}
	// The mode is set before the socket has a name, so that there is no moment at which others may connect.
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		return errors.Join(c.Control(func(fd uintptr) { err = syscall.Fchmod(int(fd), 0o600) }), err)
	}}
	l, err := config.Listen(ctx, "unix", path)
	if err != nil {
		return nil, listenError(path, err, "")
	}
	// Linux is done with that; other systems take the mode from the name only.
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(listenError(path, err, ""), l.Close())
	}
	return l, nil
}

// clearStale removes a socket on which nobody answers, and one that we may not ask, such as one that a daemon of root's
// left: whoever listens holds the state, and so do we.
func clearStale(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return listenError(path, err, "")
	}
	if info.Mode().Type() != fs.ModeSocket {
		return listenError(path, errors.New("there is something else at this path, not a socket"),
			"move it away, or set `control` to another path")
	}
	conn, err := dial(ctx, path)
	switch {
	case err == nil:
		_ = conn.Close()
		return &fault.Error{Class: fault.Conflict, Op: "listen", Where: path,
			Err:  errors.New("another dirsyncd is running"),
			Hint: "stop it first, or set `control` and `state` to other paths"}
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, fs.ErrPermission):
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return listenError(path, err, "")
		}
		return nil
	default:
		return listenError(path, fmt.Errorf("ask who listens there: %w", plain(err)), "")
	}
}

func dial(ctx context.Context, path string) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTimeout}
	return d.DialContext(ctx, "unix", path)
}

func listenError(path string, err error, hint string) error {
	if hint == "" {
		hint = "the daemon must be able to write in the folder of `control`, its socket"
	}
	e := &fault.Error{Class: fault.Configuration, Op: "listen", Where: path, Err: plain(err), Hint: hint}
	switch {
	case errors.Is(err, syscall.EROFS):
		e.Class = fault.Transient
		e.Hint = "the disk is mounted read-only: see the kernel's log, check the disk, and mount it for writing again"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		e.Class, e.Hint = fault.Transient, "free some space on the disk"
	}
	return e
}

// plain takes away what Go's errors say a second time: the operation and the path.
func plain(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	var sys *os.SyscallError
	if errors.As(err, &sys) {
		return sys.Err
	}
	return err
}
