package portal

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/signin"
	"dirsyncd/sync/signin/keyring"
	"dirsyncd/sync/web"
)

// shelf is Items in memory.
type shelf struct {
	mu     sync.Mutex
	list   map[string]store.Item
	writes int
	broken error
}

func (s *shelf) Put(_ context.Context, space string, items ...store.Item) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range items {
		s.list[space+" "+string(i.Key)] = i
		s.writes++
	}
	return s.broken
}

func (s *shelf) Replace(_ context.Context, space string, items ...store.Item) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range items {
		if _, ok := s.list[space+" "+string(i.Key)]; ok {
			s.list[space+" "+string(i.Key)] = i
			s.writes++
			n++
		}
	}
	return n, s.broken
}

func (s *shelf) Get(_ context.Context, space string, key []byte) (store.Item, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, ok := s.list[space+" "+string(key)] // also when its time is over: that is for who asks
	return i, ok, s.broken
}

func (s *shelf) Take(ctx context.Context, space string, key []byte) (store.Item, bool, error) {
	i, ok, err := s.Get(ctx, space, key)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.list, space+" "+string(key))
	return i, ok, err
}

func (s *shelf) Delete(_ context.Context, space string, keys ...[]byte) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range keys {
		if _, ok := s.list[space+" "+string(k)]; ok {
			delete(s.list, space+" "+string(k))
			n++
		}
	}
	return n, s.broken
}

func (s *shelf) Count(_ context.Context, space string) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range s.list {
		if strings.HasPrefix(k, space+" ") {
			n++
		}
	}
	return n, s.broken
}

func (s *shelf) Scan(_ context.Context, space string, owner []byte, fn func(store.Item) bool) error {
	s.mu.Lock()
	var found []store.Item
	for k, i := range s.list {
		if strings.HasPrefix(k, space+" ") && (len(owner) == 0 || slices.ContainsFunc(i.Owners, func(o []byte) bool { return bytes.Equal(o, owner) })) {
			found = append(found, i)
		}
	}
	s.mu.Unlock()
	slices.SortFunc(found, func(a, b store.Item) int { return bytes.Compare(a.Key, b.Key) })
	for _, i := range found {
		if !fn(i) {
			break
		}
	}
	return s.broken
}

// idp is a provider that says what the test wants.
type idp struct {
	says    signin.Assertion
	refuses error
	ended   signin.Ended
	blank   bool // EndRequest reads an answer
}

func (i *idp) Begin(_ context.Context, s signin.Start) (signin.To, signin.Pending, error) {
	q := url.Values{"state": {s.State}}
	if s.Again {
		q.Set("prompt", "select_account")
	}
	return signin.To{URL: "https://idp.test/authorize?" + q.Encode()}, signin.Pending{Nonce: "n", Request: "_request"}, nil
}

func (i *idp) Finish(_ context.Context, _ url.Values, p *signin.Pending) (*signin.Assertion, error) {
	if i.refuses != nil {
		return nil, i.refuses
	}
	if p != nil && (p.Nonce != "n" || p.State == "") {
		return nil, errors.New("what was pending is another")
	}
	a := i.says
	return &a, nil
}

func (i *idp) EndRequest(context.Context, url.Values) (signin.Ended, signin.Reply, error) {
	if i.blank {
		return signin.Ended{}, signin.Reply{}, nil
	}
	return i.ended, signin.Reply{Status: http.StatusOK}, i.refuses
}

func (i *idp) End(context.Context, signin.Session) (signin.To, error) {
	return signin.To{URL: "https://idp.test/logout"}, nil
}
func (i *idp) Probe(context.Context) ([]signin.Finding, error) { return nil, nil }

// people are those of the test.
type people struct {
	mu     sync.Mutex
	list   map[string]signin.Standing // by id
	broken error
}

func (p *people) Scopes(context.Context, string) ([]signin.Scope, error) {
	return []signin.Scope{{Connection: "hq"}}, nil
}

func (p *people) ByID(_ context.Context, where signin.Scope, id string) (signin.Owner, bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ok := p.list[id]
	return signin.Owner{Scope: where, ID: id, Record: where.Connection + "/" + id}, ok, p.broken
}

func (p *people) Find(context.Context, []signin.Scope, string, string) ([]signin.Owner, error) {
	return nil, nil
}

func (p *people) Standing(_ context.Context, o signin.Owner) (signin.Standing, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.list[o.ID], p.broken
}

func (p *people) set(id string, s signin.Standing) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list[id] = s
}

