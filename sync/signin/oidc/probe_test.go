package oidc

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"dirsyncd/sync/signin"
	"dirsyncd/sync/signin/oidc/oidctest"
)

func probe(t *testing.T, w *world) string {
	t.Helper()
	findings, err := w.Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, f := range findings {
		state := "ok "
		if !f.OK {
			state = "NO "
		}
		if strings.Contains(f.Text+f.Hint, secret) {
			t.Errorf("%+v", f)
		}
		all = append(all, state+f.Text+" ("+f.Hint+")")
	}
	return strings.Join(all, "\n")
}

func TestProbe(t *testing.T) {
	w := newWorld(t, func(_ *Generic, o *Options, _ *oidctest.Options) {
		o.Logout, o.Login = "https://auth.example.test/auth/oidc/p/logout", "https://auth.example.test/auth/oidc/p/login"
	})
	seen := probe(t, w)
	for _, want := range []string{
		"ok discovery: " + login + wellKnown + ", issuer " + login, "ok clock: the provider's is 0s ahead", "ok key first, fingerprint ",
		"ok client authentication by client_secret_post: the client is known", "redirect address " + callback, "/auth/signed-out", "/p/logout", "/p/login",
	} {
		if !strings.Contains(seen, want) {
			t.Errorf("%q is not in\n%s", want, seen)
		}
	}
	for name, tc := range map[string]struct {
		set  func(w *world)
		want string
	}{
		"the clock": {func(w *world) {
			w.issuer.Answer(oidctest.Discovery, func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Date", w.server.Clock.Now().Add(10*time.Minute).UTC().Format(http.TimeFormat))
				oidctest.JSON(rw, http.StatusOK, w.issuer.Document())
			})
			w.issuer.Answer(oidctest.Keys, func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Date", w.server.Clock.Now().Add(10*time.Minute).UTC().Format(http.TimeFormat))
				rw.WriteHeader(http.StatusNotFound)
			})
		}, "NO clock: the provider's is 10m0s ahead of ours (set the clock"},
		"the keys":   {func(w *world) { w.issuer.Answer(oidctest.Keys, http.NotFound) }, "NO read the keys: " + login + "/keys: status Not Found"},
		"discovery":  {func(w *world) { w.issuer.Answer(oidctest.Discovery, http.NotFound) }, "NO read the discovery document: "},
		"the client": {func(w *world) { w.preset.client.ClientID = "unknown" }, "NO client authentication by client_secret_post is refused: invalid_client (compare client_id"},
		"the token endpoint": {func(w *world) {
			w.issuer.Answer(oidctest.Token, func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusBadGateway) })
		}, "NO client authentication by client_secret_post: status 502"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			tc.set(w)
			if seen := probe(t, w); !strings.Contains(seen, tc.want) {
				t.Errorf("%q is not in\n%s", tc.want, seen)
			}
		})
	}
}

// TestProbeTenants: the authority for many and every tenant that is listed are looked at.
func TestProbeTenants(t *testing.T) {
	w, _ := entraWorld(t, entra(func(e *Entra) { e.Tenants = []string{tenantA, tenantC} }), nil)
	seen := probe(t, w)
	for _, want := range []string{"ok discovery: " + entraAt + "organizations", "ok key key of " + tenantA, "NO read the discovery document: " + entraAt + tenantC} {
		if !strings.Contains(seen, want) {
			t.Errorf("%q is not in\n%s", want, seen)
		}
	}
}

// TestExplain: every code leads to something that an operator can do.
func TestExplain(t *testing.T) {
	for _, tc := range []struct{ code, text, want, hint string }{
		{"access_denied", "", "access_denied", "cancelled"},
		{"invalid_client", "AADSTS7000215: Invalid client secret provided.", "AADSTS7000215", "value"},
		{"invalid_request", "AADSTS50011: The redirect URI ...", "AADSTS50011", "redirect address"},
		{"access_denied", "AADB2C90091: The user has cancelled", "AADB2C90091", "cancelled"},
		{"invalid_grant", "AADSTS7777777: x", "AADSTS7777777", "look the number up"},
		{"x\x1b[2J", "", "x [2J", "log of the provider"},
	} {
		code, hint := explain(tc.code, tc.text)
		if code != tc.want || !strings.Contains(hint, tc.hint) {
			t.Errorf("%s: %q, %q", tc.code, code, hint)
		}
	}
	for code, hint := range hints {
		if hint == "" {
			t.Errorf("%s has no hint", code)
		}
	}
	for _, code := range []string{"AADSTS50011", "AADSTS50020", "AADSTS50105", "AADSTS65001", "AADSTS700016"} {
		if hints[code] == "" {
			t.Errorf("%s is not explained", code)
		}
	}
}

var _ signin.Provider = (*Provider)(nil)
