package service

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"dirsyncd/sync/directory"
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
	for _, path := range []string{"/auth/logout", "/consolex/", "/console/../auth/logout", "/"} {
		address := "https://auth.test/auth/start?" + url.Values{"p": {"staff"}, "rd": {"https://auth.test" + path}}.Encode()
		if status, next, _ := visitors["key"].ask(address); status != http.StatusBadRequest || next != "" {
			t.Errorf("to %s: %d %s", path, status, next)
		}
	}
}