// world is a portal behind a reverse proxy, with applications.
type world struct {
	t      *testing.T
	now    time.Time
	front  *web.Front
	portal *Portal
	shelf  *shelf
	people *people
	idp    *idp
	log    bytes.Buffer
	ears   *ears
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return w.now }
	keys, err := keyring.Create(filepath.Join(t.TempDir(), "keys"), clock)
	if err != nil {
		t.Fatal(err)
	}
	parse := func(s string) *url.URL {
		u, err := url.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	in := signin.Standing{There: true, Enabled: true, Kinds: []string{"agent"}, Fields: map[string]string{"name": "Änn Lee", "email": "ann@example.test", "role": "technician"}}
	w.shelf = &shelf{list: make(map[string]store.Item)}
	w.people = &people{list: map[string]signin.Standing{"ann": in, "uma": {There: true, Enabled: true, Kinds: []string{"user"}}}}
	w.idp = &idp{says: signin.Assertion{Subject: signin.Subject{Realm: "idp", Value: "ann", Immutable: true, Object: "ann"}, Session: "sid-1", Request: "_request", At: w.now}}
	policy := signin.Policy{Directories: []signin.Directory{{Connection: "hq"}}, Admission: signin.Both}
	named := func(name string, saml bool) Named {
		p := policy
		p.Provider = name
		return Named{Provider: w.idp, Name: name, Policy: p, Host: "idp.test", SAML: saml}
	}
	w.ears = newEars(t)
	log := slog.New(slog.NewTextHandler(&w.log, nil))
	w.portal, err = New(Options{
		URL: parse("https://auth.test"), Providers: []Named{named("staff", false), named("partner", true)},
		Apps: []App{
			{Name: "desk", URL: parse("https://desk.test"), Providers: []string{"staff"}, Admission: signin.Both, Auto: true},
			{Name: "wiki", URL: parse("https://wiki.test:8443"), Providers: []string{"staff", "partner"}, Admission: signin.Both},
			{Name: "admin", URL: parse("https://admin.test"), Providers: []string{"staff"}, Admission: signin.Agents, Auto: true},
			{Name: "shop", URL: parse("https://shop.test"), Providers: []string{"staff"}, Admission: signin.Both, TokenURL: parse("https://shop.test/sso"), LogoutURL: parse(w.ears.url + "/shop"), Auto: true},
			{Name: "chat", URL: parse("https://chat.test"), Providers: []string{"staff"}, Admission: signin.Both, LogoutURL: parse(w.ears.url + "/chat"), Auto: true},
			{Name: "helpdesk", URL: parse("https://helpdesk.test"), Providers: []string{"staff"}, Admission: signin.Both, Product: &product{}, Auto: true},
			{Name: "fresh", URL: parse("https://fresh.test"), Providers: []string{"staff"}, Admission: signin.Both, Product: &product{nonce: true}, Auto: true},
		},
		People: w.people, Items: w.shelf, Keys: keys, Client: w.ears.client, Log: log, Now: clock, Lifetime: 12 * time.Hour, Idle: 2 * time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.front = web.New(web.Options{URL: parse("https://auth.test"), Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, Log: log})
	for path, route := range map[string]web.Route{
		"/auth/":        {Handler: w.portal, Hosts: w.portal.Hosts()},
		"/auth/saml/":   {Handler: w.portal, CrossSite: true, Body: 1 << 20},
		"/auth/verify/": {Handler: w.portal, Proxies: true},
	} {
		if _, err := w.front.Mount(path, route); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// last is the last attempt.
func (w *world) last() Attempt {
	w.t.Helper()
	w.now = w.now.Add(time.Millisecond) // no two at once
	if err := w.portal.StoreAttempts(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	list, err := Attempts(w.t.Context(), w.shelf, false, time.Time{})
	if err != nil || len(list) == 0 {
		w.t.Fatalf("%d attempts, error %v", len(list), err)
	}
	one, found, err := AttemptOf(w.t.Context(), w.shelf, list[0].ID)
	if err != nil || !found || one.At != list[0].At {
		w.t.Fatalf("%v, error %v", one, err)
	}
	return one
}

// reply is what came of a request.
type reply struct {
	StatusCode int
	Header     http.Header
	Body       *bytes.Buffer
}

func replyOf(rec *httptest.ResponseRecorder) *reply { return &reply{rec.Code, rec.Header(), rec.Body} }

// Cookies are those that are set.
func (r *reply) Cookies() []*http.Cookie { return (&http.Response{Header: r.Header}).Cookies() }

// browser has cookies.
type browser struct {
	w    *world
	jar  *cookiejar.Jar
	from string
}

func (w *world) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return &browser{w, jar, "192.0.2.7"}
}

// do sends one request through the reverse proxy. What a browser refuses of a cookie named __Host- is refused here, too.
func (b *browser) do(method, address string, form url.Values, header ...string) *reply {
	b.w.t.Helper()
	r := httptest.NewRequest(method, address, strings.NewReader(form.Encode()))
	u := r.URL
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	crossSite := r.Header.Get("Sec-Fetch-Site") == "cross-site"
	for _, c := range b.jar.Cookies(u) {
		if !crossSite || method == http.MethodGet { // SameSite=Lax
			r.AddCookie(c)
		}
	}
	r.RemoteAddr = "127.0.0.1:4711"
	r.Header.Set("X-Forwarded-Host", u.Host)
	r.Header.Set("X-Forwarded-Proto", "https")
	r.Header.Set("X-Forwarded-For", b.from)
	r.URL = &url.URL{Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery}
	rec := httptest.NewRecorder()
	b.w.front.ServeHTTP(rec, r)
	resp := replyOf(rec)
	for _, c := range resp.Cookies() {
		if strings.HasPrefix(c.Name, "__Host-") && (!c.Secure || !c.HttpOnly || c.Path != "/" || c.Domain != "" || c.SameSite != http.SameSiteLaxMode) {
			b.w.t.Errorf("cookie %s is not as it must be", c.Name)
		}
	}
	b.jar.SetCookies(u, resp.Cookies())
	return resp
}

func (b *browser) get(address string, header ...string) *reply {
	b.w.t.Helper()
	return b.do(http.MethodGet, address, nil, header...)
}

// visit is what a browser sees of an application behind nginx: its page, or wherever it is sent, up to the provider.
func (b *browser) visit(address string) (status int, where string, headers http.Header) {
	b.w.t.Helper()
	for range 10 {
		u, err := url.Parse(address)
		if err != nil {
			b.w.t.Fatal(err)
		}
		switch {
		case u.Host == "idp.test":
			return http.StatusFound, address, nil
		case strings.HasPrefix(u.Path, "/auth/"):
			resp := b.get(address)
			if resp.StatusCode != http.StatusSeeOther {
				return resp.StatusCode, address, resp.Header
			}
			address = resp.Header.Get("Location")
		default:
			resp := b.verify(address)
			if resp.StatusCode == http.StatusOK {
				return resp.StatusCode, address, resp.Header
			}
			if address = resp.Header.Get("Location"); address == "" {
				return resp.StatusCode, address, resp.Header
			}
		}
	}
	b.w.t.Fatal("a circle")
	return 0, "", nil
}

// verify is nginx that asks about a request of this browser.
func (b *browser) verify(address string, header ...string) *reply {
	b.w.t.Helper()
	r := httptest.NewRequest(http.MethodGet, "http://dirsyncd/auth/verify/nginx", nil)
	u, err := url.Parse(address)
	if err != nil {
		b.w.t.Fatal(err)
	}
	for _, c := range b.jar.Cookies(u) {
		r.AddCookie(c)
	}
	r.RemoteAddr = "127.0.0.1:4711"
	r.Header.Set("X-Original-Url", address)
	r.Header.Set("X-Original-Method", http.MethodGet)
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	b.w.front.ServeHTTP(rec, r)
	return replyOf(rec)
}

// back is the provider that sends the browser back.
func (b *browser) back(provider, atProvider string) (status int, where string, headers http.Header) {
	b.w.t.Helper()
	u, err := url.Parse(atProvider)
	if err != nil || u.Host != "idp.test" {
		b.w.t.Fatalf("not at the provider but at %s", atProvider)
	}
	return b.visit("https://auth.test/auth/oidc/" + provider + "/callback?" + url.Values{"state": u.Query()["state"], "code": {"c"}}.Encode())
}

// signIn ends at the application.
func (b *browser) signIn(address string) {
	b.w.t.Helper()
	_, at, _ := b.visit(address)
	if status, at, _ := b.back("staff", at); status != http.StatusOK || at != address {
		b.w.t.Fatalf("%d at %s\n%s", status, at, b.w.log.String())
	}
}

func TestSignIn(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.signIn("https://desk.test/tickets?open=1")
	_, _, h := b.visit("https://desk.test/tickets")
	if h.Get("Remote-User") != "hq/ann" || h.Get("Remote-Email") != "ann@example.test" || h.Get("Remote-Name") != "Änn Lee" || h.Get("Remote-Groups") != "technician" || h.Get("X-Dirsyncd-Token") == "" {
		t.Errorf("headers %v", h)
	}
	// Another application of the same people: no question.
	if status, at, _ := b.visit("https://wiki.test:8443/page"); status != http.StatusOK || at != "https://wiki.test:8443/page" {
		t.Errorf("%d at %s", status, at)
	}
	if !strings.Contains(w.log.String(), "signed in") || strings.Contains(w.log.String(), "ann@example.test") || strings.Contains(w.log.String(), "Lee") {
		t.Errorf("log:\n%s", w.log.String())
	}
	if last := w.last(); last.Reason != "" || last.Owner.ID != "ann" || last.App != "desk" || last.By != "id" {
		t.Errorf("attempt %+v", last)
	}
}

func TestVerifyAnswers(t *testing.T) {
	w := newWorld(t)
	stranger, ann := w.browser(), w.browser()
	ann.signIn("https://desk.test/")
	for name, c := range map[string]struct {
		b        *browser
		address  string
		header   []string
		status   int
		location bool
	}{
		"a page":                      {b: stranger, address: "https://desk.test/", status: http.StatusUnauthorized, location: true},
		"a script":                    {b: stranger, address: "https://desk.test/api", header: []string{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"}, status: http.StatusUnauthorized},
		"a frame":                     {b: stranger, address: "https://desk.test/", header: []string{"Sec-Fetch-Dest", "iframe"}, status: http.StatusUnauthorized},
		"a form":                      {b: stranger, address: "https://desk.test/", header: []string{"X-Original-Method", "POST"}, status: http.StatusUnauthorized},
		"an old browser":              {b: stranger, address: "https://desk.test/", header: []string{"Sec-Fetch-Mode", "", "Accept", "text/html,*/*"}, status: http.StatusUnauthorized, location: true},
		"signed in":                   {b: ann, address: "https://desk.test/", status: http.StatusOK},
		"the cookie of another":       {b: ann, address: "https://admin.test/", status: http.StatusUnauthorized, location: true},
		"no application":              {b: ann, address: "https://other.test/", status: http.StatusForbidden},
		"http":                        {b: ann, address: "http://desk.test/", status: http.StatusForbidden},
		"another port":                {b: ann, address: "https://desk.test:444/", status: http.StatusForbidden},
		"a user in the address":       {b: ann, address: "https://desk.test@other.test/", status: http.StatusForbidden},
		"headers of the other family": {b: stranger, address: "https://desk.test/", header: []string{"X-Original-Url", "", "X-Forwarded-Uri", "/"}, status: http.StatusForbidden},
	} {
		resp := c.b.verify(c.address, c.header...)
		if resp.StatusCode != c.status || (resp.Header.Get("Location") != "") != c.location {
			t.Errorf("%s: %d, Location %q", name, resp.StatusCode, resp.Header.Get("Location"))
		}
		if l := resp.Header.Get("Location"); l != "" && !strings.HasPrefix(l, c.address[:len("https://desk.test")]) && !strings.HasPrefix(l, "https://admin.test/auth/begin") {
			t.Errorf("%s: Location %s", name, l)
		}
	}
	// Whoever is no proxy learns nothing.
	r := httptest.NewRequest(http.MethodGet, "https://auth.test/auth/verify/nginx", nil)
	r.RemoteAddr = "192.0.2.9:1"
	r.Header.Set("X-Original-Url", "https://desk.test/")
	rec := httptest.NewRecorder()
	w.front.ServeHTTP(rec, r)
	if rec.Code != http.StatusNotFound {
		t.Errorf("a stranger asks: %d", rec.Code)
	}
}

func TestForward(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.signIn("https://desk.test/")
	ask := func(b *browser, header ...string) *reply {
		r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:9443/auth/verify/forward?rd=https://other.test/", nil)
		u, _ := url.Parse("https://desk.test/")
		for _, c := range b.jar.Cookies(u) {
			r.AddCookie(c)
		}
		r.RemoteAddr = "127.0.0.1:4711"
		for k, v := range map[string]string{"X-Forwarded-Proto": "https", "X-Forwarded-Host": "desk.test", "X-Forwarded-Uri": "/a?b=c", "X-Forwarded-Method": "GET", "Accept": "text/html"} {
			r.Header.Set(k, v)
		}
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		rec := httptest.NewRecorder()
		w.front.ServeHTTP(rec, r)
		return replyOf(rec)
	}
	if resp := ask(b); resp.StatusCode != http.StatusOK || resp.Header.Get("Remote-User") != "hq/ann" {
		t.Errorf("%d, %v", resp.StatusCode, resp.Header)
	}
	if resp := ask(w.browser()); resp.StatusCode != http.StatusFound || resp.Header.Get("Location") != "https://desk.test/auth/begin?rd=https%3A%2F%2Fdesk.test%2Fa%3Fb%3Dc" {
		t.Errorf("%d, %v", resp.StatusCode, resp.Header)
	}
	if resp := ask(w.browser(), "Accept", "application/json"); resp.StatusCode != http.StatusUnauthorized || resp.Header.Get("Location") != "" {
		t.Errorf("%d, %v", resp.StatusCode, resp.Header)
	}
	// Every header is there, blank ones, too.
	b = w.browser()
	w.idp.says.Subject.Value, w.idp.says.Subject.Object = "uma", "uma"
	b.signIn("https://desk.test/")
	resp := ask(b)
	for _, name := range []string{"Remote-User", "Remote-Email", "Remote-Name", "Remote-Groups", "X-Dirsyncd-Token"} {
		if _, ok := resp.Header[name]; !ok {
			t.Errorf("no %s", name)
		}
	}
	// Nobody is let in or out where the state cannot be read.
	w.now = w.now.Add(time.Minute)
	w.people.broken = errors.New("the disk is gone")
	if resp := ask(b); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("%d", resp.StatusCode)
	}
	if resp := b.verify("https://desk.test/"); resp.StatusCode != http.StatusForbidden {
		t.Errorf("%d", resp.StatusCode)
	}
	w.people.broken = nil
	if resp := ask(b); resp.StatusCode != http.StatusOK {
		t.Errorf("%d", resp.StatusCode)
	}
}

// TestDisabledMeanwhile: whoever does not stand any more is out within half a minute of that being stored.
func TestDisabledMeanwhile(t *testing.T) {
	w := newWorld(t)
	for name, standing := range map[string]signin.Standing{
		"disabled":  {There: true, Kinds: []string{"agent"}},
		"gone":      {Enabled: true, Kinds: []string{"agent"}},
		"no record": {There: true, Enabled: true},
	} {
		before := w.people.list["ann"]
		b := w.browser()
		b.signIn("https://desk.test/")
		w.people.set("ann", standing)
		w.now = w.now.Add(freshFor)
		if resp := b.verify("https://desk.test/"); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: %d", name, resp.StatusCode)
		}
		w.people.set("ann", before)
		if resp := b.verify("https://desk.test/"); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: the session came back", name)
		}
	}
}

func TestSessionsEnd(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.signIn("https://desk.test/")
	for range 5 { // used each hour
		w.now = w.now.Add(time.Hour)
		if resp := b.verify("https://desk.test/"); resp.StatusCode != http.StatusOK {
			t.Fatalf("after %s: %d", w.now, resp.StatusCode)
		}
	}
	w.now = w.now.Add(2*time.Hour + time.Second)
	if resp := b.verify("https://desk.test/"); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("idle: %d", resp.StatusCode)
	}
	b.signIn("https://desk.test/")
	for range 12 {
		w.now = w.now.Add(time.Hour)
		b.verify("https://desk.test/")
	}
	if resp := b.verify("https://desk.test/"); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("after twelve hours: %d", resp.StatusCode)
	}
	w.idp.says.Until = w.now.Add(time.Hour)
	b.signIn("https://desk.test/")
	w.now = w.now.Add(time.Hour)
	if resp := b.verify("https://desk.test/"); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("later than the provider allows: %d", resp.StatusCode)
	}
}

