package oidctest

import (
	"crypto"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// The endpoints of an issuer, for Count and Answer.
const (
	Discovery = "discovery"
	Keys      = "keys"
	Authorize = "authorize"
	Token     = "token"
	UserInfo  = "userinfo"
)

// Options say what an issuer is.
type Options struct {
	// Discovery is the address of the document; what stands before /.well-known is where the other endpoints are.
	Discovery string
	// Issuer is what the document and the tokens say.
	Issuer string
	// ClientID and Secret are those of its only client; Public is the key of private_key_jwt in place of the secret.
	ClientID, Secret string
	Public           crypto.PublicKey
	// Metadata is added to the document; nil values take something out of it.
	Metadata map[string]any
	// Shared is whose keys sign the tokens, where many authorities have the same; nil: its own.
	Shared *Issuer
}

// Issuer is a provider that signs in one person without asking. Its fields may be changed between requests only, by the test's goroutine.
type Issuer struct {
	o      Options
	server *Server
	base   string

	mu       sync.Mutex
	keys     []*Key
	claims   map[string]any
	info     map[string]any
	edit     func(token map[string]any)
	sign     func(token map[string]any) string
	answer   map[string]http.HandlerFunc
	counts   map[string]int
	grants   map[string]grant
	codes    int
	refusal  string
	complain string
	form     url.Values
}

// grant is what a code stands for.
type grant struct{ nonce, challenge, redirect string }

// NewIssuer makes an issuer with one ES256 key and mounts it.
func (s *Server) NewIssuer(t testing.TB, o Options) *Issuer {
	t.Helper()
	i := &Issuer{
		o: o, server: s, base: strings.TrimSuffix(o.Discovery, "/.well-known/openid-configuration"), keys: []*Key{NewKey(t, "ES256", "first")},
		claims: map[string]any{"sub": "person"}, counts: map[string]int{}, grants: map[string]grant{}, answer: map[string]http.HandlerFunc{},
	}
	s.Handle(o.Discovery, i.counted(Discovery, i.discovery))
	s.Handle(i.base+"/keys", i.counted(Keys, i.jwks))
	s.Handle(i.base+"/authorize", i.counted(Authorize, i.authorize))
	s.Handle(i.base+"/token", i.counted(Token, i.token))
	s.Handle(i.base+"/userinfo", i.counted(UserInfo, i.userinfo))
	return i
}

// Person sets what tokens say of the person beside the protocol's own claims.
func (i *Issuer) Person(claims map[string]any) { i.set(func() { i.claims = claims }) }

// Info sets what UserInfo says.
func (i *Issuer) Info(claims map[string]any) { i.set(func() { i.info = claims }) }

// Edit changes every token before it is signed; nil values take a claim out.
func (i *Issuer) Edit(edit func(token map[string]any)) { i.set(func() { i.edit = edit }) }

// Sign replaces how tokens are signed.
func (i *Issuer) Sign(sign func(token map[string]any) string) { i.set(func() { i.sign = sign }) }

// Answer replaces an endpoint; nil puts it back.
func (i *Issuer) Answer(endpoint string, handler http.HandlerFunc) {
	i.set(func() { i.answer[endpoint] = handler })
}

// Refuse has the person come back with an error in place of a code.
func (i *Issuer) Refuse(code, description string) {
	i.set(func() { i.refusal, i.complain = code, description })
}

// Roll replaces the keys.
func (i *Issuer) Roll(keys ...*Key) { i.set(func() { i.keys = keys }) }

// Form is what the last request of tokens sent.
func (i *Issuer) Form() url.Values {
	i.mu.Lock()
	defer i.mu.Unlock()
	return maps.Clone(i.form)
}

func (i *Issuer) set(change func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	change()
}

// Count is how often an endpoint was asked.
func (i *Issuer) Count(endpoint string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.counts[endpoint]
}

func (i *Issuer) counted(endpoint string, usual http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		i.mu.Lock()
		i.counts[endpoint]++
		handler := i.answer[endpoint]
		i.mu.Unlock()
		if handler == nil {
			handler = usual
		}
		handler(w, r)
	}
}

// Document is the discovery document.
func (i *Issuer) Document() map[string]any {
	d := map[string]any{
		"issuer": i.o.Issuer, "authorization_endpoint": i.base + "/authorize", "token_endpoint": i.base + "/token", "jwks_uri": i.base + "/keys",
		"userinfo_endpoint": i.base + "/userinfo", "end_session_endpoint": i.base + "/logout",
		"token_endpoint_auth_methods_supported":            []string{"client_secret_post", "private_key_jwt"},
		"id_token_signing_alg_values_supported":            []string{"RS256", "ES256"},
		"authorization_response_iss_parameter_supported":   false,
		"response_types_supported":                         []string{"code"},
		"token_endpoint_auth_signing_alg_values_supported": []string{"RS256", "ES256"},
	}
	maps.Copy(d, i.o.Metadata)
	maps.DeleteFunc(d, func(_ string, v any) bool { return v == nil })
	return d
}

