package oktasim

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Role is what an administrator may see.
type Role int

// The roles.
const (
	Everything  Role = iota
	Nothing          // every list is 200 and empty, as for an OAuth app without a role
	FirstGroups      // the first two groups and their members only, and not Everyone
)

// access is who may do what.
type access struct {
	tokens  map[string]bool
	bearers map[string]bearer
	minted  int
	granted map[string]bool
	role    Role
}

type bearer struct {
	scopes  []string
	expires time.Time
}

func newAccess(o Options) access {
	a := access{tokens: map[string]bool{o.Token: true}, bearers: map[string]bearer{}, granted: map[string]bool{}}
	for _, scope := range []string{"users", "groups", "apps", "logs"} {
		a.granted["okta."+scope+".read"] = true
	}
	return a
}

// RevokeToken makes the API token invalid, as when its owner is deactivated.
func (s *Server) RevokeToken() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.access.tokens = map[string]bool{}
}

// RevokeBearers makes the access tokens that were handed out so far invalid.
func (s *Server) RevokeBearers() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.access.bearers = map[string]bearer{}
}

// Minted returns how many access tokens were handed out.
func (s *Server) Minted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.access.minted
}

// Grant gives or takes a scope such as okta.logs.read. Without it, the API token's owner lacks the right as well.
func (s *Server) Grant(scope string, granted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.access.granted[scope] = granted
}

// SetRole changes what the administrator may see.
func (s *Server) SetRole(r Role) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.access.role = r
}

// authenticate finds out who asks.
func (s *Server) authenticate(a *reply, r *http.Request, now time.Time) (client string, ok bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	switch scheme {
	case "SSWS":
		if s.access.tokens[token] {
			return "SSWS", true
		}
	case "Bearer":
		if b, ok := s.access.bearers[token]; ok && now.Before(b.expires) {
			return "Bearer " + strings.Join(b.scopes, " "), true
		}
		a.header.Set("WWW-Authenticate", `Bearer authorization_uri="https://`+publicHost+`/oauth2/v1/authorize", realm="`+publicHost+
			`", scope="", error="invalid_token", error_description="The access token has expired.", resource="/"`)
		a.status = http.StatusUnauthorized
		return "", false
	}
	a.fail(http.StatusUnauthorized, "E0000011", "Invalid token provided")
	return "", false
}

// authorize looks whether the caller may ask for a path at all.
func (s *Server) authorize(a *reply, r *http.Request, client string) bool {
	resource := ""
	if parts := strings.Split(r.URL.Path, "/"); len(parts) > 3 {
		resource = parts[3]
	}
	scope := "okta." + resource + ".read"
	if scopes, ok := strings.CutPrefix(client, "Bearer "); ok && !slices.Contains(strings.Fields(scopes), scope) {
		a.header.Set("WWW-Authenticate", `Bearer authorization_uri="https://`+publicHost+`/oauth2/v1/authorize", realm="`+publicHost+
			`", scope="`+scope+`", error="insufficient_scope", error_description="The access token provided does not contain the required scopes.", resource="`+r.URL.Path+`"`)
		a.status = http.StatusForbidden
		return false
	}
	if !s.access.granted[scope] {
		a.fail(http.StatusForbidden, "E0000006", "You do not have permission to perform the requested action")
		return false
	}
	return true
}

// token is the OAuth token endpoint, for client_credentials with private_key_jwt.
func (s *Server) token(a *reply, r *http.Request, now time.Time) {
	refuse := func(status int, code, text string) {
		a.status = status
		a.json(map[string]any{"error": code, "error_description": text})
	}
	if r.Method != http.MethodPost || r.ParseForm() != nil {
		refuse(http.StatusBadRequest, "invalid_request", "The request is not a form.")
		return
	}
	if r.Form.Get("grant_type") != "client_credentials" ||
		r.Form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
		refuse(http.StatusBadRequest, "unsupported_grant_type", "The authorization grant type is not supported.")
		return
	}
	if err := s.checkAssertion(r.Form.Get("client_assertion"), now); err != nil {
		refuse(http.StatusUnauthorized, "invalid_client", err.Error())
		return
	}
	scopes := strings.Fields(r.Form.Get("scope"))
	for _, scope := range scopes {
		if !s.access.granted[scope] {
			refuse(http.StatusBadRequest, "invalid_scope", "One or more scopes are not granted to the client application.")
			return
		}
	}
	s.access.minted++
	token := fmt.Sprintf("bearer-%d-of-simulator", s.access.minted)
	s.access.bearers[token] = bearer{scopes, now.Add(time.Hour)}
	a.json(map[string]any{"token_type": "Bearer", "expires_in": 3600, "access_token": token, "scope": strings.Join(scopes, " ")})
}

func (s *Server) checkAssertion(text string, now time.Time) error {
	parts := strings.Split(text, ".")
	if len(parts) != 3 || s.o.Key == nil {
		return fmt.Errorf("The client_assertion is not a JWT, or there is no key.") //nolint:staticcheck,revive // as Okta spells it
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err != nil || rsa.VerifyPKCS1v15(s.o.Key, crypto.SHA256, sum[:], signature) != nil {
		return fmt.Errorf("The client_assertion signature is invalid.") //nolint:staticcheck,revive // as Okta spells it
	}
	var claims struct {
		Iss, Sub, Aud string
		Iat, Exp      int64
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err == nil {
		err = json.Unmarshal(body, &claims)
	}
	issued, expires := time.Unix(claims.Iat, 0), time.Unix(claims.Exp, 0)
	switch {
	case err != nil || claims.Iss != s.o.ClientID || claims.Sub != s.o.ClientID:
		return fmt.Errorf("The client_assertion must have iss and sub set to the client_id.") //nolint:staticcheck,revive // as Okta spells it
	case claims.Aud != s.URL+"/oauth2/v1/token":
		return fmt.Errorf("The audience claim for client_assertion must be the endpoint invoked for the request.") //nolint:staticcheck,revive // as Okta spells it
	case expires.Before(now) || expires.After(now.Add(time.Hour+time.Minute)) || issued.After(now.Add(5*time.Minute)):
		return fmt.Errorf("The client_assertion token is expired, or issued in the future.") //nolint:staticcheck,revive // as Okta spells it
	}
	return nil
}
