package service

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"dirsyncd/connectors"
	"dirsyncd/connectors/connectortest/memory"
	"dirsyncd/store/bolt"
	"dirsyncd/sync/config"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/signin"
	"dirsyncd/sync/signin/oidc"
	"dirsyncd/sync/signin/oidc/oidctest"
	"dirsyncd/sync/targets"
	"dirsyncd/sync/targets/file"
)

// lobby is a service with people who sign in at a provider that answers at once, without a network.
type lobby struct {
	tb     testing.TB
	s      *Service
	source *memory.Source
	reads  *gate
	ahead  atomic.Int64 // of the clock, in nanoseconds
	issuer *oidctest.Key
}

// gate is the source's, behind which reads wait in their middle while it is closed.
type gate struct {
	connectors.Connector
	closed  atomic.Bool
	waiting chan struct{} // gets a value when a read waits
	open    chan struct{}
}

func (g *gate) Read(ctx context.Context, req connectors.Request, emit func(*connectors.Page) error) error {
	return g.Connector.Read(ctx, req, func(p *connectors.Page) error {
		err := emit(p)
		if g.closed.CompareAndSwap(true, false) {
			g.waiting <- struct{}{}
			select {
			case <-g.open:
			case <-ctx.Done():
			}
		}
		return err
	})
}

// newLobby makes one with n people: 0@example.test and so on.
func newLobby(tb testing.TB, n int, o bolt.Options) *lobby {
	tb.Helper()
	tb.Chdir(tb.TempDir())
	l := &lobby{tb: tb, source: memory.NewSource(), reads: &gate{waiting: make(chan struct{}), open: make(chan struct{})}, issuer: oidctest.NewKey(tb, "ES256", "of the test")}
	people := make([]directory.Object, n)
	for i := range people {
		people[i] = directory.Object{Kind: directory.Person, ID: fmt.Sprint(i)}
		people[i].SetText(directory.FieldName, fmt.Sprint("Person ", i))
		people[i].SetText(directory.FieldEmail, fmt.Sprint(i, "@example.test"))
	}
	l.source.Put("", people...)
	factory := memory.FactoryOf(l.source, memory.Options{})
	usual := factory.Open
	factory.Open = func(cfg any, env connectors.Env) (c connectors.Connector, err error) {
		l.reads.Connector, err = usual(cfg, env)
		return l.reads, err
	}
	parts := Parts{Connectors: connectors.Registry{factory}, Targets: targets.Registry{file.Factory()}, Identities: signin.Registry{}}
	for name, f := range oidc.Factories() {
		made := f.New
		f.New = func(block any, env signin.Env) (signin.Provider, error) {
			env.Client = &http.Client{Transport: l}
			return made(block, env)
		}
		parts.Identities[name] = f
	}
	check := func(err error) {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
	}
	check(os.WriteFile("config.yaml", []byte(signinConfig), 0o600))
	cfg, err := config.Load("config.yaml", parts.Config())
	check(err)
	st, err := bolt.Open("state.db", o)
	check(err)
	opts := Options{Parts: parts, Store: st, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return time.Now().Add(time.Duration(l.ahead.Load())) }}
	l.s, err = newService(cfg, opts, &host{runs: tb.Context(), front: newFront(cfg.Web, opts.Log), trigger: func(string) {}, next: func(string) (at time.Time) { return }, nextAudit: func(string) (at time.Time) { return }})
	check(err)
	tb.Cleanup(func() { _ = l.s.Close() })
	check(l.s.indexPeople(tb.Context()))
	check(l.s.openSignin(tb.Context(), cfg, l.s.host.front))
	tb.Cleanup(l.s.closeSignin)
	l.sync()
	return l
}

func (l *lobby) sync() {
	l.tb.Helper()
	if _, err := l.s.run(l.tb.Context(), "hq", engine.Job{Trigger: engine.Operator, Full: true}); err != nil {
		l.tb.Fatal(err)
	}
}

// RoundTrip is the provider. A code is the nonce and whose it is.
func (l *lobby) RoundTrip(r *http.Request) (*http.Response, error) {
	const issuer = "https://idp.example.test"
	var body any
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		body = map[string]any{"issuer": issuer, "authorization_endpoint": issuer + "/authorize", "token_endpoint": issuer + "/token", "jwks_uri": issuer + "/keys"}
	case "/keys":
		body = oidctest.JWKS(l.issuer)
	case "/token":
		if err := r.ParseForm(); err != nil {
			return nil, err
		}
		nonce, who, _ := strings.Cut(r.PostForm.Get("code"), " ")
		now := l.s.now()
		body = map[string]any{"access_token": "x", "token_type": "Bearer", "id_token": l.issuer.Sign(jwt.MapClaims{
			"iss": issuer, "aud": "us", "sub": who, "nonce": nonce, "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "email": who + "@example.test", "email_verified": true,
		}, "JWT")}
	}
	text, err := json.Marshal(body)
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(text)), Request: r}, err
}

// guest is somebody's browser with the reverse proxy.
type guest struct {
	l   *lobby
	n   int
	jar http.CookieJar
}

