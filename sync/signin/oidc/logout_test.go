package oidc

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"dirsyncd/sync/signin"
	"dirsyncd/sync/signin/oidc/oidctest"
)

func TestBackChannel(t *testing.T) {
	at := func(w *world, d time.Duration) int64 { return w.server.Clock.Now().Add(d).Unix() }
	for name, tc := range map[string]struct {
		claims func(w *world) map[string]any
		sign   func(c map[string]any) string
		want   signin.Ended
		reason signin.Reason
		check  string
	}{
		"session": {
			claims: func(*world) map[string]any { return map[string]any{"sid": "s1"} }, want: signin.Ended{Sessions: []string{"s1"}},
		},
		"person": {
			claims: func(*world) map[string]any { return map[string]any{"sub": "person"} },
			want:   signin.Ended{Subject: signin.Subject{Realm: login, Value: "person", Immutable: true}},
		},
		"both": {
			claims: func(*world) map[string]any { return map[string]any{"sub": "person", "sid": "s1"} },
			want:   signin.Ended{Subject: signin.Subject{Realm: login, Value: "person", Immutable: true}, Sessions: []string{"s1"}},
		},
		"nobody":           {claims: func(*world) map[string]any { return nil }, reason: signin.Malformed, check: "library"},
		"another issuer":   {claims: func(*world) map[string]any { return map[string]any{"sid": "s1", "iss": "https://evil.test"} }, reason: signin.Issuer, check: "issuer"},
		"another audience": {claims: func(*world) map[string]any { return map[string]any{"sid": "s1", "aud": "other"} }, reason: signin.Audience, check: "audience"},
		"expired":          {claims: func(w *world) map[string]any { return map[string]any{"sid": "s1", "exp": at(w, -3*time.Minute)} }, reason: signin.Clock, check: "not expired"},
		"no exp":           {claims: func(*world) map[string]any { return map[string]any{"sid": "s1", "exp": nil} }, reason: signin.Clock, check: "not expired"},
		"old": {claims: func(w *world) map[string]any {
			return map[string]any{"sid": "s1", "iat": at(w, -5*time.Minute-time.Second)}
		}, reason: signin.Clock, check: "issued lately"},
		"early": {claims: func(w *world) map[string]any {
			return map[string]any{"sid": "s1", "iat": at(w, 5*time.Minute+time.Second)}
		}, reason: signin.Clock, check: "issued lately"},
		"no iat":       {claims: func(*world) map[string]any { return map[string]any{"sid": "s1", "iat": nil} }, reason: signin.Clock, check: "issued lately"},
		"five minutes": {claims: func(w *world) map[string]any { return map[string]any{"sid": "s1", "iat": at(w, -5*time.Minute)} }, want: signin.Ended{Sessions: []string{"s1"}}},
		"no event":     {claims: func(*world) map[string]any { return map[string]any{"sid": "s1", "events": nil} }, reason: signin.Malformed, check: "event"},
		"another event": {claims: func(*world) map[string]any {
			return map[string]any{"sid": "s1", "events": map[string]any{"x": map[string]any{}}}
		}, reason: signin.Malformed, check: "event"},
		"a nonce": {claims: func(*world) map[string]any { return map[string]any{"sid": "s1", "nonce": "n"} }, reason: signin.Nonce, check: "no nonce"},
		"no jti":  {claims: func(*world) map[string]any { return map[string]any{"sid": "s1", "jti": nil} }, reason: signin.Malformed, check: "library"},
		"alg none": {
			claims: func(*world) map[string]any { return map[string]any{"sid": "s1"} },
			sign:   func(c map[string]any) string { return unsigned(t, c, "none") }, reason: signin.NotSigned, check: "signed at all",
		},
		"another key": {
			claims: func(*world) map[string]any { return map[string]any{"sid": "s1"} },
			sign:   func(c map[string]any) string { return oidctest.NewKey(t, "ES256", "first").Sign(c, "logout+jwt") }, reason: signin.Signature, check: "signature",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.issuer.Sign(tc.sign)
			token := url.Values{"logout_token": {w.issuer.Logout(tc.claims(w))}}
			ended, reply, err := w.EndRequest(t.Context(), token)
			if tc.reason != "" {
				refused(t, err, tc.reason, tc.check)
				if reply.Status != http.StatusBadRequest || len(ended.Sessions) > 0 || ended.Subject.Value != "" {
					t.Errorf("%+v, %+v", ended, reply)
				}
				return
			}
			if err != nil || reply.Status != http.StatusOK || ended.Subject != tc.want.Subject || strings.Join(ended.Sessions, " ") != strings.Join(tc.want.Sessions, " ") {
				t.Errorf("%+v, %+v, %v", ended, reply, err)
			}
			_, reply, err = w.EndRequest(t.Context(), token)
			refused(t, err, signin.UsedAlready, "used once")
			if reply.Status != http.StatusBadRequest {
				t.Errorf("%+v", reply)
			}
		})
	}
}

