package oidctest

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Real is an oidc-provider (npm) that runs until its test is over.
type Real struct {
	// Issuer is that of a vendor without an address.
	Issuer string
	// Address is HOST:PORT, where every vendor answers by TLS, with Certificate.
	Address     string
	Certificate Certificate
	// Client finds every host at the address, believes its certificate, and has no cookies.
	Client *http.Client
	// Browser has the cookies of the person.
	Browser *http.Client
	// Hosts are those of the vendors, and the address.
	Hosts []string
}

//go:embed provider
var provider embed.FS

// NewReal starts an oidc-provider with some clients, as RFC 7591 writes them. Its only person is "person", ann@example.test, who is always let in.
func NewReal(t testing.TB, clients ...map[string]any) *Real {
	t.Helper()
	return NewVendors(t, false, Vendor{Clients: clients, UserInfo: []string{"email", "email_verified", "name", "locale"}, People: map[string]map[string]any{
		"person": {"email": "ann@example.test", "email_verified": true, "name": "Ann", "locale": "de"},
	}})
}

// Vendor is what an oidc-provider is made to look like: addresses, discovery document and claims.
type Vendor struct {
	// Address is where its endpoints are, such as https://example.okta.com/oauth2/default; blank: wherever it listens.
	Address string `json:"address,omitempty"`
	// Issuer is what the document and the tokens say; blank: the address.
	Issuer string `json:"issuer,omitempty"`
	// Discovery is the path of the document; blank: /.well-known/openid-configuration below the address.
	Discovery string `json:"discovery,omitempty"`
	// Also are other ways to the same issuer.
	Also []Authority `json:"also,omitempty"`
	// Routes are the paths of endpoints below the address, by the names of oidc-provider.
	Routes map[string]string `json:"routes,omitempty"`
	// Methods are the ways of client authentication.
	Methods []string `json:"methods,omitempty"`
	// Metadata is added to the document; nil values take something out of it.
	Metadata map[string]any `json:"metadata,omitempty"`
	// KeyIssuer is written into the set beside each key, as Entra does.
	KeyIssuer string `json:"keyIssuer,omitempty"`
	// Prompts are words of `prompt` beside those of the specification.
	Prompts []string `json:"prompts,omitempty"`
	// Silent: no answer says who answers.
	Silent bool `json:"silent,omitempty"`
	// UserInfo are claims that are not in ID tokens.
	UserInfo []string `json:"userinfo,omitempty"`
	// People are claims by account, which is their sub. Without a page the first of them by name signs in, or whom login_hint names.
	People map[string]map[string]any `json:"people"`
	// Refusals are accounts that come back with an error.
	Refusals map[string]Refusal `json:"refusals,omitempty"`
	// Clients are as RFC 7591 writes them.
	Clients []map[string]any `json:"clients"`
}

// Authority is another way to an issuer.
type Authority struct {
	Host      string `json:"host,omitempty"` // blank: that of the vendor's address
	Mount     string `json:"mount"`          // the path below which the endpoints are
	Discovery string `json:"discovery,omitempty"`
	Issuer    string `json:"issuer"` // what the document there says
}

// Refusal is an error response (RFC 6749 section 4.1.2.1).
type Refusal struct {
	Code string `json:"error"`
	Text string `json:"error_description"`
}

// NewVendors starts an oidc-provider that answers as each of some vendors; with a page on which people choose their account where ask is true. The test is
// skipped where there is no Node.js, or one before 20 such as that of Debian 12, on which oidc-provider redeems no code; it fails then when CI or
// DIRSYNCD_REQUIRE_REAL is set.
func NewVendors(t testing.TB, ask bool, vendors ...Vendor) *Real {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			missing(t, program+" is not installed (Debian: apt-get install nodejs npm)")
		}
	}
	newEnough(t)
	var hosts []string
	for i := range vendors {
		if u, err := url.Parse(vendors[i].Address); err != nil {
			t.Fatal(err)
		} else if u.Host != "" {
			hosts = append(hosts, u.Host)
		}
		for _, a := range vendors[i].Also {
			if a.Host != "" {
				hosts = append(hosts, a.Host)
			}
		}
	}
	certificate := NewCertificate(t, hosts...)
	config, err := json.Marshal(map[string]any{"cert": string(certificate.Cert), "key": string(certificate.Key), "ask": ask, "vendors": vendors})
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
	address := net.JoinHostPort("127.0.0.1", strings.TrimSpace(port))
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: certificate.Pool, MinVersion: tls.VersionTLS12},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, address)
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return (&Real{
		Issuer: "https://" + address, Address: address, Certificate: certificate, Hosts: append(hosts, address), Client: &http.Client{Transport: transport},
	}).Somebody(t)
}

// Somebody is the same provider in a browser of somebody who was not there before.
func (r *Real) Somebody(t testing.TB) *Real {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	fresh := *r
	fresh.Browser = &http.Client{Transport: r.Client.Transport, Jar: jar}
	return &fresh
}

// newEnough ends the test where Node.js is not.
func newEnough(t testing.TB) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "node", "-p", "process.versions.node").Output()
	if err != nil {
		missing(t, "node does not start: "+err.Error())
	}
	if what := tooOld(strings.TrimSpace(string(out))); what != "" {
		missing(t, what)
	}
}

// tooOld says what to do about a version of Node.js; blank when it will do.
func tooOld(version string) string {
	const least = 20
	major, _, _ := strings.Cut(version, ".")
	if n, err := strconv.Atoi(major); err == nil && n >= least {
		return ""
	}
	return fmt.Sprintf("Node.js is %s, and oidc-provider needs %[2]d: npm install --global --prefix /opt/node%[2]d node@%[2]d && PATH=/opt/node%[2]d/bin:$PATH", version, least)
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
		if slices.Contains(r.Hosts, next.URL.Host) {
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
