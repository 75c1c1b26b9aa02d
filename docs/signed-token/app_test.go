package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// issuer is what dirsyncd is to an application: keys at an address, and tokens.
type issuer struct {
	t       *testing.T
	url     string
	key     *ecdsa.PrivateKey
	fetched atomic.Int32
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{t: t, key: newKey(t)}
	point, err := i.key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/auth/keys" {
			http.NotFound(w, r)
			return
		}
		i.fetched.Add(1)
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": []map[string]string{
			{"kty": "RSA", "kid": "other", "n": "AQAB", "e": "AQAB"},
			{"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "k1",
				"x": base64.RawURLEncoding.EncodeToString(point[1:33]), "y": base64.RawURLEncoding.EncodeToString(point[33:])},
		}})
	}))
	t.Cleanup(server.Close)
	i.url = server.URL
	return i
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// claims are those of a good token. It was made a little in the future, so that it counts for longer on a busy machine.
func (i *issuer) claims(nonce string) jwt.MapClaims {
	now := time.Now().Add(45 * time.Second).Unix()
	return jwt.MapClaims{
		"iss": i.url, "aud": "shop", "sub": "hq/ann", "jti": rand.Text(), "iat": now, "nbf": now, "exp": now + 600, "nonce": nonce, "sid": "s1", "name": "Mallory",
	}
}

// logoutClaims are those of a good logout token.
func (i *issuer) logoutClaims() jwt.MapClaims {
	c := i.claims("")
	delete(c, "nonce")
	c["events"] = map[string]any{logoutEvent: map[string]any{}}
	return c
}

func (i *issuer) sign(claims jwt.MapClaims, header map[string]any) string {
	i.t.Helper()
	return i.signBy(claims, header, jwt.SigningMethodES256, i.key)
}

func (i *issuer) signBy(claims jwt.MapClaims, header map[string]any, method jwt.SigningMethod, key any) string {
	i.t.Helper()
	token := jwt.NewWithClaims(method, claims)
	token.Header["kid"] = "k1"
	maps.Copy(token.Header, header)
	text, err := token.SignedString(key)
	if err != nil {
		i.t.Fatal(err)
	}
	return text
}

// with is a claim changed; nil removes it.
func with(c jwt.MapClaims, name string, value any) jwt.MapClaims {
	if value == nil {
		delete(c, name)
	} else {
		c[name] = value
	}
	return c
}

// TestTampered: a token that one thing is wrong with lets nobody in, and the same browser with a good one is let in after.
func TestTampered(t *testing.T) {
	for _, language := range languages() {
		t.Run(language, func(t *testing.T) {
			i := newIssuer(t)
			app := start(t, language, i.url, i.url+"/auth/keys")
			point, _ := i.key.PublicKey.Bytes()
			now := time.Now().Unix()
			changed := func(name string, value any) func(string) string {
				return func(nonce string) string { return i.sign(with(i.claims(nonce), name, value), nil) }
			}
			for name, make := range map[string]func(nonce string) string{
				"no token":              func(string) string { return "" },
				"no kid":                func(n string) string { return i.sign(i.claims(n), map[string]any{"kid": nil}) },
				"a kid that is a list":  func(n string) string { return i.sign(i.claims(n), map[string]any{"kid": []string{"k1"}}) },
				"an unknown kid":        func(n string) string { return i.sign(i.claims(n), map[string]any{"kid": "k2"}) },
				"a kid of another kind": func(n string) string { return i.sign(i.claims(n), map[string]any{"kid": "other"}) },
				"alg none": func(n string) string {
					return i.signBy(i.claims(n), nil, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType)
				},
				"HS256 by the public key":   func(n string) string { return i.signBy(i.claims(n), nil, jwt.SigningMethodHS256, point) },
				"another alg in the header": func(n string) string { return i.sign(i.claims(n), map[string]any{"alg": "ES384"}) },
				"crit":                      func(n string) string { return i.sign(i.claims(n), map[string]any{"crit": []string{"x"}}) },
				"another key":               func(n string) string { return i.signBy(i.claims(n), nil, jwt.SigningMethodES256, newKey(t)) },
				"two parts": func(n string) string {
					text := i.sign(i.claims(n), nil)
					return text[:strings.LastIndex(text, ".")]
				},
				"no signature": func(n string) string {
					text := i.sign(i.claims(n), nil)
					return text[:strings.LastIndex(text, ".")+1]
				},
				"another signature": func(n string) string {
					text := i.sign(i.claims(n), nil)
					other := i.sign(i.claims(n), nil)
					return text[:strings.LastIndex(text, ".")] + other[strings.LastIndex(other, "."):]
				},
				"a longer signature": func(n string) string {
					text := i.sign(i.claims(n), nil)
					at := strings.LastIndex(text, ".") + 1
					raw, _ := base64.RawURLEncoding.DecodeString(text[at:])
					return text[:at] + base64.RawURLEncoding.EncodeToString(append(append(raw[:32:32], 0), raw[32:]...))
				},
				"a signature spelled otherwise": func(n string) string { // the last letter has bits that mean nothing
					text := i.sign(i.claims(n), nil)
					return text[:len(text)-1] + string(text[len(text)-1]+1)
				},
				"its end is a text": changed("exp", "99999999999"),
				"claims changed after": func(n string) string {
					parts := strings.Split(i.sign(i.claims(n), nil), ".")
					c, _ := json.Marshal(with(i.claims(n), "sub", "hq/bob"))
					return parts[0] + "." + base64.RawURLEncoding.EncodeToString(c) + "." + parts[2]
				},
				"another issuer":      changed("iss", "https://evil.test"),
				"no issuer":           changed("iss", nil),
				"another application": changed("aud", "desk"),
				"no audience":         changed("aud", nil),
				"run out":             func(n string) string { return i.sign(with(with(i.claims(n), "iat", now-30), "exp", now-1), nil) },
				"no end":              changed("exp", nil),
				"made long ago":       changed("iat", now-3600),
				"made in the future":  changed("iat", now+3600),
				"without its time":    changed("iat", nil),
				"another nonce":       func(string) string { return i.sign(i.claims("of another browser"), nil) },
				"no nonce":            changed("nonce", nil),
				"no jti":              changed("jti", nil),
				"no sub":              changed("sub", nil),
				"somebody unknown":    changed("sub", "hq/bob"),
				"known by the name only": func(n string) string {
					return i.sign(with(with(i.claims(n), "sub", "hq/eve"), "name", "Ann <Lee>"), nil)
				},
				"a logout token": func(n string) string { return i.sign(with(i.logoutClaims(), "nonce", n), nil) },
			} {
				b := newBrowser(t, app)
				_, nonce := b.login()
				if status := b.sso(make(nonce)); status != http.StatusForbidden || b.in() {
					t.Errorf("%s: %d", name, status)
				}
				if name == "somebody unknown" || name == "known by the name only" {
					continue // a good token for nobody of the application's: its nonce was used
				}
				if status := b.sso(i.sign(i.claims(nonce), nil)); status != http.StatusSeeOther || !b.in() {
					t.Errorf("after %s: a good token: %d", name, status)
				}
			}
			if n := i.fetched.Load(); n != 1 {
				t.Errorf("the keys were fetched %d times", n)
			}
		})
	}
}

