package files

import (
	"io/fs"
	"os"
	"syscall"
)

func lookAt(info fs.FileInfo) look {
	l := look{Size: info.Size(), Written: info.ModTime().UnixNano()}
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		l.Changed, l.Inode = s.Ctim.Nano(), s.Ino
	}
	return l
}

// openRegular opens a file without waiting: what was a file may be a pipe by now.
func openRegular(root *os.Root, name string) (*os.File, error) {
	return root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}
