package service

import (
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"dirsyncd/sync/api"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/signin"
	"dirsyncd/sync/signin/oidc"
	"dirsyncd/sync/signin/oidc/oidctest"
)

// TestApplicationsTold: as configured, a product gets a token of its own form, and an application is told of a session that an operator has ended and of
// one whose person a sync has found disabled.
func TestApplicationsTold(t *testing.T) {
	w := newWorld(t)
	idp := oidctest.NewServer(t, "idp.example.test")
	issuer := idp.NewIssuer(t, oidctest.Options{Discovery: "https://idp.example.test/.well-known/openid-configuration", Issuer: "https://idp.example.test", ClientID: "us", Secret: "secret-of-us"})
	issuer.Person(map[string]any{"sub": "4711", "email": "ada@example.test", "email_verified": true, "department": "IT"})
	client := idp.Client(t)
	w.parts.Identities = signin.Registry{}
	for name, f := range oidc.Factories() {
		usual := f.New
		f.New = func(block any, env signin.Env) (signin.Provider, error) {
			env.Client = client
			return usual(block, env)
		}
		w.parts.Identities[name] = f
	}
	var mu sync.Mutex
	var heard []string
	desk := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		heard = append(heard, r.PostFormValue("logout_token"))
	}))
	t.Cleanup(desk.Close)
	text := strings.Replace(signinConfig, `providers: [staff], auto: true}`, `providers: [staff], auto: true, logout_url: "`+desk.URL+`/out"}
    helpdesk: {url: "https://acme.zendesk.test", providers: [staff], auto: true, hand_over: zendesk, secret: a shared secret as Zendesk makes them}`, 1)
	if err := os.WriteFile("config.yaml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	w.load(t)
	opts := w.options()
	opts.Now = idp.Clock.Now
	s, err := newService(w.cfg, opts, &host{runs: t.Context(), front: newFront(w.cfg.Web, opts.Log), trigger: func(string) {}, next: func(string) (at time.Time) { return }, nextAudit: func(string) (at time.Time) { return }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.openSignin(t.Context(), w.cfg, s.host.front); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.closeSignin)
	synced := func(enabled bool) {
		t.Helper()
		o := directory.Object{Kind: directory.Person, ID: "ada"}
		o.SetText(directory.FieldName, "Ada")
		o.SetText(directory.FieldEmail, "ada@example.test")
		o.Set(directory.FieldEnabled, directory.Bool(enabled))
		w.source.Put("", o)
		if _, err := s.run(t.Context(), "hq", engine.Job{Trigger: engine.Operator}); err != nil {
			t.Fatal(err)
		}
	}
	enter := func() *visitor {
		t.Helper()
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		v := &visitor{t, s, client, jar}
		if status, _ := v.visit("https://desk.test/"); status != http.StatusOK {
			list, err := s.SigninAttempts(t.Context(), api.SigninRequest{})
			t.Fatalf("signing in: %d, attempts %+v, error %v", status, list, err)
		}
		return v
	}
	told := func(why string, want int) {
		t.Helper()
		// The daemon's own round may come first, or be under way: all of them together tell.
		if err := s.door.portal.Tell(t.Context()); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		defer mu.Unlock()
		if len(heard) < want {
			t.Fatalf("%s: told %d times", why, len(heard))
		}
		for _, token := range heard {
			claims := jwt.MapClaims{}
			if _, _, err := jwt.NewParser().ParseUnverified(token, claims); err != nil || claims["aud"] != "desk" || claims["sub"] != "hq/ada" {
				t.Errorf("%s: %v, %v", why, claims, err)
			}
		}
		heard = nil
	}

	synced(true)
	v := enter()
	r := httptest.NewRecorder()
	req := httptest.NewRequest(http.MethodGet, "https://auth.test/auth/app/helpdesk?return_to=https%3A%2F%2Facme.zendesk.test%2Fhc", nil)
	for _, c := range v.jar.Cookies(req.URL) {
		req.AddCookie(c)
	}
	req.RemoteAddr = "127.0.0.1:4711"
	s.host.front.ServeHTTP(r, req)
	if page := r.Body.String(); r.Code != http.StatusOK || !strings.Contains(page, `action="https://acme.zendesk.test/access/jwt"`) || !strings.Contains(page, `name="jwt"`) || !strings.Contains(page, `value="https://acme.zendesk.test/hc"`) {
		t.Errorf("%d\n%s", r.Code, page)
	}
	told("nothing has ended", 0)
	if n, err := s.EndSessions(t.Context(), "hq/ada"); err != nil || n == 0 {
		t.Fatalf("ended %d, error %v", n, err)
	}
	told("an operator", 1)
	enter()
	synced(false)
	told("a sync", 1)
}
