package oidc

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"dirsyncd/sync/signin"
)

// tokens are what a code was redeemed for.
type tokens struct {
	ID     string `json:"id_token"`
	Access string `json:"access_token"`
	Type   string `json:"token_type"`
}

// redeem changes a code for tokens, within 10 seconds and 64 KiB (RFC 6749 section 4.1.3, RFC 7636 section 4.5).
func (p *Provider) redeem(ctx context.Context, c *checks, d *discovery, code string, pending *signin.Pending) (tokens, error) {
	status, body, err := p.token(ctx, d, url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {p.o.Callback}, "code_verifier": {pending.Verifier},
	})
	if err != nil {
		return tokens{}, err
	}
	if status != http.StatusOK {
		return tokens{}, p.refused(c, status, body, pending.Flow)
	}
	var t tokens
	if json.Unmarshal(body, &t) != nil {
		return tokens{}, c.refuse(signin.Malformed, "the answer of the token endpoint is no JSON", "")
	}
	if r := c.that("ID token", t.ID != "", "", signin.Malformed, errNoIDToken.Error(), "the scopes must have openid"); r != nil {
		return tokens{}, r
	}
	return t, nil
}

// refused reads a refusal of the token endpoint (RFC 6749 section 5.2).
func (p *Provider) refused(c *checks, status int, body []byte, flow string) *signin.Refusal {
	var answer struct {
		Code string `json:"error"`
		Text string `json:"error_description"`
	}
	if status >= 500 || status == http.StatusTooManyRequests || json.Unmarshal(body, &answer) != nil || answer.Code == "" {
		return c.refuse(signin.ProviderUnreachable, fmt.Sprintf("the token endpoint answers with status %d", status), "")
	}
	return p.preset.refusal(c, answer.Code, answer.Text, flow)
}

// The ways to say who we are (OpenID Connect Core section 9).
const (
	byBasic = "client_secret_basic"
	byPost  = "client_secret_post"
	byKey   = "private_key_jwt"
)

// method is how this client says who it is at a provider: what discovery lists decides, nothing is tried.
func (p *Provider) method(d *discovery) (string, *signin.Refusal) {
	listed := func(m string) bool { return slices.Contains(d.Methods, m) }
	switch {
	case p.creds.key != nil && (listed(byKey) || len(d.Methods) == 0):
		return byKey, nil
	case p.creds.key != nil:
	case listed(byBasic), len(d.Methods) == 0: // the default of the specification
		return byBasic, nil
	case listed(byPost):
		return byPost, nil
	}
	return "", &signin.Refusal{
		Reason: signin.Internal, Text: "the provider takes none of our ways to say who we are; it lists " + bounded(strings.Join(d.Methods, ", ")),
		Hint: "give client_secret where it lists client_secret_basic or _post, certificate where it lists private_key_jwt",
	}
}

// token asks the token endpoint as this client.
func (p *Provider) token(ctx context.Context, d *discovery, form url.Values) (status int, body []byte, err error) {
	const most = 64 << 10
	method, refused := p.method(d)
	if refused != nil {
		return 0, nil, refused
	}
	ctx, cancel := context.WithTimeout(ctx, answers)
	defer cancel()
	id := p.preset.client.ClientID
	switch method {
	case byPost:
		form.Set("client_id", id)
		form.Set("client_secret", p.preset.client.ClientSecret.Reveal())
	case byKey:
		signed, err := p.creds.assertion(id, d, p.o.Now())
		if err != nil {
			return 0, nil, err
		}
		form.Set("client_id", id)
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", signed)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.Token, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	if method == byBasic {
		req.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(p.preset.client.ClientSecret.Reveal())) // RFC 6749 section 2.3.1
	}
	status, _, body, err = p.send(req, most)
	if err != nil {
		return 0, nil, &signin.Refusal{Reason: signin.ProviderUnreachable, Text: "redeem the code: " + d.Token + ": " + err.Error()}
	}
	return status, body, nil
}
