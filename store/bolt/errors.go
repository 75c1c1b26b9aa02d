package bolt

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	berrors "go.etcd.io/bbolt/errors"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// ErrLocked is in the chain of Open's error when another process holds the state file.
var ErrLocked = errors.New("another dirsyncd holds the state file")

var (
	// ErrNone is in the chain of the error with which Open refuses to read a file that does not exist, or in which
	// nothing was ever stored.
	ErrNone = errors.New("there is no state yet")
	// ErrOutdated is in the chain of the error with which Open refuses to read a file that has to be brought up to date
	// first.
	ErrOutdated = errors.New("the state has to be brought up to date")
)

const (
	hintLocked  = "a service is running with this state: use its control socket, or stop it first"
	hintRemount = "the disk is mounted read-only, as it is after an error: see the kernel's log, check the disk, and mount it " +
		"for writing again; a new state elsewhere would create every object anew at the targets (under systemd, see ReadWritePaths)"
	hintFull   = "free some space on the disk; nothing was lost, and work goes on by itself afterwards"
	hintDamage = "restore the state from a backup, or move the file away to begin anew: the next sync then " +
		"reads every source in full"
	hintNotOurs = "point `state` at another file: this one is left as it is"
)

// classify says what an error of bbolt or of the file system means for the operator.
func classify(op, where string, err error) error {
	e := &fault.Error{Class: fault.Internal, Op: op, Where: where, Err: err}
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		e.Class, e.Err, e.Hint = fault.Transient, ErrLocked, hintLocked
	case causedBy(err, syscall.ENOSPC), causedBy(err, syscall.EDQUOT), causedBy(err, syscall.EFBIG):
		e.Class, e.Hint = fault.Transient, hintFull
	case causedBy(err, syscall.EROFS):
		e.Class, e.Hint = fault.Transient, hintRemount
	case errors.Is(err, fs.ErrPermission):
		e.Class, e.Hint = fault.Configuration, "the user that runs dirsyncd must be able to read and write it"
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EISDIR):
		e.Class, e.Hint = fault.Configuration, "check the path that `state` gives"
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum):
		e.Hint = hintDamage
	case errors.Is(err, directory.ErrCorrupt):
		return damage(op, where, err)
	case errors.Is(err, berrors.ErrVersionMismatch):
		return notOurs(where, err)
	case errors.Is(err, berrors.ErrDatabaseReadOnly):
		e.Err = errors.New("the state was opened for reading only")
	case errors.Is(err, berrors.ErrDatabaseNotOpen):
		e.Err = errors.New("the state is closed")
	case causedBy(err, syscall.EIO):
		e.Hint = "the disk fails: see the kernel's log"
	}
	return e
}

// causedBy reports whether a system call failed with errno. bbolt keeps of some errors only the text.
func causedBy(err error, errno syscall.Errno) bool {
	return errors.Is(err, errno) || strings.HasSuffix(err.Error(), ": "+errno.Error())
}

// damage makes the error for a file whose content cannot be what we wrote.
func damage(op, path string, cause error) error {
	return &fault.Error{Class: fault.Internal, Op: op, Where: path, Hint: hintDamage,
		Err: fmt.Errorf("the state file is damaged: %w", cause)}
}

// notOurs makes the error for a file that something else wrote.
func notOurs(path string, cause error) error {
	return &fault.Error{Class: fault.Configuration, Op: "open state", Where: path, Hint: hintNotOurs,
		Err: fmt.Errorf("this is not a state file of dirsyncd: %w", cause)}
}

// misuse makes the error for a call that the contract does not allow: a defect of the caller.
func misuse(format string, args ...any) error {
	return &fault.Error{Class: fault.Internal, Op: "use state", Err: fmt.Errorf(format, args...)}
}

// corrupt makes the error for a value that does not decode. what names the bucket.
func corrupt(what string) error { return fmt.Errorf("%s: %w", what, directory.ErrCorrupt) }
