package csp

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// slowCredential answers when it is released.
type slowCredential struct{ release chan struct{} }

func (s slowCredential) GetToken(ctx context.Context, _ policy.TokenRequestOptions) (azcore.AccessToken, error) {
	select {
	case <-s.release:
		return azcore.AccessToken{Token: "t", ExpiresOn: time.Now().Add(time.Hour)}, nil
	case <-ctx.Done():
		return azcore.AccessToken{}, ctx.Err()
	}
}

// TestWaitingForASignIn: who waits for another's sign-in can give up: the partner's token is shared by all tenants.
func TestWaitingForASignIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := slowCredential{make(chan struct{})}
		tokens := newTokens(&shared{open: func() (azcore.TokenCredential, error) { return slow, nil }}, "x", time.Now)
		first := make(chan error, 1)
		go func() {
			_, err := tokens.get(t.Context())
			first <- err
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		release := time.AfterFunc(time.Minute, func() { close(slow.release) })
		defer release.Stop()
		began := time.Now()
		if _, err := tokens.get(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		if err := <-first; err != nil {
			t.Errorf("the first: %v", err)
		}
		if token, err := tokens.get(t.Context()); token != "t" || err != nil {
			t.Errorf("%q, %v", token, err)
		}
	})
}