func (i *Issuer) discovery(w http.ResponseWriter, _ *http.Request) {
	JSON(w, http.StatusOK, i.Document())
}

func (i *Issuer) jwks(w http.ResponseWriter, _ *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	JSON(w, http.StatusOK, JWKS(i.keys...))
}

// authorize lets the person in at once (RFC 6749 section 4.1.1).
func (i *Issuer) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	for _, name := range []string{"state", "nonce", "code_challenge", "redirect_uri"} {
		if q.Get(name) == "" {
			http.Error(w, name+" is missing", http.StatusBadRequest)
			return
		}
	}
	if q.Get("client_id") != i.o.ClientID || q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" {
		http.Error(w, "not as registered", http.StatusBadRequest)
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	back := url.Values{"state": {q.Get("state")}}
	if i.o.Metadata["authorization_response_iss_parameter_supported"] == true {
		back.Set("iss", i.o.Issuer)
	}
	if i.refusal != "" {
		back.Set("error", i.refusal)
		back.Set("error_description", i.complain)
	} else {
		i.codes++
		code := fmt.Sprint("code ", i.codes)
		i.grants[code] = grant{q.Get("nonce"), q.Get("code_challenge"), q.Get("redirect_uri")}
		back.Set("code", code)
	}
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+back.Encode(), http.StatusFound)
}

// token redeems a code once (RFC 6749 section 4.1.3).
func (i *Issuer) token(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.form = r.PostForm
	if !i.client(r) {
		JSON(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client"})
		return
	}
	code := r.PostForm.Get("code")
	g, ok := i.grants[code]
	delete(i.grants, code)
	sum := sha256.Sum256([]byte(r.PostForm.Get("code_verifier")))
	if !ok || base64.RawURLEncoding.EncodeToString(sum[:]) != g.challenge || g.redirect != r.PostForm.Get("redirect_uri") {
		JSON(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant", "error_description": "the code is not good"})
		return
	}
	JSON(w, http.StatusOK, map[string]any{
		"access_token": "of the test", "token_type": "Bearer", "expires_in": 3600, "id_token": i.idToken(g.nonce),
	})
}

// client checks who asks, in each way that clients have.
func (i *Issuer) client(r *http.Request) bool {
	if signed := r.PostForm.Get("client_assertion"); signed != "" && i.o.Public != nil {
		_, err := jwt.Parse(signed, func(*jwt.Token) (any, error) { return i.o.Public, nil }, jwt.WithValidMethods([]string{"RS256", "PS256", "ES256"}),
			jwt.WithAudience(i.base+"/token"), jwt.WithIssuer(i.o.ClientID), jwt.WithSubject(i.o.ClientID), jwt.WithTimeFunc(i.server.Clock.Now))
		return err == nil
	}
	id, secret := r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	if user, password, ok := r.BasicAuth(); ok {
		id, _ = url.QueryUnescape(user)
		secret, _ = url.QueryUnescape(password)
	}
	return i.o.Secret != "" && id == i.o.ClientID && subtle.ConstantTimeCompare([]byte(secret), []byte(i.o.Secret)) == 1
}

// idToken makes the token of the person. The lock is held.
func (i *Issuer) idToken(nonce string) string {
	now := i.server.Clock.Now()
	c := map[string]any{
		"iss": i.o.Issuer, "aud": i.o.ClientID, "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(), "nonce": nonce,
	}
	maps.Copy(c, i.claims)
	return i.signed(c, "JWT")
}

// Logout makes a logout token, which edit may change before it is signed.
func (i *Issuer) Logout(claims map[string]any) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	now := i.server.Clock.Now()
	c := map[string]any{
		"iss": i.o.Issuer, "aud": i.o.ClientID, "iat": now.Unix(), "exp": now.Add(2 * time.Minute).Unix(), "jti": "first",
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	}
	maps.Copy(c, claims)
	return i.signed(c, "logout+jwt")
}

func (i *Issuer) signed(c map[string]any, typ string) string {
	if i.edit != nil {
		i.edit(c)
	}
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	if i.sign != nil {
		return i.sign(c)
	}
	keys := i.keys
	if i.o.Shared != nil {
		keys = i.o.Shared.keys
	}
	return keys[0].Sign(c, typ)
}

func (i *Issuer) userinfo(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if r.Header.Get("Authorization") != "Bearer of the test" || i.info == nil {
		http.Error(w, "no", http.StatusUnauthorized)
		return
	}
	JSON(w, http.StatusOK, i.info)
}

// JSON writes an answer.
func JSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// Browse goes to an address as a browser does that is signed in already, and returns the query with which it comes back.
func Browse(t testing.TB, client *http.Client, address string) url.Values {
	t.Helper()
	still := *client
	still.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := still.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	back, err := resp.Location()
	if err != nil {
		t.Fatalf("the provider answers %s", resp.Status)
	}
	return back.Query()
}