func TestRefusals(t *testing.T) {
	w := newWorld(t)
	in := w.people.list["ann"]
	refused := func() string {
		t.Helper()
		b := w.browser()
		_, at, _ := b.visit("https://desk.test/")
		u, _ := url.Parse(at)
		resp := b.get("https://auth.test/auth/oidc/staff/callback?" + url.Values{"state": u.Query()["state"]}.Encode())
		if resp.StatusCode != http.StatusForbidden {
			t.Errorf("%d", resp.StatusCode)
		}
		if status, _, _ := b.visit("https://desk.test/"); status == http.StatusOK {
			t.Error("they are in")
		}
		var body bytes.Buffer
		_, _ = body.ReadFrom(resp.Body)
		return strings.ReplaceAll(body.String(), w.last().ID, "NUMBER")
	}
	var texts []string
	for _, standing := range []signin.Standing{{There: true}, {Enabled: true}, {There: true, Enabled: true}} {
		w.people.set("ann", standing)
		texts = append(texts, refused())
	}
	w.people.set("ann", in)
	w.idp.says.Subject.Object = "nobody"
	texts = append(texts, refused())
	for _, text := range texts {
		if text != texts[0] || !strings.Contains(text, "NUMBER") {
			t.Errorf("%s\nis not\n%s", text, texts[0])
		}
	}
	if n := strings.Count(w.log.String(), "sign-in refused"); n != 4 {
		t.Errorf("%d lines:\n%s", n, w.log.String())
	}
	refused()
	if n := strings.Count(w.log.String(), "sign-in refused"); n != 4 {
		t.Errorf("the same again within a minute is told again")
	}
	for key := range w.shelf.list {
		if !strings.HasPrefix(key, spaceAttempt+" ") {
			t.Errorf("whoever is refused has left %q", key)
		}
	}
	if list, err := Attempts(t.Context(), w.shelf, true, time.Time{}); err != nil || len(list) != 5 {
		t.Errorf("%d refused, error %v", len(list), err)
	}
}

