// Package ownership gives the files that root makes to those who must go on with them. An operator's command runs as
// root, the service as a user of its own: a state or a journal that root began would be closed to the service.
package ownership

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// OpenFile opens a file as os.OpenFile does. One that it creates as root belongs to the owner of its folder
// afterwards; one that was there keeps its owner, whoever that is.
func OpenFile(name string, flag int, mode fs.FileMode) (*os.File, error) {
	if flag&os.O_CREATE == 0 || os.Geteuid() != 0 {
		return os.OpenFile(name, flag, mode)
	}
	// Only an exclusive creation tells for certain that the file is ours to give away. It follows no link either.
	f, err := os.OpenFile(name, flag|os.O_EXCL, mode)
	if err == nil {
		Like(f, filepath.Dir(name))
		return f, nil
	}
	if !errors.Is(err, fs.ErrExist) || flag&os.O_EXCL != 0 {
		return nil, err
	}
	return os.OpenFile(name, flag, mode)
}

// Like gives a file that this process has just created the owner and group of a model, such as its folder or the file
// that it replaces. Only root can, and only where the model is another user's. Where the file system knows no owners
// everything stays as it is: the file is of use to us all the same.
func Like(f *os.File, model string) {
	if os.Geteuid() != 0 {
		return
	}
	info, err := os.Stat(model)
	if err != nil {
		return
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && owner.Uid != 0 {
		_ = f.Chown(int(owner.Uid), int(owner.Gid))
	}
}
