package service

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"dirsyncd/connectors"
	"dirsyncd/sync/api"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/signin"
	"dirsyncd/sync/signin/oidc"
	"dirsyncd/sync/signin/oidc/oidctest"
)

const signinConfig = `state: state.db
web: {url: "https://auth.test", listen: "127.0.0.1:0", proxies: [127.0.0.1]}
signin:
  keys: signin.keys
  providers:
    staff:
      provider: generic
      directories: [hq]
      domains: [example.test]
      match: [mail]
      require: ['claim.department != "Sales"', 'claims.email != []']
      generic: {issuer: "https://idp.example.test", client_id: us, client_secret: secret-of-us, client_secret_ends: 2027-03-31}
  apps:
    desk: {url: "https://desk.test", providers: [staff], auto: true}
connections:
  hq: {connector: memory, mapping: m, targets: [journal], memory: {}}
mappings:
  m: {rules: [{name: everyone, when: enabled ?? true, user: {name: = name, email: = email}}]}
targets:
  journal: {target: file, file: {path: changes.jsonl}}
`

// visitor is a browser behind the reverse proxy of the front; names that end in .example.test are the provider's.
type visitor struct {
	t        *testing.T
	s        *Service
	provider *http.Client
	jar      *cookiejar.Jar
}

// ask sends one request and returns where the answer leads; blank when it leads nowhere.
func (v *visitor) ask(address string) (status int, next string, header http.Header) {
	v.t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		v.t.Fatal(err)
	}
	if u.Host == "idp.example.test" {
		return http.StatusFound, "https://auth.test/auth/oidc/staff/callback?" + oidctest.Browse(v.t, v.provider, address).Encode(), nil
	}
	r := httptest.NewRequest(http.MethodGet, address, nil)
	for _, c := range v.jar.Cookies(u) {
		r.AddCookie(c)
	}
	r.RemoteAddr = "127.0.0.1:4711"
	r.Header.Set("Accept", "text/html")
	if !strings.HasPrefix(u.Path, "/auth/") && u.Host != "auth.test" { // the proxy asks whose it is
		r.Header.Set("X-Original-Url", address)
		r.Header.Set("X-Original-Method", http.MethodGet)
		r.URL.Path, r.Host = "/auth/verify/nginx", "dirsyncd"
	}
	w := httptest.NewRecorder()
	v.s.host.front.ServeHTTP(w, r)
	v.jar.SetCookies(u, w.Result().Cookies())
	return w.Code, w.Header().Get("Location"), w.Header()
}

// visit follows every answer until one leads nowhere.
func (v *visitor) visit(address string) (status int, header http.Header) {
	v.t.Helper()
	for range 20 {
		var next string
		if status, next, header = v.ask(address); next == "" {
			return status, header
		}
		address = next
	}
	v.t.Fatal("a circle")
	return 0, nil
}

// signinWorld is a service that people sign in to, and their provider.
type signinWorld struct {
	*world
	s        *Service
	idp      *oidctest.Server
	issuer   *oidctest.Issuer
	client   *http.Client
	logs     *bytes.Buffer
	triggers []string // connections that were to be run
	// reading is called in each read of a page; nil: nobody looks. It is set while nothing is read.
	reading func()
}

