package oidc

import (
	"context"
	"crypto/sha256"
	"net/http"
	"net/url"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"

	"dirsyncd/sync/signin"
)

// recent is how old a logout token may be.
const recent = 5 * time.Minute

// EndRequest reads a logout token (OpenID Connect Back-Channel Logout 1.0) or a front-channel request, which says only an issuer and a
// session (OpenID Connect Front-Channel Logout 1.0): it comes without cookies, and without proof. The reply is 200, also
// where nobody is signed in; 400 goes with a *signin.Refusal.
func (p *Provider) EndRequest(ctx context.Context, form url.Values) (signin.Ended, signin.Reply, error) {
	c := &checks{now: p.o.Now()}
	at, refused := p.preset.entry(p.preset.flow(signin.Start{}))
	if refused != nil {
		return signin.Ended{}, signin.Reply{Status: http.StatusBadRequest}, refused
	}
	var ended signin.Ended
	var err error
	if form.Has("logout_token") {
		ended, err = p.backChannel(ctx, c, p.site(at), form.Get("logout_token"))
	} else {
		ended, err = p.frontChannel(ctx, c, p.site(at), form)
	}
	if err != nil {
		return signin.Ended{}, signin.Reply{Status: http.StatusBadRequest}, c.with(err)
	}
	return ended, signin.Reply{Status: http.StatusOK}, nil
}

func (p *Provider) backChannel(ctx context.Context, c *checks, entry *site, raw string) (signin.Ended, error) {
	w, err := p.choose(ctx, c, entry, raw)
	if err != nil {
		return signin.Ended{}, err
	}
	keys := w.keys()
	token, agrees := gooidc.NewVerifier(w.issuer, keys, p.config()).VerifyLogout(ctx, raw)
	if err := keys.signed(c); err != nil {
		return signin.Ended{}, err
	}
	said, err := readClaims(keys.payload)
	if err != nil {
		return signin.Ended{}, c.refuse(signin.Malformed, err.Error(), "")
	}
	if r := p.logoutToken(c, &verified{site: w.site, issuer: w.issuer, header: w.header, claims: said, agrees: agrees}); r != nil {
		return signin.Ended{}, r
	}
	// Once, after everything else: what is refused uses nothing up.
	key := sha256.Sum256([]byte("oidc logout\x00" + p.o.Name + "\x00" + token.Issuer + "\x00" + token.TokenID))
	fresh, err := p.o.Once.Once(ctx, key[:], token.IssuedAt.Add(recent+time.Minute))
	if err != nil {
		return signin.Ended{}, err
	}
	if r := c.that("used once", fresh, "", signin.UsedAlready, "the logout token was used before", ""); r != nil {
		return signin.Ended{}, r
	}
	ended := signin.Ended{}
	if token.Subject != "" && p.preset.bySub {
		ended.Subject = signin.Subject{Realm: w.issuer, Value: token.Subject, Immutable: true}
	}
	if token.SessionID != "" {
		ended.Sessions = []string{token.SessionID}
	}
	if ended.Subject.Value == "" && len(ended.Sessions) == 0 {
		return signin.Ended{}, c.refuse(signin.ClaimRefused, "the logout token has no sid, and by its sub nobody is known here",
			"have the provider put sid into its tokens")
	}
	return ended, nil
}

// logoutToken checks what a logout token says (Back-Channel Logout section 2.6).
func (p *Provider) logoutToken(c *checks, v *verified) *signin.Refusal {
	if r := p.issuer(c, v); r != nil {
		return r
	}
	if r := p.audience(c, v); r != nil {
		return r
	}
	ends, ok := v.claims.moment("exp")
	if r := c.that("not expired", ok && c.now.Before(ends.Add(skew)), difference(c.now.Sub(ends)), signin.Clock,
		"the logout token has expired, or does not say when", ""); r != nil {
		return r
	}
	issued, ok := v.claims.moment("iat")
	age := c.now.Sub(issued)
	if r := c.that("issued lately", ok && age <= recent && age >= -recent, difference(age), signin.Clock,
		"the logout token was issued "+difference(age), "5 minutes are let pass; compare the clocks"); r != nil {
		return r
	}
	events, _ := v.claims["events"].(map[string]any)
	_, logout := events["http://schemas.openid.net/event/backchannel-logout"].(map[string]any)
	if r := c.that("event", logout, "", signin.Malformed, "the token is no logout token", ""); r != nil {
		return r
	}
	_, nonce := v.claims["nonce"]
	if r := c.that("no nonce", !nonce, "", signin.Nonce, "a logout token has no nonce; this is an ID token", ""); r != nil {
		return r
	}
	return c.that("library", v.agrees == nil, "", signin.Malformed, "the logout token is not of the form that it must have", said(v.agrees))
}

func (p *Provider) frontChannel(ctx context.Context, c *checks, entry *site, form url.Values) (signin.Ended, error) {
	sid, iss := form.Get("sid"), form.Get("iss")
	if r := c.that("session", sid != "" && len(sid) <= 255, "", signin.Malformed, "the request names no session",
		"have the provider send iss and sid (frontchannel_logout_session_required)"); r != nil {
		return signin.Ended{}, r
	}
	if iss == "" && p.preset.silentFront {
		return signin.Ended{Sessions: []string{sid}}, nil
	}
	d, err := entry.discovery(ctx)
	if err != nil {
		return signin.Ended{}, err
	}
	ok := iss == d.Issuer
	if entry.at.frame != "" {
		ok = p.preset.framed(iss)
	}
	if r := c.that("issuer", ok, bounded(iss), signin.Issuer, "the request is not from "+d.Issuer, ""); r != nil {
		return signin.Ended{}, r
	}
	return signin.Ended{Sessions: []string{sid}}, nil
}

// End makes the address by which the provider ends its own session (OpenID Connect RP-Initiated Logout 1.0).
func (p *Provider) End(ctx context.Context, s signin.Session) (signin.To, error) {
	at, refused := p.preset.entry(p.preset.flow(signin.Start{}))
	if refused != nil {
		return signin.To{}, refused
	}
	d, err := p.site(at).discovery(ctx)
	if err != nil {
		return signin.To{}, err
	}
	if d.EndSession == "" {
		return signin.To{}, nil
	}
	// An ID token that is longer would make an address that servers refuse.
	const most = 4 << 10
	q := url.Values{"client_id": {p.preset.client.ClientID}}
	switch {
	case s.LoginHint != "":
		q.Set("logout_hint", s.LoginHint)
	case s.IDToken != "" && len(s.IDToken) <= most:
		q.Set("id_token_hint", s.IDToken)
	}
	if p.o.SignedOut != "" {
		q.Set("post_logout_redirect_uri", p.o.SignedOut)
		if s.State != "" {
			q.Set("state", s.State)
		}
	}
	return signin.To{URL: with(d.EndSession, q)}, nil
}
