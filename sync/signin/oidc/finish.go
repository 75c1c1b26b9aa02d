package oidc

import (
	"context"
	"net/url"
	"slices"
	"time"

	"dirsyncd/sync/signin"
)

// Finish reads the query of the callback, redeems the code and checks the ID token (OpenID Connect Core sections 3.1.2.5 to 3.1.3.7).
func (p *Provider) Finish(ctx context.Context, form url.Values, pending *signin.Pending) (*signin.Assertion, error) {
	c := &checks{now: p.o.Now()}
	if r := c.begun(form, pending); r != nil {
		return nil, r
	}
	at, refused := p.preset.entry(pending.Flow)
	if refused != nil {
		return nil, refused
	}
	entry := p.site(at)
	d, err := entry.discovery(ctx)
	if err != nil {
		return nil, c.with(err)
	}
	if r := c.answerer(form, d, at); r != nil {
		return nil, r
	}
	if form.Get("error") != "" {
		return nil, c.with(p.preset.refusal(c, form.Get("error"), form.Get("error_description"), pending.Flow))
	}
	if r := c.that("code", form.Get("code") != "", "", signin.Malformed, "the answer has neither a code nor an error",
		"is the response type of the application at the provider \"code\"?"); r != nil {
		return nil, r
	}
	t, err := p.redeem(ctx, c, d, form.Get("code"), pending)
	if err != nil {
		return nil, c.with(err)
	}
	return p.assertion(ctx, c, entry, t, pending, form.Get("iss"))
}

// assertion checks an ID token that came for a code and makes of it what is said of the person.
func (p *Provider) assertion(ctx context.Context, c *checks, entry *site, t tokens, pending *signin.Pending, answerer string) (*signin.Assertion, error) {
	v, err := p.verify(ctx, c, entry, t.ID)
	if err != nil {
		return nil, c.with(err)
	}
	if entry.at.frame != "" && answerer != "" { // of many tenants it is known only now who answers
		if r := c.that("issuer of the answer", answerer == v.issuer, bounded(answerer), signin.Issuer, "the answer is not from the token's issuer", ""); r != nil {
			return nil, r
		}
	}
	if r := p.idToken(c, v, t, pending); r != nil {
		return nil, r
	}
	if err := p.userInfo(ctx, c, v, t.Access); err != nil {
		return nil, c.with(err)
	}
	a := &signin.Assertion{
		Claims: v.claims.flat(), Session: v.claims.text("sid"), LoginHint: v.claims.text("login_hint"), IDToken: t.ID,
		Context: v.claims.text("acr"), Methods: v.claims.list("amr"), At: v.issued,
	}
	if at, ok := v.claims.moment("auth_time"); ok {
		a.At = at
	}
	if r := p.preset.check(c, v, a, pending.Flow); r != nil {
		return nil, r
	}
	if r := c.that("subject", a.Subject.Value != "" && len(a.Subject.Value) <= 255, a.Subject.Realm, signin.ClaimRefused,
		"the token does not say who it is", "at most 255 characters are taken"); r != nil {
		return nil, r
	}
	c.personal(a.Subject.Value)
	a.Checks = c.list
	return a, nil
}

// begun checks that the answer belongs to what this browser began.
func (c *checks) begun(form url.Values, pending *signin.Pending) *signin.Refusal {
	const hint = "the page was opened in another browser, or again; begin anew at the application"
	if r := c.that("begun here", pending != nil, "", signin.NotBegunHere, "this browser has not begun a sign-in", hint); r != nil {
		return r
	}
	if r := c.that("one answer", len(form["state"]) <= 1 && len(form["code"]) <= 1 && len(form["iss"]) <= 1 && len(form["error"]) <= 1, "",
		signin.Malformed, "a parameter of the answer comes twice", ""); r != nil {
		return r
	}
	if r := c.that("state", pending.State != "" && equal(form.Get("state"), pending.State), "", signin.NotBegunHere,
		"the state is not that of the sign-in that this browser has begun", hint); r != nil {
		return r
	}
	age := c.now.Sub(pending.At)
	return c.that("in time", age <= patience && age > -skew, age.Round(time.Second).String(), signin.TooLate,
		"the sign-in took longer than "+patience.String(), "begin anew at the application")
}

// answerer checks who answers, where the provider says so (RFC 9207).
func (c *checks) answerer(form url.Values, d *discovery, at authority) *signin.Refusal {
	iss, said := form.Get("iss"), form.Has("iss")
	if at.frame != "" || !said && !d.IssInAnswer {
		return nil
	}
	return c.that("issuer of the answer", iss == d.Issuer, bounded(iss), signin.Issuer, "the answer is not from "+d.Issuer,
		"an answer of another provider was sent to this address")
}

// with gives a refusal the checks so far; other errors stay what they are.
func (c *checks) with(err error) error {
	if r, ok := err.(*signin.Refusal); ok && r != nil { //nolint:errorlint // ours are not wrapped
		full := *r
		full.Checks = slices.Clone(c.list)
		return &full
	}
	return err
}
