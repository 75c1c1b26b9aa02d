package oidc

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"

	"dirsyncd/sync/signin"
)

// verified is a token whose signature holds.
type verified struct {
	site   *site
	issuer string // that of the site, exact
	header header
	claims claims
	issued time.Time
	agrees error // what the library says besides; nil when it takes the token
	hash   func(access string) error
}

// chosen is whose keys verify a token, found before it is verified.
type chosen struct {
	site   *site
	jwks   string
	issuer string
	header header
}

// choose finds the authority of a token. What the token says is not believed: it only picks among those that are allowed, and the issuer is
// compared afterwards.
func (p *Provider) choose(ctx context.Context, c *checks, entry *site, raw string) (chosen, error) {
	h, unverified, err := split(raw)
	if err != nil {
		hint := ""
		if strings.Count(raw, ".") == 4 {
			hint = "turn the encryption of ID tokens off at the provider"
		}
		return chosen{}, c.refuse(signin.Malformed, err.Error(), hint)
	}
	if r := h.allowed(c); r != nil {
		return chosen{}, r
	}
	s := entry
	if p.preset.tenant != nil {
		at, err := p.preset.tenant(ctx, c, unverified)
		if err != nil {
			return chosen{}, err
		}
		s = p.site(at)
	}
	d, err := s.discovery(ctx)
	if err != nil {
		return chosen{}, err
	}
	return chosen{site: s, jwks: d.Keys, issuer: d.Issuer, header: h}, nil
}

// config is how the library verifies. Its clock is behind by the skew, so that a token just expired is taken; what is too early is
// checked by us, because the library lets five minutes pass.
func (p *Provider) config() *gooidc.Config {
	return &gooidc.Config{
		ClientID: p.preset.client.ClientID, SupportedSigningAlgs: algorithms, Now: func() time.Time { return p.o.Now().Add(-skew) },
	}
}

func (w chosen) keys() *verifying {
	return &verifying{site: w.site, jwks: w.jwks, issuer: w.issuer, header: w.header}
}

// verify verifies the signature of an ID token and has the library check it.
func (p *Provider) verify(ctx context.Context, c *checks, entry *site, raw string) (*verified, error) {
	w, err := p.choose(ctx, c, entry, raw)
	if err != nil {
		return nil, err
	}
	keys := w.keys()
	token, agrees := gooidc.NewVerifier(w.issuer, keys, p.config()).Verify(ctx, raw)
	if err := keys.signed(c); err != nil {
		return nil, err
	}
	said, err := readClaims(keys.payload)
	if err != nil {
		return nil, c.refuse(signin.Malformed, err.Error(), "")
	}
	v := &verified{site: w.site, issuer: w.issuer, header: w.header, claims: said, agrees: agrees}
	if token != nil && token.AccessTokenHash != "" {
		v.hash = token.VerifyAccessToken
	}
	return v, nil
}

// idToken checks what an ID token says (OpenID Connect Core section 3.1.3.7).
func (p *Provider) idToken(c *checks, v *verified, t tokens, pending *signin.Pending) *signin.Refusal {
	for _, step := range []func() *signin.Refusal{
		func() *signin.Refusal { return p.issuer(c, v) },
		func() *signin.Refusal { return p.audience(c, v) },
		func() *signin.Refusal { return p.times(c, v) },
		func() *signin.Refusal {
			nonce := v.claims.text("nonce")
			return c.that("nonce", pending.Nonce != "" && equal(nonce, pending.Nonce), "", signin.Nonce,
				"the token was made for another sign-in", "somebody may have tried to use a token of somebody else")
		},
		func() *signin.Refusal {
			sub, ok := v.claims["sub"].(string)
			return c.that("sub", ok && sub != "" && len(sub) <= 255, "", signin.ClaimRefused, "the token has no sub of 1 to 255 characters", "")
		},
		func() *signin.Refusal { return p.lastSeen(c, v) },
		func() *signin.Refusal {
			// What we let pass and the library does not is refused too.
			return c.that("library", v.agrees == nil, "", signin.Malformed, "the token is not of the form that it must have", said(v.agrees))
		},
		func() *signin.Refusal {
			if !v.hashed() {
				return nil
			}
			return c.that("at_hash", v.hash != nil && t.Access != "" && v.hash(t.Access) == nil, "", signin.ClaimRefused,
				"the access token is not the one that came with the ID token", "")
		},
	} {
		if r := step(); r != nil {
			return r
		}
	}
	return nil
}

