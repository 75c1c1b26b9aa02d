// Package proxytest starts the reverse proxies that stand in front of applications, nginx and Caddy, as docs/sign-in.md configures them. What is
// tested is the document: of its blocks only addresses are replaced, and what a test needs, such as a certificate, is added.
package proxytest

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"dirsyncd/sync/database/testserver"
)

// The hosts of the document.
const (
	Central = "auth.example.com" // where people sign in
	App     = "desk.example.com" // the application's
)

// Site is what a proxy stands in front of.
type Site struct {
	Document      string // file: docs/sign-in.md
	Dirsyncd, App string // HOST:PORT of each, which speak plain HTTP
	Cert, Key     []byte // PEM; for both hosts
}

// The addresses of the document.
const (
	documentedDirsyncd = "127.0.0.1:9443"
	documentedApp      = "127.0.0.1:3000"
)

// configuration returns the only block of the document in a language, with the addresses of the site.
func (s *Site) configuration(tb testing.TB, language string) string {
	tb.Helper()
	page, err := os.ReadFile(s.Document)
	check(tb, err)
	parts := strings.Split(string(page), "\n```"+language+"\n")
	if len(parts) != 2 {
		tb.Fatalf("%s has %d blocks of %s, not one", s.Document, len(parts)-1, language)
	}
	block, _, _ := strings.Cut(parts[1], "\n```\n")
	return replaced(tb, replaced(tb, block+"\n", documentedDirsyncd, s.Dirsyncd), documentedApp, s.App)
}

// replaced replaces a text that must be there.
func replaced(tb testing.TB, text, what, by string) string {
	tb.Helper()
	if !strings.Contains(text, what) {
		tb.Fatalf("the document has no %q in:\n%s", what, text)
	}
	return strings.ReplaceAll(text, what, by)
}

// files puts files into a new folder, for the proxy's user.
func (s *Site) files(tb testing.TB, dir string, more map[string]string) {
	tb.Helper()
	check(tb, os.WriteFile(filepath.Join(dir, certFile), s.Cert, 0o600))
	check(tb, os.WriteFile(filepath.Join(dir, keyFile), s.Key, 0o600))
	for name, content := range more {
		check(tb, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	testserver.Own(tb, dir)
}

const (
	certFile = "site.pem"
	keyFile  = "site.key"
)

// program finds a proxy, or ends the test.
func program(tb testing.TB, name, pkg string) string {
	tb.Helper()
	for _, where := range []string{name, "/usr/sbin/" + name} { // which is in the PATH of root only
		if path, err := exec.LookPath(where); err == nil {
			return path
		}
	}
	testserver.Missing(tb, name, pkg)
	return ""
}

// listens returns whether somebody listens at an address.
func listens(address string) func() error {
	return func() error {
		c, err := net.Dial("tcp", address)
		if err != nil {
			return err
		}
		return c.Close()
	}
}

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
