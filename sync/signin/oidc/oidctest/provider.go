package oidctest

import (
	"bufio"
	"crypto/sha256"
	"crypto/tls"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Real is an oidc-provider (npm) that runs until its test is over. Its only person is "person", ann@example.test, who is always let in.
type Real struct {
	Issuer string
	// Client believes its certificate, and has no cookies.
	Client *http.Client
	// Browser has the cookies of the person.
	Browser *http.Client
}

//go:embed provider
var provider embed.FS

// NewReal starts an oidc-provider with some clients, as RFC 7591 writes them. The test is skipped where there is no Node.js, and fails then when CI or
// DIRSYNCD_REQUIRE_REAL is set. It is skipped in any case with a Node.js before 20, such as that of Debian 12, on which oidc-provider redeems no code.
func NewReal(t testing.TB, clients ...map[string]any) *Real {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			missing(t, program+" is not installed (Debian: apt-get install nodejs npm)")
		}
	}
	newEnough(t)
	certificate := NewCertificate(t)
	config, err := json.Marshal(map[string]any{"cert": string(certificate.Cert), "key": string(certificate.Key), "clients": clients})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", "server.js")
	cmd.Dir = installed(t)
	cmd.Env = append(os.Environ(), "CONFIG="+string(config), "NODE_NO_WARNINGS=1")
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
		t.Fatalf("oidc-provider did not say its port: %v", err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: certificate.Pool, MinVersion: tls.VersionTLS12}}
	t.Cleanup(transport.CloseIdleConnections)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &Real{
		Issuer: "https://127.0.0.1:" + strings.TrimSpace(port),
		Client: &http.Client{Transport: transport}, Browser: &http.Client{Transport: transport, Jar: jar},
	}
}

// newEnough skips the test where Node.js is not.
func newEnough(t testing.TB) {
	t.Helper()
	const least = 20
	out, err := exec.CommandContext(t.Context(), "node", "-p", "process.versions.node").Output()
	if err != nil {
		missing(t, "node does not start: "+err.Error())
	}
	version := strings.TrimSpace(string(out))
	major, _, _ := strings.Cut(version, ".")
	if n, err := strconv.Atoi(major); err != nil || n < least {
		t.Skipf("Node.js is %s, oidc-provider needs %d", version, least)
	}
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
		data, err := fs.ReadFile(provider, "provider/"+name)
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
	dir := filepath.Join(cache, "dirsyncd-tests", "oidc-provider-"+hex.EncodeToString(sum.Sum(nil)[:8]))
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
		missing(t, "npm cannot install oidc-provider: "+strings.TrimSpace(string(out)))
	}
	if err := os.Rename(fresh, dir); err != nil {
		if _, there := os.Stat(filepath.Join(dir, "node_modules")); there != nil { // another test was faster
			t.Fatal(err)
		}
	}
	return dir
}

// errArrived is a redirect to a host that is not the provider's.
var errArrived = errors.New("arrived")

// Visit goes to an address as the person, through the pages of the provider, and returns the query with which it leaves them; nil and the last page when
// it does not leave.
func (r *Real) Visit(t testing.TB, address string) (url.Values, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	return r.do(t, req)
}

func (r *Real) do(t testing.TB, req *http.Request) (url.Values, string) {
	t.Helper()
	var left url.Values
	browser := *r.Browser
	browser.CheckRedirect = func(next *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.Issuer, "https://"+next.URL.Host) {
			return nil
		}
		left = next.URL.Query()
		return errArrived
	}
	resp, err := browser.Do(req)
	if left != nil {
		return left, ""
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Sprintf("%s: %s", resp.Status, page)
	}
	return nil, string(page)
}

var (
	action = regexp.MustCompile(`action="([^"]+)"`)
	xsrf   = regexp.MustCompile(`name="xsrf" value="([^"]+)"`)
)

// SignOut confirms the provider's page that asks whether to sign out, and returns the query with which it leaves.
func (r *Real) SignOut(t testing.TB, page string) url.Values {
	t.Helper()
	to, token := action.FindStringSubmatch(page), xsrf.FindStringSubmatch(page)
	if to == nil || token == nil {
		t.Fatalf("the page has no form: %s", page)
	}
	form := url.Values{"xsrf": {token[1]}, "logout": {"yes"}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, to[1], strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	left, page := r.do(t, req)
	if left == nil {
		t.Fatalf("the provider stays at %s", page)
	}
	return left
}