// TestNothingIsWrittenForAnybody: ten thousand starts are no write.
func TestNothingIsWrittenForAnybody(t *testing.T) {
	w := newWorld(t)
	for i := range 10_000 {
		b := w.browser()
		b.from = netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}).String()
		if i%2 == 0 {
			b.from = netip.AddrFrom4([4]byte{198, 51, 100, byte(i / 256)}).String()
		}
		if resp := b.get("https://auth.test/auth/start?rd=https%3A%2F%2Fdesk.test%2F"); resp.StatusCode != http.StatusSeeOther {
			t.Fatalf("start %d: %d", i, resp.StatusCode)
		}
	}
	if w.shelf.writes != 0 {
		t.Errorf("%d writes", w.shelf.writes)
	}
}

// TestOfAnotherBrowser: what is begun in one browser is not ended in another.
func TestOfAnotherBrowser(t *testing.T) {
	w := newWorld(t)
	mine, theirs := w.browser(), w.browser()
	_, at, _ := mine.visit("https://desk.test/")
	if status, _, _ := theirs.back("staff", at); status != http.StatusBadRequest {
		t.Errorf("a callback from another jar: %d", status)
	}
	// The code for an application: with a link that is sent, too.
	u, _ := url.Parse(at)
	resp := mine.get("https://auth.test/auth/oidc/staff/callback?" + url.Values{"state": u.Query()["state"]}.Encode())
	enter := resp.Header.Get("Location")
	if !strings.HasPrefix(enter, "https://desk.test/auth/enter?code=") {
		t.Fatalf("%d to %s", resp.StatusCode, enter)
	}
	if resp := theirs.get(enter); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("entered with another's code: %d", resp.StatusCode)
	}
	if resp := mine.get(enter); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("a code counts twice: %d", resp.StatusCode)
	}
	if status, at, _ := mine.visit("https://desk.test/"); status != http.StatusOK {
		t.Errorf("%d at %s", status, at)
	}
}