func (l *lobby) guest(n int) *guest {
	jar, err := cookiejar.New(nil)
	if err != nil {
		l.tb.Error(err)
	}
	return &guest{l, n, jar}
}

// ask sends one request.
func (g *guest) ask(address string) *httptest.ResponseRecorder {
	u, err := url.Parse(address)
	if err != nil {
		g.l.tb.Error(err)
		return httptest.NewRecorder()
	}
	w := httptest.NewRecorder()
	if u.Host == "idp.example.test" {
		q := u.Query()
		w.Header().Set("Location", "https://auth.test/auth/oidc/staff/callback?"+url.Values{"state": q["state"], "code": {fmt.Sprint(q.Get("nonce"), " ", g.n)}}.Encode())
		return w
	}
	r := httptest.NewRequest(http.MethodGet, address, http.NoBody)
	for _, c := range g.jar.Cookies(u) {
		r.AddCookie(c)
	}
	r.RemoteAddr = "127.0.0.1:4711"
	r.Header.Set("Accept", "text/html")
	r.Header.Set("X-Forwarded-For", fmt.Sprintf("10.%d.%d.%d", g.n>>16&0xff, g.n>>8&0xff, g.n&0xff))
	if !strings.HasPrefix(u.Path, "/auth/") {
		r.Header.Set("X-Original-Url", address)
		r.Header.Set("X-Original-Method", http.MethodGet)
		r.URL.Path, r.Host = "/auth/verify/nginx", "dirsyncd"
	}
	g.l.s.host.front.ServeHTTP(w, r)
	g.jar.SetCookies(u, w.Result().Cookies())
	return w
}

// enter opens the application, and signs in on the way. It returns the status and whose it is at last.
func (g *guest) enter() (status int, user string) {
	address := "https://desk.test/"
	for range 20 {
		w := g.ask(address)
		if address = w.Header().Get("Location"); address == "" {
			return w.Code, w.Header().Get("Remote-User")
		}
	}
	return 0, "a circle"
}

// TestSignInDuringARead: while a run is in the middle of its read, for as long as that takes, people sign in and are verified.
func TestSignInDuringARead(t *testing.T) {
	l := newLobby(t, 250, bolt.Options{NoSync: true}) // three pages
	former := l.guest(1)
	if status, user := former.enter(); status != http.StatusOK || user != "hq/1" {
		t.Fatalf("before: %d, %s", status, user)
	}
	l.reads.closed.Store(true)
	ran := make(chan error, 1)
	go func() {
		_, err := l.s.run(t.Context(), "hq", engine.Job{Trigger: engine.Operator, Full: true})
		ran <- err
	}()
	<-l.reads.waiting // the first page is stored, and the run waits for the second
	if status, user := l.guest(249).enter(); status != http.StatusOK || user != "hq/249" {
		t.Errorf("signs in: %d, %s", status, user)
	}
	l.ahead.Add(int64(time.Minute)) // whether they still stand is asked anew
	if w := former.ask("https://desk.test/"); w.Code != http.StatusOK {
		t.Errorf("verified: %d", w.Code)
	}
	select {
	case err := <-ran:
		t.Fatalf("the run has ended: %v", err)
	default:
	}
	close(l.reads.open)
	if err := <-ran; err != nil {
		t.Error(err)
	}
}

// BenchmarkSignIn is one whole sign-in of somebody who is known, from the application's first page to its answer, with the state synced to the disk, 64 at a
// time. What the provider does is its signature.
func BenchmarkSignIn(b *testing.B) {
	const people = 10_000
	l := newLobby(b, people, bolt.Options{})
	var next atomic.Int64
	b.SetParallelism(64)
	b.ResetTimer()
	began := computed(b)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			n := int(next.Add(1)) % people
			if status, user := l.guest(n).enter(); status != http.StatusOK || user != fmt.Sprint("hq/", n) {
				b.Errorf("%d, %s", status, user)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "sign-ins/s")
	b.ReportMetric(float64((computed(b)-began).Microseconds())/float64(b.N), "cpu-µs/op")
}

// computed is the processor time of this process until now: on a busy machine it says more than the clock.
func computed(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkVerify is what a proxy asks for each request: of a session that was looked at lately, and of one that was not.
func BenchmarkVerify(b *testing.B) {
	for name, step := range map[string]time.Duration{"lately": 0, "anew": 31 * time.Second} {
		b.Run(name, func(b *testing.B) {
			l := newLobby(b, 1000, bolt.Options{})
			var g *guest
			began := computed(b)
			for i := 0; b.Loop(); i++ {
				if i%1000 == 0 { // sessions end, and one person may sign in so often only
					b.StopTimer()
					g = l.guest(i / 1000 % 1000)
					if status, _ := g.enter(); status != http.StatusOK {
						b.Fatal(status)
					}
					b.StartTimer()
				}
				l.ahead.Add(int64(step))
				if w := g.ask("https://desk.test/"); w.Code != http.StatusOK {
					b.Fatal(w.Code)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
			b.ReportMetric(float64((computed(b)-began).Microseconds())/float64(b.N), "cpu-µs/op")
		})
	}
}
