package okta

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/sim/oktasim"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/settings"
)

func write(tb testing.TB, path string, data []byte) {
	tb.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		tb.Fatal(err)
	}
}

func startApp(tb testing.TB, o oktasim.Options) *bench {
	tb.Helper()
	edit := asApp(&o)
	return start(tb, o, edit)
}

// TestAccessToken: one token serves until it ends; one that was revoked is replaced once.
func TestAccessToken(t *testing.T) {
	b := startApp(t, oktasim.Options{People: 30})
	cursor := b.full(streamUsers).cursor
	b.delta(streamUsers, cursor)
	if n := b.org.Minted(); n != 1 {
		t.Errorf("%d tokens for two reads", n)
	}
	b.clock.advance(55 * time.Minute)
	b.delta(streamUsers, cursor)
	if n := b.org.Minted(); n != 2 {
		t.Errorf("%d tokens after 55 minutes of 60; the second should have come in time", n)
	}
	b.org.RevokeBearers()
	b.full(streamUsers)
	if n := b.org.Minted(); n != 3 {
		t.Errorf("%d tokens after a revocation", n)
	}
	b.org.Break(oktasim.Fault{Path: "/api", Status: http.StatusUnauthorized, Header: map[string]string{"WWW-Authenticate": `Bearer error="invalid_token"`}})
	before := b.org.Total()
	g := b.read(streamUsers, connectors.Full, nil)
	if fault.ClassOf(g.err) != fault.Auth || b.org.Total()-before > 8 {
		t.Errorf("every token refused: %v after %d requests", g.err, b.org.Total()-before)
	}
}

// TestSkewedAssertion: the assertion is dated by the org's clock, not by a local one that is wrong.
func TestSkewedAssertion(t *testing.T) {
	for _, skew := range []time.Duration{-2 * time.Hour, 2 * time.Hour} {
		b := startApp(t, oktasim.Options{People: 10})
		b.org.SetSkew(skew)
		b.full(streamUsers)
	}
}

// TestTokenErrors: each has its class and a hint, and none shows what was signed.
func TestTokenErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		fault oktasim.Fault
		class fault.Class
		hint  string
	}{
		"a refused client":     {oktasim.Fault{Status: 401, Body: `{"error":"invalid_client","error_description":"The client is disabled."}`}, fault.Auth, "service app"},
		"proof of possession":  {oktasim.Fault{Status: 400, Body: `{"error":"invalid_dpop_proof","error_description":"The DPoP proof JWT header is missing."}`}, fault.Configuration, "DPoP"},
		"a nonce":              {oktasim.Fault{Status: 400, Body: `{"error":"use_dpop_nonce"}`}, fault.Configuration, "DPoP"},
		"a token of that kind": {oktasim.Fault{Status: 200, Body: `{"token_type":"DPoP","access_token":"x","expires_in":3600}`}, fault.Configuration, "DPoP"},
		"a scope":              {oktasim.Fault{Status: 400, Body: `{"error":"invalid_scope"}`}, fault.Forbidden, "Okta API Scopes"},
		"nothing":              {oktasim.Fault{Kind: oktasim.Empty}, fault.Transient, ""},
		"no token":             {oktasim.Fault{Status: 200, Body: `{}`}, fault.Transient, ""},
		"a closed connection":  {oktasim.Fault{Kind: oktasim.Reset}, fault.Transient, ""},
		"a portal":             {oktasim.Fault{Kind: oktasim.Portal}, fault.Transient, ""},
		"throttled":            {oktasim.Fault{Status: 429, Body: `{"errorCode":"E0000047"}`}, fault.Throttled, "share"},
	} {
		t.Run(name, func(t *testing.T) {
			b := startApp(t, oktasim.Options{People: 10})
			var sent atomic.Value
			sent.Store("")
			tc.fault.Path = tokenPath
			tc.fault.Match = func(r *http.Request) bool {
				if r.URL.RawQuery != "" {
					t.Error("the assertion is in the address")
				}
				_ = r.ParseForm()
				sent.Store(r.Form.Get("client_assertion"))
				return true
			}
			b.org.Break(tc.fault)
			g := b.read(streamUsers, connectors.Full, nil)
			if fault.ClassOf(g.err) != tc.class || !strings.Contains(fault.Hint(g.err), tc.hint) {
				t.Errorf("class %s, hint %q: %v", fault.ClassOf(g.err), fault.Hint(g.err), g.err)
			}
			signed := sent.Load().(string)
			for e := g.err; e != nil; e = errors.Unwrap(e) {
				if text := fmt.Sprintf("%v %#v", e, e); signed == "" || strings.Contains(text, signed) || strings.Contains(text, "client_assertion=") {
					t.Errorf("sent %d bytes; the error shows them: %.80s", len(signed), text)
				}
			}
		})
	}
}

