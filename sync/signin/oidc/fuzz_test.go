package oidc

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"dirsyncd/sync/signin"
	"dirsyncd/sync/signin/oidc/oidctest"
)

// static answers two addresses without a network.
type static map[string][]byte

func (s static) RoundTrip(r *http.Request) (*http.Response, error) {
	w := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: r}
	if data, ok := s[r.URL.Path]; ok {
		w.Body = body{bytes.NewReader(data)}
	}
	return w, nil
}

type body struct{ *bytes.Reader }

func (body) Close() error { return nil }

// offline is a provider whose documents need no network, and the key that its tokens are signed with.
func offline(t testing.TB) (*Provider, *oidctest.Key, *oidctest.Clock) {
	t.Helper()
	k := oidctest.NewKey(t, "ES256", "k")
	keys, err := json.Marshal(oidctest.JWKS(k))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := json.Marshal(map[string]any{
		"issuer": login, "authorization_endpoint": login + "/a", "token_endpoint": login + "/t", "jwks_uri": login + "/keys",
	})
	if err != nil {
		t.Fatal(err)
	}
	clock := oidctest.NewClock()
	memory := oidctest.NewMemory(clock)
	p, err := New(generic(), Options{
		Client: &http.Client{Transport: static{"/.well-known/openid-configuration": doc, "/keys": keys}},
		Now:    clock.Now, Once: memory, Kept: memory, Name: "p", Callback: callback,
	})
	if err != nil {
		t.Fatal(err)
	}
	return p, k, clock
}

// twisted are tokens that are wrong in their form.
func twisted(t testing.TB, good string) []string {
	t.Helper()
	head, rest, _ := strings.Cut(good, ".")
	b64 := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	return []string{
		"", ".", "..", "...", "....", good + ".", good + "=", "a" + good, head + "." + head + "." + head, b64("{}") + "." + rest, b64(`{"alg":"none"}`) + "." + rest,
		b64(`{"alg":"ES256","alg":"none","kid":"k"}`) + "." + rest, b64(`{"alg":"ES256","crit":["exp"],"kid":"k"}`) + "." + rest, b64(`{"alg":["ES256"]}`) + "." + rest,
		b64(`{"alg":"ES256","b64":false,"crit":["b64"]}`) + "." + rest, b64(`null`) + "." + b64(`null`) + ".", b64(`{"alg":"ES256"}`) + "." + b64(`[]`) + ".AAAA",
		`{"payload":"` + rest + `","signatures":[]}`, strings.Repeat("A", 10000) + "." + rest, head + "." + b64(strings.Repeat(`{"a":`, 5000)) + ".AA",
	}
}

// FuzzIDToken: only what the issuer signed is let in, and it says what was signed.
func FuzzIDToken(f *testing.F) {
	p, k, clock := offline(f)
	now := clock.Now().Unix()
	said := map[string]any{"iss": login, "aud": client, "sub": "person", "iat": now, "exp": now + 300, "nonce": "n"}
	good := k.Sign(said, "JWT")
	f.Add(good)
	for _, token := range twisted(f, good) {
		f.Add(token)
	}
	for _, change := range []map[string]any{
		{"aud": []any{client, 7, nil}}, {"exp": 1e300}, {"exp": "x"}, {"exp": -1}, {"iat": 1e19}, {"sub": 7}, {"azp": []string{client}}, {"nonce": []string{"n"}},
		{"_claim_names": map[string]any{"x": "y"}}, {"amr": map[string]any{}}, {"address": map[string]any{"a": map[string]any{}}}, {"email": []any{[]any{}}},
	} {
		f.Add(k.Sign(plus(said, change), "JWT"))
	}
	f.Fuzz(func(t *testing.T, token string) {
		c := &checks{now: clock.Now()}
		at, _ := p.preset.entry("")
		a, err := p.assertion(t.Context(), c, p.site(at), tokens{ID: token, Access: "x"}, &signin.Pending{Nonce: "n"}, "")
		if err != nil {
			if r := refusal(t, err); r.Reason == signin.Internal || r.Text == "" {
				t.Errorf("%+v", r)
			}
			return
		}
		if a.Subject.Value != "person" || a.Claims["iss"][0] != login {
			t.Errorf("let in %+v", a)
		}
	})
}

