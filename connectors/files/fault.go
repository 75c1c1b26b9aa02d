package files

import (
	"errors"
	"io/fs"

	"dirsyncd/connectors/files/internal/tables"
	"dirsyncd/sync/fault"
)

// fileFault classifies what a file system, or the reader of a format, says.
func fileFault(op, where string, err error) error {
	var known *fault.Error
	var bad *tables.Unfit
	var failed *fs.PathError
	if errors.As(err, &known) {
		return err
	}
	f := &fault.Error{Class: fault.Transient, Op: op, Where: where, Err: err}
	if errors.As(err, &failed) {
		f.Err = failed.Err
	}
	switch {
	case errors.As(err, &bad):
		f.Class, f.Err, f.Hint = fault.Invalid, errors.New(bad.Reason), bad.Hint
	case errors.Is(err, fs.ErrNotExist):
		f.Err, f.Hint = errors.New("is not there"), "look at folder and file; a network share may not be mounted"
	case errors.Is(err, fs.ErrPermission):
		f.Class, f.Err, f.Hint = fault.Forbidden, errors.New("may not be read"), "let the user under which dirsyncd runs read it"
	}
	return f
}
