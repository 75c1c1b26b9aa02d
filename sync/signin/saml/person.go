package saml

import (
	"encoding/xml"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/crewjam/saml"

	"dirsyncd/sync/signin"
)

const formatPrefix = "urn:oasis:names:tc:SAML:2.0:nameid-format:"

// person makes an assertion of ours.
func (p *Provider) person(t *trail, a *saml.Assertion) (*signin.Assertion, *signin.Refusal) {
	id := a.Subject.NameID
	claims, words := p.claims(a)
	object := pick(words["object_id"], words["object_guid"])
	agreed := p.agreed(id)
	switch {
	case id.Format == string(saml.TransientNameIDFormat):
		return nil, t.refuse(signin.TransientID, "name id", "transient", "let the provider issue "+string(p.cfg.format())+
			" (SimpleSAMLphp needs a saml:PersistentNameID filter for it), or set name_id to what it has",
			"the provider names the person by an id that is another one each time")
	case len(object) > 1:
		return nil, t.refuse(signin.ClaimRefused, "object id", "several values", "attributes.object_id must name an attribute with one value",
			"the provider gives the person %d ids of the directory", len(object))
	case !agreed && len(object) == 0:
		return nil, t.refuse(signin.ClaimRefused, "name id", shown(id), "set name_id to the format that the provider issues, or name attributes.object_id",
			"the provider names the person by an id of the format %s, and %s is agreed", shown(id), p.cfg.format())
	}
	t.ok("name id", shown(id))
	statement := a.AuthnStatements[0]
	out := &signin.Assertion{
		Subject: p.subject(id),
		Claims:  claims,
		Session: statement.SessionIndex,
		NameID:  marshalNameID(id),
		At:      statement.AuthnInstant,
		Until:   until(a.AuthnStatements),
	}
	out.Subject.Object, out.Subject.Tenant = first(object), first(words["tenant"])
	if class := statement.AuthnContext.AuthnContextClassRef; class != nil {
		out.Context = class.Value
		t.ok("authentication", class.Value)
	}
	out.Mail = first(words["mail"])
	if out.Mail == "" && id.Format == string(saml.EmailAddressNameIDFormat) {
		out.Mail = strings.TrimSpace(id.Value)
	}
	_, domain, _ := strings.Cut(out.Mail, "@")
	out.MailVerified = domain != "" && (slices.Contains(p.opts.Domains, strings.ToLower(domain)) || slices.Contains(p.opts.Domains, signin.AnyDomain))
	return out, nil
}

// agreed reports whether an id has the format that both sides agreed upon; none is unspecified.
func (p *Provider) agreed(id *saml.NameID) bool {
	format := id.Format
	if format == "" {
		format = string(saml.UnspecifiedNameIDFormat)
	}
	return format == string(p.cfg.format())
}

// subject keys a person by the id with its format and both qualifiers. Those that name the two of us are as good as none (SAML
// core 8.3.7).
func (p *Provider) subject(id *saml.NameID) signin.Subject {
	qualifier, ours := id.NameQualifier, id.SPNameQualifier
	if qualifier == p.cfg.EntityID {
		qualifier = ""
	}
	if ours == p.ours {
		ours = ""
	}
	parts := []string{shown(id), url.QueryEscape(qualifier), url.QueryEscape(ours), strings.TrimSpace(id.Value)}
	return signin.Subject{
		Realm:     "saml/" + p.cfg.EntityID,
		Value:     strings.Join(parts, "!"),
		Immutable: id.Format == string(saml.PersistentNameIDFormat),
	}
}

// shown is a format in short.
func shown(id *saml.NameID) string {
	switch {
	case id.Format == "" || id.Format == string(saml.UnspecifiedNameIDFormat):
		return "unspecified"
	case id.Format == string(saml.EmailAddressNameIDFormat):
		return "email"
	}
	return strings.TrimPrefix(id.Format, formatPrefix)
}

// claims are all attributes by Name, those of several statements and elements together; words those that the configuration has a
// word for: by Name, else by FriendlyName. They stand among the claims, too, in the place of an attribute with that very name.
func (p *Provider) claims(a *saml.Assertion) (claims, words map[string][]string) {
	claims, words = map[string][]string{}, map[string][]string{}
	friendly := map[string][]string{}
	for _, statement := range a.AttributeStatements {
		for _, attribute := range statement.Attributes {
			values := valuesOf(attribute)
			claims[attribute.Name] = append(claims[attribute.Name], values...)
			if attribute.FriendlyName != "" {
				friendly[attribute.FriendlyName] = append(friendly[attribute.FriendlyName], values...)
			}
		}
	}
	for word, names := range p.cfg.Attributes {
		words[word] = nil
		for _, name := range names {
			if values := pick(claims[name], friendly[name]); len(values) > 0 {
				words[word] = values
				break
			}
		}
	}
	for word, values := range words {
		delete(claims, word)
		if len(values) > 0 {
			claims[word] = values
		}
	}
	return claims, words
}

func pick(lists ...[]string) []string {
	for _, list := range lists {
		if len(list) > 0 {
			return list
		}
	}
	return nil
}

func valuesOf(a saml.Attribute) []string {
	values := []string{}
	for _, v := range a.Values {
		text := strings.TrimSpace(v.Value)
		if v.NameID != nil && text == "" {
			text = strings.TrimSpace(v.NameID.Value)
		}
		if text != "" {
			values = append(values, text)
		}
	}
	return values
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// until is the earliest SessionNotOnOrAfter.
func until(statements []saml.AuthnStatement) time.Time {
	var end time.Time
	for _, s := range statements {
		if e := s.SessionNotOnOrAfter; e != nil && (end.IsZero() || e.Before(end)) {
			end = *e
		}
	}
	return end
}

// marshalNameID keeps an id for a log-out.
func marshalNameID(id *saml.NameID) string {
	text, err := xml.Marshal(id)
	if err != nil {
		return ""
	}
	return string(text)
}
