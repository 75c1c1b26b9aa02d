package microsoftsim

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"
)

// claims are what an access token says.
type claims struct {
	Audience string   `json:"aud"`
	Issuer   string   `json:"iss"`
	Tenant   string   `json:"tid"`
	App      string   `json:"appid"`
	Object   string   `json:"oid"`
	User     string   `json:"upn,omitempty"` // empty in app-only tokens
	Roles    []string `json:"roles,omitempty"`
	Scopes   string   `json:"scp,omitempty"`
	Issued   int64    `json:"iat"`
	Expires  int64    `json:"exp"`
	Epoch    int      `json:"sim"`
}

// issueAccess signs a token.
func (s *Server) issueAccess(c claims) string {
	s.mu.Lock()
	c.Epoch = s.epoch
	s.mu.Unlock()
	c.Issued = time.Now().Unix()
	c.Expires = time.Now().Add(s.o.AccessLife).Unix()
	body, _ := json.Marshal(c) // plain data
	signed := spell([]byte(`{"typ":"JWT","alg":"HS256"}`)) + "." + spell(body)
	return signed + "." + spell(s.sign(signed))
}

func spell(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (s *Server) sign(text string) []byte {
	h := hmac.New(sha256.New, s.signer)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// parseAccess reads a token that this server signed and that is still good.
func (s *Server) parseAccess(token string) (*claims, bool) {
	i := strings.LastIndexByte(token, '.')
	if i < 0 {
		return nil, false
	}
	signature, err := base64.RawURLEncoding.DecodeString(token[i+1:])
	if err != nil || !hmac.Equal(signature, s.sign(token[:i])) {
		return nil, false
	}
	_, middle, _ := strings.Cut(token[:i], ".")
	body, err := base64.RawURLEncoding.DecodeString(middle)
	var c claims
	if err != nil || json.Unmarshal(body, &c) != nil {
		return nil, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return &c, c.Epoch == s.epoch && time.Now().Unix() < c.Expires
}

// ExpireAccessTokens ends every access token that was handed out until now.
func (s *Server) ExpireAccessTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch++
}

// isGraphAudience reports whether a token was made for Graph: under its name in any cloud, or under this server's
// address.
func isGraphAudience(audience, self string) bool {
	switch strings.TrimSuffix(audience, "/") {
	case "https://graph.microsoft.com", "https://graph.microsoft.us", "https://dod-graph.microsoft.us",
		"https://microsoftgraph.chinacloudapi.cn", "00000003-0000-0000-c000-000000000000", self:
		return true
	default:
		return false
	}
}

func isPartnerAudience(audience string) bool {
	switch strings.TrimSuffix(audience, "/") {
	case "https://api.partnercenter.microsoft.com", "https://partner.partnercenterapi.microsoftonline.cn", "fa3d9a0c-3fb0-42cc-9193-47c7ecd2edbd":
		return true
	default:
		return false
	}
}