// TestOnce: a token, and a nonce, count once, in the browser that asked; and the session is a fresh one.
func TestOnce(t *testing.T) {
	for _, language := range languages() {
		t.Run(language, func(t *testing.T) {
			i := newIssuer(t)
			app := start(t, language, i.url, i.url+"/auth/keys")
			b := newBrowser(t, app)
			b.cookies[sessionCookie] = "planted"
			_, nonce := b.login()
			login := b.cookies[loginCookie]
			token := i.sign(i.claims(nonce), nil)
			if status := newBrowser(t, app).sso(token); status != http.StatusBadRequest {
				t.Errorf("a browser that did not ask: %d", status)
			}
			other := newBrowser(t, app)
			other.login()
			if status := other.sso(token); status != http.StatusForbidden || other.in() {
				t.Errorf("the token of another browser: %d", status)
			}
			first := i.claims(nonce)
			if status := b.sso(i.sign(first, nil)); status != http.StatusSeeOther || !b.in() {
				t.Fatalf("a good token: %d", status)
			}
			again := newBrowser(t, app)
			_, fresh := again.login()
			if status := again.sso(i.sign(with(i.claims(fresh), "jti", first["jti"]), nil)); status != http.StatusForbidden || again.in() {
				t.Errorf("a jti again: %d", status)
			}
			if b.cookies[sessionCookie] == "planted" || b.cookies[loginCookie] != "" {
				t.Errorf("after signing in: %v", b.cookies)
			}
			planted := newBrowser(t, app)
			planted.cookies[sessionCookie] = "planted"
			if planted.in() {
				t.Error("a session from before is signed in")
			}
			thief := newBrowser(t, app)
			thief.cookies[loginCookie] = login
			if status := thief.sso(i.sign(first, nil)); status != http.StatusForbidden || thief.in() {
				t.Errorf("the token again: %d", status)
			}
			if status := thief.sso(i.sign(i.claims(nonce), nil)); status != http.StatusForbidden || thief.in() {
				t.Errorf("the nonce again: %d", status)
			}
		})
	}
}

// TestSignedOut: a logout token ends the session that it names, or all of somebody, and nothing else does.
func TestSignedOut(t *testing.T) {
	for _, language := range languages() {
		t.Run(language, func(t *testing.T) {
			i := newIssuer(t)
			app := start(t, language, i.url, i.url+"/auth/keys")
			enter := func(sid string) *browser {
				b := newBrowser(t, app)
				_, nonce := b.login()
				if status := b.sso(i.sign(with(i.claims(nonce), "sid", sid), nil)); status != http.StatusSeeOther {
					t.Fatalf("signing in: %d", status)
				}
				return b
			}
			one, two := enter("s1"), enter("s2")
			out := func(token string) int {
				status, _, _ := newBrowser(t, app).do(http.MethodPost, "/signed-out", url.Values{"logout_token": {token}})
				return status
			}
			for name, token := range map[string]string{
				"none": "", "for another": i.sign(with(i.logoutClaims(), "aud", "desk"), nil), "of another": i.signBy(i.logoutClaims(), nil, jwt.SigningMethodES256, newKey(t)),
				"to sign in with": i.sign(i.claims("n"), nil), "with a nonce": i.sign(with(i.logoutClaims(), "nonce", "n"), nil),
				"another event": i.sign(with(i.logoutClaims(), "events", map[string]any{"x": map[string]any{}}), nil),
			} {
				if status := out(token); status != http.StatusBadRequest || !one.in() {
					t.Errorf("%s: %d", name, status)
				}
			}
			good := i.sign(i.logoutClaims(), nil)
			for range 2 { // the answer may have been lost
				if status := out(good); status != http.StatusOK || one.in() || !two.in() {
					t.Errorf("a session: %d", status)
				}
			}
			if status := out(i.sign(with(i.logoutClaims(), "sub", "hq/bob"), nil)); status != http.StatusOK || !two.in() {
				t.Errorf("of somebody else: %d", status)
			}
			if status := out(i.sign(with(i.logoutClaims(), "sid", nil), nil)); status != http.StatusOK || two.in() {
				t.Errorf("all of somebody: %d", status)
			}
		})
	}
}