func TestCallbackTwice(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	_, at, _ := b.visit("https://desk.test/")
	u, _ := url.Parse(at)
	callback := "https://auth.test/auth/oidc/staff/callback?" + url.Values{"state": u.Query()["state"]}.Encode()
	stale := w.browser()
	stale.jar = b.jar
	if status, _, _ := b.visit(callback); status != http.StatusOK {
		t.Fatal("not in")
	}
	resp := b.get(callback) // a tab that is loaded anew
	if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "https://auth.test/auth/" {
		t.Errorf("%d to %s", resp.StatusCode, resp.Header.Get("Location"))
	}
	b = w.browser()
	_, at, _ = b.visit("https://desk.test/")
	w.now = w.now.Add(pendingLife + time.Second)
	if status, _, _ := b.back("staff", at); status != http.StatusBadRequest {
		t.Errorf("after a quarter of an hour: %d", status)
	}
	// A state that begins like the right one.
	b = w.browser()
	_, at, _ = b.visit("https://desk.test/")
	u, _ = url.Parse(at)
	state := u.Query().Get("state")
	if resp := b.get("https://auth.test/auth/oidc/staff/callback?state=" + state[:len(state)-1]); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("%d", resp.StatusCode)
	}
}

func TestManyTabs(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	var at []string
	for range mostPending + 3 {
		w.now = w.now.Add(time.Second)
		_, where, _ := b.visit("https://desk.test/")
		at = append(at, where)
	}
	u, _ := url.Parse("https://auth.test/")
	if n := len(b.jar.Cookies(u)); n != mostPending {
		t.Errorf("%d cookies", n)
	}
	if status, _, _ := b.back("staff", at[0]); status != http.StatusBadRequest {
		t.Errorf("the oldest: %d", status)
	}
	if status, _, _ := b.back("staff", at[len(at)-1]); status != http.StatusOK {
		t.Errorf("the newest: %d", status)
	}
}