// TestTokenWithoutEnd: a token that does not say how long it is good is not kept for ever.
func TestTokenWithoutEnd(t *testing.T) {
	b := startApp(t, oktasim.Options{People: 10})
	b.org.Break(oktasim.Fault{Path: tokenPath, Times: 1, Status: 200, Body: `{"token_type":"Bearer","access_token":"x"}`})
	g := b.read(streamUsers, connectors.Full, nil) // the org does not know this token, and the next one is good
	if g.err != nil {
		t.Error(g.err)
	}
	b.org.Break(oktasim.Fault{Path: tokenPath, Status: 200, Body: `{"token_type":"Bearer","access_token":"y","expires_in":-5}`})
	b.clock.advance(2 * time.Hour)
	before := b.org.Requests()[tokenPath]
	for range 2 {
		_ = b.read(streamUsers, connectors.Full, nil)
		b.clock.advance(2 * time.Minute)
	}
	if n := b.org.Requests()[tokenPath] - before; n < 2 {
		t.Errorf("asked %d times for a token", n)
	}
}

func TestScopes(t *testing.T) {
	b := startApp(t, oktasim.Options{People: 10})
	b.org.Grant("okta.logs.read", false)
	g := b.read(streamUsers, connectors.Full, nil)
	if fault.ClassOf(g.err) != fault.Forbidden || !strings.Contains(g.err.Error(), "okta.logs.read") {
		t.Errorf("a scope that is not granted: %v", g.err)
	}
	b.cfg.Scopes = []string{"okta.users.read", "okta.groups.read"}
	b.reopen()
	g = b.read(streamUsers, connectors.Full, nil)
	if fault.ClassOf(g.err) != fault.Forbidden || !strings.Contains(g.err.Error(), "logs") {
		t.Errorf("a scope that was not asked for: %v", g.err)
	}
	b.cfg.Log = false
	b.reopen()
	b.full(streamUsers)
}

func TestKeys(t *testing.T) {
	key := newKey()
	unusual, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	// The SDK takes a key that is the name of a file for the file, and ends the process when it cannot read it.
	file := filepath.Join(t.TempDir(), "key.pem")
	write(t, file, []byte(pkcs1(key)))
	for name, tc := range map[string]struct {
		text    string
		problem string
	}{
		"PKCS#1": {pkcs1(key), ""}, "PKCS#8": {pkcs8(key), ""}, "on one line": {strings.ReplaceAll(pkcs8(key), "\n", `\n`), ""},
		"another kind": {pkcs8(unusual), "not an RSA key"}, "no key": {"secret", "not PEM"}, "a path": {file, "not PEM"},
		"cut":       {strings.Replace(pkcs8(key), "MII", "MIX", 1), "damaged"},
		"encrypted": {"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n", "passphrase"},
		"public":    {"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "public half"},
	} {
		got, problem := parseKey(tc.text)
		if (got == nil) == (tc.problem == "") || !strings.Contains(problem, tc.problem) {
			t.Errorf("%s: key %t, problem %q", name, got != nil, problem)
		}
	}
	o := oktasim.Options{People: 10}
	edit := asApp(&o)
	b := start(t, o, func(c *Config) {
		edit(c)
		c.PrivateKey, c.KeyID = settings.NewSecret(pkcs1(key)), "kid-1"
	})
	b.full(streamUsers)
}
