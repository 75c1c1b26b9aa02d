// Package saml signs people in at a provider of identity that speaks SAML 2.0 (OASIS, March 2005): Web Browser SSO and Single
// Logout, by the bindings HTTP-Redirect and HTTP-POST. What crewjam/saml checks is checked here again.
package saml

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/crewjam/saml"
	dsig "github.com/russellhaering/goxmldsig"

	"dirsyncd/sync/signin"
)

// maxAge is how long ago a message may have been issued, maxSkew how far clocks may differ.
const (
	maxAge  = 5 * time.Minute
	maxSkew = 3 * time.Minute
)

// Options is what a provider gets beside its block of the configuration.
type Options struct {
	// Name is the provider's in the configuration, for log lines.
	Name string
	// URL is the public address of the provider's endpoints: web.url and "/auth/saml/NAME". Below it are metadata, acs, slo.
	URL string
	// Domains are those of mail addresses that the provider may vouch for, in lower case.
	Domains []string
	// Client fetches metadata. Redirects are followed on the same host only.
	Client *http.Client
	// Now is the clock.
	Now func() time.Time
	// Once remembers assertions and log-out requests.
	Once signin.Once
	// Kept keeps the metadata of this provider alone.
	Kept signin.Kept
	// Log gets lines for operators, without personal data; it names the provider already.
	Log *slog.Logger
}

// Provider is a signin.Provider by SAML 2.0. Safe for concurrent use.
type Provider struct {
	cfg      Config
	opts     Options
	acs, slo url.URL
	ours     string // our entity id
	key      *keyPair
	former   []*rsa.PrivateKey
	next     *keyPair
	trust    *trust
}

var _ signin.Provider = (*Provider)(nil)

// widen lets messages be as old as they may be early: by itself crewjam takes 180 s of the one and 90 s of the other. It has a
// variable for that; it is written once, before the first provider is there to read it.
//
//nolint:gochecknoglobals // a variable of the library
var widen = sync.OnceFunc(func() { saml.MaxIssueDelay, saml.MaxClockSkew = maxAge, maxSkew })

// New makes a provider. c must have passed Validate. Nothing is fetched before it is needed.
func New(c *Config, o Options) (*Provider, error) {
	widen()
	base, err := url.Parse(o.URL)
	if err != nil || base.Host == "" {
		return nil, fmt.Errorf("saml provider %s: %q is no address", o.Name, o.URL)
	}
	p := &Provider{cfg: *c, opts: o, acs: *base.JoinPath("acs"), slo: *base.JoinPath("slo"), ours: c.OwnEntityID}
	if p.ours == "" {
		p.ours = base.JoinPath("metadata").String()
	}
	if !c.Key.IsZero() {
		if p.key, err = parseKeyPair(c.Key.Reveal()); err != nil {
			return nil, fmt.Errorf("saml provider %s: key: %w", o.Name, err)
		}
	}
	if !c.NextKey.IsZero() {
		if p.next, err = parseKeyPair(c.NextKey.Reveal()); err != nil {
			return nil, fmt.Errorf("saml provider %s: next_key: %w", o.Name, err)
		}
		p.former = append(p.former, p.next.key) // who reads our metadata early may encrypt to it
	}
	for i, secret := range c.FormerKeys {
		pair, err := parseKeyPair(secret.Reveal())
		if err != nil {
			return nil, fmt.Errorf("saml provider %s: former_keys[%d]: %w", o.Name, i, err)
		}
		p.former = append(p.former, pair.key)
	}
	if p.trust, err = newTrust(c, o); err != nil {
		return nil, fmt.Errorf("saml provider %s: %w", o.Name, err)
	}
	return p, nil
}

// Run keeps the provider's metadata fresh until ctx ends, and returns nil then. Without it the first copy stays until a
// certificate comes that it does not name.
func (p *Provider) Run(ctx context.Context) error { return p.trust.run(ctx) }

// Addresses are what an administrator registers at the provider.
type Addresses struct {
	EntityID string // our entity id, the audience
	ACS      string // assertion consumer service, by POST
	SLO      string // single logout service; blank without single_logout
	Metadata string
}

// Addresses returns what is to be registered at the provider.
func (p *Provider) Addresses() Addresses {
	a := Addresses{EntityID: p.ours, ACS: p.acs.String(), Metadata: strings.TrimSuffix(p.acs.String(), "acs") + "metadata"}
	if p.cfg.SingleLogout {
		a.SLO = p.slo.String()
	}
	return a
}

// service is what crewjam works with. It is made for one message: its clock stands still.
func (p *Provider) service(idp *saml.EntityDescriptor, now time.Time) *saml.ServiceProvider {
	sp := &saml.ServiceProvider{
		EntityID:                         p.ours,
		AcsURL:                           p.acs,
		SloURL:                           p.slo,
		IDPMetadata:                      idp,
		HTTPClient:                       p.opts.Client,
		AuthnNameIDFormat:                p.cfg.format(),
		SendUnspecifiedNameIDFormat:      true,
		MetadataOmitValidUntil:           true,
		AssertionConsumerServiceBindings: []string{saml.HTTPPostBinding},
		RejectUnknownConditions:          true,
		RejectSHA1Signatures:             !p.cfg.AllowSHA1,
		RequireSignedResponseForCBC:      !p.cfg.AllowCBC,
		IgnoreCertificateExpiry:          p.cfg.CertificateDates == "ignore",
		RejectExpiredIDPMetadata:         p.cfg.Metadata.URL != "",
		LimitRelayStateLength:            true,
		DecryptionKeys:                   p.former,
		Clock:                            dsig.NewFakeClockAt(now),
	}
	if p.cfg.SingleLogout {
		sp.LogoutBindings = []string{saml.HTTPRedirectBinding, saml.HTTPPostBinding}
	}
	if len(p.cfg.AuthnContext) > 0 {
		sp.RequestedAuthnContext = &saml.RequestedAuthnContext{Comparison: "exact", AuthnContextClassRefs: p.cfg.AuthnContext}
		sp.ValidateAuthnContextClassRef = true
	}
	if p.key != nil {
		sp.Key, sp.Certificate, sp.Intermediates = p.key.key, p.key.chain[0], p.key.chain[1:]
		sp.LogoutSignatureMethod = dsig.RSASHA256SignatureMethod
		if p.cfg.signs() {
			sp.SignatureMethod = dsig.RSASHA256SignatureMethod
		}
	}
	return sp
}

// expired reports whether a certificate is outside its dates.
func expired(c *x509.Certificate, now time.Time) bool {
	return now.Before(c.NotBefore) || now.After(c.NotAfter)
}
