package file

import (
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"

	"dirsyncd/sync/fault"
)

// classify says what an error of the file system means. Nothing that concerns a file is one action's fault:
// whatever the class, everything is delivered again once the cause is mended.
func classify(op, where string, err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err // where names the file already
	}
	e := &fault.Error{Class: fault.Transient, Op: op, Where: where, Err: err}
	switch {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		e.Hint = "the disk is full: make room; delivery goes on by itself"
	case errors.Is(err, unix.EFBIG):
		e.Hint = "the file reached its size limit: rotate it, or raise LimitFSIZE"
	case errors.Is(err, unix.EWOULDBLOCK):
		e.Class = fault.Configuration
		e.Err = errors.New("another process or target is writing to the file")
		e.Hint = "give every target a file of its own, and run one dirsyncd per file"
	case errors.Is(err, unix.EROFS):
		e.Class = fault.Forbidden // as likely a sandbox as a disk that failed
		e.Hint = "the disk is mounted read-only: see the kernel's log, check the disk, and mount it for writing again; " +
			"under systemd, see ReadWritePaths"
	case errors.Is(err, fs.ErrPermission):
		e.Class = fault.Forbidden
		e.Hint = "let the user that dirsyncd runs as write there; under systemd, see ReadWritePaths"
	case errors.Is(err, fs.ErrNotExist):
		e.Class = fault.Configuration
		e.Hint = "create the folder"
	case errors.Is(err, unix.EISDIR), errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP):
		e.Class = fault.Configuration
		e.Hint = "path must name a file"
	case errors.Is(err, unix.ENXIO):
		e.Hint = "nobody reads from the pipe or socket"
	case errors.Is(err, errForeign):
		e.Class = fault.Configuration
		e.Hint = "choose another file, or end its last line"
	}
	return e
}
