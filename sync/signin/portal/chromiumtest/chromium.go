// Package chromiumtest drives a real browser, Chromium without a window, for tests: pages are opened, clicked, typed into and looked at, and what the
// browser itself makes of cookies, redirects, policies and styles is what counts. Nothing waits for a time: a page is looked at again when it has loaded.
package chromiumtest

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"dirsyncd/sync/database/testserver"
)

// patience is how long anything may take before a test gives up. It is long: machines are busy.
const patience = 5 * time.Minute

// nobody is the user as whom it runs when the tests run as root.
const nobody = 65534

// Browser is one that runs until its test is over.
type Browser struct{ wire *wire }

// Options say what a browser finds where.
type Options struct {
	// Hosts are HOST:PORT by host: who answers there for https without a port. No other name is known.
	Hosts map[string]string
	// Certificates are those, PEM, that are believed beside those of the system.
	Certificates [][]byte
}

// Start starts a browser. The test is skipped where there is none, and fails then when CI or DIRSYNCD_REQUIRE_REAL is set.
func Start(tb testing.TB, o Options) *Browser {
	tb.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		testserver.Missing(tb, "chromium", "chromium")
	}
	dir := testserver.Folder(tb)
	commands, in, err := os.Pipe()
	check(tb, err)
	out, events, err := os.Pipe()
	check(tb, err)
	cmd := exec.CommandContext(context.WithoutCancel(tb.Context()), program, arguments(tb, dir, o)...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + dir, "TMPDIR=" + dir, "XDG_RUNTIME_DIR=" + dir, "LC_ALL=C.UTF-8"}
	cmd.ExtraFiles = []*os.File{commands, events} // descriptors 3 and 4: see --remote-debugging-pipe
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if os.Getuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	said := &said{}
	cmd.Stderr = said
	check(tb, cmd.Start())
	check(tb, commands.Close())
	check(tb, events.Close())
	b := &Browser{newWire(in)}
	read := make(chan struct{})
	go func() {
		defer close(read)
		b.wire.read(out)
	}()
	tb.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = in.Close()
		<-read
		_ = cmd.Wait()
		_ = out.Close()
		if tb.Failed() {
			tb.Logf("Chromium says at last:\n%s", said)
		}
	})
	return b
}

func arguments(tb testing.TB, dir string, o Options) []string {
	tb.Helper()
	var rules, keys []string
	for _, host := range slices.Sorted(maps.Keys(o.Hosts)) {
		rules = append(rules, fmt.Sprintf("MAP %s:443 %s", host, o.Hosts[host]))
	}
	rules = append(rules, "MAP * ~NOTFOUND", "EXCLUDE 127.0.0.1")
	for _, text := range o.Certificates {
		block, _ := pem.Decode(text)
		certificate, err := x509.ParseCertificate(block.Bytes)
		check(tb, err)
		sum := sha256.Sum256(certificate.RawSubjectPublicKeyInfo)
		keys = append(keys, base64.StdEncoding.EncodeToString(sum[:]))
	}
	args := []string{
		"--headless=new", "--remote-debugging-pipe", "--user-data-dir=" + filepath.Join(dir, "profile"), "--no-first-run", "--disable-gpu", "--disable-dev-shm-usage",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-crash-reporter", "--lang=en",
		"--host-resolver-rules=" + strings.Join(rules, ", "), "--ignore-certificate-errors-spki-list=" + strings.Join(keys, ","),
	}
	if os.Getuid() == 0 { // in containers nobody may make the namespaces of its sandbox
		args = append(args, "--no-sandbox")
	}
	return append(args, "about:blank")
}

// said is what a program wrote.
type said struct {
	mu   sync.Mutex
	text []byte
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text = append(s.text, p...)
	return len(p), nil
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.text[max(0, len(s.text)-3000):])
}

// Person is somebody's own part of a browser: tabs share cookies with each other and with nobody else.
type Person struct {
	tb      testing.TB
	wire    *wire
	context string
}

// Person opens the browser for somebody who was not there before, in a test of its own or the browser's.
func (b *Browser) Person(tb testing.TB) *Person {
	tb.Helper()
	return &Person{tb, b.wire, call[struct{ BrowserContextID string }](tb, b.wire, "", "Target.createBrowserContext", nil).BrowserContextID}
}

// Tab opens a tab.
func (p *Person) Tab() *Page {
	p.tb.Helper()
	target := call[struct{ TargetID string }](p.tb, p.wire, "", "Target.createTarget", arg{"url": "about:blank", "browserContextId": p.context}).TargetID
	session := call[struct{ SessionID string }](p.tb, p.wire, "", "Target.attachToTarget", arg{"targetId": target, "flatten": true}).SessionID
	page := &Page{tb: p.tb, wire: p.wire, session: session, loads: p.wire.loadsOf(session)}
	page.do("Page.enable", nil)
	page.do("Log.enable", nil)
	return page
}

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
