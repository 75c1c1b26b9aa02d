package tour

import (
	"context"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"dirsyncd/connectors/sim/ldapsim"
	"dirsyncd/sync/api"
)

// We at the provider of identity. They open nothing but that of this process.
const (
	idpClient = "demo"
	idpSecret = "not~a~secret"
)

const signinConfig = `
# A reverse proxy stands in front of the desk, and asks whose a request is.
web: {url: "https://auth.example.test", listen: "127.0.0.1:9443", proxies: [127.0.0.1]}
signin:
  keys: signin.keys
  providers:
    office:
      provider: generic
      directories: [company]
      domains: [example.test]
      match: [mail]
      generic: {issuer: "%s", client_id: %s, client_secret: %s}
  apps:
    desk: {url: "https://desk.example.test", providers: [office], audience: agents, auto: true}
`

// signIn lets an agent sign in at the desk, and a stranger not.
func (t *tour) signIn(ctx context.Context) error {
	t.title("Sign-in", "People open the desk in a browser. They prove who they are at a provider of identity\n   (OpenID Connect), and the desk is told who that is: their record, with the same key.")
	if err := t.openSignin(ctx); err != nil {
		return err
	}
	in, stranger := t.newVisitor(), t.newVisitor()
	t.idp.next(t.agent)
	a := in.visit(ctx, "https://desk.example.test/")
	t.Out.Line("   %s opens https://desk.example.test/", t.agent)
	for _, name := range []string{"Remote-User", "Remote-Name", "Remote-Groups"} {
		t.Out.Line("     %s: %s", name, a.header.Get(name))
	}
	if err := expect("an agent is known", a.status == http.StatusOK && strings.HasPrefix(a.header.Get("Remote-User"), "company/") && a.header.Get("Remote-Email") == t.agent); err != nil {
		return err
	}
	t.visitor = in
	t.Out.Line("   stranger@example.test, who is at the provider and not in the directory, opens it:")
	t.idp.next("stranger@example.test")
	return t.refused(ctx, stranger, "unknown_person")
}

// signInNoMore disables the agent who is signed in.
func (t *tour) signInNoMore(ctx context.Context) error {
	t.title("Out at once", "The agent's account is disabled in the directory; at the provider it is not. After the\n   next sync the session is worth nothing, within half a minute.")
	people := ldapsim.Company(company).People
	i := slices.IndexFunc(people, func(p ldapsim.Person) bool { return p.Mail == t.agent })
	if i < 0 {
		return expect("the agent is in the directory", false)
	}
	if err := t.server.Lock(t.server.PersonDN(people[i].UID)); err != nil {
		return err
	}
	run, err := t.syncOne(ctx, "company")
	if err != nil {
		return err
	}
	if err := expect("the sync reads who is disabled", run.Outcome == "clean" && run.Changed == 1); err != nil {
		return err
	}
	t.ahead.Store(int64(half))
	a := t.visitor.ask(ctx, "https://desk.example.test/")
	t.ahead.Store(0)
	t.Out.Line("   Half a minute later the desk hears: %d %s", a.status, http.StatusText(a.status))
	if err := expect("who is disabled is out", a.status == http.StatusUnauthorized && a.header.Get("Remote-User") == ""); err != nil {
		return err
	}
	t.Out.Line("   and to sign in again does not help:")
	t.idp.next(t.agent)
	return t.refused(ctx, t.visitor, "disabled")
}

// half is for how long it may be remembered that somebody is good.
const half = 31 * time.Second

// refused shows what somebody sees who is not let in, and what the operator finds by the number.
func (t *tour) refused(ctx context.Context, v *visitor, reason string) error {
	a := v.visit(ctx, "https://desk.example.test/")
	heading, number := heading.FindStringSubmatch(a.body), number.FindStringSubmatch(a.body)
	if err := expect("the page says a number", a.status == http.StatusForbidden && heading != nil && number != nil); err != nil {
		return err
	}
	t.Out.Line("     “%s” Number %s", heading[1], number[1])
	list, err := t.ops.SigninAttempts(ctx, api.SigninRequest{ID: number[1]})
	if err != nil {
		return err
	}
	if err := expect("the attempt is found by its number", len(list) == 1 && list[0].Reason == reason); err != nil {
		return err
	}
	t.Out.Line("   $ dirsyncd signin show %s", number[1])
	t.Out.Para("     ", list[0].Reason+": "+list[0].Detail)
	t.Out.Para("     → ", list[0].Hint)
	return nil
}

var (
	heading = regexp.MustCompile(`<h1[^>]*>([^<]+)</h1>`)
	number  = regexp.MustCompile(`<strong>([^<]+)</strong>`)
)

// openSignin adds sign-in to the configuration, and opens the state anew with it.
func (t *tour) openSignin(ctx context.Context) (err error) {
	now := func() time.Time { return time.Now().Add(time.Duration(t.ahead.Load())) }
	if t.idp, err = openIDP(now); err != nil {
		return err
	}
	text, err := os.ReadFile(t.path("config.yaml"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(t.path("config.yaml"), append(text, fmt.Sprintf(signinConfig, t.idp.URL, idpClient, idpSecret)...), 0o600); err != nil {
		return err
	}
	t.done()
	t.done = nil
	cfg, err := t.Load(t.path("config.yaml"))
	if err != nil {
		return err
	}
	t.ops, t.front, t.done, err = t.Signin(ctx, cfg, t.idp.Client(), now)
	return err
}

// visitor is a browser, and the reverse proxy of the desk.
type visitor struct {
	t   *tour
	jar http.CookieJar
}

func (t *tour) newVisitor() *visitor {
	jar, _ := cookiejar.New(nil) // it never fails: see its documentation
	return &visitor{t, jar}
}

// page is what came back.
type page struct {
	status int
	header http.Header
	body   string
}

// ask sends one request. The desk's proxy asks whose a request is, but for those below /auth/.
func (v *visitor) ask(ctx context.Context, address string) page {
	u, err := url.Parse(address)
	if err != nil {
		return page{}
	}
	if u.Host == strings.TrimPrefix(v.t.idp.URL, "https://") {
		client := *v.t.idp.Client()
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
		if err != nil {
			return page{}
		}
		resp, err := client.Do(req)
		if err != nil {
			return page{}
		}
		_ = resp.Body.Close()
		return page{status: resp.StatusCode, header: resp.Header}
	}
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	r.RemoteAddr = "127.0.0.1:4711"
	r.Header.Set("Accept", "text/html")
	for _, c := range v.jar.Cookies(u) {
		r.AddCookie(c)
	}
	if !strings.HasPrefix(u.Path, "/auth/") {
		r.Header.Set("X-Original-Url", address)
		r.Header.Set("X-Original-Method", http.MethodGet)
		r.URL.Path, r.Host = "/auth/verify/nginx", "dirsyncd"
	}
	w := httptest.NewRecorder()
	v.t.front.ServeHTTP(w, r)
	v.jar.SetCookies(u, w.Result().Cookies())
	return page{w.Code, w.Header(), w.Body.String()}
}

// visit goes wherever it is sent.
func (v *visitor) visit(ctx context.Context, address string) (a page) {
	const most = 20
	for range most {
		if a = v.ask(ctx, address); a.header.Get("Location") == "" {
			return a
		}
		address = a.header.Get("Location")
	}
	return a
}
