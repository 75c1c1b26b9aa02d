package saml

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/crewjam/saml"

	"dirsyncd/sync/signin"
)

const bearer = "urn:oasis:names:tc:SAML:2.0:cm:bearer"

// again checks what the library returned, whatever the library checked: SAML profiles 4.1.4.2 and 4.1.4.3, core 2.5.1.
func (p *Provider) again(t *trail, a *saml.Assertion, m *message, now time.Time) *signin.Refusal {
	if a.Issuer.Value != p.cfg.EntityID {
		return t.refuse(signin.Issuer, "issuer", a.Issuer.Value, "entity_id must be exactly what the provider calls itself",
			"the assertion comes from %q, not from %q", a.Issuer.Value, p.cfg.EntityID)
	}
	t.ok("issuer", a.Issuer.Value)
	switch {
	case a.ID == "":
		return t.refuse(signin.Malformed, "assertion id", "none", "", "the assertion has no ID")
	case a.Subject == nil || a.Subject.NameID == nil || strings.TrimSpace(a.Subject.NameID.Value) == "":
		return t.refuse(signin.Malformed, "name id", "none", "let the provider issue a NameID; AD FS does so by a rule only", "the assertion names nobody")
	case a.Conditions == nil:
		return t.refuse(signin.Malformed, "conditions", "none", "", "the assertion has no Conditions")
	case len(a.AuthnStatements) == 0:
		return t.refuse(signin.Malformed, "authentication", "none", "", "the assertion does not say that somebody signed in (AuthnStatement)")
	}
	if refusal := p.confirmation(t, a.Subject.SubjectConfirmations, m, now); refusal != nil {
		return refusal
	}
	if refusal := p.times(t, a, m, now); refusal != nil {
		return refusal
	}
	return p.audience(t, a)
}

// confirmation: exactly one, by the bearer, for this address and this request, bounded in time.
func (p *Provider) confirmation(t *trail, list []saml.SubjectConfirmation, m *message, now time.Time) *signin.Refusal {
	const name = "confirmation"
	if len(list) != 1 || list[0].Method != bearer || list[0].SubjectConfirmationData == nil {
		return t.refuse(signin.Malformed, name, fmt.Sprintf("%d confirmations", len(list)), "", "the assertion has not exactly one bearer confirmation with its data")
	}
	data := list[0].SubjectConfirmationData
	switch {
	case data.Recipient != p.acs.String():
		return t.refuse(signin.Destination, "recipient", data.Recipient, "register "+p.acs.String()+" at the provider, exactly",
			"the assertion is for %q, and this is %q", data.Recipient, p.acs.String())
	case data.InResponseTo != m.inResponseTo:
		return t.refuse(signin.NotBegunHere, "request", data.InResponseTo, "", "the assertion answers another request than the response around it")
	case data.NotOnOrAfter.IsZero():
		return t.refuse(signin.Malformed, name, "no NotOnOrAfter", "", "the confirmation of the assertion never ends")
	case !data.NotBefore.IsZero():
		return t.refuse(signin.Malformed, name, "NotBefore", "", "the confirmation of the assertion has a NotBefore, which a bearer's must not have")
	case !now.Before(data.NotOnOrAfter.Add(maxSkew)):
		return p.clock(t, m, now, "the confirmation of the assertion ended at "+stamp(data.NotOnOrAfter))
	}
	t.ok("recipient", data.Recipient)
	t.ok(name, "bearer, until "+stamp(data.NotOnOrAfter))
	return nil
}

func (p *Provider) times(t *trail, a *saml.Assertion, m *message, now time.Time) *signin.Refusal {
	c := a.Conditions
	switch {
	case now.After(a.IssueInstant.Add(maxAge)) || !m.issued.IsZero() && now.After(m.issued.Add(maxAge)):
		return p.clock(t, m, now, "the assertion was issued at "+stamp(a.IssueInstant))
	case now.Before(a.IssueInstant.Add(-maxSkew)) || now.Before(m.issued.Add(-maxSkew)):
		return p.clock(t, m, now, "the assertion was issued in the future, at "+stamp(a.IssueInstant))
	case !c.NotBefore.IsZero() && now.Before(c.NotBefore.Add(-maxSkew)):
		return p.clock(t, m, now, "the assertion holds from "+stamp(c.NotBefore))
	case !c.NotOnOrAfter.IsZero() && !now.Before(c.NotOnOrAfter.Add(maxSkew)):
		return p.clock(t, m, now, "the assertion ended at "+stamp(c.NotOnOrAfter))
	}
	for _, s := range a.AuthnStatements {
		if end := s.SessionNotOnOrAfter; end != nil && !now.Before(end.Add(maxSkew)) {
			return p.clock(t, m, now, "the session at the provider ended at "+stamp(*end))
		}
	}
	t.ok("clock", difference(m, now))
	return nil
}

// clock is the refusal for times that do not fit, with how far the clocks are apart.
func (p *Provider) clock(t *trail, m *message, now time.Time, what string) *signin.Refusal {
	return t.refuse(signin.Clock, "clock", difference(m, now),
		"compare the clocks of this machine and of the provider (chronyc tracking, w32tm /query /status); a page that was left open for long says the same",
		"%s, and it is %s here: %s", what, stamp(now), difference(m, now))
}

// difference is between our clock and the one that stamped the response.
func difference(m *message, now time.Time) string {
	if m.issued.IsZero() {
		return "the response has no time that can be read"
	}
	switch d := now.Sub(m.issued).Round(time.Second); {
	case d > 0:
		return fmt.Sprintf("issued %s ago by our clock", d)
	case d < 0:
		return fmt.Sprintf("issued %s ahead of our clock", -d)
	}
	return "issued now by our clock"
}

func (p *Provider) audience(t *trail, a *saml.Assertion) *signin.Refusal {
	var found []string
	good := len(a.Conditions.AudienceRestrictions) > 0
	for _, restriction := range a.Conditions.AudienceRestrictions {
		var of []string
		for _, audience := range restriction.AllAudiences() {
			of = append(of, audience.Value)
		}
		good = good && slices.Contains(of, p.ours)
		found = append(found, of...)
	}
	if !good {
		return t.refuse(signin.Audience, "audience", strings.Join(found, " "), "register "+p.ours+" as our entity id at the provider, or set own_entity_id",
			"the assertion is for %s, and we are %q", some(found), p.ours)
	}
	t.ok("audience", p.ours)
	return nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
