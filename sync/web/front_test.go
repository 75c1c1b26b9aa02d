package web

import (
	"bytes"
	"crypto/tls"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"dirsyncd/sync/fault"
)

func front(t *testing.T) *Front {
	t.Helper()
	u, err := url.Parse("https://auth.example.test")
	if err != nil {
		t.Fatal(err)
	}
	return New(Options{URL: u, Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("fd00::/64")}, Log: slog.New(slog.DiscardHandler)})
}

func mount(t *testing.T, f *Front, path string, r Route) func() {
	t.Helper()
	release, err := f.Mount(path, r)
	if err != nil {
		t.Fatal(err)
	}
	return release
}

// say answers with a text.
func say(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
}

// ask sends a request as the proxy at 10.0.0.1 passes it on, changed as a test wants it.
func ask(f *Front, method, target string, change func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(strings.Repeat("x", 100)))
	r.RemoteAddr, r.Host = "10.0.0.1:5000", "auth.example.test"
	r.Header.Set("X-Forwarded-For", "192.0.2.7")
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	return w
}

func TestRoutes(t *testing.T) {
	f := front(t)
	mount(t, f, "/auth/", Route{Handler: say("below")})
	release := mount(t, f, "/auth/hook", Route{Handler: say("hook")})
	if _, err := f.Mount("/auth/hook", Route{}); fault.ClassOf(err) != fault.Transient {
		t.Errorf("taken twice: %v", err)
	}
	for _, c := range []struct {
		path, want string
		status     int
	}{
		{"/auth/", "below", 200}, {"/auth/x/y", "below", 200}, {"/auth/hook", "hook", 200}, {"/auth/hook/x", "below", 200},
		{"/auth", "", 404}, {"/", "", 404}, {"/authhook", "", 404},
	} {
		if w := ask(f, "GET", c.path, nil); w.Code != c.status || c.want != "" && w.Body.String() != c.want {
			t.Errorf("%s: %d %q", c.path, w.Code, w.Body)
		}
	}
	release()
	release()
	if w := ask(f, "GET", "/auth/hook", nil); w.Body.String() != "below" {
		t.Errorf("released: %q", w.Body)
	}
	if got := f.URL("/auth/hook"); got != "https://auth.example.test/auth/hook" {
		t.Error(got)
	}
}