// TestTokensOfAnotherKind: an ID token ends no session, and a logout token lets nobody in.
func TestTokensOfAnotherKind(t *testing.T) {
	w := newWorld(t, nil)
	a := w.in()
	_, _, err := w.EndRequest(t.Context(), url.Values{"logout_token": {a.IDToken}})
	refused(t, err, signin.Malformed, "event")

	logout := w.issuer.Logout(map[string]any{"sub": "person"})
	w.issuer.Answer(oidctest.Token, func(rw http.ResponseWriter, _ *http.Request) {
		oidctest.JSON(rw, http.StatusOK, map[string]any{"id_token": logout})
	})
	_, err = w.signIn()
	refused(t, err, signin.Nonce, "nonce")
}

// TestSubIsNotTheSubject: where people are known by another claim than sub, a logout token without sid names nobody.
func TestSubIsNotTheSubject(t *testing.T) {
	w := newWorld(t, func(g *Generic, _ *Options, _ *oidctest.Options) { g.Subject = "uid" })
	_, reply, err := w.EndRequest(t.Context(), url.Values{"logout_token": {w.issuer.Logout(map[string]any{"sub": "person"})}})
	refused(t, err, signin.ClaimRefused, "")
	if reply.Status != http.StatusBadRequest {
		t.Errorf("%+v", reply)
	}
}

func TestFrontChannel(t *testing.T) {
	w := newWorld(t, nil)
	ended, reply, err := w.EndRequest(t.Context(), url.Values{"iss": {login}, "sid": {"s1"}})
	if err != nil || reply.Status != http.StatusOK || len(ended.Sessions) != 1 || ended.Sessions[0] != "s1" || ended.Subject.Value != "" {
		t.Errorf("%+v, %+v, %v", ended, reply, err)
	}
	for name, form := range map[string]url.Values{
		"no issuer": {"sid": {"s1"}}, "another issuer": {"iss": {"https://evil.test"}, "sid": {"s1"}}, "no session": {"iss": {login}}, "nothing": {},
	} {
		ended, reply, err := w.EndRequest(t.Context(), form)
		if r := refusal(t, err); reply.Status != http.StatusBadRequest || len(ended.Sessions) > 0 || r.Reason != signin.Issuer && r.Reason != signin.Malformed {
			t.Errorf("%s: %+v, %+v, %v", name, ended, reply, err)
		}
	}
	e, _ := entraWorld(t, entra(func(e *Entra) { e.Tenants = []string{tenantA} }), nil)
	for name, form := range map[string]url.Values{
		"as Entra calls": {"sid": {"s1"}}, "with an issuer": {"sid": {"s1"}, "iss": {entraAt + tenantA + "/v2.0"}},
	} {
		if ended, _, err := e.EndRequest(t.Context(), form); err != nil || len(ended.Sessions) != 1 {
			t.Errorf("%s: %+v, %v", name, ended, err)
		}
	}
	_, _, err = e.EndRequest(t.Context(), url.Values{"sid": {"s1"}, "iss": {"https://evil.test"}})
	refused(t, err, signin.Issuer, "issuer")
}

func TestEnd(t *testing.T) {
	long := strings.Repeat("x", 5000)
	for name, tc := range map[string]struct {
		session signin.Session
		want    url.Values
	}{
		"nothing known": {signin.Session{}, url.Values{}},
		"token":         {signin.Session{IDToken: "a.b.c", State: "s"}, url.Values{"id_token_hint": {"a.b.c"}, "state": {"s"}}},
		"a long token":  {signin.Session{IDToken: long}, url.Values{}},
		"hint":          {signin.Session{IDToken: "a.b.c", LoginHint: "h"}, url.Values{"logout_hint": {"h"}}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			to, err := w.End(t.Context(), tc.session)
			tc.want.Set("client_id", client)
			tc.want.Set("post_logout_redirect_uri", "https://auth.example.test/auth/signed-out")
			if want := login + "/logout?" + tc.want.Encode(); err != nil || to.URL != want {
				t.Errorf("%s, %v, want %s", to.URL, err, want)
			}
		})
	}
}

// TestBrokenStore: what cannot be remembered is not believed.
func TestBrokenStore(t *testing.T) {
	broken := errors.New("the state is broken")
	w := newWorld(t, func(_ *Generic, o *Options, _ *oidctest.Options) { o.Once = failing{broken} })
	ended, _, err := w.EndRequest(t.Context(), url.Values{"logout_token": {w.issuer.Logout(map[string]any{"sid": "s1"})}})
	if !errors.Is(err, broken) || len(ended.Sessions) > 0 {
		t.Errorf("%+v, %v", ended, err)
	}
}