// FuzzLogoutToken: only what the issuer signed ends sessions.
func FuzzLogoutToken(f *testing.F) {
	p, k, clock := offline(f)
	now := clock.Now().Unix()
	said := map[string]any{
		"iss": login, "aud": client, "sub": "person", "sid": "s", "iat": now, "exp": now + 120, "jti": "j",
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	}
	good := k.Sign(said, "logout+jwt")
	f.Add(good)
	for _, token := range twisted(f, good) {
		f.Add(token)
	}
	for _, change := range []map[string]any{{"events": []any{}}, {"events": "x"}, {"nonce": nil}, {"sid": 7}, {"jti": []any{}}, {"iat": "x"}, {"exp": 1e300}} {
		f.Add(k.Sign(plus(said, change), "logout+jwt"))
	}
	f.Fuzz(func(t *testing.T, token string) {
		at, _ := p.preset.entry("")
		ended, err := p.backChannel(t.Context(), &checks{now: clock.Now()}, p.site(at), token)
		if err != nil {
			if r := refusal(t, err); r.Reason == signin.Internal || r.Text == "" {
				t.Errorf("%+v", r)
			}
			return
		}
		if ended.Subject.Value != "person" || len(ended.Sessions) != 1 || ended.Sessions[0] != "s" {
			t.Errorf("%+v", ended)
		}
	})
}

// FuzzDiscovery: what is read has addresses that are https, and an issuer.
func FuzzDiscovery(f *testing.F) {
	f.Add([]byte(`{"issuer":"https://a","authorization_endpoint":"https://a/a","token_endpoint":"https://a/t","jwks_uri":"https://a/k"}`))
	f.Add([]byte(`{"issuer":"https://a","authorization_endpoint":"https://a/a?x=y","token_endpoint":"https://a/t","jwks_uri":"https://a/k","end_session_endpoint":"https://a/#x"}`))
	f.Add([]byte(`{"issuer":7}`))
	f.Add([]byte(`{"issuer":"x","authorization_endpoint":"https:///a","token_endpoint":"https://","jwks_uri":"https://[::1"}`))
	f.Add([]byte(`[]`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := readDiscovery(data)
		if err != nil {
			return
		}
		for _, address := range []string{d.Authorization, d.Token, d.Keys} {
			if !strings.HasPrefix(strings.ToLower(address), "https://") {
				t.Errorf("%q", address)
			}
		}
		if d.Issuer == "" || !strings.HasPrefix(strings.ToLower(with(d.Authorization, nil)), "https://") {
			t.Errorf("%+v", d)
		}
	})
}

// FuzzKeys: what is read are keys that fit an algorithm, none of them secret or weak.
func FuzzKeys(f *testing.F) {
	for _, alg := range []string{"ES256", "EdDSA", "RS256"} {
		set, err := json.Marshal(oidctest.JWKS(oidctest.NewKey(f, alg, "k")))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(set)
	}
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AAAA"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","x":""}]}`))
	f.Add([]byte(`{"keys":[null,7,{},{"kty":"RSA","x5c":["AAAA"]}]}`))
	f.Add([]byte(`{"keys":{}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := readKeys(data)
		if err != nil {
			return
		}
		for _, k := range set.keys {
			if !k.usable() || k.print == "" {
				t.Errorf("%+v", k)
			}
			fits := false
			for _, alg := range algorithms {
				fits = fits || k.fits(alg)
			}
			if !fits && k.algorithm == "" {
				t.Errorf("%+v fits nothing", k)
			}
		}
	})
}