// TestCaller: who asks, and who may not.
func TestCaller(t *testing.T) {
	f := front(t)
	var got Caller
	var host string
	mount(t, f, "/who", Route{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got, host = CallerOf(r.Context()), r.Host })})
	for name, c := range map[string]struct {
		change  func(*http.Request)
		status  int
		address string
		proxied bool
	}{
		"by the proxy": {func(*http.Request) {}, 200, "192.0.2.7", true},
		"what a client says of itself does not count": {func(r *http.Request) {
			r.Header.Set("X-Forwarded-For", "198.51.100.1, 192.0.2.7")
		}, 200, "192.0.2.7", true},
		"nor in a header of its own": {func(r *http.Request) {
			r.Header["X-Forwarded-For"] = []string{"198.51.100.1", "192.0.2.7"}
		}, 200, "192.0.2.7", true},
		"two proxies":        {func(r *http.Request) { r.Header.Set("X-Forwarded-For", "192.0.2.7, 10.0.0.9") }, 200, "192.0.2.7", true},
		"only proxies":       {func(r *http.Request) { r.Header.Set("X-Forwarded-For", "10.0.0.8, 10.0.0.9") }, 200, "10.0.0.8", true},
		"with a port":        {func(r *http.Request) { r.Header.Set("X-Forwarded-For", "192.0.2.7:1234") }, 200, "192.0.2.7", true},
		"version 6":          {func(r *http.Request) { r.Header.Set("X-Forwarded-For", "[2001:db8::1]:1234") }, 200, "2001:db8::1", true},
		"version 4 in 6":     {func(r *http.Request) { r.RemoteAddr = "[::ffff:10.0.0.1]:80" }, 200, "192.0.2.7", true},
		"no address":         {func(r *http.Request) { r.Header.Set("X-Forwarded-For", "unknown, 10.0.0.9") }, 200, "10.0.0.9", true},
		"without the header": {func(r *http.Request) { r.Header.Del("X-Forwarded-For") }, 200, "10.0.0.1", true},
		"the host by header": {func(r *http.Request) {
			r.Host = "127.0.0.1:9443"
			r.Header.Set("X-Forwarded-Host", "auth.example.test")
		}, 200, "192.0.2.7", true},
		"the default port":       {func(r *http.Request) { r.Host = "auth.example.test:443" }, 200, "192.0.2.7", true},
		"another port":           {func(r *http.Request) { r.Host = "auth.example.test:444" }, 421, "", false},
		"another host":           {func(r *http.Request) { r.Host = "evil.example.test" }, 421, "", false},
		"another host by header": {func(r *http.Request) { r.Header.Set("X-Forwarded-Host", "evil.example.test") }, 421, "", false},
		"a client's host by header": {func(r *http.Request) {
			r.Header["X-Forwarded-Host"] = []string{"auth.example.test", "evil.example.test"}
		}, 421, "", false},
		"in the clear at the proxy":   {func(r *http.Request) { r.Header.Set("X-Forwarded-Proto", "http") }, 403, "", false},
		"by https at the proxy":       {func(r *http.Request) { r.Header.Set("X-Forwarded-Proto", "https") }, 200, "192.0.2.7", true},
		"in the clear past the proxy": {func(r *http.Request) { r.RemoteAddr = "192.0.2.7:99" }, 403, "", false},
		"TLS past the proxy": {func(r *http.Request) {
			r.RemoteAddr, r.TLS = "192.0.2.9:99", &tls.ConnectionState{}
			r.Header.Set("X-Forwarded-Host", "evil.example.test")
		}, 200, "192.0.2.9", false},
	} {
		got, host = Caller{}, ""
		w := ask(f, "GET", "/who", c.change)
		if w.Code != c.status {
			t.Errorf("%s: %d, want %d", name, w.Code, c.status)
			continue
		}
		if want := (Caller{Host: "auth.example.test", Proxied: c.proxied}); c.status == 200 {
			want.Address = netip.MustParseAddr(c.address)
			if got != want || host != want.Host {
				t.Errorf("%s: %+v, %s", name, got, host)
			}
		}
	}
}

// TestOtherSites: pages of other sites cannot post where a browser's cookie counts.
func TestOtherSites(t *testing.T) {
	f := front(t)
	mount(t, f, "/ours", Route{Handler: say("in")})
	mount(t, f, "/theirs", Route{Handler: say("in"), CrossSite: true})
	for name, c := range map[string]struct {
		header map[string]string
		ours   int
	}{
		"no browser":                {nil, 200},
		"our page":                  {map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "https://auth.example.test"}, 200},
		"our page, an old browser":  {map[string]string{"Origin": "https://auth.example.test"}, 200},
		"another site":              {map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.test"}, 403},
		"a sister":                  {map[string]string{"Sec-Fetch-Site": "same-site", "Origin": "https://desk.example.test"}, 403},
		"another, an old browser":   {map[string]string{"Origin": "https://evil.test"}, 403},
		"a page without an address": {map[string]string{"Origin": "null"}, 403},
	} {
		// Behind a proxy that passes its own address on: what counts is what the browser asked for.
		change := func(r *http.Request) {
			r.Host = "127.0.0.1:9443"
			r.Header.Set("X-Forwarded-Host", "auth.example.test")
			for k, v := range c.header {
				r.Header.Set(k, v)
			}
		}
		if w := ask(f, "POST", "/ours", change); w.Code != c.ours {
			t.Errorf("%s: %d, want %d", name, w.Code, c.ours)
		}
		if w := ask(f, "POST", "/theirs", change); w.Code != 200 {
			t.Errorf("%s, where anybody may: %d", name, w.Code)
		}
		if w := ask(f, "GET", "/ours", change); w.Code != 200 {
			t.Errorf("%s, reading: %d", name, w.Code)
		}
	}
}