func TestRedirectsLeadToApplicationsOnly(t *testing.T) {
	w := newWorld(t)
	for _, rd := range append(slices.Clone(foreign), "") {
		b := w.browser()
		resp := b.get("https://auth.test/auth/start?" + url.Values{"rd": {rd}}.Encode())
		if resp.StatusCode != http.StatusBadRequest || len(resp.Cookies()) > 0 {
			t.Errorf("%q: %d to %s", rd, resp.StatusCode, resp.Header.Get("Location"))
		}
		if resp := b.get("https://desk.test/auth/begin?" + url.Values{"rd": {rd}}.Encode()); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("begin %q: %d to %s", rd, resp.StatusCode, resp.Header.Get("Location"))
		}
	}
	if to, ok := w.portal.target("https://desk.test/auth/logout?x=1"); !ok || to.url != "https://desk.test/" {
		t.Errorf("our own address: %v", to)
	}
}

// foreign are spellings of addresses that are nobody's here.
var foreign = []string{
	"https://other.test/", "//other.test/", "https:other.test", "https:///other.test", "https://desk.test.other.test/", "https://other.test/https://desk.test/",
	"https://desk.test@other.test/", "https://user@desk.test/", "https://desk.test:443@other.test/", "https://desk.test#@other.test/", "https://desk.test/#x",
	"https://desk.test\\@other.test/", "https://desk.test\\.other.test/", "http://desk.test/", "javascript:alert(1)", "data:text/html,x", "https://desk.test:444/",
	"/tickets", "desk.test/", "https://desk.test /", " https://desk.test/", "https://desk.test/\r\nx: y", "https://desk.test/\x00", "https://%64esk.test.other.test/",
	"https://desk.test.", "https://desk。test/", "ftp://desk.test/", "https://[::1]/", "https://auth.test/", "https://wiki.test/", "https://desk.test/" + strings.Repeat("a", longestAddress),
}

func FuzzTarget(f *testing.F) {
	for _, rd := range foreign {
		f.Add(rd)
	}
	f.Add("https://desk.test/a?b=c")
	app := App{Name: "desk", URL: &url.URL{Scheme: "https", Host: "desk.test"}}
	p := &Portal{Options: Options{Apps: []App{app}}}
	f.Fuzz(func(t *testing.T, rd string) {
		to, ok := p.target(rd)
		if !ok {
			return
		}
		if u, err := url.Parse(to.url); err != nil || u.Scheme != "https" || u.Host != "desk.test" || u.User != nil || strings.ContainsAny(to.url, "\r\n\\") || !strings.HasPrefix(to.url, "https://desk.test/") {
			t.Errorf("%q leads to %q", rd, to.url)
		}
	})
}

func TestSAML(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	_, at, _ := b.visit("https://wiki.test:8443/page")
	if !strings.HasPrefix(at, "https://auth.test/auth/start?") {
		t.Fatalf("at %s", at)
	}
	_, at, _ = b.visit(at + "&p=partner")
	u, _ := url.Parse(at)
	relay := u.Query().Get("state")[:handleSize]
	post := func(relay string) *reply {
		return b.do(http.MethodPost, "https://auth.test/auth/saml/partner/acs", url.Values{"SAMLResponse": {"x"}, "RelayState": {relay}}, "Origin", "https://idp.test", "Sec-Fetch-Site", "cross-site")
	}
	resp := post(relay)
	done := resp.Header.Get("Location")
	if resp.StatusCode != http.StatusSeeOther || len(resp.Cookies()) > 0 || !strings.HasPrefix(done, "https://auth.test/auth/saml/partner/done?h=") {
		t.Fatalf("%d to %s, cookies %v", resp.StatusCode, done, resp.Cookies())
	}
	if resp := w.browser().get(done); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("from another jar: %d", resp.StatusCode)
	}
	done = post(relay).Header.Get("Location")
	w.now = w.now.Add(outcomeLife)
	if resp := b.get(done); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("after a minute: %d", resp.StatusCode)
	}
	w.idp.says.Request = "_other"
	if resp := b.get(post(relay).Header.Get("Location")); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("to another request: %d", resp.StatusCode)
	}
	w.idp.says.Request = "_request"
	_, at, _ = b.visit("https://wiki.test:8443/page")
	_, at, _ = b.visit(at + "&p=partner")
	u, _ = url.Parse(at)
	if status, at, _ := b.visit(post(u.Query().Get("state")[:handleSize]).Header.Get("Location")); status != http.StatusOK || at != "https://wiki.test:8443/page" {
		t.Errorf("%d at %s\n%s", status, at, w.log.String())
	}
	// What nobody asked for is begun anew; where the provider wants people to go counts only if it is an application.
	w.idp.refuses = &signin.Refusal{Reason: signin.NotBegunHere, Restart: &signin.Start{}}
	for _, relay := range []string{"", "https://other.test/", "https://wiki.test:8443/tile"} {
		resp := b.get(post(relay).Header.Get("Location"))
		if !strings.HasPrefix(resp.Header.Get("Location"), "https://idp.test/authorize?") {
			t.Errorf("%q: %d to %s", relay, resp.StatusCode, resp.Header.Get("Location"))
		}
	}
}