func said(err error) string {
	if err == nil {
		return ""
	}
	return bounded(err.Error())
}

func (v *verified) hashed() bool { _, there := v.claims["at_hash"]; return there }

func (p *Provider) issuer(c *checks, v *verified) *signin.Refusal {
	iss := v.claims.text("iss")
	ok := iss == v.issuer || p.preset.alias != "" && iss == p.preset.alias
	return c.that("issuer", ok, bounded(iss), signin.Issuer, "the token is from "+bounded(iss)+", expected "+v.issuer,
		"the issuer must be the same letter by letter, a slash at its end included")
}

func (p *Provider) audience(c *checks, v *verified) *signin.Refusal {
	id := p.preset.client.ClientID
	audience := v.claims.list("aud")
	if r := c.that("audience", slices.Contains(audience, id), bounded(strings.Join(audience, " ")), signin.Audience,
		"the token is for another application", "compare client_id with the application's id at the provider"); r != nil {
		return r
	}
	azp, said := v.claims["azp"]
	if !said && len(audience) == 1 {
		return nil
	}
	return c.that("authorized party", azp == id, bounded(v.claims.text("azp")), signin.Audience,
		"the token was given to another application", "azp must be client_id when it is there, or when there are several audiences")
}

// times checks exp, nbf and iat.
func (p *Provider) times(c *checks, v *verified) *signin.Refusal {
	const hint = "compare the clocks: `signin test` shows the difference; 2 minutes are let pass"
	now := c.now
	ends, ok := v.claims.moment("exp")
	if r := c.that("not expired", ok && now.Before(ends.Add(skew)), difference(now.Sub(ends)), signin.Clock,
		"the token has expired "+difference(now.Sub(ends)), hint); r != nil {
		return r
	}
	if _, said := v.claims["nbf"]; said {
		from, ok := v.claims.moment("nbf")
		if r := c.that("valid already", ok && !now.Add(skew).Before(from), difference(now.Sub(from)), signin.Clock,
			"the token is valid only later, begins "+difference(now.Sub(from)), hint); r != nil {
			return r
		}
	}
	issued, ok := v.claims.moment("iat")
	v.issued = issued
	return c.that("issued already", ok && !now.Add(skew).Before(issued), difference(now.Sub(issued)), signin.Clock,
		"the token was issued "+difference(now.Sub(issued)), hint)
}

// difference says how long ago something is by our clock.
func difference(d time.Duration) string {
	if d > 10000*time.Hour || d < -10000*time.Hour {
		return "at no time that makes sense"
	}
	if d < 0 {
		return (-d).Round(time.Second).String() + " from now by our clock"
	}
	return d.Round(time.Second).String() + " ago by our clock"
}

// lastSeen checks auth_time where max_age asked for it.
func (p *Provider) lastSeen(c *checks, v *verified) *signin.Refusal {
	most := p.preset.client.MaxAge
	if most == nil {
		return nil
	}
	at, ok := v.claims.moment("auth_time")
	if r := c.that("auth_time is there", ok, "", signin.ClaimRefused, "the token does not say when the person signed in",
		"max_age asks for auth_time; does the provider keep to it?"); r != nil {
		return r
	}
	return c.that("auth_time", c.now.Sub(at) <= most.Std()+skew && !c.now.Add(skew).Before(at), difference(c.now.Sub(at)), signin.ClaimRefused,
		"the person signed in "+difference(c.now.Sub(at))+", longer ago than max_age", "")
}

var errNoIDToken = errors.New("the answer has no ID token")