func TestLimits(t *testing.T) {
	f := front(t)
	var logged bytes.Buffer
	f.o.Log = slog.New(slog.NewTextHandler(&logged, nil))
	read := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err != nil {
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		}
	})
	mount(t, f, "/small", Route{Handler: read, Body: 99})
	mount(t, f, "/large", Route{Handler: read})
	mount(t, f, "/broken", Route{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("a mistake") })})
	for path, want := range map[string]int{"/small": 413, "/large": 200, "/broken": 500} {
		w := ask(f, "POST", path, nil)
		if w.Code != want {
			t.Errorf("%s: %d", path, w.Code)
		}
		for _, h := range []string{"Content-Security-Policy", "Referrer-Policy", "X-Content-Type-Options", "Cache-Control", "Strict-Transport-Security"} {
			if w.Header().Get(h) == "" {
				t.Errorf("%s: no %s", path, h)
			}
		}
	}
	if !strings.Contains(logged.String(), "a mistake") || !strings.Contains(logged.String(), "/broken") {
		t.Errorf("logged: %s", &logged)
	}
}

// TestBrokenHalfway: who has got the beginning of an answer is not told that it is whole.
func TestBrokenHalfway(t *testing.T) {
	f := front(t)
	mount(t, f, "/begun", Route{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half")
		panic("a mistake")
	})})
	cut := func() (p any) {
		defer func() { p = recover() }()
		ask(f, "GET", "/begun", nil)
		return nil
	}()
	if cut != http.ErrAbortHandler { //nolint:errorlint // it is the value itself
		t.Errorf("not cut off: %v", cut)
	}
}

// TestHosts: a route is answered at the hosts that it names, and nothing else is; the proxies may ask under any name where that is allowed.
func TestHosts(t *testing.T) {
	f := front(t)
	mount(t, f, "/auth/", Route{Handler: say("below"), Hosts: []string{"desk.example.test:8443"}})
	mount(t, f, "/auth/verify", Route{Handler: say("verify"), Proxies: true})
	mount(t, f, "/notices/hq", Route{Handler: say("notice")})
	for name, c := range map[string]struct {
		host, path string
		stranger   bool // a client that is no proxy, with TLS
		want       int
	}{
		"central":                    {host: "auth.example.test", path: "/auth/x", want: 200},
		"an application":             {host: "Desk.example.test:8443", path: "/auth/x", want: 200},
		"an application, other port": {host: "desk.example.test", path: "/auth/x", want: 421},
		"not for applications":       {host: "desk.example.test:8443", path: "/notices/hq", want: 421},
		"nothing there":              {host: "desk.example.test:8443", path: "/", want: 421},
		"a proxy by its own address": {host: "127.0.0.1:9443", path: "/auth/verify", want: 200},
		"a stranger by the same":     {host: "127.0.0.1:9443", path: "/auth/verify", stranger: true, want: 421},
	} {
		w := ask(f, "GET", c.path, func(r *http.Request) {
			r.Host = c.host
			if c.stranger {
				r.RemoteAddr, r.TLS = "192.0.2.7:1", &tls.ConnectionState{}
			}
		})
		if w.Code != c.want {
			t.Errorf("%s: %d, want %d", name, w.Code, c.want)
		}
	}
}

// TestReplace: a new handler takes the place of the former one, whose release does nothing any more.
func TestReplace(t *testing.T) {
	f := front(t)
	first := f.Replace("/auth/", Route{Handler: say("first")})
	second := f.Replace("/auth/", Route{Handler: say("second")})
	first()
	if w := ask(f, "GET", "/auth/", nil); w.Body.String() != "second" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	second()
	if w := ask(f, "GET", "/auth/", nil); w.Code != 404 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
