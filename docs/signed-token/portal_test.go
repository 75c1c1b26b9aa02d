package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"dirsyncd/store/bolt"
	"dirsyncd/sync/signin"
	"dirsyncd/sync/signin/keyring"
	"dirsyncd/sync/signin/portal"
	"dirsyncd/sync/web"
)

// idp lets in whoever comes, as Ann.
type idp struct{}

func (idp) Begin(_ context.Context, s signin.Start) (signin.To, signin.Pending, error) {
	return signin.To{URL: "https://idp.test/?" + url.Values{"state": {s.State}}.Encode()}, signin.Pending{}, nil
}

func (idp) Finish(context.Context, url.Values, *signin.Pending) (*signin.Assertion, error) {
	return &signin.Assertion{Subject: signin.Subject{Realm: "idp", Value: "ann", Immutable: true, Object: "ann"}, At: time.Now()}, nil
}

func (idp) EndRequest(context.Context, url.Values) (signin.Ended, signin.Reply, error) {
	return signin.Ended{}, signin.Reply{Status: http.StatusOK}, nil
}
func (idp) End(context.Context, signin.Session) (signin.To, error) { return signin.To{}, nil }
func (idp) Probe(context.Context) ([]signin.Finding, error)        { return nil, nil }

// people is Ann.
type people struct{}

func (people) Scopes(context.Context, string) ([]signin.Scope, error) {
	return []signin.Scope{{Connection: "hq"}}, nil
}

func (people) ByID(_ context.Context, where signin.Scope, id string) (signin.Owner, bool, error) {
	return signin.Owner{Scope: where, ID: id, Record: "hq/" + id}, true, nil
}

func (people) Find(context.Context, []signin.Scope, string, string) ([]signin.Owner, error) {
	return nil, nil
}

func (people) Standing(context.Context, signin.Owner) (signin.Standing, error) {
	return signin.Standing{There: true, Enabled: true, Kinds: []string{"user"}, Fields: map[string]string{"name": "Ann <Lee>"}}, nil
}

// TestWithThePortal: somebody signs in at the real central host, comes into each application by a real token, and is out when they sign out.
func TestWithThePortal(t *testing.T) {
	for _, language := range languages() {
		t.Run(language, func(t *testing.T) {
			var mounted atomic.Pointer[web.Front]
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				r.Header.Set("X-Forwarded-Host", "auth.test")
				r.Header.Set("X-Forwarded-Proto", "https")
				mounted.Load().ServeHTTP(w, r)
			}))
			t.Cleanup(server.Close)
			app := start(t, language, "https://auth.test", server.URL+"/auth/keys")
			p := newPortal(t, app)
			front := web.New(web.Options{URL: p.URL, Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, Log: p.Log})
			if _, err := front.Mount("/auth/", web.Route{Handler: p, Hosts: p.Hosts()}); err != nil {
				t.Fatal(err)
			}
			mounted.Store(front)

			b := newBrowser(t, app)
			to, _ := b.login()
			jar, err := cookiejar.New(nil)
			if err != nil {
				t.Fatal(err)
			}
			central := func(method, address string, form url.Values) *httptest.ResponseRecorder {
				t.Helper()
				r := httptest.NewRequest(method, address, strings.NewReader(form.Encode()))
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				r.Header.Set("X-Forwarded-Host", "auth.test")
				r.Header.Set("X-Forwarded-Proto", "https")
				r.RemoteAddr = "127.0.0.1:4711"
				for _, c := range jar.Cookies(r.URL) {
					r.AddCookie(c)
				}
				rec := httptest.NewRecorder()
				front.ServeHTTP(rec, r)
				jar.SetCookies(r.URL, rec.Result().Cookies())
				return rec
			}
			at, err := url.Parse(central(http.MethodGet, to.String(), nil).Header().Get("Location"))
			if err != nil || at.Host != "idp.test" {
				t.Fatalf("at %s, %v", at, err)
			}
			page := central(http.MethodGet, "https://auth.test/auth/oidc/staff/callback?"+at.RawQuery, nil).Body.String()
			if status := b.sso(hidden(page, "token")); status != http.StatusSeeOther || !b.in() {
				t.Fatalf("with a token of the portal's: %d\n%s", status, page)
			}

			page = central(http.MethodGet, "https://auth.test/auth/logout", nil).Body.String()
			central(http.MethodPost, "https://auth.test/auth/logout", url.Values{"token": {hidden(page, "token")}})
			if err := p.Tell(t.Context()); err != nil {
				t.Fatal(err)
			}
			if b.in() {
				t.Error("signed out, and still in")
			}
		})
	}
}

// hidden is a field of a form.
func hidden(page, name string) string {
	if m := regexp.MustCompile(`name="` + name + `" value="([^"]*)"`).FindStringSubmatch(page); m != nil {
		return m[1]
	}
	return ""
}

func newPortal(t *testing.T, app string) *portal.Portal {
	t.Helper()
	// Its clock is a little ahead, so that its tokens count for longer on a busy machine.
	now := func() time.Time { return time.Now().Add(45 * time.Second) }
	keys, err := keyring.Create(filepath.Join(t.TempDir(), "keys"), now)
	if err != nil {
		t.Fatal(err)
	}
	s, err := bolt.Open(filepath.Join(t.TempDir(), "state.db"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	address := func(text string) *url.URL {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	p, err := portal.New(portal.Options{
		URL: address("https://auth.test"), People: people{}, Items: s.Items(), Keys: keys, Client: &http.Client{Timeout: patience},
		Log: slog.New(slog.DiscardHandler), Now: now, Lifetime: time.Hour, Idle: time.Hour,
		Providers: []portal.Named{{Provider: idp{}, Name: "staff", Policy: signin.Policy{Provider: "staff", Directories: []signin.Directory{{Connection: "hq"}}, Admission: signin.Both}}},
		Apps: []portal.App{{
			Name: "shop", URL: address("https://shop.test"), Providers: []string{"staff"}, Admission: signin.Both, Auto: true,
			TokenURL: address("https://shop.test/sso"), LogoutURL: address(app + "/signed-out"),
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}
