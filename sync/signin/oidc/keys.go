package oidc

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"dirsyncd/sync/signin"
)

// key is one that may verify signatures.
type key struct {
	id        string // kid
	algorithm string // blank: what fits its kind
	issuer    string // Entra names whose tokens a key signs; a template with {tenantid}, or exact
	public    crypto.PublicKey
	print     string // RFC 7638, SHA-256, in base64url
	ends      time.Time
}

// keySet is a JWK set (RFC 7517 section 5).
type keySet struct{ keys []key }

// readKeys reads a JWK set. Keys of kinds that we do not use, or too weak, are passed over.
func readKeys(data []byte) (*keySet, error) {
	const most = 100
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(data, &set); err != nil {
		return nil, errors.New("the keys are no JSON of the form that RFC 7517 describes")
	}
	if len(set.Keys) > most {
		return nil, errors.New("there are more than 100 keys")
	}
	s := &keySet{}
	for _, raw := range set.Keys {
		if k, ok := readKey(raw); ok {
			s.keys = append(s.keys, k)
		}
	}
	if len(s.keys) == 0 {
		return nil, errors.New("there is no key for RS256, PS256, ES256 or EdDSA")
	}
	return s, nil
}

func readKey(raw []byte) (key, bool) {
	var jwk jose.JSONWebKey
	var more struct {
		Issuer string `json:"issuer"`
	}
	if jwk.UnmarshalJSON(raw) != nil || json.Unmarshal(raw, &more) != nil || !jwk.Valid() || !jwk.IsPublic() || jwk.Use != "" && jwk.Use != "sig" {
		return key{}, false
	}
	k := key{id: jwk.KeyID, algorithm: jwk.Algorithm, issuer: more.Issuer, public: jwk.Key}
	if !k.usable() {
		return key{}, false
	}
	thumb, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		return key{}, false
	}
	k.print = base64.RawURLEncoding.EncodeToString(thumb)
	if len(jwk.Certificates) > 0 {
		k.ends = jwk.Certificates[0].NotAfter
	}
	return k, true
}

func (k key) usable() bool {
	switch public := k.public.(type) {
	case *rsa.PublicKey:
		return public.N.BitLen() >= 2048 && public.N.BitLen() <= 8192
	case *ecdsa.PublicKey:
		return public.Curve == elliptic.P256()
	case ed25519.PublicKey:
		return true
	}
	return false
}

// fits reports whether a key may have made a signature with an algorithm.
func (k key) fits(algorithm string) bool {
	if k.algorithm != "" && k.algorithm != algorithm {
		return false
	}
	switch k.public.(type) {
	case *rsa.PublicKey:
		return algorithm == "RS256" || algorithm == "PS256"
	case *ecdsa.PublicKey:
		return algorithm == "ES256"
	default:
		return algorithm == "EdDSA"
	}
}

// find returns the keys that may have signed a token; without a kid every one that fits. known: the kid is in the set.
func (s *keySet) find(h header, issuer, tenant string) (found []crypto.PublicKey, known bool) {
	for _, k := range s.keys {
		if h.Key != "" && k.id != h.Key {
			continue
		}
		known = true
		if k.fits(h.Algorithm) && keyIssuer(k.issuer, issuer, tenant) {
			found = append(found, k.public)
		}
	}
	return found, known
}

// verifying is the KeySet of one verification: it brings the keys, and notes what came of it, because the library's errors are texts.
type verifying struct {
	site    *site
	jwks    string
	issuer  string
	header  header
	payload []byte // what the signature covers; nil when it does not hold
	err     error  // nothing could be verified
	unknown bool   // the provider publishes no such key
}

var _ gooidc.KeySet = (*verifying)(nil)

var errNoKey = errors.New("no key")

// VerifySignature verifies with the provider's keys. A kid that is not among them has them fetched anew, once in five minutes.
func (v *verifying) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	doc := v.site.keySet(v.jwks)
	set, err := doc.get(ctx)
	if err != nil {
		v.err = unreachable(err)
		return nil, err
	}
	keys, known := set.find(v.header, v.issuer, v.site.at.tenant)
	if !known {
		if set, err = doc.again(ctx, set); err != nil {
			v.err = unreachable(err)
			return nil, err
		}
		keys, known = set.find(v.header, v.issuer, v.site.at.tenant)
	}
	v.unknown = !known
	if len(keys) == 0 {
		return nil, errNoKey
	}
	v.payload, err = (&gooidc.StaticKeySet{PublicKeys: keys}).VerifySignature(ctx, jwt)
	return v.payload, err
}

// signed says what came of the verification.
func (v *verifying) signed(c *checks) error {
	if v.err != nil {
		return v.err
	}
	found := v.header.Algorithm + ", key " + bounded(v.header.Key)
	hint := "somebody else has made it, or it was changed on its way"
	text := "the signature does not hold"
	if v.unknown {
		text = "it is signed with a key that the provider does not publish"
		hint = "a new key is looked for once in 5 minutes; when this goes on, compare `signin test` with the provider"
	}
	if r := c.that("signature", v.payload != nil, found, signin.Signature, text, hint); r != nil {
		return r
	}
	return nil
}

// header is what a token says of its own signature.
type header struct {
	Algorithm string `json:"alg"`
	Key       string `json:"kid"`
	Type      string `json:"typ"`
}

// allowed checks the algorithm, before anything else is believed.
func (h header) allowed(c *checks) *signin.Refusal {
	if r := c.that("signed at all", h.Algorithm != "none", bounded(h.Algorithm), signin.NotSigned, "the token is not signed",
		"set the application at the provider to sign ID tokens with RS256 or ES256"); r != nil {
		return r
	}
	return c.that("algorithm", slices.Contains(algorithms, h.Algorithm), bounded(h.Algorithm), signin.Signature,
		"the token is signed with "+bounded(h.Algorithm)+", which is not accepted",
		"set the application at the provider to sign with RS256, PS256, ES256 or EdDSA (by that name)")
}
