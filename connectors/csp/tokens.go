package csp

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"dirsyncd/connectors/entra"
	"dirsyncd/connectors/internal/rest"
	"dirsyncd/sync/fault"
)

// shared is a tenant's credential that several clients use, so that they share its cache. It may be used by many
// goroutines.
type shared struct {
	open entra.Credential

	mu   sync.Mutex
	last azcore.TokenCredential
}

// fresh makes a new credential, which the others use from then on. It is an entra.Credential.
func (s *shared) fresh() (azcore.TokenCredential, error) {
	cred, err := s.open()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = cred
	return cred, nil
}

// current returns the credential in use, or makes one.
func (s *shared) current() (azcore.TokenCredential, error) {
	s.mu.Lock()
	cred := s.last
	s.mu.Unlock()
	if cred != nil {
		return cred, nil
	}
	return s.fresh()
}

// forget drops the credential, with all tokens that it keeps: what was consented to since shows in new ones only.
func (s *shared) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = nil
}

// tokens gets tokens for one service. It may be used by many goroutines.
type tokens struct {
	credential *shared
	scope      string
	now        func() time.Time

	mu    sync.Mutex
	token azcore.AccessToken
}

// early is how long before its end a token is replaced.
const early = 5 * time.Minute

func (t *tokens) get(ctx context.Context) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.token.Token != "" && t.now().Add(early).Before(t.token.ExpiresOn) {
		return t.token.Token, nil
	}
	cred, err := t.credential.current()
	if err != nil {
		return "", rest.Fault(opSignIn, fault.Configuration, err)
	}
	var kept keeper
	token, err := cred.GetToken(context.WithValue(ctx, keeperKey{}, &kept), policy.TokenRequestOptions{Scopes: []string{t.scope}, EnableCAE: true})
	if err != nil {
		return "", kept.explain(ctx, err)
	}
	t.token = token
	return token.Token, nil
}

// forget drops a token that was refused, and the credential that it came from.
func (t *tokens) forget(token string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.token.Token == token {
		t.token = azcore.AccessToken{}
		t.credential.forget()
	}
}

// keeper remembers the last classified failure beneath a credential: the libraries in between wrap errors in texts.
type keeper struct {
	mu sync.Mutex
	f  *fault.Error
}

type keeperKey struct{}

// keeping tells the keeper of a request's context what went wrong.
type keeping struct{ below http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (k keeping) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := k.below.RoundTrip(req)
	if keep, ok := req.Context().Value(keeperKey{}).(*keeper); ok {
		var f *fault.Error
		errors.As(err, &f)
		keep.mu.Lock()
		keep.f = f
		keep.mu.Unlock()
	}
	return resp, err
}

// explain classifies a failure to get a token.
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
	}
	// The libraries' texts may quote whole answers, so they are not passed on.
	return &fault.Error{
		Class: fault.Auth, Op: opSignIn, Err: errors.New("no token could be had with the configured credentials"),
		Hint: "look at tenant, client_id and authority, and at what proves who asks",
	}
}
