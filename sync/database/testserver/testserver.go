// Package testserver holds what servers for tests have in common: an unprivileged user to run as, a certificate, and a wire
// that can be cut.
package testserver

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// RequireReal names the environment variable that turns "is not installed" from a skipped test into a failed one. CI=true
// does the same.
const RequireReal = "DIRSYNCD_REQUIRE_REAL"

// startTimeout is how long a server may take to come up on a busy machine.
const startTimeout = 5 * time.Minute

// nobody is the user as whom servers run that refuse to run as root.
const nobody = 65534

// Missing ends the test for the lack of something to install.
func Missing(tb testing.TB, what, packages string) {
	tb.Helper()
	text := NotInstalled(what, packages).Error()
	if os.Getenv("CI") != "" || os.Getenv(RequireReal) != "" {
		tb.Fatal(text)
	}
	tb.Skip(text)
}

// NotInstalled says what to install.
func NotInstalled(what, packages string) error {
	return errors.New(what + " is not installed: apt-get install --no-install-recommends " + packages)
}

// Folder makes a folder in which the server's user may write.
func Folder(tb testing.TB) string {
	tb.Helper()
	dir, err := MakeFolder() // that of tb.TempDir is below one that only this user may enter
	check(tb, err)
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// MakeFolder makes one that stays, for who has no test.
func MakeFolder() (string, error) {
	dir, err := os.MkdirTemp("", "server")
	if err == nil && os.Getuid() == 0 {
		err = os.Chown(dir, nobody, nobody)
	}
	return dir, err
}

// Own gives what is in a folder to the server's user.
func Own(tb testing.TB, dir string) {
	tb.Helper()
	if os.Getuid() != 0 {
		return
	}
	check(tb, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err == nil {
			err = os.Chown(path, nobody, nobody)
		}
		return err
	}))
}

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// Command is one that runs as the server's user, and ends with this process, however that ends.
func Command(dir, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + dir, "TMPDIR=" + dir, "LC_ALL=C"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if os.Getuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	return cmd
}

// Run runs a program to its end; input may be nil.
func Run(tb testing.TB, dir string, input io.Reader, name string, args ...string) {
	tb.Helper()
	cmd := Command(dir, name, args...)
	cmd.Stdin = input
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// Process is a server.
type Process struct {
	tb    testing.TB
	cmd   *exec.Cmd
	log   bytes.Buffer
	ended chan struct{}
}

// Start starts a server that ends with the test, and waits until ready returns no error.
func Start(tb testing.TB, dir string, ready func() error, name string, args ...string) *Process {
	tb.Helper()
	p := &Process{tb: tb, cmd: Command(dir, name, args...), ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	check(tb, p.cmd.Start())
	go func() {
		_ = p.cmd.Wait()
		close(p.ended)
	}()
	tb.Cleanup(func() {
		p.Kill()
		if tb.Failed() {
			tb.Logf("the log of %s ends with:\n%s", filepath.Base(name), p.tail())
		}
	})
	var err error
	for end := time.Now().Add(startTimeout); time.Now().Before(end); {
		if err = ready(); err == nil {
			return p
		}
		select {
		case <-p.ended:
			end = time.Now()
		case <-time.After(20 * time.Millisecond):
		}
	}
	p.Kill()
	tb.Fatalf("%s did not come up: %v\n%s", name, err, p.tail())
	return nil
}

// Kill ends the server and its children at once.
func (p *Process) Kill() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.ended
}

func (p *Process) tail() string {
	text := p.log.Bytes()
	return string(text[max(0, len(text)-3000):])
}

// Address is that of a port.
func Address(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
