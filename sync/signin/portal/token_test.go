package portal

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// published is what an application does: it takes the key of a token from the published ones.
func published(t *testing.T, w *world) jwt.Keyfunc {
	t.Helper()
	var set struct {
		Keys []struct{ Kty, Crv, Alg, Kid, X, Y string }
	}
	if err := json.NewDecoder(w.browser().get("https://auth.test/auth/keys").Body).Decode(&set); err != nil {
		t.Fatal(err)
	}
	return func(token *jwt.Token) (any, error) {
		for _, k := range set.Keys {
			if k.Kid == token.Header["kid"] && k.Kty == "EC" && k.Crv == "P-256" && k.Alg == "ES256" {
				x, _ := base64.RawURLEncoding.DecodeString(k.X)
				y, _ := base64.RawURLEncoding.DecodeString(k.Y)
				return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, x...), y...))
			}
		}
		return nil, jwt.ErrTokenUnverifiable
	}
}

func TestToken(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	_, at, _ := b.visit("https://auth.test/auth/start?app=shop&rd=/cart&nonce=of-the-shop&state=s")
	u, _ := url.Parse(at)
	resp := b.get("https://auth.test/auth/oidc/staff/callback?" + url.Values{"state": u.Query()["state"]}.Encode())
	var body bytes.Buffer
	_, _ = body.ReadFrom(resp.Body)
	text := body.String()
	field := func(name string) string {
		_, v, _ := strings.Cut(text, `name="`+name+`" value="`)
		v, _, _ = strings.Cut(v, `"`)
		return v
	}
	csp := resp.Header.Get("Content-Security-Policy")
	if resp.StatusCode != http.StatusOK || !strings.Contains(text, `action="https://shop.test/sso"`) || field("state") != "s" || !strings.Contains(csp, "form-action https: https://shop.test;") || !strings.Contains(csp, "script-src 'nonce-") {
		t.Fatalf("%d, %s\n%s", resp.StatusCode, csp, text)
	}
	key := published(t, w)
	claims := jwt.MapClaims{}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"ES256"}), jwt.WithAudience("shop"), jwt.WithIssuer("https://auth.test"), jwt.WithTimeFunc(func() time.Time { return w.now }), jwt.WithExpirationRequired())
	if _, err := parser.ParseWithClaims(field("token"), claims, key); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{"sub": "hq/ann", "nonce": "of-the-shop", "name": "Änn Lee", "email": "ann@example.test", "role": "technician", "kind": "agent", "provider": "staff"} {
		if claims[name] != want {
			t.Errorf("%s is %v, want %v", name, claims[name], want)
		}
	}
	w.now = w.now.Add(tokenLife * time.Second)
	if _, err := parser.Parse(field("token"), key); err == nil {
		t.Error("a token counts after a minute")
	}
	// The one that a proxy gets is for its application only.
	w.now = w.now.Add(-tokenLife * time.Second)
	_, _, h := b.visit("https://desk.test/")
	if _, err := parser.Parse(h.Get(tokenHeader), key); err == nil {
		t.Error("a token for the desk counts at the shop")
	}
	if _, err := jwt.NewParser(jwt.WithValidMethods([]string{"ES256"}), jwt.WithAudience("desk"), jwt.WithTimeFunc(func() time.Time { return w.now })).Parse(h.Get(tokenHeader), key); err != nil {
		t.Error(err)
	}
	// Without a nonce nobody is given a token: the application has to ask.
	resp = b.get("https://auth.test/auth/start?app=shop&rd=/cart")
	if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "https://shop.test/cart" {
		t.Errorf("%d to %s", resp.StatusCode, resp.Header.Get("Location"))
	}
}

// TestPages: every page is whole, in both languages, and shows what it is given as text.
func TestPages(t *testing.T) {
	w := newWorld(t)
	names := []string{"accept", "choose", "home", "refused", "lost", "failed", "held", "circle", "nowhere", "busy", "broken", "logout", "out", "post"}
	for _, name := range names {
		for lang, other := range map[string]string{"en": "de", "de": "en"} {
			if templates[lang].Lookup(name) == nil || len(templates[lang].Templates()) != len(templates[other].Templates()) {
				t.Fatalf("%s has no page %s", lang, name)
			}
			var page bytes.Buffer
			evil := `<script>alert(1)</script>`
			err := templates[lang].ExecuteTemplate(&page, name, map[string]any{
				"Lang": lang, "Who": evil, "Action": "/auth/accept/p", "App": evil, "Provider": evil, "Code": evil, "Attempt": "NUMBER", "Host": evil, "Token": `"`, "URL": "https://idp.test/", "ScriptNonce": "n",
				"Fields": map[string]string{"SAMLRequest": evil}, "Choices": []struct{ Text, Host, Link string }{{evil, evil, "/auth/start"}},
			})
			text := page.String()
			if err != nil || strings.Contains(text, evil) || !strings.HasSuffix(text, "</html>\n") || strings.Count(text, "<h1") != 1 || strings.Count(text, "<title>") != 1 || !strings.Contains(text, `<html lang="`+lang+`">`) {
				t.Errorf("%s, %s: error %v\n%s", name, lang, err, text)
			}
		}
	}
	for accept, want := range map[string]string{"": "en", "de-AT,de;q=0.9,en;q=0.5": "de", "fr,en;q=0.5": "en", "en-GB": "en", ";;;": "en", strings.Repeat("de,", 100): "en"} {
		r, _ := http.NewRequest(http.MethodGet, "https://auth.test/", nil)
		r.Header.Set("Accept-Language", accept)
		if got := languageOf(r); got != want {
			t.Errorf("%q: %s", accept, got)
		}
	}
	resp := w.browser().get("https://auth.test/auth/style.css")
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/css; charset=utf-8" {
		t.Errorf("style: %d", resp.StatusCode)
	}
}

// TestSealed: a pending sign-in counts under its own name only, whole.
func TestSealed(t *testing.T) {
	w := newWorld(t)
	sealed, err := w.portal.seal.seal("a", pending{Attempt: "x"})
	if err != nil {
		t.Fatal(err)
	}
	var got pending
	if err := w.portal.seal.open("a", sealed, &got); err != nil || got.Attempt != "x" {
		t.Errorf("%v, error %v", got, err)
	}
	for name, value := range map[string]string{"b": sealed, "a": sealed[:len(sealed)-2] + "AA", "a ": "", "a  ": "%", "a   ": strings.Repeat("A", longestAddress+1)} {
		if err := w.portal.seal.open(strings.TrimSpace(name), value, &got); err == nil && !(name == "a" && value == sealed) {
			t.Errorf("%q opened %q", name, value)
		}
	}
}

func FuzzSealed(f *testing.F) {
	s, err := newSealer([32]byte{1})
	if err != nil {
		f.Fatal(err)
	}
	good, err := s.seal("a", pending{Attempt: "x"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("a", "")
	f.Add("b", good)
	f.Fuzz(func(t *testing.T, name, value string) {
		var p pending
		if s.open(name, value, &p) == nil && (name != "a" || value != good) {
			t.Errorf("%q opened %q", name, value)
		}
	})
}
