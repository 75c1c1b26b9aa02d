package saml

import (
	"context"
	"encoding/base64"
	"net/url"
	"regexp"

	"github.com/beevik/etree"
	"github.com/crewjam/saml"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/signin"
)

// handle is how much of the state travels as RelayState: it finds the cookie, and proves nothing.
const handle = 8

// ourRequest is what ids of our requests look like.
var ourRequest = regexp.MustCompile(`^id-[0-9a-f]{40}$`)

// Begin makes an AuthnRequest: a signed query, or a form where the provider takes no other or `binding` says so.
func (p *Provider) Begin(ctx context.Context, s signin.Start) (to signin.To, pending signin.Pending, err error) {
	defer fault.Recover("make a SAML request", &err)
	i, err := p.idp(ctx)
	if err != nil {
		return signin.To{}, signin.Pending{}, err
	}
	now := p.opts.Now()
	sp := p.service(i.entity, now)
	if p.cfg.ForceAuthn || s.Again {
		again := true
		sp.ForceAuthn = &again
	}
	binding, location := p.way(i.location)
	req, err := sp.MakeAuthenticationRequest(location, binding, saml.HTTPPostBinding)
	if err != nil {
		return signin.To{}, signin.Pending{}, err
	}
	relay := s.State[:min(handle, len(s.State))]
	if binding == saml.HTTPPostBinding {
		to, err = form(location, "SAMLRequest", req.Element(), relay)
	} else {
		to, err = redirect(req.Redirect(relay, sp))
	}
	return to, signin.Pending{State: s.State, Request: req.ID, At: now}, err
}

// way is the binding that is set, else the one that the provider has.
func (p *Provider) way(location func(binding string) string) (binding, address string) {
	order := []string{saml.HTTPRedirectBinding, saml.HTTPPostBinding}
	if p.cfg.Binding == "post" {
		order = []string{saml.HTTPPostBinding, saml.HTTPRedirectBinding}
	}
	for _, b := range order {
		if address = location(b); address != "" {
			return b, address
		}
	}
	return "", ""
}

// idp is what is known of the provider; a refusal when nothing is, or when that ran out.
func (p *Provider) idp(ctx context.Context) (*idp, error) {
	i, err := p.trust.get(ctx)
	if err != nil {
		return nil, unreachable(err)
	}
	if p.ranOut(i) {
		if i = p.trust.hurry(ctx, i); p.ranOut(i) {
			return nil, unreachable(errRanOut)
		}
	}
	return i, nil
}

func (p *Provider) ranOut(i *idp) bool {
	end := i.ends()
	return p.cfg.Metadata.URL != "" && !end.IsZero() && !p.opts.Now().Before(end)
}

func redirect(u *url.URL, err error) (signin.To, error) {
	if err != nil {
		return signin.To{}, err
	}
	return signin.To{URL: u.String()}, nil
}

func form(address, field string, message *etree.Element, relay string) (signin.To, error) {
	doc := etree.NewDocument()
	doc.SetRoot(message)
	data, err := doc.WriteToBytes()
	if err != nil {
		return signin.To{}, err
	}
	f := url.Values{field: {base64.StdEncoding.EncodeToString(data)}}
	if relay != "" {
		f.Set("RelayState", relay)
	}
	return signin.To{URL: address, Form: f}, nil
}
