package files

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"dirsyncd/sync/fault"
)

// found is a file that counts.
type found struct {
	name    string // within the folder, with slashes
	members bool   // it holds members of groups
	look
}

// look is what the file system says of a file.
type look struct {
	Size    int64  `json:"size"`
	Written int64  `json:"written"` // nanoseconds
	Changed int64  `json:"changed"` // nanoseconds; of the file's own record, which nobody can set back
	Inode   uint64 `json:"inode"`
}

// find lists the files of a kind, the newest first. missing are the names without a wildcard that are not there.
func find(root *os.Root, k *Kind, done string) (list []found, missing []string, err error) {
	for _, pattern := range k.File {
		pattern = filepath.ToSlash(filepath.Clean(pattern))
		names := []string{pattern}
		if wild(pattern) {
			if names, err = fs.Glob(root.FS(), pattern); err != nil {
				return nil, nil, err
			}
			names = slices.DeleteFunc(names, func(name string) bool { return notMeant(name) || within(name, done) })
		}
		for _, name := range names {
			info, err := root.Stat(filepath.FromSlash(name))
			switch {
			case errors.Is(err, fs.ErrNotExist):
				missing = append(missing, name)
				continue
			case err != nil:
				return nil, nil, err
			case !info.Mode().IsRegular() && wild(pattern):
				continue
			case !info.Mode().IsRegular():
				return nil, nil, &fault.Error{Class: fault.Configuration, Where: name, Err: errors.New("is no file"), Hint: "name a file, or a pattern: " + name + "/*.csv"}
			}
			if !slices.ContainsFunc(list, func(f found) bool { return f.name == name }) {
				list = append(list, found{name: name, look: lookAt(info)})
			}
		}
	}
	slices.SortFunc(list, func(a, b found) int {
		return cmp.Or(cmp.Compare(b.Written, a.Written), cmp.Compare(b.name, a.name))
	})
	if k.newest() && len(list) > 1 {
		list = list[:1]
	}
	return list, missing, nil
}

// notMeant reports whether a file is one that a pattern matches by chance: hidden, a lock of a spreadsheet, or half of a
// transfer.
func notMeant(name string) bool {
	base := path.Base(name)
	for _, prefix := range []string{".", "~$", "~"} {
		if strings.HasPrefix(base, prefix) {
			return true
		}
	}
	for _, suffix := range []string{".tmp", ".part", ".partial", ".filepart", ".crdownload", ".swp", "~"} {
		if strings.HasSuffix(strings.ToLower(base), suffix) {
			return true
		}
	}
	return false
}

func within(name, folder string) bool {
	return folder != "" && strings.HasPrefix(name, path.Clean(filepath.ToSlash(folder))+"/")
}

// fresh is how much longer a file is to be left alone, or 0. Times in the future beyond that are of a clock that is wrong.
func (l *look) fresh(now time.Time, settle time.Duration) time.Duration {
	for _, at := range []int64{l.Written, l.Changed} {
		if age := now.Sub(time.Unix(0, at)); age < settle && age > -settle {
			return settle - age
		}
	}
	return 0
}

// opened is a file that is open, with what it was when it was opened.
type opened struct {
	*os.File
	found
	hash string
}

// openFile opens a file and reads it once, for its hash.
func openFile(root *os.Root, f found, most int64) (*opened, error) {
	if f.Size > most {
		return nil, &fault.Error{Class: fault.Invalid, Where: f.name, Err: fmt.Errorf("the file has more than %d MiB", most>>20), Hint: "limits.size allows more"}
	}
	file, err := openRegular(root, filepath.FromSlash(f.name))
	if err != nil {
		return nil, err
	}
	o := &opened{File: file, found: f}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("is no file")
	}
	if err == nil {
		o.look = lookAt(info)
		o.hash, err = hashOf(file)
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return o, nil
}

func hashOf(file *os.File) (string, error) {
	h := sha256.New()
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	if _, err := io.CopyBuffer(onlyWriter{h}, onlyReader{file}, make([]byte, 256<<10)); err != nil {
		return "", err
	}
	_, err := file.Seek(0, io.SeekStart)
	return hex.EncodeToString(h.Sum(nil)), err
}

// Without the short cuts that would make CopyBuffer use a buffer of its own.
type onlyWriter struct{ io.Writer }
type onlyReader struct{ io.Reader }

// same reports an error unless the file is still what it was when it was opened, and still the one of its name.
func (o *opened) same(root *os.Root) error {
	changed := &fault.Error{Class: fault.Transient, Where: o.name, Err: errors.New("the file was changed while it was read"), Hint: "have files written under another name, and renamed when they are whole"}
	info, err := root.Stat(filepath.FromSlash(o.name))
	if err != nil {
		return err
	}
	if now := lookAt(info); now.Size != o.Size || now.Written != o.Written || now.Inode != o.Inode {
		return changed
	}
	hash, err := hashOf(o.File)
	if err != nil {
		return err
	}
	if hash != o.hash {
		return changed
	}
	return nil
}
