// Package program runs real programs for tests, each in a folder of its own and as a user without rights; they end with the test.
package program

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"dirsyncd/sync/database/testserver"
)

// patience is how long a program may take to come up or to end on a busy machine.
const patience = 10 * time.Minute

// nobody is the user as whom programs run when the tests run as root.
const nobody = 65534

// Missing ends the test for the lack of something to install: it is skipped, and fails where CI or DIRSYNCD_REQUIRE_REAL is set.
func Missing(tb testing.TB, what, packages string) {
	tb.Helper()
	text := what + " is not installed: apt-get install --no-install-recommends " + packages
	if os.Getenv("CI") != "" || os.Getenv("DIRSYNCD_REQUIRE_REAL") != "" {
		tb.Fatal(text)
	}
	tb.Skip(text)
}

// Version is that of an installed Debian package, "" when it is not installed.
func Version(tb testing.TB, name string) string {
	tb.Helper()
	out, err := exec.CommandContext(tb.Context(), "dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}", name).Output()
	status, version, _ := strings.Cut(string(out), " ")
	if err != nil || status != "installed" {
		return ""
	}
	return version
}

// Folder makes a folder in which the program's user may write.
func Folder(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "program") //nolint:usetesting // that of tb.TempDir is below one that only this user may enter
	Check(tb, err)
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	Own(tb, dir)
	return dir
}

// Own gives what is in a folder to the program's user.
func Own(tb testing.TB, dir string) {
	tb.Helper()
	if os.Getuid() != 0 {
		return
	}
	Check(tb, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err == nil {
			err = os.Lchown(path, nobody, nobody)
		}
		return err
	}))
}

// Check ends the test on an error.
func Check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// Write writes a file, for its owner only.
func Write(tb testing.TB, path, text string) {
	tb.Helper()
	Check(tb, os.WriteFile(path, []byte(text), 0o600))
}

// Kept puts a copy of a file at path. What made it is kept for the next test under a name and the digest of all that went
// into it; where it is not there yet, build makes it at path.
func Kept(tb testing.TB, path, name string, inputs []string, build func()) {
	tb.Helper()
	sum := sha256.Sum256([]byte(strings.Join(inputs, "\x00")))
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	kept := filepath.Join(cache, "dirsyncd-tests", name+"-"+hex.EncodeToString(sum[:8]))
	if data, err := os.ReadFile(kept); err == nil {
		Check(tb, os.WriteFile(path, data, 0o600))
		return
	}
	build()
	data, err := os.ReadFile(path)
	Check(tb, err)
	Check(tb, os.MkdirAll(filepath.Dir(kept), 0o700))
	fresh, err := os.CreateTemp(filepath.Dir(kept), "new-")
	Check(tb, err)
	_, err = fresh.Write(data)
	Check(tb, err)
	Check(tb, fresh.Close())
	Check(tb, os.Rename(fresh.Name(), kept))
}

// Program is something to run.
type Program struct {
	Dir string   // where it runs
	Env []string // beside PATH, HOME and TMPDIR
}

func (p Program) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = p.Dir
	cmd.Env = append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + p.Dir, "TMPDIR=" + p.Dir, "LC_ALL=C.UTF-8"}, p.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if os.Getuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	return cmd
}

// Run runs a command to its end.
func (p Program) Run(tb testing.TB, name string, args ...string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	if out, err := p.command(ctx, name, args...).CombinedOutput(); err != nil {
		tb.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// Start starts a service that ends with the test, and waits until ready returns no error.
func (p Program) Start(tb testing.TB, ready func() error, name string, args ...string) {
	tb.Helper()
	var log bytes.Buffer
	cmd := p.command(context.WithoutCancel(tb.Context()), name, args...)
	cmd.Stdout, cmd.Stderr = &log, &log
	Check(tb, cmd.Start())
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	tb.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // and its children
		<-ended
		if tb.Failed() {
			tb.Logf("%s says at last:\n%s", filepath.Base(name), log.Bytes()[max(0, log.Len()-3000):])
		}
	})
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if err = ready(); err == nil {
			return
		}
		select {
		case <-ended:
			end = time.Now()
		case <-time.After(50 * time.Millisecond):
		}
	}
	tb.Fatalf("%s did not come up: %v", name, err)
}

// Port is a port on which nobody listens and that is the test's until it ends; see testserver.Port.
func Port(tb testing.TB) int {
	tb.Helper()
	return testserver.Port(tb)
}
