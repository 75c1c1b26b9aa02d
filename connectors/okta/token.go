package okta

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/rest"
	"dirsyncd/sync/rest/tokens"
)

const tokenPath = "/oauth2/v1/token"

// grant gets access tokens for a service app. The SDK could do so by itself, but sends the signed assertion in the
// address, without the caller's context, and never lets go of a token that was revoked.
type grant struct {
	client   *http.Client
	address  string // the org's
	clientID string
	keyID    string
	key      *rsa.PrivateKey
	scopes   []string
	clock    *serverClock
}

// fetch gets a token.
func (g *grant) fetch(ctx context.Context, _ string) (tokens.Token, error) {
	const op = "sign in"
	host := strings.TrimPrefix(strings.TrimPrefix(g.address, "https://"), "http://")
	signed, err := assertion(g.key, g.keyID, g.clientID, g.address+tokenPath, g.clock.now())
	if err != nil {
		return tokens.Token{}, &fault.Error{Class: fault.Configuration, Op: op, Where: host, Err: err, Hint: "the private key cannot sign; make a new one in the app"}
	}
	form := url.Values{
		"grant_type": {"client_credentials"}, "scope": {strings.Join(g.scopes, " ")}, "client_assertion": {signed},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.address+tokenPath, strings.NewReader(form.Encode()))
	if err != nil {
		return tokens.Token{}, &fault.Error{Class: fault.Configuration, Op: op, Where: host, Err: errors.New("not an address")}
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	resp, err := g.client.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return tokens.Token{}, ctx.Err()
		}
		return tokens.Token{}, rest.Fault(op, fault.Transient, err)
	}
	defer func() { _ = resp.Body.Close() }()
	var answer struct {
		Type    string  `json:"token_type"`
		Token   string  `json:"access_token"`
		Expires float64 `json:"expires_in"`
	}
	if err := json.Unmarshal(rest.Bytes(resp), &answer); err != nil || answer.Token == "" {
		return tokens.Token{}, &fault.Error{Class: fault.Transient, Op: op, Where: host, Err: errors.New("the answer holds no access token")}
	}
	if !strings.EqualFold(answer.Type, "Bearer") {
		return tokens.Token{}, &fault.Error{Class: fault.Configuration, Op: op, Where: host, Err: fmt.Errorf("the token is of type %q", answer.Type), Hint: hintDPoP}
	}
	token := tokens.Token{Value: answer.Token}
	if answer.Expires > 0 {
		token.Expires = g.clock.local().Add(time.Duration(min(answer.Expires, 24*3600) * float64(time.Second)))
	}
	return token, nil
}
