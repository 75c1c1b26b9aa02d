package oidc

import (
	"encoding/json"
	"errors"
	"net/url"
	"slices"
)

// discovery is what we use of a provider's metadata (OpenID Connect Discovery 1.0 section 3, RFC 8414 section 2, RFC 9207 section 3).
type discovery struct {
	Issuer        string `json:"issuer"`
	Authorization string `json:"authorization_endpoint"`
	Token         string `json:"token_endpoint"`
	Keys          string `json:"jwks_uri"`
	UserInfo      string `json:"userinfo_endpoint"`
	EndSession    string `json:"end_session_endpoint"`

	// IssInAnswer: every answer to the callback says who gives it.
	IssInAnswer bool `json:"authorization_response_iss_parameter_supported"`

	Algorithms    []string `json:"id_token_signing_alg_values_supported"`
	Prompts       []string `json:"prompt_values_supported"`
	Methods       []string `json:"token_endpoint_auth_methods_supported"`
	MethodSigning []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	Challenges    []string `json:"code_challenge_methods_supported"`
	BackChannel   bool     `json:"backchannel_logout_supported"`
	FrontChannel  bool     `json:"frontchannel_logout_supported"`
}

// algorithms are those that may sign tokens.
var algorithms = []string{"RS256", "PS256", "ES256", "EdDSA"}

// readDiscovery reads a document that can be used: every address in it is https.
func readDiscovery(data []byte) (*discovery, error) {
	var d discovery
	if err := json.Unmarshal(data, &d); err != nil {
		return nil, errors.New("it is no JSON of the form that OpenID Connect Discovery describes")
	}
	if d.Issuer == "" || len(d.Issuer) > 1024 {
		return nil, errors.New("it names no issuer")
	}
	for _, a := range []struct {
		name, address string
		must          bool
	}{
		{"authorization_endpoint", d.Authorization, true}, {"token_endpoint", d.Token, true}, {"jwks_uri", d.Keys, true},
		{"userinfo_endpoint", d.UserInfo, false}, {"end_session_endpoint", d.EndSession, false},
	} {
		if a.address == "" && !a.must {
			continue
		}
		if !web(a.address) {
			return nil, errors.New(a.name + " is no https address")
		}
	}
	if len(d.Algorithms) > 0 && !slices.ContainsFunc(d.Algorithms, func(alg string) bool { return slices.Contains(algorithms, alg) }) {
		return nil, errors.New("it signs with none of RS256, PS256, ES256, EdDSA")
	}
	return &d, nil
}

// web reports whether a text is an https address without a user and a fragment.
func web(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Scheme == "https" && u.Host != "" && u.User == nil && u.Fragment == "" && len(text) <= 2048
}
