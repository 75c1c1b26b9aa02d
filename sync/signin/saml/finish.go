package saml

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/xml"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/crewjam/saml"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/signin"
)

// Finish reads what was posted to the assertion consumer service. Without pending (its cookie does not come along with a post
// from elsewhere) the answer must be one to a request of ours all the same; which browser made that is left to whoever compares
// Assertion.Request with what it kept. Request is blank where idp_initiated is accept and nobody here asked.
func (p *Provider) Finish(ctx context.Context, form url.Values, pending *signin.Pending) (a *signin.Assertion, err error) {
	defer fault.Recover("read a SAML response", &err)
	t := &trail{}
	data, m, refusal := p.open(t, form)
	if refusal != nil {
		return nil, refusal
	}
	if refusal := p.outside(t, m, pending); refusal != nil {
		return nil, refusal
	}
	assertion, err := p.verify(ctx, t, data, m)
	if err != nil {
		return nil, err
	}
	now := p.opts.Now()
	if refusal := p.again(t, assertion, m, now); refusal != nil {
		return nil, refusal
	}
	if a, refusal = p.person(t, assertion); refusal != nil {
		return nil, refusal
	}
	if err := p.once(ctx, t, assertion); err != nil {
		return nil, err
	}
	a.Request, a.Checks = m.inResponseTo, t.checks
	return a, nil
}

// open takes the message out of the form.
func (p *Provider) open(t *trail, form url.Values) ([]byte, *message, *signin.Refusal) {
	const name = "form"
	for _, other := range []string{"SAMLart", "SigAlg", "Signature"} {
		if form.Has(other) {
			return nil, nil, t.refuse(signin.Malformed, name, other, "let the provider answer by HTTP-POST",
				"the form has a field %s: another binding than HTTP-POST", other)
		}
	}
	if n := len(form["SAMLResponse"]); n != 1 || len(form["RelayState"]) > 1 {
		return nil, nil, t.refuse(signin.Malformed, name, fmt.Sprintf("%d SAMLResponse, %d RelayState", n, len(form["RelayState"])),
			"start at the application, not at this address", "the form has not exactly one SAMLResponse")
	}
	t.ok(name, "one SAMLResponse")
	data, err := decode(form.Get("SAMLResponse"))
	var m *message
	if err == nil {
		m, err = readMessage(data)
	}
	if err == nil && m.name != (xml.Name{Space: nsProtocol, Local: "Response"}) {
		err = errors.New("it is no Response of SAML 2.0")
	}
	if err != nil {
		return nil, nil, t.refuse(signin.Malformed, "xml", err.Error(), "", "the response cannot be read: %v", err)
	}
	t.ok("xml", fmt.Sprintf("%d bytes, no document type", len(data)))
	return data, m, nil
}

// outside looks at what needs no signature to be wrong.
func (p *Provider) outside(t *trail, m *message, pending *signin.Pending) *signin.Refusal {
	if m.issuer != "" && m.issuer != p.cfg.EntityID {
		return t.refuse(signin.Issuer, "issuer", m.issuer, "entity_id must be exactly what the provider calls itself",
			"the response comes from %q, not from %q", m.issuer, p.cfg.EntityID)
	}
	if refusal := p.status(t, m); refusal != nil {
		return refusal
	}
	if refusal := p.request(t, m, pending); refusal != nil {
		return refusal
	}
	if m.assertions != 1 || m.elsewhere > 0 {
		found := fmt.Sprintf("%d, and %d in other places", m.assertions, m.elsewhere)
		if m.assertions == 0 && m.elsewhere == 0 {
			return t.refuse(signin.Malformed, "assertions", found, "", "the response says Success and has no assertion")
		}
		return t.refuse(signin.TwoAssertions, "assertions", found, "the provider must send one; anything else looks like an attack",
			"the response has %s assertions; exactly one may be there, directly in it", found)
	}
	t.ok("assertions", "1")
	if m.doubled {
		return t.refuse(signin.TwoAssertions, "ids", "an ID twice", "", "two elements of the response have the same ID")
	}
	t.ok("ids", "each once")
	if m.destination != "" && m.destination != p.acs.String() {
		return t.refuse(signin.Destination, "destination", m.destination, "register "+p.acs.String()+" at the provider, exactly",
			"the response is for %q, and this is %q", m.destination, p.acs.String())
	}
	if !m.signed && !m.encrypted {
		return t.refuse(signin.NotSigned, "signature", "none", "let the provider sign assertions or responses",
			"neither the response nor its assertion is signed")
	}
	return nil
}

