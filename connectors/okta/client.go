package okta

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	sdk "github.com/okta/okta-sdk-golang/v2/okta"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/rest"
)

// newSDK makes the SDK's client. The SDK merges what it is told with two files and the environment; every
// option is therefore set here, so that nothing from there has a say:
//
//   - no cache: it would answer a second listing, and every poll of the log, from memory,
//   - no retries and no time limit of its own: the transport sees to both, and sees every header,
//   - no private key: the SDK reads one from a file of that name, and ends the process when it cannot.
func newSDK(address, token string, mode string, client *http.Client) (*sdk.Client, error) {
	_, c, err := sdk.NewClient(context.Background(),
		sdk.WithOrgUrl(address), sdk.WithTestingDisableHttpsCheck(strings.HasPrefix(address, "http://")),
		sdk.WithAuthorizationMode(mode), sdk.WithToken(token), sdk.WithClientId(""), sdk.WithScopes(nil), sdk.WithClientAssertion(""),
		sdk.WithPrivateKeyId(""), sdk.WithPrivateKeySigner(nil),
		sdk.WithCache(false), sdk.WithCacheManager(nil), sdk.WithCacheTtl(0), sdk.WithCacheTti(0),
		sdk.WithRateLimitMaxRetries(0), sdk.WithRateLimitMaxBackOff(0), sdk.WithRequestTimeout(0), sdk.WithConnectionTimeout(0),
		sdk.WithProxyHost(""), sdk.WithProxyPort(0), sdk.WithProxyUsername(""), sdk.WithProxyPassword(""),
		sdk.WithHttpClientPtr(client), sdk.WithUserAgentExtra("dirsyncd"),
	)
	return c, err
}

// answer is a whole answer of the org.
type answer struct {
	body []byte
	// next is path and query of the next page; empty when there is none.
	next string
	// linked says that the answer had Link headers.
	linked bool
	// date is when it was made, by the org's clock.
	date time.Time
}

// lean is the Content-Type with which a list of users leaves out what is not read (Okta, Users: omit options).
const lean = "application/json; okta-response=omitCredentials,omitCredentialsLinks,omitTransitioningToStatus"

// organizationPath is where an org says which it is.
const organizationPath = "/.well-known/okta-organization"

// get asks for a path and query below the org's address. An access token that the org refuses is replaced once.
func (c *Connector) get(ctx context.Context, path string) (*answer, error) {
	if c.tokens == nil || path == organizationPath {
		return c.once(ctx, path, "")
	}
	for try := 1; ; try++ {
		token, err := c.tokens.Get(ctx, "")
		if err != nil {
			return nil, err
		}
		a, err := c.once(ctx, path, token)
		if try == 1 && fault.ClassOf(err) == fault.Auth {
			c.tokens.Drop(token)
			continue
		}
		return a, err
	}
}

func (c *Connector) once(ctx context.Context, path, token string) (*answer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	// A clone, because the SDK's own executor is changed by every request.
	executor := c.sdk.CloneRequestExecutor()
	req, err := executor.NewRequest(http.MethodGet, path, nil)
	if err != nil {
		return nil, c.invalid("read", "a link that is not an address")
	}
	switch {
	case path == organizationPath: // open to everybody, and asked first: it tells the org's time
		req.Header.Del("Authorization")
	case token != "":
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if strings.Contains(req.URL.Path, "/users") {
		req.Header.Set("Content-Type", lean)
	}
	resp, err := executor.Do(ctx, req, &unread{})
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, rest.Fault(nameOf(req), fault.Transient, err)
	case resp == nil || resp.Response == nil:
		return nil, &fault.Error{Class: fault.Internal, Op: nameOf(req), Where: c.host, Err: errors.New("the SDK returned neither an answer nor an error")}
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, rest.Fault(nameOf(req), fault.Transient, err)
	}
	return &answer{
		body: body, next: resp.Header.Get(headerNext), linked: resp.Header.Get(headerLinks) != "",
		date: c.clock.learn(resp.Header),
	}, nil
}

// unread keeps the SDK from decoding: its types lose whole pages over one odd value, digits of long numbers, and
// the difference between an empty list and no list.
type unread struct{}

// UnmarshalJSON implements json.Unmarshaler.
func (*unread) UnmarshalJSON([]byte) error { return nil }

// nameOf is a request's word in metrics and errors: the method and the path with {id} for ids.
func nameOf(req *http.Request) string {
	parts := strings.Split(req.URL.Path, "/")
	if len(parts) > 4 && parts[1] == "api" && parts[4] != "me" {
		parts[4] = "{id}"
	}
	return req.Method + " " + strings.Join(parts, "/")
}
