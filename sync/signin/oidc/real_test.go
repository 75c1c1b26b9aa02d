package oidc

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"dirsyncd/sync/settings"
	"dirsyncd/sync/signin"
	"dirsyncd/sync/signin/oidc/oidctest"
)

// nowMemory is a memory with the clock of this machine.
func nowMemory() *oidctest.Memory {
	m := oidctest.NewMemory(oidctest.NewClock())
	m.Clock.Add(time.Since(m.Clock.Now()))
	return m
}

func signInAt(t *testing.T, p *Provider, theirs *oidctest.Real) (url.Values, *signin.Pending) {
	t.Helper()
	to, pending, err := p.Begin(t.Context(), signin.Start{State: random()})
	if err != nil {
		t.Fatal(err)
	}
	form, page := theirs.Visit(t, to.URL)
	if form == nil {
		t.Fatalf("the provider stays at %s", page)
	}
	return form, &pending
}

// TestOIDCProvider signs in at oidc-provider, by each algorithm and each way of saying who we are, and out again in both directions.
func TestOIDCProvider(t *testing.T) {
	certificate := oidctest.NewCertificate(t, "example.test")
	pair, err := readCredential(string(certificate.Cert) + string(certificate.Key))
	if err != nil {
		t.Fatal(err)
	}
	ours := oidctest.JWKS(&oidctest.Key{ID: "ours", Private: pair.key})

	logouts := make(chan url.Values, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.ParseForm() == nil {
			logouts <- r.PostForm
		}
	}))
	t.Cleanup(receiver.Close)
	const signedOut = "https://auth.example.test/auth/signed-out"
	registered := func(id, alg, method string) map[string]any {
		return map[string]any{
			"client_id": id, "client_secret": secret, "redirect_uris": []string{callback}, "post_logout_redirect_uris": []string{signedOut},
			"id_token_signed_response_alg": alg, "token_endpoint_auth_method": method, "grant_types": []string{"authorization_code"},
			"response_types": []string{"code"}, "backchannel_logout_uri": receiver.URL, "backchannel_logout_session_required": true,
		}
	}
	key := registered("key", "ES256", byKey)
	delete(key, "client_secret")
	key["jwks"], key["token_endpoint_auth_signing_alg"] = ours, "ES256"
	theirs := oidctest.NewReal(t, registered("basic", "RS256", byBasic), registered("other", "ES256", byBasic), key)

	provider := func(id string) *Provider {
		g, _ := Blank("generic").(*Generic)
		g.Issuer, g.ClientID = theirs.Issuer, id
		if id == "key" {
			g.Certificate, g.KeyID = settings.NewSecret(string(certificate.Cert)+string(certificate.Key)), "ours"
		} else {
			g.ClientSecret = settings.NewSecret(secret)
		}
		if issues := g.Validate(); len(issues) > 0 {
			t.Fatal(issues)
		}
		memory := nowMemory()
		p, err := New(g, Options{
			Client: theirs.Client, Now: time.Now, Once: memory, Kept: memory, Name: id, Callback: callback, SignedOut: signedOut,
			Domains: []string{"example.test"},
		})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}

	for _, id := range []string{"basic", "other", "key"} {
		t.Run(id, func(t *testing.T) {
			p := provider(id)
			form, pending := signInAt(t, p, theirs)
			if form.Get("iss") != theirs.Issuer {
				t.Errorf("it does not say who answers: %v", form)
			}
			a, err := p.Finish(t.Context(), form, pending)
			if err != nil {
				t.Fatalf("%v; %+v", err, refusal(t, err))
			}
			if want := (signin.Subject{Realm: theirs.Issuer, Value: "person", Immutable: true}); a.Subject != want || a.Mail != "ann@example.test" ||
				!a.MailVerified || a.Session == "" || a.Claims["email"][0] != "ann@example.test" {
				t.Errorf("%+v", a)
			}
			// The code is spent.
			_, err = p.Finish(t.Context(), form, pending)
			if r := refused(t, err, signin.ProviderError, "no error"); r.Code != "invalid_grant" {
				t.Errorf("%+v", r)
			}
			findings, err := p.Probe(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range findings {
				if !f.OK {
					t.Errorf("%+v", f)
				}
			}
		})
	}
	t.Run("again", func(t *testing.T) {
		p := provider("basic")
		to, pending, err := p.Begin(t.Context(), signin.Start{State: random(), Again: true})
		if err != nil {
			t.Fatal(err)
		}
		form, page := theirs.Visit(t, to.URL)
		if form == nil {
			t.Fatalf("the provider stays at %s", page)
		}
		if _, err := p.Finish(t.Context(), form, &pending); err != nil {
			t.Errorf("%v; %+v", err, refusal(t, err))
		}
	})
	t.Run("another verifier", func(t *testing.T) {
		p := provider("basic")
		form, pending := signInAt(t, p, theirs)
		pending.Verifier = random()
		_, err := p.Finish(t.Context(), form, pending)
		if r := refused(t, err, signin.ProviderError, "no error"); r.Code != "invalid_grant" {
			t.Errorf("%+v", r)
		}
	})
	t.Run("the answer for another", func(t *testing.T) {
		form, pending := signInAt(t, provider("basic"), theirs)
		_, err := provider("other").Finish(t.Context(), form, pending)
		refused(t, err, signin.ProviderError, "no error")
	})
	t.Run("a wrong secret", func(t *testing.T) {
		p := provider("basic")
		p.preset.client.ClientSecret = settings.NewSecret("wrong")
		form, pending := signInAt(t, p, theirs)
		_, err := p.Finish(t.Context(), form, pending)
		if r := refused(t, err, signin.ProviderError, "no error"); r.Code != "invalid_client" || r.Hint == "" {
			t.Errorf("%+v", r)
		}
		findings, err := p.Probe(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		bad := false
		for _, f := range findings {
			bad = bad || !f.OK && strings.Contains(f.Text, "client authentication")
		}
		if !bad {
			t.Errorf("%+v", findings)
		}
	})
	t.Run("signing out", func(t *testing.T) {
		p := provider("basic")
		form, pending := signInAt(t, p, theirs)
		a, err := p.Finish(t.Context(), form, pending)
		if err != nil {
			t.Fatal(err)
		}
		for len(logouts) > 0 {
			<-logouts
		}
		to, err := p.End(t.Context(), signin.Session{IDToken: a.IDToken, Session: a.Session, State: "s"})
		if err != nil {
			t.Fatal(err)
		}
		left, page := theirs.Visit(t, to.URL)
		if left != nil {
			t.Fatal("it did not ask")
		}
		if left = theirs.SignOut(t, page); left.Get("state") != "s" {
			t.Errorf("%v", left)
		}
		// It tells every client of the session; ours is one of them.
		var mine []signin.Ended
		for range 3 {
			form := <-logouts
			if ended, reply, err := p.EndRequest(t.Context(), form); err == nil && reply.Status == http.StatusOK {
				mine = append(mine, ended)
				_, _, err = p.EndRequest(t.Context(), form)
				refused(t, err, signin.UsedAlready, "used once")
			} else {
				refused(t, err, signin.Audience, "audience")
			}
		}
		if len(mine) != 1 || len(mine[0].Sessions) != 1 || mine[0].Sessions[0] != a.Session || mine[0].Subject != a.Subject {
			t.Errorf("%+v, want session %s", mine, a.Session)
		}
	})
}
