package service

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"dirsyncd/sync/api"
	"dirsyncd/sync/config"
	"dirsyncd/sync/console"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/signin"
	"dirsyncd/sync/signin/portal"
)

const consoleConfig = `state: state.db
web: {url: "https://auth.test", listen: "127.0.0.1:0", proxies: [127.0.0.1]}
console:
  signin: {providers: [staff], operators: {team: [IT], key: [hq/key]}, readers: {role: ["Help, Desk"]}}
signin:
  keys: signin.keys
  providers:
    staff:
      provider: generic
      directories: [hq]
      domains: [example.test]
      match: [mail]
      generic: {issuer: "https://idp.example.test", client_id: us, client_secret: secret-of-us}
  apps:
    desk: {url: "https://desk.test", providers: [staff], auto: true}
connections:
  hq: {connector: memory, mapping: m, targets: [journal], memory: {}}
mappings:
  m: {rules: [{name: everyone, when: enabled ?? true, user: {name: = name, email: = email, role: = title, team: '= [department]'}}]}
targets:
  journal: {target: file, file: {path: changes.jsonl}}
`

// TestConsoleRoles: a field of a record that happens to be called key is not its key.
func TestConsoleRoles(t *testing.T) {
	in := portal.Insider{Record: "hq/1", Standing: signin.Standing{Values: map[string][]string{"key": {"hq/2"}, "team": {"IT"}, "role": {""}}}}
	for _, test := range []struct {
		wanted map[string][]string
		want   bool
	}{
		{map[string][]string{"key": {"hq/1"}}, true}, {map[string][]string{"key": {"hq/2"}}, false}, {map[string][]string{"team": {"HR", "IT"}}, true},
		{map[string][]string{"team": {"it"}}, false}, {map[string][]string{"role": {""}}, false}, {nil, false},
	} {
		if got := among(test.wanted, &in); got != test.want {
			t.Errorf("%v: %t", test.wanted, got)
		}
	}
}

