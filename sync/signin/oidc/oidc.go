// Package oidc signs people in by OpenID Connect: a generic provider, and presets for those whose tokens have rules of their own.
//
// Signatures are verified by coreos/go-oidc. Everything that a token must say is checked here besides, one check after the other, so that
// each refusal has a reason of its own; a token that either of the two refuses lets nobody in. No option of the library that
// leaves a check out is used.
package oidc

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/signin"
)

const (
	// skew is how far a clock of a provider may differ from ours.
	skew = 2 * time.Minute
	// patience is how long a person may take at the provider: the life of what is pending.
	patience = 15 * time.Minute
	// answers is how long an endpoint may take.
	answers = 10 * time.Second
)

// Options are what a provider is made of beside its settings.
type Options struct {
	// Client speaks to the provider. Its time-outs, proxy and authorities are the caller's; redirects are followed within a host only,
	// whatever it says.
	Client *http.Client
	Now    func() time.Time
	Once   signin.Once
	// Kept is asked for the last good copies under names that begin with "oidc/" and Name.
	Kept signin.Kept
	Name string

	// Callback is the redirect address, SignedOut where End comes back to, Logout for requests of the provider to end sessions, Login
	// where a portal of the provider begins (OpenID Connect Core section 4). All are ours and absolute; only Callback is needed.
	Callback, SignedOut, Logout, Login string

	// Domains are those whose mail addresses the provider may vouch for, in lower case.
	Domains []string
	// Claims are those that must be there for somebody to be found. UserInfo is asked when the ID token lacks one.
	Claims []string
	// Customer reports whether a tenant is one of the customers that `customers_of` names; nil where nothing names any.
	Customer func(ctx context.Context, tenant string) (bool, error)
}

// Provider is a signin.Provider by OpenID Connect. It may be used by many goroutines.
type Provider struct {
	o      Options
	preset preset
	creds  credential
	http   *http.Client

	mu    sync.Mutex
	sites map[string]*site // by the address of their discovery; bounded by the settings and the list of tenants
}

var _ signin.Provider = (*Provider)(nil)

// New makes a provider of a block without issues. The error is of class Configuration.
func New(s Settings, o Options) (*Provider, error) {
	p := s.preset(o)
	creds, err := p.client.credential()
	if err != nil {
		return nil, &fault.Error{Class: fault.Configuration, Op: "read the certificate", Where: "certificate", Err: err, Hint: pemHint}
	}
	if o.Callback == "" || o.Now == nil || o.Client == nil || o.Once == nil || o.Kept == nil {
		return nil, &fault.Error{Class: fault.Internal, Op: "make a provider", Where: p.name, Err: errors.New("a part is missing")}
	}
	client := *o.Client
	client.CheckRedirect = sameHost
	return &Provider{o: o, preset: p, creds: creds, http: &client, sites: map[string]*site{}}, nil
}

// errOtherHost is a redirect that leads away from where a provider was asked.
var errOtherHost = errors.New("redirected to another host")

// sameHost follows redirects within a host, by https, three times.
func sameHost(req *http.Request, via []*http.Request) error {
	if req.URL.Scheme != "https" || req.URL.Host != via[0].URL.Host || len(via) > 3 {
		return errOtherHost
	}
	return nil
}

// site returns what an authority publishes. There is one for each address, made when it is first needed.
func (p *Provider) site(a authority) *site {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.sites[a.discovery]
	if s == nil {
		s = newSite(p, a)
		p.sites[a.discovery] = s
	}
	return s
}

// Begin makes the address that takes the browser to the provider.
func (p *Provider) Begin(ctx context.Context, s signin.Start) (signin.To, signin.Pending, error) {
	flow := p.preset.flow(s)
	at, refused := p.preset.entry(flow)
	if refused != nil {
		return signin.To{}, signin.Pending{}, refused
	}
	d, err := p.site(at).discovery(ctx)
	if err != nil {
		return signin.To{}, signin.Pending{}, err
	}
	pending := signin.Pending{State: s.State, Nonce: random(), Verifier: oauth2.GenerateVerifier(), Flow: flow, At: p.o.Now()}
	c := p.preset.client
	q := url.Values{
		"response_type": {"code"}, "client_id": {c.ClientID}, "redirect_uri": {p.o.Callback}, "scope": {strings.Join(c.Scopes, " ")},
		"state": {s.State}, "nonce": {pending.Nonce},
		"code_challenge": {oauth2.S256ChallengeFromVerifier(pending.Verifier)}, "code_challenge_method": {"S256"},
	}
	set := func(name, value string) {
		if value != "" {
			q.Set(name, value)
		}
	}
	for name, value := range p.preset.extra {
		set(name, value)
	}
	set("login_hint", s.LoginHint)
	set("acr_values", strings.Join(c.ACR, " "))
	set("ui_locales", strings.Join(c.Locales, " "))
	if c.MaxAge != nil {
		set("max_age", strconv.FormatInt(int64(c.MaxAge.Std()/time.Second), 10))
	}
	set("prompt", p.prompt(s, d))
	return signin.To{URL: with(d.Authorization, q)}, pending, nil
}

// prompt says how the person is to be asked. Whoever just signed out is asked by the preset's word, else by select_account where the provider lists it:
// elsewhere it may be an error, and login is a word that every provider has to take.
func (p *Provider) prompt(s signin.Start, d *discovery) string {
	switch {
	case s.SignUp && (p.preset.create || slices.Contains(d.Prompts, "create")):
		return "create" // Initiating User Registration via OpenID Connect 1.0
	case s.Again && p.preset.again != "":
		return p.preset.again
	case s.Again && slices.Contains(d.Prompts, "select_account"):
		return "select_account"
	case s.Again:
		return "login"
	}
	return p.preset.client.Prompt
}

// with adds parameters to an address that may have some.
func with(address string, q url.Values) string {
	separator := "?"
	if strings.Contains(address, "?") {
		separator = "&"
	}
	return address + separator + q.Encode()
}

// random returns 256 bits in base64url.
func random() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // it never fails: see its documentation
	return base64.RawURLEncoding.EncodeToString(b)
}

// Initiated reads a request of the provider's portal to begin here (OpenID Connect Core section 4). target is what the portal wants opened
// afterwards, unchecked; blank when it does not say.
func (p *Provider) Initiated(ctx context.Context, form url.Values) (s signin.Start, target string, err error) {
	c := &checks{now: p.o.Now()}
	at, refused := p.preset.entry("")
	if refused != nil {
		return signin.Start{}, "", refused
	}
	d, err := p.site(at).discovery(ctx)
	if err != nil {
		return signin.Start{}, "", err
	}
	ok := form.Get("iss") == d.Issuer
	if at.frame != "" {
		ok = p.preset.framed(form.Get("iss"))
	}
	if r := c.that("issuer of the portal", ok, bounded(form.Get("iss")), signin.Issuer,
		"the portal speaks for another issuer", "the application of the portal must be at "+d.Issuer); r != nil {
		return signin.Start{}, "", r
	}
	return signin.Start{LoginHint: form.Get("login_hint")}, form.Get("target_link_uri"), nil
}

// equal compares in a time that does not depend on where two texts differ.
func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
