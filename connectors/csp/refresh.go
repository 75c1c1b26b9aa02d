package csp

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/rest"
)

const opSignIn = "sign in"

// refreshCredential gets tokens for one tenant with the refresh token of a partner's user (Partner Center, "Enabling
// the Secure Application Model framework"). The vendor's library has no such credential. It keeps no tokens; those
// who use it do.
type refreshCredential struct {
	endpoint string // the tenant's token endpoint
	client   *http.Client
	app      *clientAuth
	file     *tokenFile
	now      func() time.Time
}

var _ azcore.TokenCredential = (*refreshCredential)(nil)

// GetToken implements azcore.TokenCredential.
func (c *refreshCredential) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	refresh, err := c.file.current()
	if err != nil {
		return azcore.AccessToken{}, err
	}
	form := url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {refresh}, "scope": {strings.Join(append(o.Scopes, "offline_access"), " ")},
	}
	if o.Claims != "" {
		form.Set("claims", o.Claims)
	}
	if err := c.app.authenticate(form, c.endpoint); err != nil {
		return azcore.AccessToken{}, err
	}
	body, err := c.post(ctx, form)
	if err != nil {
		return azcore.AccessToken{}, err
	}
	var answer struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
		Expires any    `json:"expires_in"` // a number, or a text in the old form
	}
	if json.Unmarshal(body, &answer) != nil || answer.Access == "" {
		return azcore.AccessToken{}, &fault.Error{Class: fault.Transient, Op: opSignIn, Err: errors.New("the answer holds no token")}
	}
	// First of all: the rest may be repeated.
	c.file.rotate(answer.Refresh)
	return azcore.AccessToken{Token: answer.Access, ExpiresOn: c.now().Add(seconds(answer.Expires))}, nil
}

func (c *refreshCredential) post(ctx context.Context, form url.Values) ([]byte, error) {
	text := form.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint, strings.NewReader(text))
	if err != nil {
		return nil, &fault.Error{Class: fault.Configuration, Op: opSignIn, Err: errors.New("authority is not an address")}
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	resp, err := c.client.Do(req)
	if err != nil {
		if ctxErr := context.Cause(ctx); ctxErr != nil {
			return nil, ctxErr
		}
		return nil, rest.Fault(opSignIn, fault.Transient, err)
	}
	defer func() { _ = resp.Body.Close() }()
	return rest.Bytes(resp), nil
}

// seconds reads a life in seconds. What cannot be read is short.
func seconds(v any) time.Duration {
	const short = 10 * time.Minute
	switch v := v.(type) {
	case float64:
		if v > 0 && v < 1e6 {
			return time.Duration(v) * time.Second
		}
	case string:
		if n, err := strconv.Atoi(v); err == nil && n > 0 && n < 1e6 {
			return time.Duration(n) * time.Second
		}
	}
	return short
}
