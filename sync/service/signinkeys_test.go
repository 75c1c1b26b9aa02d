package service

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"dirsyncd/sync/api"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/signin"
	"dirsyncd/sync/signin/keyring"
	"dirsyncd/sync/signin/oidc"
	"dirsyncd/sync/signin/oidc/oidctest"
)

// inside is a daemon at which Ada, who was synced, can sign in.
type inside struct {
	*Service
	t      *testing.T
	world  *world
	client *http.Client
	log    *logBook
}

// logBook is a log that many goroutines write.
type logBook struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logBook) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b.Reset()
}

func newInside(t *testing.T, config string) *inside {
	t.Helper()
	w := newWorld(t)
	idp := oidctest.NewServer(t, "idp.example.test")
	issuer := idp.NewIssuer(t, oidctest.Options{Discovery: "https://idp.example.test/.well-known/openid-configuration", Issuer: "https://idp.example.test", ClientID: "us", Secret: "secret-of-us"})
	issuer.Person(map[string]any{"sub": "4711", "email": "ada@example.test", "email_verified": true})
	issuer.Info(map[string]any{"sub": "4711"})
	in := &inside{t: t, world: w, client: idp.Client(t), log: &logBook{}}
	w.parts.Identities = signin.Registry{}
	for name, f := range oidc.Factories() {
		usual := f.New
		f.New = func(block any, env signin.Env) (signin.Provider, error) {
			env.Client = in.client
			return usual(block, env)
		}
		w.parts.Identities[name] = f
	}
	if err := os.WriteFile("config.yaml", []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	w.load(t)
	o := directory.Object{Kind: directory.Person, ID: "ada"}
	o.SetText(directory.FieldName, "Ada")
	o.SetText(directory.FieldEmail, "ada@example.test")
	w.source.Put("", o)
	opts := w.options()
	opts.Now, opts.Log = idp.Clock.Now, slog.New(slog.NewTextHandler(in.log, nil))
	s, err := newService(w.cfg, opts, &host{runs: t.Context(), front: newFront(w.cfg.Web, opts.Log), trigger: func(string) {}, next: func(string) (at time.Time) { return }, nextAudit: func(string) (at time.Time) { return }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	in.Service = s
	if _, err := s.run(t.Context(), "hq", engine.Job{Trigger: engine.Operator}); err != nil {
		t.Fatal(err)
	}
	return in
}

func (in *inside) open() error { return in.openSignin(in.t.Context(), in.world.cfg, in.host.front) }

func (in *inside) signIn() (status int) {
	in.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		in.t.Fatal(err)
	}
	status, _ = (&visitor{in.t, in.Service, in.client, jar}).visit("https://desk.test/")
	return status
}

// TestKeysThatAreGone: keys are made when sign-in starts for the first time. Where people have signed in before, that is said loudly; and while
// they sign in, keys that are gone change nothing.
func TestKeysThatAreGone(t *testing.T) {
	in := newInside(t, signinConfig)
	if err := in.open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(in.closeSignin)
	if log := in.log.String(); !strings.Contains(log, "the keys of sign-in were made") || strings.Contains(log, "level=WARN") {
		t.Errorf("the first time:\n%s", log)
	}
	if status := in.signIn(); status != http.StatusOK {
		t.Fatal(status)
	}
	door, kid := in.door, in.door.portal.Keys.Sign().ID
	if err := os.Remove("signin.keys"); err != nil {
		t.Fatal(err)
	}
	running := in.current()
	if err := in.reload(t.Context(), "config.yaml", nobodyElse); fault.Hint(err) == "" || in.current() != running {
		t.Errorf("a reload was taken: error %v", err)
	}
	if st, err := in.Status(t.Context()); err != nil || !strings.Contains(st.Problem, "signin.keys") {
		t.Errorf("status %q, error %v", st.Problem, err)
	}
	in.reopenSignin(t.Context(), in.world.cfg)
	if in.door != door || !strings.Contains(in.log.String(), "it goes on as before") {
		t.Errorf("at a reload:\n%s", in.log)
	}
	if _, err := os.Stat("signin.keys"); err == nil {
		t.Error("new keys were made")
	}
	if status := in.signIn(); status != http.StatusOK {
		t.Errorf("after the reload: %d", status)
	}
	if err := in.open(); fault.ClassOf(err) != fault.Configuration || fault.Hint(err) == "" {
		t.Errorf("error %v", err)
	}
	in.closeSignin()
	in.log.Reset()
	if err := in.open(); err != nil || in.door.portal.Keys.Sign().ID == kid || !strings.Contains(in.log.String(), "level=WARN") || !strings.Contains(in.log.String(), "new ones were made") {
		t.Errorf("at a start: error %v\n%s", err, in.log)
	}
}

// TestKeysOfACredential: keys that are a secret are read, never written, and cannot be turned here.
func TestKeysOfACredential(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	text, err := keyring.New(time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/signin-keys", text, 0o400); err != nil {
		t.Fatal(err)
	}
	in := newInside(t, strings.Replace(signinConfig, "keys: signin.keys", "keys: {credential: signin-keys}", 1))
	if err := in.open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(in.closeSignin)
	if status := in.signIn(); status != http.StatusOK {
		t.Error(status)
	}
	list, err := in.SigninKeys(t.Context(), api.SigninKeysRequest{})
	if err != nil || len(list) != 1 || list[0].State != keyring.Signs {
		t.Errorf("%+v, error %v", list, err)
	}
	if _, err := in.SigninKeys(t.Context(), api.SigninKeysRequest{Rotate: true}); fault.Hint(err) == "" || fault.ClassOf(err) != fault.Configuration {
		t.Errorf("rotated: %v", err)
	}
}

// TestOperating: whom somebody would be, what links them, which keys sign, and what was stored last.
func TestOperating(t *testing.T) {
	in := newInside(t, signinConfig)
	ctx := t.Context()
	if _, err := in.SigninKeys(ctx, api.SigninKeysRequest{}); fault.ClassOf(err) != fault.Configuration {
		t.Errorf("keys that are not there yet: %v", err)
	}
	if err := in.open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(in.closeSignin)
	for _, tc := range []struct {
		says                 map[string]string
		record, reason, apps string
	}{
		{map[string]string{"mail": "ADA@example.test"}, "hq/ada", "", "desk"},
		{map[string]string{"mail": "bob@example.test"}, "", "unknown_person", ""},
		{map[string]string{"mail": "ada@elsewhere.test"}, "", "domain_not_allowed", ""},
		{map[string]string{"id": "ada"}, "hq/ada", "", "desk"},
		{map[string]string{"id": "bob", "mail": "ada@example.test"}, "", "unknown_person", ""},
	} {
		found, err := in.SigninWho(ctx, api.SigninWhoRequest{Provider: "staff", Says: tc.says})
		if err != nil || found.Record != tc.record || found.Reason != tc.reason || strings.Join(found.Apps, " ") != tc.apps || (found.Hint == "") != (tc.reason == "") || len(found.Checks) == 0 {
			t.Errorf("%v: %+v, error %v", tc.says, found, err)
		}
	}
	for _, bad := range []api.SigninWhoRequest{{Provider: "stuff", Says: map[string]string{"mail": "x"}}, {Provider: "staff"}, {Provider: "staff", Says: map[string]string{"colour": "red"}}} {
		if _, err := in.SigninWho(ctx, bad); fault.ClassOf(err) != fault.Configuration {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if list, err := in.SigninLinks(ctx, ""); err != nil || len(list) != 0 {
		t.Errorf("asking has linked somebody: %+v, error %v", list, err)
	}
	in.signIn()
	list, err := in.SigninLinks(ctx, "hq/ada")
	if err != nil || len(list) != 1 || list[0].Provider != "staff" || list[0].Object != "hq/ada" {
		t.Fatalf("%+v, error %v", list, err)
	}
	if n, err := in.Unlink(ctx, "hq/bob"); err != nil || n != 0 {
		t.Errorf("somebody else: %d, error %v", n, err)
	}
	if n, err := in.Unlink(ctx, list[0].ID); err != nil || n != 1 {
		t.Errorf("forgot %d, error %v", n, err)
	}
	if _, err := in.Unlink(ctx, ""); err == nil {
		t.Error("everybody was forgotten")
	}
	keys, err := in.SigninKeys(ctx, api.SigninKeysRequest{Rotate: true})
	if err != nil || len(keys) != 2 || keys[0].State != keyring.Signs || keys[1].State != keyring.Next {
		t.Errorf("%+v, error %v", keys, err)
	}
	if published := in.door.portal.Keys.Published(); len(published) != 2 {
		t.Errorf("the portal publishes %d", len(published))
	}
	in.signIn()
	in.closeSignin() // what was not stored yet is
	if attempts, err := in.SigninAttempts(ctx, api.SigninRequest{}); err != nil || len(attempts) != 2 {
		t.Errorf("%d attempts, error %v", len(attempts), err)
	}
	if keys, err := in.SigninKeys(ctx, api.SigninKeysRequest{}); err != nil || len(keys) != 2 {
		t.Errorf("without a portal: %+v, error %v", keys, err)
	}
}