func newSigninWorld(t *testing.T, text string) *signinWorld {
	t.Helper()
	w := &signinWorld{world: newWorld(t), idp: oidctest.NewServer(t, "idp.example.test"), logs: new(bytes.Buffer)}
	w.issuer = w.idp.NewIssuer(t, oidctest.Options{Discovery: "https://idp.example.test/.well-known/openid-configuration", Issuer: "https://idp.example.test", ClientID: "us", Secret: "secret-of-us"})
	w.client = w.idp.Client(t)
	memory := w.parts.Connectors[0].Open
	w.parts.Connectors[0].Open = func(cfg any, env connectors.Env) (connectors.Connector, error) {
		source, err := memory(cfg, env)
		return readAlong{source, w}, err
	}
	w.parts.Identities = signin.Registry{}
	for name, f := range oidc.Factories() {
		usual := f.New
		f.New = func(block any, env signin.Env) (signin.Provider, error) {
			env.Client = w.client
			return usual(block, env)
		}
		w.parts.Identities[name] = f
	}
	if err := os.WriteFile("config.yaml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	w.load(t)
	opts := w.options()
	opts.Now = w.idp.Clock.Now
	opts.Log = slog.New(slog.NewTextHandler(w.logs, nil))
	var err error
	w.s, err = newService(w.cfg, opts, &host{runs: t.Context(), front: newFront(w.cfg.Web, opts.Log), trigger: func(name string) { w.triggers = append(w.triggers, name) }, next: func(string) (at time.Time) { return }, nextAudit: func(string) (at time.Time) { return }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.s.Close() })
	w.open(t)
	t.Cleanup(w.s.closeSignin)
	return w
}

// readAlong is a source whose reads the world follows.
type readAlong struct {
	connectors.Connector
	w *signinWorld
}

func (r readAlong) Read(ctx context.Context, req connectors.Request, emit func(*connectors.Page) error) error {
	return r.Connector.Read(ctx, req, func(p *connectors.Page) error {
		if r.w.reading != nil {
			r.w.reading()
		}
		return emit(p)
	})
}

func (w *signinWorld) open(t *testing.T) {
	t.Helper()
	if err := w.s.openSignin(t.Context(), w.cfg, w.s.host.front); err != nil {
		t.Fatal(err)
	}
}

func (w *signinWorld) sync(t *testing.T, connection string) []engine.Result {
	t.Helper()
	results, err := w.s.run(t.Context(), connection, engine.Job{Trigger: engine.Operator})
	if err != nil {
		t.Fatal(err)
	}
	return results
}

func (w *signinWorld) browser(t *testing.T) *visitor {
	t.Helper()
	w.idp.Clock.Add(time.Second) // so that no two attempts are of one moment
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{t, w.s, w.client, jar}
}

// attempt is the last one.
func (w *signinWorld) attempt(t *testing.T) api.SigninAttempt {
	t.Helper()
	list, err := w.s.SigninAttempts(t.Context(), api.SigninRequest{Limit: 1})
	if err != nil || len(list) != 1 {
		t.Fatalf("%v, error %v", list, err)
	}
	w.idp.Clock.Add(time.Second)
	return list[0]
}

// TestSignIn: who was synced signs in at a provider and is told to an application as their record; whoever a sync disables is out.
func TestSignIn(t *testing.T) {
	w := newSigninWorld(t, signinConfig)
	idp, issuer, s := w.idp, w.issuer, w.s
	issuer.Person(map[string]any{"sub": "4711", "email": "Ada@Example.test", "email_verified": true})
	issuer.Info(map[string]any{"sub": "4711"}) // asked for what `require` reads and the token lacks
	enabled := func(is bool) {
		o := directory.Object{Kind: directory.Person, ID: "ada"}
		o.SetText(directory.FieldName, "Ada")
		o.SetText(directory.FieldEmail, "ada@example.test")
		o.Set(directory.FieldEnabled, directory.Bool(is))
		w.source.Put("", o)
	}
	enabled(true)
	sync := func() {
		t.Helper()
		w.sync(t, "hq")
	}
	browser := func() *visitor { return w.browser(t) }
	attempt := func() api.SigninAttempt { return w.attempt(t) }

	v := browser()
	if status, _ := v.visit("https://desk.test/"); status != http.StatusForbidden {
		t.Errorf("before the first sync: %d", status)
	}
	if a := attempt(); a.Reason != string(signin.UnknownPerson) || a.Hint == "" || a.Provider != "staff" {
		t.Errorf("attempt %+v", a)
	}
	sync()
	v = browser()
	status, h := v.visit("https://desk.test/")
	if status != http.StatusOK || h.Get("Remote-User") != "hq/ada" || h.Get("Remote-Email") != "ada@example.test" || h.Get("Remote-Name") != "Ada" {
		t.Fatalf("%d, %v, attempt %+v", status, h, attempt())
	}
	if a := attempt(); a.Reason != "" || a.Record != "hq/ada" || a.By != "mail" || a.App != "desk" {
		t.Errorf("attempt %+v", a)
	}
	if list, err := s.SigninSessions(t.Context(), "hq/ada"); err != nil || len(list) != 2 {
		t.Errorf("sessions %v, error %v", list, err)
	}

	// The address is another one's now: who is known by what is never given to anybody else stays who they are.
	issuer.Person(map[string]any{"sub": "4711", "email": "someone@else.test", "email_verified": true})
	if status, _ := browser().visit("https://desk.test/"); status != http.StatusOK {
		t.Errorf("by the link: %d", status)
	}
	if a := attempt(); a.By != "link" {
		t.Errorf("attempt %+v", a)
	}

	// What the provider says is not as the operator requires.
	issuer.Person(map[string]any{"sub": "4711", "email": "ada@example.test", "email_verified": true, "department": "Sales"})
	if status, _ := browser().visit("https://desk.test/"); status != http.StatusForbidden {
		t.Errorf("required otherwise: %d", status)
	}
	if a := attempt(); a.Reason != string(signin.Requirement) || !strings.Contains(a.Detail, `claim.department != "Sales"`) || a.Hint == "" || strings.Contains(fmt.Sprint(a.Checks), "ada@") ||
		!slices.ContainsFunc(a.Checks, func(c api.SigninCheck) bool { return c.Name == "require" && !c.OK }) || !slices.ContainsFunc(a.Checks, func(c api.SigninCheck) bool { return c.Name == "require" && c.OK }) {
		t.Errorf("attempt %+v", a)
	}
	issuer.Person(map[string]any{"sub": "4711", "email": "ada@example.test", "email_verified": true})

	enabled(false)
	sync()
	idp.Clock.Add(time.Minute)
	if status, _, _ := v.ask("https://desk.test/"); status != http.StatusUnauthorized {
		t.Errorf("disabled: %d", status)
	}
	if status, _ := v.visit("https://desk.test/"); status != http.StatusForbidden {
		t.Errorf("disabled, signing in again: %d", status)
	}
	if a := attempt(); a.Reason != string(signin.Disabled) {
		t.Errorf("attempt %+v", a)
	}

	enabled(true)
	sync()
	v = browser()
	if status, _ := v.visit("https://desk.test/"); status != http.StatusOK {
		t.Errorf("enabled again: %d", status)
	}
	if n, err := s.EndSessions(t.Context(), "hq/ada"); err != nil || n < 2 {
		t.Errorf("ended %d, error %v", n, err)
	}
	if status, _, _ := v.ask("https://desk.test/"); status != http.StatusUnauthorized {
		t.Errorf("ended by an operator: %d", status)
	}

	// What happened was counted, and what is known of the provider is there to be asked.
	families, err := s.metrics.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	known := prometheus.NewRegistry()
	known.MustRegister(newSigninCollector(s.providersSeen))
	more, err := known.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counted := ""
	for _, f := range append(families, more...) {
		for _, m := range f.GetMetric() {
			counted += f.GetName()
			for _, l := range m.GetLabel() {
				counted += " " + l.GetName() + "=" + l.GetValue()
			}
			counted += fmt.Sprintf(" %g %d\n", m.GetCounter().GetValue()+m.GetGauge().GetValue(), m.GetHistogram().GetSampleCount())
		}
	}
	for _, want := range []string{
		`signin_attempts_total outcome=refused provider=staff reason=unknown_person 1 `, `signin_attempts_total outcome=in provider=staff reason= [1-9]`, `signin_seconds provider=staff step=finish 0 [1-9]`,
		`signin_verify_total answer=sign_in app=desk [1-9]`, `signin_verify_seconds 0 [1-9]`, `signin_provider_success_timestamp_seconds provider=staff 1`, `signin_clock_offset_seconds provider=staff `,
		`signin_key_end_timestamp_seconds provider=staff use=client_secret 1`,
	} {
		if !regexp.MustCompile(want).MatchString(counted) {
			t.Errorf("no %s in\n%s", want, counted)
		}
	}

	// Another address for sign-in needs another daemon: the front listens already.
	running := s.current()
	for _, other := range []string{strings.Replace(signinConfig, "auth.test", "login.test", 1), strings.Replace(signinConfig, "[127.0.0.1]", "[192.0.2.1]", 1)} {
		if err := os.WriteFile("config.yaml", []byte(other), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := s.reload(t.Context(), "config.yaml", nobodyElse); err == nil || s.current() != running {
			t.Errorf("another `web` was taken: error %v", err)
		}
	}
	v = browser()
	if status, _ := v.visit("https://desk.test/"); status != http.StatusOK {
		t.Errorf("after a reload that was refused: %d", status)
	}

	// A daemon that starts anew knows who is in.
	v = browser()
	v.visit("https://desk.test/")
	if err := s.openSignin(t.Context(), w.cfg, s.host.front); err != nil {
		t.Fatal(err)
	}
	if status, _, _ := v.ask("https://desk.test/"); status != http.StatusOK {
		t.Errorf("after a reload: %d", status)
	}
}
