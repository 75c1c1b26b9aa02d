package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// The three applications are run as a person would run them.

// asApplication makes the test's own program the application in Go.
const asApplication = "DIRSYNCD_TEST_AS_APPLICATION"

func TestMain(m *testing.M) {
	if os.Getenv(asApplication) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// patience is how long anything may take before a test gives up. It is long: machines are busy.
const patience = 5 * time.Minute

func languages() []string { return []string{"go", "python", "php"} }

// missing skips a test for want of a program, and fails it where all must be there.
func missing(t *testing.T, how string) {
	t.Helper()
	if os.Getenv("DIRSYNCD_REQUIRE_REAL") != "" || os.Getenv("CI") != "" {
		t.Fatal(how)
	}
	t.Skip(how)
}

// python is an interpreter that has the package cryptography.
func python(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		if path, err := exec.LookPath(name); err == nil && exec.CommandContext(t.Context(), path, "-c", "import cryptography").Run() == nil {
			return path
		}
	}
	missing(t, "no python3 with cryptography (Debian: apt-get install python3-cryptography)")
	return ""
}

// start runs an application until the test ends, and returns its address.
func start(t *testing.T, language, auth, keys string) string {
	t.Helper()
	dir := t.TempDir()
	people := filepath.Join(dir, "people.json")
	if err := os.WriteFile(people, []byte(`{"hq/ann": "Ann <Lee>"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	flags := []string{"--listen", "127.0.0.1:0", "--auth", auth, "--app", "shop", "--people", people, "--keys", keys}
	for _, file := range []string{"app.py", "app.php"} {
		if _, err := os.Stat(file); err != nil { // the go command keeps no result beyond a change of what was looked at
			t.Fatal(err)
		}
	}
	ctx := context.WithoutCancel(t.Context())
	var cmd *exec.Cmd
	switch language {
	case "python":
		cmd = exec.CommandContext(ctx, python(t), append([]string{"-B", "app.py"}, flags...)...)
	case "php":
		php, err := exec.LookPath("php")
		if err != nil {
			missing(t, "php is not installed (Debian: apt-get install php-cli)")
		}
		cmd = exec.CommandContext(ctx, php, "-S", "127.0.0.1:0", "app.php")
		cmd.Env = append(os.Environ(), "AUTH="+auth, "APP=shop", "KEYS="+keys, "PEOPLE="+people, "DATA="+filepath.Join(dir, "data"))
	default:
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd = exec.CommandContext(ctx, self, flags...)
		cmd.Env = append(os.Environ(), asApplication+"=1")
	}
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = in, in
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = in.Close()
	address := make(chan string, 1)
	ended := make(chan struct{})
	var said strings.Builder
	go func() {
		defer close(ended)
		listening := regexp.MustCompile(`http://127\.0\.0\.1:\d+`)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if at := listening.FindString(lines.Text()); at != "" && len(address) == 0 {
				select {
				case address <- at:
				default:
				}
			}
			said.WriteString(lines.Text() + "\n")
		}
		_ = cmd.Wait()
		_ = out.Close()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		if t.Failed() {
			t.Logf("%s says:\n%s", language, said.String())
		}
	})
	select {
	case at := <-address:
		return at
	case <-ended:
		t.Fatalf("%s ended:\n%s", language, said.String())
	case <-time.After(patience):
		t.Fatalf("%s did not come up", language)
	}
	return ""
}

// browser is somebody at an application. Cookies are kept by hand: they are for https.
type browser struct {
	t       *testing.T
	app     string
	cookies map[string]string
}

func newBrowser(t *testing.T, app string) *browser {
	return &browser{t, app, map[string]string{}}
}

func (b *browser) do(method, path string, form url.Values) (status int, body, location string) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.app+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for name, value := range b.cookies {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	client := &http.Client{Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range resp.Cookies() {
		site := http.SameSiteLaxMode
		if c.Name == loginCookie {
			site = http.SameSiteNoneMode
		}
		if !c.Secure || !c.HttpOnly || c.Path != "/" || c.Domain != "" || c.SameSite != site {
			b.t.Errorf("cookie %s is not as it must be: %+v", c.Name, c)
		}
		if c.MaxAge < 0 || !c.Expires.IsZero() && c.Expires.Before(time.Unix(1000, 0)) {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c.Value
		}
	}
	return resp.StatusCode, string(data), resp.Header.Get("Location")
}

// login begins a sign-in, and returns where the browser is sent and the nonce.
func (b *browser) login() (to *url.URL, nonce string) {
	b.t.Helper()
	status, _, location := b.do(http.MethodGet, "/login", nil)
	to, err := url.Parse(location)
	if status != http.StatusSeeOther || err != nil || to.Query().Get("app") != "shop" || len(to.Query().Get("nonce")) < 43 {
		b.t.Fatalf("login: %d to %s", status, location)
	}
	return to, to.Query().Get("nonce")
}

// sso brings a token.
func (b *browser) sso(token string) int {
	b.t.Helper()
	status, _, _ := b.do(http.MethodPost, "/sso", url.Values{"token": {token}})
	return status
}

// in reports whether somebody is signed in.
func (b *browser) in() bool {
	b.t.Helper()
	status, body, _ := b.do(http.MethodGet, "/", nil)
	if status == http.StatusOK && body != "Hello Ann &lt;Lee&gt;" {
		b.t.Errorf("the page says %q", body)
	}
	return status == http.StatusOK
}