// TestAccept: an answer that nobody asked for, where it is taken as it comes, lets nobody in without a question.
func TestAccept(t *testing.T) {
	w := newWorld(t)
	w.idp.says.Request = ""
	b := w.browser()
	post := func() *reply {
		resp := b.do(http.MethodPost, "https://auth.test/auth/saml/partner/acs", url.Values{"SAMLResponse": {"x"}, "RelayState": {"https://wiki.test:8443/tile"}}, "Origin", "https://idp.test", "Sec-Fetch-Site", "cross-site")
		return b.get(resp.Header.Get("Location"))
	}
	resp := post()
	var body bytes.Buffer
	_, _ = body.ReadFrom(resp.Body)
	_, token, _ := strings.Cut(body.String(), `name="token" value="`)
	token, _, _ = strings.Cut(token, `"`)
	form := url.Values{"token": {token}}
	if resp.StatusCode != http.StatusOK || token == "" || !strings.Contains(body.String(), "Continue as ann?") {
		t.Fatalf("%d\n%s", resp.StatusCode, body.String())
	}
	if resp := b.verify("https://wiki.test:8443/tile"); resp.StatusCode == http.StatusOK {
		t.Error("in without having said so")
	}
	if resp := b.do(http.MethodPost, "https://auth.test/auth/accept/partner", form, "Origin", "https://evil.test", "Sec-Fetch-Site", "cross-site"); resp.StatusCode != http.StatusForbidden {
		t.Errorf("from another site: %d", resp.StatusCode)
	}
	resp = b.do(http.MethodPost, "https://auth.test/auth/accept/partner", form, "Origin", "https://auth.test", "Sec-Fetch-Site", "same-origin")
	// No redirect: browsers stop one that leads from a form to another host.
	onward, _ := strings.CutPrefix(resp.Header.Get("Refresh"), "0; url=")
	if resp.StatusCode != http.StatusOK {
		t.Errorf("accepted: %d", resp.StatusCode)
	}
	if status, at, _ := b.visit(onward); status != http.StatusOK || at != "https://wiki.test:8443/tile" {
		t.Errorf("%d at %s\n%s", status, at, w.log.String())
	}
	if resp := b.do(http.MethodPost, "https://auth.test/auth/accept/partner", form, "Origin", "https://auth.test"); resp.StatusCode == http.StatusOK {
		t.Errorf("twice: %d", resp.StatusCode)
	}
}

func TestLogout(t *testing.T) {
	w := newWorld(t)
	b, other := w.browser(), w.browser()
	b.signIn("https://desk.test/")
	b.visit("https://wiki.test:8443/")
	other.signIn("https://desk.test/")
	resp := b.get("https://desk.test/auth/logout")
	if resp.Header.Get("Location") != "https://auth.test/auth/logout" {
		t.Fatalf("to %s", resp.Header.Get("Location"))
	}
	body := func(r *reply) string { var s bytes.Buffer; _, _ = s.ReadFrom(r.Body); return s.String() }
	text := body(b.get("https://auth.test/auth/logout"))
	_, token, _ := strings.Cut(text, `name="token" value="`)
	token, _, _ = strings.Cut(token, `"`)
	if resp := b.do(http.MethodPost, "https://auth.test/auth/logout", url.Values{"token": {"forged"}}); resp.StatusCode != http.StatusForbidden {
		t.Errorf("a forged form: %d", resp.StatusCode)
	}
	if resp := b.verify("https://desk.test/"); resp.StatusCode != http.StatusOK {
		t.Errorf("signed out by a forged form: %d", resp.StatusCode)
	}
	if resp := b.do(http.MethodPost, "https://auth.test/auth/logout", url.Values{"token": {token}}); resp.StatusCode != http.StatusOK || !strings.Contains(body(resp), "You are signed out") {
		t.Errorf("%d", resp.StatusCode)
	}
	for _, app := range []string{"https://desk.test/", "https://wiki.test:8443/"} {
		if resp := b.verify(app); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: %d", app, resp.StatusCode)
		}
	}
	if resp := other.verify("https://desk.test/"); resp.StatusCode != http.StatusOK {
		t.Errorf("another browser of the same person: %d", resp.StatusCode)
	}
	if _, at, _ := b.visit("https://desk.test/"); !strings.Contains(at, "prompt=select_account") {
		t.Errorf("signed in again without a question: %s", at)
	}
	// The provider ends what is left.
	w.idp.ended = signin.Ended{Sessions: []string{"sid-1"}}
	if resp := other.do(http.MethodPost, "https://auth.test/auth/oidc/staff/logout", url.Values{"logout_token": {"x"}}); resp.StatusCode != http.StatusOK {
		t.Errorf("%d", resp.StatusCode)
	}
	if resp := other.verify("https://desk.test/"); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("%d", resp.StatusCode)
	}
}

