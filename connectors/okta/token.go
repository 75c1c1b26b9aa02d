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

	"dirsyncd/connectors/internal/rest"
	"dirsyncd/sync/fault"
)

const tokenPath = "/oauth2/v1/token"

// tokens gets access tokens for a service app and keeps the newest. The SDK could do so by itself, but sends the
// signed assertion in the address, without the caller's context, and never lets go of a token that was revoked.
// It may be used by many goroutines, of which one at a time asks for a token.
type tokens struct {
	client   *http.Client
	address  string // the org's
	clientID string
	keyID    string
	key      *rsa.PrivateKey
	scopes   []string
	clock    *serverClock
	turn     chan struct{} // holds one piece: who has it may read and write what follows

	current string
	until   time.Time // by the local clock
}

// get returns an access token that is good for a while.
func (t *tokens) get(ctx context.Context) (string, error) {
	select {
	case <-t.turn:
		defer func() { t.turn <- struct{}{} }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if t.current != "" && t.clock.local().Before(t.until) {
		return t.current, nil
	}
	token, lasts, err := t.exchange(ctx)
	if err != nil {
		return "", err
	}
	// A tenth early, for requests that are on their way and for clocks that differ.
	t.current, t.until = token, t.clock.local().Add(lasts-lasts/10)
	return token, nil
}

// drop forgets a token that the org refused, unless a newer one is there already.
func (t *tokens) drop(ctx context.Context, token string) error {
	select {
	case <-t.turn:
		defer func() { t.turn <- struct{}{} }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if t.current == token {
		t.current = ""
	}
	return nil
}

func (t *tokens) exchange(ctx context.Context) (token string, lasts time.Duration, err error) {
	const op = "sign in"
	host := strings.TrimPrefix(strings.TrimPrefix(t.address, "https://"), "http://")
	signed, err := assertion(t.key, t.keyID, t.clientID, t.address+tokenPath, t.clock.now())
	if err != nil {
		return "", 0, &fault.Error{Class: fault.Configuration, Op: op, Where: host, Err: err, Hint: "the private key cannot sign; make a new one in the app"}
	}
	form := url.Values{
		"grant_type": {"client_credentials"}, "scope": {strings.Join(t.scopes, " ")}, "client_assertion": {signed},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.address+tokenPath, strings.NewReader(form.Encode()))
	if err != nil {
		return "", 0, &fault.Error{Class: fault.Configuration, Op: op, Where: host, Err: errors.New("not an address")}
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	resp, err := t.client.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return "", 0, ctx.Err()
		}
		return "", 0, rest.Fault(op, fault.Transient, err)
	}
	defer func() { _ = resp.Body.Close() }()
	var answer struct {
		Type    string  `json:"token_type"`
		Token   string  `json:"access_token"`
		Expires float64 `json:"expires_in"`
	}
	if err := json.Unmarshal(rest.Bytes(resp), &answer); err != nil || answer.Token == "" {
		return "", 0, &fault.Error{Class: fault.Transient, Op: op, Where: host, Err: errors.New("the answer holds no access token")}
	}
	if !strings.EqualFold(answer.Type, "Bearer") {
		return "", 0, &fault.Error{Class: fault.Configuration, Op: op, Where: host, Err: fmt.Errorf("the token is of type %q", answer.Type), Hint: hintDPoP}
	}
	// Without a word about its end it is used for a minute, not for ever.
	lasts = time.Minute
	if answer.Expires > 0 {
		lasts = time.Duration(min(answer.Expires, 24*3600) * float64(time.Second))
	}
	return answer.Token, lasts, nil
}
