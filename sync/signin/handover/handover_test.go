package handover

import (
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"dirsyncd/sync/settings"
	"dirsyncd/sync/signin"
)

var now = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

func ann() signin.HandOver {
	return signin.HandOver{Record: "hq/ann", Name: "Änn Lee", Email: "ann@example.test", Target: "https://acme.zendesk.com/hc", Nonce: "n-1", State: "s&1"}
}

func read(t *testing.T, token, alg string, key any) jwt.MapClaims {
	t.Helper()
	claims := jwt.MapClaims{}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{alg}), jwt.WithTimeFunc(func() time.Time { return now }))
	if _, err := parser.ParseWithClaims(token, claims, func(*jwt.Token) (any, error) { return key, nil }); err != nil {
		t.Fatal(err)
	}
	return claims
}

// TestZendesk holds the form against the documents: HS256 with the shared secret, posted as jwt with return_to.
func TestZendesk(t *testing.T) {
	at, _ := url.Parse("https://acme.zendesk.com/access/jwt")
	z := &Zendesk{URL: at, Secret: settings.NewSecret("sh4red")}
	first, err := z.Hand(ann(), now)
	if err != nil || first.URL != at.String() || first.Form.Get("return_to") != "https://acme.zendesk.com/hc" || len(first.Form) != 2 || z.Nonce() {
		t.Fatalf("%+v, %v", first, err)
	}
	claims := read(t, first.Form.Get("jwt"), "HS256", []byte("sh4red"))
	for name, want := range map[string]any{"email": "ann@example.test", "name": "Änn Lee", "external_id": "hq/ann", "iat": float64(now.Unix())} {
		if claims[name] != want {
			t.Errorf("%s is %v, want %v", name, claims[name], want)
		}
	}
	second, _ := z.Hand(ann(), now)
	if again := read(t, second.Form.Get("jwt"), "HS256", []byte("sh4red")); again["jti"] == claims["jti"] || again["jti"] == "" {
		t.Error("two tokens have one jti")
	}
	nameless := ann()
	nameless.Name = ""
	if to, err := z.Hand(nameless, now); err != nil || read(t, to.Form.Get("jwt"), "HS256", []byte("sh4red"))["name"] != "ann@example.test" {
		t.Errorf("without a name: %v", err)
	}
}

// TestFreshworks holds the address against the documents: RS256, with the nonce of the request, and its state beside.
func TestFreshworks(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	at, _ := url.Parse("https://acme.myfreshworks.com/sp/OIDC/123/implicit?keep=1")
	f := &Freshworks{URL: at, Key: key}
	to, err := f.Hand(ann(), now)
	if err != nil || to.Form != nil || !f.Nonce() {
		t.Fatalf("%+v, %v", to, err)
	}
	u, err := url.Parse(to.URL)
	if err != nil || u.Host != at.Host || u.Path != at.Path || u.Query().Get("state") != "s&1" || u.Query().Get("keep") != "1" || at.RawQuery != "keep=1" {
		t.Errorf("%s, %v", to.URL, err)
	}
	claims := read(t, u.Query().Get("id_token"), "RS256", &key.PublicKey)
	for name, want := range map[string]any{
		"sub": "hq/ann", "email": "ann@example.test", "nonce": "n-1", "name": "Änn Lee", "iat": float64(now.Unix()), "exp": float64(now.Unix() + 60),
	} {
		if claims[name] != want {
			t.Errorf("%s is %v, want %v", name, claims[name], want)
		}
	}
}

// TestNoMail: who has no address is refused, because the product would know nobody, or somebody else.
func TestNoMail(t *testing.T) {
	nobody := ann()
	nobody.Email = ""
	for _, p := range []interface {
		Hand(h signin.HandOver, now time.Time) (signin.To, error)
	}{&Zendesk{}, &Freshworks{}} {
		_, err := p.Hand(nobody, now)
		if r := (*signin.Refusal)(nil); !errors.As(err, &r) || r.Reason != signin.NoRecord || !strings.Contains(r.Hint, "email") {
			t.Errorf("%T: %v", p, err)
		}
	}
}
