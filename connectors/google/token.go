package google

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/jwt"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/rest"
	"dirsyncd/sync/rest/tokens"
)

// scopePrefix begins the name of every scope.
const scopePrefix = "https://www.googleapis.com/auth/"

const defaultTokenURI = "https://oauth2.googleapis.com/token"

// grant gets access tokens for one set of scopes. A token is all or nothing: one scope that was not granted, and none is
// given. So each part of the directory has a set of its own.
type grant struct {
	uri    string
	client string // the number that is granted the scopes in the Admin console; may be empty
	scopes []string
	source func(ctx context.Context) oauth2.TokenSource
	base   http.RoundTripper
}

// newGrant names the scopes without their prefix.
func newGrant(p party, tokenURI string, base http.RoundTripper, scopes ...string) (*grant, error) {
	k, err := signIn(p)
	if err != nil {
		return nil, err
	}
	g := &grant{base: base, scopes: scopes, uri: cmp.Or(tokenURI, k.TokenURI, defaultTokenURI)}
	if k.Type == typeAuthorizedUser {
		cfg := &oauth2.Config{
			ClientID: k.ClientID, ClientSecret: k.ClientSecret,
			Endpoint: oauth2.Endpoint{TokenURL: g.uri, AuthStyle: oauth2.AuthStyleInParams},
		}
		g.source = func(ctx context.Context) oauth2.TokenSource {
			return cfg.TokenSource(ctx, &oauth2.Token{RefreshToken: k.RefreshToken})
		}
		return g, nil
	}
	g.client = k.ClientID
	full := make([]string, len(scopes))
	for i, s := range scopes {
		full[i] = scopePrefix + s
	}
	cfg := &jwt.Config{
		Email: k.ClientEmail, PrivateKey: []byte(k.PrivateKey), PrivateKeyID: k.PrivateKeyID, Scopes: full, TokenURL: g.uri, Subject: p.subject,
	}
	g.source = cfg.TokenSource
	return g, nil
}

// signIn returns the key of a party, whichever way it was given.
func signIn(p party) (*key, error) {
	if !p.oauth.empty() {
		return &key{
			Type: typeAuthorizedUser, ClientID: p.oauth.ClientID,
			ClientSecret: p.oauth.ClientSecret.Reveal(), RefreshToken: p.oauth.RefreshToken.Reveal(),
		}, nil
	}
	k, err := parseKey(p.credentials)
	if err != nil {
		return nil, &fault.Error{Class: fault.Configuration, Op: "open google", Err: err, Hint: "give the JSON key of a service account as credentials"}
	}
	return k, nil
}

// identity says who reads, without a secret.
func (p *party) identity() string {
	if !p.oauth.empty() {
		return "client " + p.oauth.ClientID
	}
	if p.subject == "" {
		return "a refresh token"
	}
	return p.subject
}

// fetch gets a token.
func (g *grant) fetch(ctx context.Context, _ string) (tokens.Token, error) {
	w := &errorCapture{base: g.base, ctx: ctx}
	got, err := g.source(context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Transport: w})).Token()
	if err != nil {
		return tokens.Token{}, g.refused(ctx, w.err, err)
	}
	if got.AccessToken == "" {
		return tokens.Token{}, &fault.Error{Class: fault.Transient, Op: opToken, Where: rest.Host(g.uri), Err: errors.New("the answer holds no token")}
	}
	return tokens.Token{Value: got.AccessToken, Expires: got.Expiry}, nil
}

// refused returns the error that was seen on the wire: the library flattens it to a text on the way.
func (g *grant) refused(ctx context.Context, seen, err error) error {
	var (
		f     *fault.Error
		token *tokenError
	)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case seen == nil && strings.Contains(err.Error(), "private key"):
		return &fault.Error{
			Class: fault.Auth, Op: opToken, Err: errors.New("the private key in the credentials cannot be read"),
			Hint: "download the key again and give the file unchanged",
		}
	case !errors.As(seen, &f):
		return &fault.Error{Class: fault.Transient, Op: opToken, Where: rest.Host(g.uri), Err: errors.New("the answer holds no token")}
	case errors.As(seen, &token) && f.Class == fault.Forbidden:
		named := *f
		named.Hint = "grant " + g.grantee() + strings.Join(g.scopes, ", ") + " (each after " + scopePrefix +
			") under Security, API controls, Domain-wide delegation; a new grant can take a day"
		return &named
	}
	return f
}

func (g *grant) grantee() string {
	if g.client == "" {
		return "the scopes "
	}
	return "client " + g.client + " the scopes "
}

// errorCapture gives requests for tokens the context of the call that needs one, and keeps the error.
type errorCapture struct {
	base http.RoundTripper
	ctx  context.Context //nolint:containedctx // the library takes no context with a request
	err  error
}

func (w *errorCapture) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := w.base.RoundTrip(req.WithContext(w.ctx))
	w.err = err
	return resp, err
}
