package entra

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/rest/tokens"
)

// opSignIn is the operation of every error in getting a token.
const opSignIn = "sign in"

// mostSignIn bounds a sign-in with all that is tried again in it. Each request has the limits of its client; without any deadline
// Microsoft's library would set one of 30 seconds, before those limits, and what it cuts off reads like a refusal.
const mostSignIn = time.Hour

// getToken has a credential get a token, and classifies what goes wrong. The credential's requests go through a client
// of NewTokenClient.
func getToken(ctx context.Context, cred azcore.TokenCredential, o policy.TokenRequestOptions) (tokens.Token, error) {
	// The libraries below wrap errors in texts and answers; what the transport has classified is kept here.
	var kept errorCapture
	limited, cancel := context.WithTimeout(context.WithValue(ctx, captureKey{}, &kept), mostSignIn)
	defer cancel()
	token, err := cred.GetToken(limited, o)
	switch {
	case err != nil:
		return tokens.Token{}, kept.explain(ctx, err)
	case token.Token == "":
		return tokens.Token{}, &fault.Error{Class: fault.Transient, Op: opSignIn, Err: errNoToken}
	}
	return tokens.Token{Value: token.Token, Expires: token.ExpiresOn}, nil
}

var errNoToken = errors.New("the answer holds no token")

// errorCapture remembers how the last request beneath a credential went.
type errorCapture struct {
	mu sync.Mutex
	// answered: it was answered with what should be a token.
	answered bool
	f        *fault.Error
}

type captureKey struct{}

// capture tells whoever asked for the token how a request went.
func capture(ctx context.Context, answered bool, f *fault.Error) {
	k, ok := ctx.Value(captureKey{}).(*errorCapture)
	if !ok {
		return
	}
	k.mu.Lock()
	k.answered, k.f = answered, f
	k.mu.Unlock()
}

// explain classifies a failure to get a token. Credentials that were refused are left alone for hours, so nothing
// else counts as a refusal. The texts of the libraries may quote whole answers, so they are not passed on.
func (k *errorCapture) explain(ctx context.Context, err error) error {
	if ctxErr := context.Cause(ctx); ctxErr != nil {
		return ctxErr
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	var f *fault.Error
	switch {
	case k.f != nil:
		return k.f
	case errors.As(err, &f):
		return f
	case k.answered:
		return &fault.Error{Class: fault.Transient, Op: opSignIn, Err: errNoToken, Hint: oddAnswer}
	case errors.Is(err, context.DeadlineExceeded):
		return &fault.Error{Class: fault.Transient, Op: opSignIn, Err: errors.New("no answer in time"), Hint: "look at the network, the proxy and authority"}
	}
	return &fault.Error{
		Class: fault.Auth, Op: opSignIn, Err: errors.New("no token could be had with the configured credentials"),
		Hint: "look at tenant, client_id and authority, and at what proves who asks",
	}
}

// tokenClaims are what an access token says of itself. They are shown and never relied on: only the service may
// judge its tokens.
type tokenClaims struct {
	Tenant string   `json:"tid"`
	Roles  []string `json:"roles"` // application permissions
	Scopes string   `json:"scp"`   // delegated permissions, separated by spaces
}

func (c *tokenClaims) granted() []string {
	list := append(slices.Clone(c.Roles), strings.Fields(c.Scopes)...)
	slices.Sort(list)
	return slices.Compact(list)
}

// readClaims reads the middle part of a token, and false when it has none that can be read.
func readClaims(token string) (tokenClaims, bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return tokenClaims{}, false
	}
	data, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	var c tokenClaims
	if err != nil || json.Unmarshal(data, &c) != nil {
		return tokenClaims{}, false
	}
	return c, true
}
