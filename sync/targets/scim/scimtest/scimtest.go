// Package scimtest starts SCIM services for tests: scimmy (npm) on two versions of Express, and elimity-com/scim (Go).
// Both check what they are sent against the schemas of RFC 7643 themselves; what is theirs alone, such as pages that the one
// does not know on Express 5, is part of the test.
package scimtest

import (
	"bufio"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Server is a SCIM service that runs until its test is over.
type Server struct {
	URL   string // the base URL
	Token string
}

// The versions of Express that a scimmy can stand on. On 5 it answers every page with the first one.
const (
	Express4 = "express4"
	Express5 = "express"
)

//go:embed scimmy
var scimmy embed.FS

// Scimmy starts a scimmy. The test is skipped where there is no Node.js, and fails then when CI or DIRSYNCD_REQUIRE_REAL is set.
func Scimmy(t testing.TB, express string) *Server {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			missing(t, program+" is not installed (Debian: apt-get install nodejs npm)")
		}
	}
	cmd := exec.CommandContext(t.Context(), "node", "server.js", express)
	cmd.Dir = installed(t)
	cmd.Env = append(os.Environ(), "SCIM_TOKEN=of-the-test")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close() // it ends by itself then
		_ = cmd.Wait()
	})
	port, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("scimmy did not say its port: %v", err)
	}
	return &Server{URL: "http://127.0.0.1:" + strings.TrimSpace(port) + "/scim", Token: "of-the-test"}
}

func missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("DIRSYNCD_REQUIRE_REAL") != "" || os.Getenv("CI") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// installed is the folder of the server, with its packages. It is kept for the next test under the digest of what is in it.
func installed(t testing.TB) string {
	t.Helper()
	sum := sha256.New()
	files := map[string][]byte{}
	for _, name := range []string{"package.json", "package-lock.json", "server.js"} {
		data, err := fs.ReadFile(scimmy, "scimmy/"+name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = data
		sum.Write(data)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	dir := filepath.Join(cache, "dirsyncd-tests", "scimmy-"+hex.EncodeToString(sum.Sum(nil)[:8]))
	if _, err := os.Stat(filepath.Join(dir, "node_modules")); err == nil {
		return dir
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		t.Fatal(err)
	}
	fresh, err := os.MkdirTemp(filepath.Dir(dir), "new-") //nolint:usetesting // it is kept, beside the others
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(fresh) }()
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(fresh, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	npm := exec.CommandContext(t.Context(), "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	npm.Dir = fresh
	if out, err := npm.CombinedOutput(); err != nil {
		missing(t, "npm cannot install scimmy: "+strings.TrimSpace(string(out)))
	}
	if err := os.Rename(fresh, dir); err != nil {
		if _, there := os.Stat(filepath.Join(dir, "node_modules")); there != nil { // another test was faster
			t.Fatal(err)
		}
	}
	return dir
}

// Requests is how many requests of each method a Scimmy has taken.
func (s *Server) Requests(t testing.TB) map[string]int {
	t.Helper()
	counts := map[string]int{}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, strings.TrimSuffix(s.URL, "/scim")+"/requests", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Timeout: 5 * time.Minute}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if err := json.NewDecoder(resp.Body).Decode(&counts); err != nil {
		t.Fatal(err)
	}
	return counts
}
