package csp

import (
	"context"
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

	// turn is held by whoever signs in. It is not a mutex, because whoever waits for another's sign-in must be able
	// to give up.
	turn chan struct{}

	mu    sync.Mutex
	token azcore.AccessToken
}

func newTokens(credential *shared, scope string, now func() time.Time) *tokens {
	return &tokens{credential: credential, scope: scope, now: now, turn: make(chan struct{}, 1)}
}

// early is how long before its end a token is replaced.
const early = 5 * time.Minute

// get returns a token that is good for a while.
func (t *tokens) get(ctx context.Context) (string, error) {
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	t.mu.Lock()
	token := t.token
	t.mu.Unlock()
	if token.Token != "" && t.now().Add(early).Before(token.ExpiresOn) {
		return token.Token, nil
	}
	cred, err := t.credential.current()
	if err != nil {
		return "", rest.Fault(opSignIn, fault.Configuration, err)
	}
	token, err = entra.GetToken(ctx, cred, policy.TokenRequestOptions{Scopes: []string{t.scope}, EnableCAE: true})
	if err != nil {
		return "", err
	}
	t.mu.Lock()
	t.token = token
	t.mu.Unlock()
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
