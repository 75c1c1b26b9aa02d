//go:build !linux

package files

import (
	"io/fs"
	"os"
)

func lookAt(info fs.FileInfo) look {
	return look{Size: info.Size(), Written: info.ModTime().UnixNano(), Changed: info.ModTime().UnixNano()}
}

func openRegular(root *os.Root, name string) (*os.File, error) { return root.Open(name) }
