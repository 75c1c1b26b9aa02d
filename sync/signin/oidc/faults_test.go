package oidc

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

func to(address string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, address, http.StatusTemporaryRedirect)
	}
}

// unsigned is a token without a signature.
func unsigned(t testing.TB, c map[string]any, alg string) string {
	t.Helper()
	body, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"`+alg+`","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(body) + "."
}

func hs256(t testing.TB, c map[string]any, key string) string {
	t.Helper()
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims(c)).SignedString([]byte(key))
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// atHash is the claim for an access token (OpenID Connect Core section 3.1.3.6).
func atHash(access string) string {
	sum := sha256.Sum256([]byte(access))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// failing is a signin.Once that cannot remember.
type failing struct{ err error }

func (f failing) Once(context.Context, []byte, time.Time) (bool, error) { return true, f.err }

func printed(v any) string { return fmt.Sprintf("%v %+v %#v", v, v, v) }