// TestFixation: what a browser had before it signed in is worth nothing after.
func TestFixation(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.signIn("https://desk.test/")
	planted := b.jar
	victim := w.browser()
	u, _ := url.Parse("https://auth.test/")
	_, at, _ := victim.visit("https://desk.test/")
	victim.jar.SetCookies(u, planted.Cookies(u))
	victim.back("staff", at)
	for _, c := range victim.jar.Cookies(u) {
		for _, before := range planted.Cookies(u) {
			if c.Name == sessionCookie && c.Value == before.Value {
				t.Error("the cookie is the one that was planted")
			}
		}
	}
}

func TestAudienceOfAnApplication(t *testing.T) {
	w := newWorld(t)
	w.idp.says.Subject.Value, w.idp.says.Subject.Object = "uma", "uma"
	b := w.browser()
	_, at, _ := b.visit("https://admin.test/")
	if status, _, _ := b.back("staff", at); status != http.StatusForbidden {
		t.Errorf("a user at an application for agents: %d", status)
	}
	b.signIn("https://desk.test/")
	// What was an agent when the cookie was made.
	w.idp.says.Subject.Value, w.idp.says.Subject.Object = "ann", "ann"
	b = w.browser()
	b.signIn("https://admin.test/")
	w.people.set("ann", signin.Standing{There: true, Enabled: true, Kinds: []string{"user"}})
	w.now = w.now.Add(freshFor)
	if resp := b.verify("https://admin.test/"); resp.StatusCode != http.StatusForbidden {
		t.Errorf("%d", resp.StatusCode)
	}
}

// TestCookieThatDoesNotComeBack: a circle ends with a page that says why.
// TestAcceptForAProduct: where the form of ours is what leads to a product, no redirect does.
func TestAcceptForAProduct(t *testing.T) {
	w := newWorld(t)
	fresh := w.portal.appNamed("fresh")
	fresh.Product, fresh.Providers = &product{}, []string{"partner"}
	w.idp.says.Request = ""
	b := w.browser()
	resp := b.do(http.MethodPost, "https://auth.test/auth/saml/partner/acs", url.Values{"SAMLResponse": {"x"}, "RelayState": {"https://fresh.test/"}}, "Origin", "https://idp.test", "Sec-Fetch-Site", "cross-site")
	resp = b.get(resp.Header.Get("Location"))
	_, token, _ := strings.Cut(resp.Body.String(), `name="token" value="`)
	token, _, _ = strings.Cut(token, `"`)
	resp = b.do(http.MethodPost, "https://auth.test/auth/accept/partner", url.Values{"token": {token}}, "Origin", "https://auth.test", "Sec-Fetch-Site", "same-origin")
	if onward := resp.Header.Get("Refresh"); resp.StatusCode != http.StatusOK || !strings.HasPrefix(onward, "0; url=https://product.test/in?") {
		t.Errorf("%d, Refresh %q, Location %q", resp.StatusCode, onward, resp.Header.Get("Location"))
	}
}

// TestLongAddress: whoever wants to go to a very long address comes in, be it at the first page of the application: browsers drop larger cookies.
func TestLongAddress(t *testing.T) {
	for _, length := range []int{1000, 3000, 4000} {
		w := newWorld(t)
		b := w.browser()
		at := "https://desk.test/?" + strings.Repeat("a=1&", length/4)[:length-20]
		begun := b.get(b.get("https://desk.test/auth/begin?rd=" + url.QueryEscape(at)).Header.Get("Location"))
		for _, c := range begun.Cookies() {
			if size := len(c.Name) + len(c.Value); size > 4096 {
				t.Errorf("%d: a cookie of %d bytes", length, size)
			}
		}
		u, err := url.Parse(begun.Header.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		if length > 2000 {
			at = "https://desk.test/"
		}
		if status, where, _ := b.visit("https://auth.test/auth/oidc/staff/callback?" + url.Values{"state": u.Query()["state"]}.Encode()); status != http.StatusOK || where != at {
			t.Errorf("%d: %d at %s", length, status, where)
		}
	}
}

// TestTokenThatIsNotKept: an application that takes a token, and asks for one again and again, is no circle without an end.
func TestTokenThatIsNotKept(t *testing.T) {
	for _, ask := range []string{"start?app=shop&rd=/cart&nonce=n", "app/helpdesk", "app/fresh?nonce=n", "app/fresh"} {
		w := newWorld(t)
		b := w.browser()
		b.signIn("https://desk.test/")
		for i := range entriesPerSession + 1 {
			resp := b.get("https://auth.test/auth/" + ask)
			if ended := resp.StatusCode == http.StatusBadRequest; ended != (i == entriesPerSession) {
				t.Errorf("%s, time %d: %d", ask, i, resp.StatusCode)
			}
		}
	}
}

func TestCookieThatDoesNotComeBack(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.signIn("https://desk.test/")
	u, _ := url.Parse("https://desk.test/")
	for range entriesPerSession - 1 {
		b.jar.SetCookies(u, []*http.Cookie{{Name: sessionCookie, Path: "/", Secure: true, MaxAge: -1}})
		if status, _, _ := b.visit("https://desk.test/"); status != http.StatusOK {
			t.Fatalf("%d", status)
		}
	}
	b.jar.SetCookies(u, []*http.Cookie{{Name: sessionCookie, Path: "/", Secure: true, MaxAge: -1}})
	if status, at, _ := b.visit("https://desk.test/"); status != http.StatusBadRequest {
		t.Errorf("%d at %s", status, at)
	}
}
