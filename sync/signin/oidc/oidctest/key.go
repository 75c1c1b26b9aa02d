package oidctest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
)

// Key signs tokens.
type Key struct {
	ID        string
	Algorithm string // RS256, PS256, ES256, EdDSA
	Issuer    string // written into the set beside the key, as Entra does; blank: not
	Private   crypto.Signer
}

// NewKey makes a key for an algorithm.
func NewKey(t testing.TB, algorithm, id string) *Key {
	t.Helper()
	k := &Key{ID: id, Algorithm: algorithm}
	var err error
	switch algorithm {
	case "ES256":
		k.Private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "EdDSA":
		_, k.Private, err = ed25519.GenerateKey(rand.Reader)
	default:
		k.Private, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Sign signs claims. A blank ID is left out of the head.
func (k *Key) Sign(claims map[string]any, typ string) string {
	t := jwt.NewWithClaims(jwt.GetSigningMethod(k.Algorithm), jwt.MapClaims(claims))
	t.Header["typ"] = typ
	if k.ID != "" {
		t.Header["kid"] = k.ID
	}
	signed, err := t.SignedString(k.Private)
	if err != nil {
		panic(err) // a key that does not fit its algorithm
	}
	return signed
}

// JWKS is the set of some keys.
func JWKS(keys ...*Key) map[string]any {
	list := []any{}
	for _, k := range keys {
		jwk, err := (&jose.JSONWebKey{Key: k.Private.Public(), KeyID: k.ID, Use: "sig"}).MarshalJSON()
		if err == nil && k.Issuer != "" {
			jwk = fmt.Appendf(jwk[:len(jwk)-1], `,"issuer":%q}`, k.Issuer)
		}
		list = append(list, json.RawMessage(jwk))
	}
	return map[string]any{"keys": list}
}
