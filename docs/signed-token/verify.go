package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	skew       = 60 * time.Second // that our clock and that of dirsyncd may differ
	keysLife   = time.Hour
	keysEvery  = 5 * time.Minute // an unknown kid makes us fetch no more often
	remembered = 24 * time.Hour  // a nonce
	mostKeys   = 64 << 10
)

// logoutEvent is what a logout token is about (OpenID Connect Back-Channel Logout 1.0, section 2.4).
const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// claims are what is read of a token.
type claims struct {
	Issuer   string                     `json:"iss"`
	Audience string                     `json:"aud"`
	Subject  string                     `json:"sub"` // key of the record
	ID       string                     `json:"jti"`
	Issued   int64                      `json:"iat"`
	Expires  int64                      `json:"exp"`
	Nonce    string                     `json:"nonce"`
	Session  string                     `json:"sid"`
	Events   map[string]json.RawMessage `json:"events"`
}

// verifier checks tokens of one dirsyncd for one application. It may be used by many goroutines.
type verifier struct {
	issuer, audience, keysURL string
	now                       func() time.Time

	mu      *sync.Mutex
	keys    map[string]*ecdsa.PublicKey
	fetched time.Time
	used    map[string]time.Time // what counts once, and until when it is remembered
}

func newVerifier(issuer, audience, keysURL string) verifier {
	return verifier{issuer: issuer, audience: audience, keysURL: keysURL, now: time.Now, mu: new(sync.Mutex), used: make(map[string]time.Time)}
}

// signIn checks a token that somebody brings, against the nonce that belongs to this browser.
func (v *verifier) signIn(ctx context.Context, token, nonce string) (*claims, error) {
	c, err := v.verify(ctx, token)
	switch {
	case err != nil:
		return nil, err
	case c.Events != nil:
		return nil, errors.New("it is no token to sign in with")
	case nonce == "" || c.Nonce != nonce:
		return nil, errors.New("the nonce is not that of this browser")
	case !v.once("jti "+c.ID, time.Unix(c.Expires, 0)):
		return nil, errors.New("the token was used already")
	case !v.once("nonce "+nonce, v.now().Add(remembered)):
		return nil, errors.New("the nonce was used already")
	}
	return c, nil
}

// logout checks a token that says that somebody has signed out. One that comes again ends nothing more, and is no error: dirsyncd may not have
// seen the first answer.
func (v *verifier) logout(ctx context.Context, token string) (*claims, error) {
	c, err := v.verify(ctx, token)
	switch {
	case err != nil:
		return nil, err
	case c.Events[logoutEvent] == nil || c.Nonce != "":
		return nil, errors.New("it is no logout token")
	}
	return c, nil
}

// verify checks all that is the same for both.
func (v *verifier) verify(ctx context.Context, token string) (*claims, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, errors.New("not three parts")
	}
	var header struct {
		Alg  string          `json:"alg"`
		ID   string          `json:"kid"`
		Crit json.RawMessage `json:"crit"`
	}
	if err := decode(parts[0], &header); err != nil {
		return nil, err
	}
	if header.Alg != "ES256" || header.Crit != nil {
		return nil, errors.New("signed otherwise than by ES256") // never what the token says
	}
	key, err := v.key(ctx, header.ID)
	if err != nil {
		return nil, err
	}
	signature, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err != nil || len(signature) != 64 ||
		!ecdsa.Verify(key, digest[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])) {
		return nil, errors.New("the signature is wrong")
	}
	var c claims
	if err := decode(parts[1], &c); err != nil {
		return nil, err
	}
	now := v.now()
	switch {
	case c.Issuer != v.issuer:
		return nil, errors.New("from another issuer")
	case c.Audience != v.audience:
		return nil, errors.New("for another application")
	case !now.Before(time.Unix(c.Expires, 0)):
		return nil, errors.New("it has run out")
	case now.Sub(time.Unix(c.Issued, 0)).Abs() > skew:
		return nil, errors.New("it was not made just now: do the clocks agree?")
	case c.Subject == "" || c.ID == "":
		return nil, errors.New("without sub or jti")
	}
	return &c, nil
}

func decode(part string, to any) error {
	data, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return errors.New("not base64url")
	}
	if err := json.Unmarshal(data, to); err != nil {
		return errors.New("not the JSON of a token")
	}
	return nil
}

// once reports whether something was not used before, and remembers it. Several processes need one memory that all of them have.
func (v *verifier) once(what string, until time.Time) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	for name, end := range v.used {
		if !v.now().Before(end) {
			delete(v.used, name)
		}
	}
	if _, used := v.used[what]; used {
		return false
	}
	v.used[what] = until
	return true
}

// key returns the key with an id. Keys are kept for an hour; an unknown id makes us fetch them again, at most once in five minutes.
func (v *verifier) key(ctx context.Context, id string) (*ecdsa.PublicKey, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	age := v.now().Sub(v.fetched)
	if key := v.keys[id]; key != nil && age < keysLife {
		return key, nil
	}
	if v.fetched.IsZero() || age >= keysEvery {
		keys, err := fetch(ctx, v.keysURL)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errKeys, err)
		}
		v.keys, v.fetched = keys, v.now()
	}
	if key := v.keys[id]; key != nil {
		return key, nil
	}
	return nil, errors.New("no published key has the kid")
}

// errKeys says nothing about the token: it may come again.
var errKeys = errors.New("the keys cannot be fetched")

// fetch gets the published keys (RFC 7517).
func fetch(ctx context.Context, address string) (map[string]*ecdsa.PublicKey, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	resp, err := (&http.Client{Timeout: 10 * time.Second}).Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	var set struct {
		Keys []struct {
			Type  string `json:"kty"`
			Curve string `json:"crv"`
			ID    string `json:"kid"`
			X     string `json:"x"`
			Y     string `json:"y"`
		} `json:"keys"`
	}
	if resp.StatusCode != http.StatusOK {
		return nil, errors.New(resp.Status)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, mostKeys)).Decode(&set); err != nil {
		return nil, err
	}
	keys := make(map[string]*ecdsa.PublicKey)
	for _, k := range set.Keys {
		x, err := base64.RawURLEncoding.DecodeString(k.X)
		y, err2 := base64.RawURLEncoding.DecodeString(k.Y)
		if k.Type != "EC" || k.Curve != "P-256" || k.ID == "" || err != nil || err2 != nil {
			continue
		}
		point := append(append([]byte{4}, x...), y...)
		if key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point); err == nil {
			keys[k.ID] = key
		}
	}
	return keys, nil
}
