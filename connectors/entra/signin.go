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

	"dirsyncd/connectors/internal/rest"
	"dirsyncd/sync/fault"
)

// opSignIn is the operation of every error in getting a token.
const opSignIn = "sign in"

// Credential makes a credential with an empty cache, without network I/O. A credential keeps its tokens for their
// whole life, which is up to a day, and offers no way to drop one: after a refusal that a new token may mend (a
// permission was granted since) the only way is a new credential.
type Credential func() (azcore.TokenCredential, error)

// signIn gets tokens for one tenant. It may be used by many goroutines.
type signIn struct {
	open  Credential
	scope string
	now   func() time.Time

	// turn is held by one at a time. It is not a mutex, because whoever waits for another's sign-in must be able
	// to give up.
	turn  chan struct{}
	cred  azcore.TokenCredential
	token azcore.AccessToken
}

func newSignIn(open Credential, scope string, now func() time.Time) *signIn {
	return &signIn{open: open, scope: scope, now: now, turn: make(chan struct{}, 1)}
}

// early is how long before its end a token is replaced.
const early = 5 * time.Minute

// get returns a token; claims, when there are any, are what the service wants a new one to satisfy (continuous
// access evaluation).
func (s *signIn) get(ctx context.Context, claims string) (string, error) {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	if claims == "" && s.token.Token != "" && s.now().Add(early).Before(s.token.ExpiresOn) {
		return s.token.Token, nil
	}
	if s.cred == nil {
		cred, err := s.open()
		if err != nil {
			return "", rest.Fault(opSignIn, fault.Configuration, err)
		}
		s.cred = cred
	}
	token, err := GetToken(ctx, s.cred, policy.TokenRequestOptions{Scopes: []string{s.scope}, EnableCAE: true, Claims: claims})
	s.token = token
	return token.Token, err
}

// forget drops the token and the credential, when the token is still the one that was refused.
func (s *signIn) forget(token string) {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	if s.token.Token == token {
		s.token, s.cred = azcore.AccessToken{}, nil
	}
}

// GetToken has a credential get a token, and classifies what goes wrong. The credential's requests go through a client
// of NewTokenClient.
func GetToken(ctx context.Context, cred azcore.TokenCredential, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	// The libraries below wrap errors in texts and answers; what the transport has classified is kept here.
	var kept keeper
	token, err := cred.GetToken(context.WithValue(ctx, keeperKey{}, &kept), o)
	switch {
	case err != nil:
		return azcore.AccessToken{}, kept.explain(ctx, err)
	case token.Token == "":
		return azcore.AccessToken{}, &fault.Error{Class: fault.Transient, Op: opSignIn, Err: errNoToken}
	}
	return token, nil
}

var errNoToken = errors.New("the answer holds no token")

// keeper remembers how the last request beneath a credential went.
type keeper struct {
	mu sync.Mutex
	// answered: it was answered with what should be a token.
	answered bool
	f        *fault.Error
}

type keeperKey struct{}

// keep tells whoever asked for the token how a request went.
func keep(ctx context.Context, answered bool, f *fault.Error) {
	k, ok := ctx.Value(keeperKey{}).(*keeper)
	if !ok {
		return
	}
	k.mu.Lock()
	k.answered, k.f = answered, f
	k.mu.Unlock()
}

// explain classifies a failure to get a token. Credentials that were refused are left alone for hours, so nothing
// else counts as a refusal. The texts of the libraries may quote whole answers, so they are not passed on.
func (k *keeper) explain(ctx context.Context, err error) error {
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