func (p *Provider) status(t *trail, m *message) *signin.Refusal {
	found := strings.Join(m.codes, " ")
	if len(m.codes) == 0 {
		return t.refuse(signin.Malformed, "status", "none", "", "the response has no status")
	}
	if m.codes[0] == saml.StatusSuccess {
		t.ok("status", found)
		return nil
	}
	text := m.statusText
	if text != "" {
		text = fmt.Sprintf(", and says %q", text[:min(len(text), 300)])
	}
	refusal := t.refuse(signin.ProviderError, "status", found, statusHint(m.codes), "the provider answers %s%s", found, text)
	refusal.Code = innermost(m.codes)
	return refusal
}

// request compares with what was asked. Which requests of ours are pending is known to browsers only.
func (p *Provider) request(t *trail, m *message, pending *signin.Pending) *signin.Refusal {
	const name = "request"
	switch {
	case m.inResponseTo == "" && pending == nil && p.cfg.IDPInitiated == "accept":
		t.ok(name, "none: begun by the provider")
		return nil
	case m.inResponseTo == "" && pending == nil && p.cfg.IDPInitiated == "restart" && m.issuer == p.cfg.EntityID:
		refusal := t.refuse(signin.NotBegunHere, name, "none: begun by the provider", "", "the provider began, and is asked anew")
		refusal.Restart = &signin.Start{}
		return refusal
	case m.inResponseTo == "":
		return t.refuse(signin.NotBegunHere, name, "none: begun by the provider", "start at the application, or see idp_initiated",
			"the response answers no request")
	case !ourRequest.MatchString(m.inResponseTo):
		return t.refuse(signin.NotBegunHere, name, m.inResponseTo, "", "the response answers a request that is none of ours")
	case pending != nil && subtle.ConstantTimeCompare([]byte(pending.Request), []byte(m.inResponseTo)) != 1:
		return t.refuse(signin.NotBegunHere, name, m.inResponseTo, "", "the response answers another request than the one that this browser made")
	}
	t.ok(name, m.inResponseTo)
	return nil
}

// verify lets the library check it, a second time with fresh metadata where the certificate was an unknown one.
func (p *Provider) verify(ctx context.Context, t *trail, data []byte, m *message) (*saml.Assertion, error) {
	i, err := p.idp(ctx)
	if err != nil {
		var refusal *signin.Refusal
		if errors.As(err, &refusal) {
			refusal.Checks = t.checks
		}
		return nil, err
	}
	now := p.opts.Now()
	assertion, err := p.parse(i, data, m, now)
	if errors.Is(err, saml.ErrUntrustedCertificate) {
		if fresh := p.trust.hurry(ctx, i); fresh != i {
			i = fresh
			assertion, err = p.parse(i, data, m, now)
		}
	}
	if err != nil {
		return nil, p.explain(t, err, m, i, now)
	}
	t.ok("signature", "by a key of the provider")
	if m.encrypted {
		t.ok("encryption", "decrypted")
	}
	return assertion, nil
}

func (p *Provider) parse(i *idp, data []byte, m *message, now time.Time) (*saml.Assertion, error) {
	sp := p.service(i.entity, now)
	sp.AllowIDPInitiated = m.inResponseTo == ""
	sp.ValidateRequestID = func(r saml.Response, _ []string) error {
		if r.InResponseTo != m.inResponseTo {
			return saml.ErrRequestIDMismatch
		}
		return nil
	}
	return sp.ParseXMLResponse(data, nil, p.acs)
}

// once lets an assertion in a single time, however many bring it at the same moment.
func (p *Provider) once(ctx context.Context, t *trail, a *saml.Assertion) error {
	until := a.IssueInstant.Add(maxAge)
	for _, end := range []time.Time{a.Conditions.NotOnOrAfter, a.Subject.SubjectConfirmations[0].SubjectConfirmationData.NotOnOrAfter} {
		if end.After(until) {
			until = end
		}
	}
	fresh, err := p.opts.Once.Once(ctx, p.onceKey("assertion", a.ID), until.Add(maxSkew))
	if err != nil {
		return fmt.Errorf("remember the assertion: %w", err)
	}
	if !fresh {
		return t.refuse(signin.UsedAlready, "used once", "seen before", "", "this assertion was used before")
	}
	t.ok("used once", "not seen before")
	return nil
}

// onceKey names a message of this provider.
func (p *Provider) onceKey(kind, id string) []byte {
	sum := sha256.Sum256([]byte("saml\x00" + p.cfg.EntityID + "\x00" + kind + "\x00" + id))
	return sum[:]
}
