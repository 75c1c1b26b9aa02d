package socket_test

import (
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dirsyncd/sync/api/apitest"
	"dirsyncd/sync/api/socket"
	"dirsyncd/sync/fault"
)

func listenAt(t *testing.T, path string) error {
	t.Helper()
	s := socket.NewServer(&apitest.Fake{}, slog.New(slog.DiscardHandler))
	err := s.Listen(path)
	t.Cleanup(func() { _ = s.Shutdown(t.Context()) })
	return err
}

// leaveBehind makes a socket as a killed daemon leaves it.
func leaveBehind(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	_ = l.Close()
}

func TestListenModes(t *testing.T) {
	path := filepath.Join(filepath.Dir(socketPath(t)), "run", "c.sock")
	if err := listenAt(t, path); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{path: 0o600 | os.ModeSocket, filepath.Dir(path): 0o700 | os.ModeDir} {
		info, err := os.Lstat(name)
		if err != nil || info.Mode() != want {
			t.Errorf("%s: mode %v, %v; want %v", name, info.Mode(), err, want)
		}
	}
}

func TestListenReplacesAStaleSocket(t *testing.T) {
	path := socketPath(t)
	leaveBehind(t, path)
	if err := listenAt(t, path); err != nil {
		t.Fatal(err)
	}
	if c, err := socket.Dial(t.Context(), path); err != nil {
		t.Error(err)
	} else {
		c.Close()
	}
}

func TestListenLeavesOthersAlone(t *testing.T) {
	dir := filepath.Dir(socketPath(t))
	elsewhere := filepath.Join(dir, "elsewhere")
	leaveBehind(t, elsewhere)
	for name, make := range map[string]func(path string) error{
		"file":              func(path string) error { return os.WriteFile(path, []byte("precious"), 0o600) },
		"folder":            func(path string) error { return os.Mkdir(path, 0o700) },
		"link to a socket":  func(path string) error { return os.Symlink(elsewhere, path) },
		"link to nowhere":   func(path string) error { return os.Symlink(filepath.Join(dir, "nowhere"), path) },
		"link to something": func(path string) error { return os.Symlink("/etc/hostname", path) },
	} {
		path := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
		if err := make(path); err != nil {
			t.Fatal(err)
		}
		before, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		err = listenAt(t, path)
		if fault.ClassOf(err) != fault.Configuration || fault.Hint(err) == "" || !strings.Contains(err.Error(), "not a socket") {
			t.Errorf("%s: got %v", name, err)
		}
		if after, err := os.Lstat(path); err != nil || !os.SameFile(before, after) {
			t.Errorf("%s: it was touched: %v", name, err)
		}
	}
}

func TestListenBesideAnotherDaemon(t *testing.T) {
	path := start(t, &apitest.Fake{})
	err := listenAt(t, path)
	if fault.ClassOf(err) != fault.Conflict || !strings.Contains(err.Error(), "another dirsyncd is running") {
		t.Errorf("got %v", err)
	}
	if _, err := socket.Dial(t.Context(), path); err != nil {
		t.Errorf("the other one is not reachable any more: %v", err)
	}
}

func TestListenErrors(t *testing.T) {
	dir := filepath.Dir(socketPath(t))
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{
		"too long":         filepath.Join(dir, strings.Repeat("x", 120)),
		"folder is a file": filepath.Join(file, "c.sock"),
	} {
		err := listenAt(t, path)
		if fault.ClassOf(err) != fault.Configuration || fault.Hint(err) == "" {
			t.Errorf("%s: got %v", name, err)
		}
		if n := strings.Count(err.Error(), path); n != 1 {
			t.Errorf("%s: the path is named %d times: %v", name, n, err)
		}
	}
}

func TestDialWithoutDaemon(t *testing.T) {
	path := socketPath(t)
	stale := path + "2"
	leaveBehind(t, stale)
	for name, path := range map[string]string{"no socket": path, "no folder": path + "/x/y", "stale": stale} {
		_, err := socket.Dial(t.Context(), path)
		if !errors.Is(err, socket.ErrNoDaemon) || fault.Hint(err) == "" {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestDialWithoutPermission(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may do everything")
	}
	path := start(t, &apitest.Fake{})
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	_, err := socket.Dial(t.Context(), path)
	if fault.ClassOf(err) != fault.Forbidden || errors.Is(err, socket.ErrNoDaemon) {
		t.Errorf("got %v", err)
	}
}
