package googlesim

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

const scopePrefix = "https://www.googleapis.com/auth/"

// token answers a request for an access token as Google's token service does.
func (s *Server) token(r *http.Request) *answer {
	if err := r.ParseForm(); err != nil || r.Method != http.MethodPost {
		return tokenError(http.StatusBadRequest, "invalid_request", "")
	}
	switch r.PostForm.Get("grant_type") {
	case "refresh_token":
		switch {
		case r.PostForm.Get("client_id") != ClientID, r.PostForm.Get("client_secret") != ClientSecret:
			return tokenError(http.StatusUnauthorized, "invalid_client", "The OAuth client was not found.")
		case s.refresh == "" || r.PostForm.Get("refresh_token") != s.refresh:
			return tokenError(http.StatusBadRequest, "invalid_grant", "Token has been expired or revoked.")
		}
		return s.grant(s.customers[0].Admin(), allScopes())
	case "urn:ietf:params:oauth:grant-type:jwt-bearer":
		return s.assertion(r.PostForm.Get("assertion"))
	}
	return tokenError(http.StatusBadRequest, "unsupported_grant_type", "")
}

// assertion looks at a signed claim of the service account.
func (s *Server) assertion(text string) *answer {
	const skew = 5 * time.Minute
	parts := strings.Split(text, ".")
	var claims struct {
		Issuer   string `json:"iss"`
		Subject  string `json:"sub"`
		Scope    string `json:"scope"`
		Audience string `json:"aud"`
		Issued   int64  `json:"iat"`
		Expires  int64  `json:"exp"`
	}
	if len(parts) != 3 {
		return tokenError(http.StatusBadRequest, "invalid_grant", "Bad Request")
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(body, &claims) != nil {
		return tokenError(http.StatusBadRequest, "invalid_grant", "Bad Request")
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err != nil || s.keyDeleted || rsa.VerifyPKCS1v15(&s.opts.Key.PublicKey, crypto.SHA256, sum[:], signature) != nil {
		return tokenError(http.StatusBadRequest, "invalid_grant", "Invalid JWT Signature.")
	}
	now := time.Now()
	issued, expires := time.Unix(claims.Issued, 0), time.Unix(claims.Expires, 0)
	scopes := strings.Fields(claims.Scope)
	switch {
	case claims.Issuer != ServiceAccount:
		return tokenError(http.StatusBadRequest, "invalid_grant", "Invalid grant: account not found")
	case claims.Audience != s.TokenURI():
		return tokenError(http.StatusBadRequest, "invalid_grant", "Invalid JWT: Failed audience check.")
	case issued.After(now.Add(skew)) || !expires.After(now.Add(-skew)) || expires.Sub(issued) > time.Hour+skew:
		return tokenError(http.StatusBadRequest, "invalid_grant", "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim.")
	case s.customerOf(claims.Subject) == nil:
		return tokenError(http.StatusBadRequest, "invalid_grant", "Invalid email or User ID")
	case len(scopes) == 0:
		return tokenError(http.StatusBadRequest, "invalid_scope", "Empty or missing scope not allowed.")
	}
	for i, scope := range scopes {
		scopes[i] = strings.TrimPrefix(scope, scopePrefix)
		known := false
		for _, k := range allScopes() {
			known = known || k == scopes[i]
		}
		if !known || s.denied[scopes[i]] {
			return tokenError(http.StatusUnauthorized, "unauthorized_client",
				"Client is unauthorized to retrieve access tokens using this method, or client not authorized for any of the scopes requested.")
		}
	}
	return s.grant(claims.Subject, scopes)
}

// grant makes a token.
func (s *Server) grant(subject string, scopes []string) *answer {
	s.serial++
	token := fmt.Sprintf("ya29.sim-%d", s.serial)
	s.tokens[token] = grant{subject, scopes, time.Now().Add(time.Hour)}
	return &answer{http.StatusOK, map[string]any{"access_token": token, "expires_in": 3599, "token_type": "Bearer"}}
}

func tokenError(status int, code, description string) *answer {
	doc := map[string]any{"error": code}
	if description != "" {
		doc["error_description"] = description
	}
	return &answer{status, doc}
}

// allScopes are those that an administrator may have granted: the ones that read.
func allScopes() []string {
	return []string{
		"admin.directory.customer.readonly", "admin.directory.user.readonly", "admin.directory.group.readonly",
		"admin.directory.group.member.readonly", "admin.directory.device.chromeos.readonly",
		"admin.directory.device.mobile.readonly", "admin.reports.audit.readonly", "apps.licensing", "apps.order.readonly",
	}
}
