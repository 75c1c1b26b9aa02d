package ownership

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// service is a user who is not root. Nobody needs to have that name.
const service = 12345

func ownerOf(t *testing.T, path string) int {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return int(info.Sys().(*syscall.Stat_t).Uid)
}

// folder makes a folder of the service's user.
func folder(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	dir := t.TempDir()
	if err := os.Chown(dir, service, service); err != nil {
		t.Skipf("files cannot be given away here: %v", err)
	}
	return dir
}

func open(t *testing.T, path string, flag int) {
	t.Helper()
	f, err := OpenFile(path, flag, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestCreatedFilesBelongToTheFolder(t *testing.T) {
	dir := folder(t)
	create := os.O_RDWR | os.O_CREATE
	path := filepath.Join(dir, "new")
	open(t, path, create)
	if got := ownerOf(t, path); got != service {
		t.Errorf("a new file belongs to %d", got)
	}

	existing := filepath.Join(dir, "existing")
	if err := os.WriteFile(existing, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, existing, create)
	link := filepath.Join(dir, "link")
	if err := os.Symlink(existing, link); err != nil {
		t.Fatal(err)
	}
	open(t, link, create)
	if got := ownerOf(t, existing); got != 0 {
		t.Errorf("a file that was there, and root's, belongs to %d", got)
	}
	if _, err := OpenFile(existing, create|os.O_EXCL, 0o600); !errors.Is(err, fs.ErrExist) {
		t.Errorf("exclusive: %v", err)
	}
	if _, err := OpenFile(filepath.Join(dir, "none"), os.O_RDONLY, 0); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing to open: %v", err)
	}

	// A link to nowhere creates what it names, as always, and that is not in this folder.
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	dangling := filepath.Join(dir, "dangling")
	if err := os.Symlink(elsewhere, dangling); err != nil {
		t.Fatal(err)
	}
	open(t, dangling, create)
	if got := ownerOf(t, elsewhere); got != 0 {
		t.Errorf("a file behind a link belongs to %d", got)
	}
}

func TestRootsFolderStaysRoots(t *testing.T) {
	folder(t) // skips where there is nothing to test
	path := filepath.Join(t.TempDir(), "new")
	open(t, path, os.O_RDWR|os.O_CREATE)
	if got := ownerOf(t, path); got != 0 {
		t.Errorf("the file belongs to %d", got)
	}
}