// TestConsoleSignIn: who signs in at a provider uses the console as their record has it; a list is its values, and a text one.
func TestConsoleSignIn(t *testing.T) {
	w := newSigninWorld(t, consoleConfig)
	w.s.openConsole(w.cfg)
	t.Cleanup(w.s.closeConsole)
	person := func(id, title, department string, enabled bool) {
		o := directory.Object{Kind: directory.Person, ID: id}
		o.SetText(directory.FieldName, id)
		o.SetText(directory.FieldEmail, id+"@example.test")
		o.SetText(directory.FieldTitle, title)
		o.SetText(directory.FieldDepartment, department)
		o.Set(directory.FieldEnabled, directory.Bool(enabled))
		w.source.Put("", o)
	}
	person("boss", "", "IT", true)
	person("key", "", "", true)
	person("desk", "Help, Desk", "", true)
	person("liar", "IT, x", "x, IT", true)
	person("other", "Help", "Sales", true)
	w.sync(t, "hq")

	post := func(v *visitor, path, form string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, "https://auth.test"+path, strings.NewReader(url.Values{"form": {form}, "connection": {"hq"}}.Encode()))
		r.RemoteAddr = "127.0.0.1:4711"
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for _, c := range v.jar.Cookies(r.URL) {
			r.AddCookie(c)
		}
		rec := httptest.NewRecorder()
		w.s.host.front.ServeHTTP(rec, r)
		return rec
	}
	page := func(v *visitor, path string) (int, string) {
		r := httptest.NewRequest(http.MethodGet, "https://auth.test"+path, nil)
		r.RemoteAddr = "127.0.0.1:4711"
		for _, c := range v.jar.Cookies(r.URL) {
			r.AddCookie(c)
		}
		rec := httptest.NewRecorder()
		w.s.host.front.ServeHTTP(rec, r)
		return rec.Code, rec.Body.String()
	}
	visitors := map[string]*visitor{}
	for who, want := range map[string]struct{ look, decide int }{
		"boss": {200, 303}, "key": {200, 303}, "desk": {200, 403}, "liar": {403, 403}, "other": {403, 403},
	} {
		w.issuer.Person(map[string]any{"sub": who, "email": who + "@example.test", "email_verified": true})
		v := w.browser(t)
		visitors[who] = v
		// Without a token's user nobody is asked for one: the browser is sent on, to the page with the one provider, and back.
		status, _ := v.visit("https://auth.test/console/held?x=1")
		if status != http.StatusOK {
			t.Fatalf("%s: no page that lists providers: %d", who, status)
		}
		if status, _ := v.visit(w.s.door.portal.Begin("console", "/console/held?x=1") + "&p=staff"); status != want.look {
			t.Errorf("%s looks: %d, want %d", who, status, want.look)
		}
		_, body := page(v, "/console/decisions")
		_, rest, _ := strings.Cut(body, `name="form" value="`)
		form, _, _ := strings.Cut(rest, `"`)
		if rec := post(v, "/console/sync", form); rec.Code != want.decide {
			t.Errorf("%s decides: %d, want %d", who, rec.Code, want.decide)
		}
		if rec := post(v, "/console/sync", "of somebody else"); rec.Code != http.StatusForbidden {
			t.Errorf("%s, another form: %d", who, rec.Code)
		}
	}
	if rec := post(visitors["boss"], "/console/logout", ""); rec.Code != http.StatusForbidden {
		t.Errorf("signing out without the form: %d", rec.Code)
	}

	// A provider that the configuration in force does not name for the console lets nobody decide, though sign-in goes on with a former one.
	asks := httptest.NewRequest(http.MethodGet, "https://auth.test/console/", nil)
	for _, c := range visitors["key"].jar.Cookies(asks.URL) {
		asks.AddCookie(c)
	}
	for provider, want := range map[string]console.Role{"staff": console.Operator, "other": 0} {
		who := insiders{w.s, &config.ConsoleSignin{Providers: []string{provider}, Operators: map[string][]string{"key": {"hq/key"}}}}
		if p, ok, err := who.Who(asks); err != nil || !ok || p.Role != want {
			t.Errorf("by %s: %+v, %t, %v", provider, p, ok, err)
		}
	}

	// Whoever signed in signs out everywhere, by the page that asks for that.
	_, out := page(visitors["desk"], "/console/decisions")
	_, out, _ = strings.Cut(out, `name="form" value="`)
	form, _, _ := strings.Cut(out, `"`)
	if rec := post(visitors["desk"], "/console/logout", form); rec.Code != http.StatusSeeOther || rec.Header().Get("Location") != "/auth/logout" {
		t.Errorf("signing out: %d to %q", rec.Code, rec.Header().Get("Location"))
	}

	// Whoever loses the field that made them an operator decides nothing from the next sync on, by whatever page they have open.
	_, before := page(visitors["boss"], "/console/decisions")
	_, before, _ = strings.Cut(before, `name="form" value="`)
	open, _, _ := strings.Cut(before, `"`)
	person("boss", "Help, Desk", "Sales", true)
	w.sync(t, "hq")
	w.idp.Clock.Add(time.Minute)
	if status, body := page(visitors["boss"], "/console/"); status != http.StatusOK || !strings.Contains(body, "(may look)") {
		t.Errorf("no operator any more: %d", status)
	}
	if rec := post(visitors["boss"], "/console/sync", open); rec.Code != http.StatusForbidden || !strings.Contains(rec.Body.String(), "You may look, and not decide.") {
		t.Errorf("decides by a page that was open: %d", rec.Code)
	}

	// Whoever the directory disables is out, and the console is no application for proxies.
	person("boss", "", "IT", false)
	w.sync(t, "hq")
	w.idp.Clock.Add(time.Minute)
	if status, _ := page(visitors["boss"], "/console/"); status != http.StatusSeeOther {
		t.Errorf("disabled: %d", status)
	}
	r := httptest.NewRequest(http.MethodGet, "https://dirsyncd/auth/verify/nginx", nil)
	r.RemoteAddr = "127.0.0.1:4711"
	r.Header.Set("X-Original-Url", "https://auth.test/console/")
	r.Header.Set("X-Original-Method", http.MethodGet)
	rec := httptest.NewRecorder()
	w.s.host.front.ServeHTTP(rec, r)
	if rec.Code != http.StatusForbidden {
		t.Errorf("asked by a proxy: %d", rec.Code)
	}
	// It is at the front's own host, and at that of no application.
	for host, want := range map[string]int{"auth.test": http.StatusSeeOther, "desk.test": http.StatusMisdirectedRequest, "auth.test.evil.test": http.StatusMisdirectedRequest, "127.0.0.1": http.StatusMisdirectedRequest} {
		r := httptest.NewRequest(http.MethodGet, "https://"+host+"/console/", nil)
		r.RemoteAddr = "127.0.0.1:4711"
		rec := httptest.NewRecorder()
		w.s.host.front.ServeHTTP(rec, r)
		if rec.Code != want {
			t.Errorf("the console at %s: %d", host, rec.Code)
		}
		if policy := rec.Header().Get("Content-Security-Policy"); !strings.Contains(policy, "frame-ancestors 'none'") || !strings.Contains(policy, "form-action 'self'") || rec.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", host, rec.Header())
		}
	}
	for _, path := range []string{"/auth/logout", "/consolex/", "/console/../auth/logout", "/"} {
		address := "https://auth.test/auth/start?" + url.Values{"p": {"staff"}, "rd": {"https://auth.test" + path}}.Encode()
		if status, next, _ := visitors["key"].ask(address); status != http.StatusBadRequest || next != "" {
			t.Errorf("to %s: %d %s", path, status, next)
		}
	}

	w.s.closeConsole() // which waits for what was asked for
	// The trail says who it was by what they cannot write themselves.
	list, err := w.s.Decisions(t.Context(), api.DecisionsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var by []string
	for i := range list {
		by = append(by, list[i].By)
	}
	slices.Sort(by)
	if want := []string{"hq/boss (boss, console)", "hq/key (key, console)"}; !slices.Equal(by, want) {
		t.Errorf("decided by %q, want %q", by, want)
	}
}
