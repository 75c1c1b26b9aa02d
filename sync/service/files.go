package service

import (
	"crypto/sha256"
	"io"
	"os"

	"dirsyncd/sync/settings"
)

// fileReader is a block whose part reads files when it is opened, such as the certificates of an authority.
type fileReader interface{ Files() []settings.Path }

// contentOf is a digest of the files that a block names, by which a reload notices that one was renewed although the
// configuration is the same. A file that cannot be read counts as another one.
func contentOf(block any) (digest [sha256.Size]byte) {
	b, ok := block.(fileReader)
	if !ok {
		return digest
	}
	h := sha256.New()
	for _, path := range b.Files() {
		if path == "" {
			continue
		}
		f, err := os.Open(string(path))
		if err != nil {
			_, _ = io.WriteString(h, err.Error())
			continue
		}
		one := sha256.New()
		_, _ = io.Copy(one, f)
		_ = f.Close()
		_, _ = h.Write(one.Sum(nil))
	}
	h.Sum(digest[:0])
	return digest
}
