package ldap

import (
	"slices"
	"strconv"
	"strings"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// inChain is the matching rule that follows links from entry to entry (MS-ADTS 3.1.1.3.4.4.3).
const inChain = "1.2.840.113556.1.4.1941"

// computedAttributes are attributes of a filter whose values a server makes of other entries, in small letters: who is put into a
// group matches (memberOf=…) from then on, and neither the number nor the time of the change of his entry says so. No
// way of asking for changes names such an entry.
func computedAttributes() []string {
	return []string{
		// back links, and what overlays (memberof, dynlist) and plug-ins keep or compute
		"memberof", "ismemberof", "directreports", "managedobjects", "nsrole", "hassubordinates", "numsubordinates", "subordinatecount",
		// constructed by Active Directory (MS-ADTS 3.1.1.4.5)
		"tokengroups", "tokengroupsglobalanduniversal", "tokengroupsnogcacceptable", "msds-memberoftransitive", "msds-membertransitive",
		"msds-user-account-control-computed", "msds-userpasswordexpirytimecomputed", "msds-resultantpso",
	}
}

// computedIn names what a filter looks at that the server computes, by names that are the same everywhere; empty for
// nothing.
func computedIn(filter string) string {
	p, err := ldap.CompileFilter(filter)
	if err != nil {
		return "" // the search will say so
	}
	if hasRule(p, inChain) {
		return "the matching rule " + inChain
	}
	found := ""
	filterAttributes(p, func(name string) {
		name, _, _ = strings.Cut(name, ";")
		if slices.Contains(computedAttributes(), strings.ToLower(name)) {
			found = name
		}
	})
	return found
}

func hasRule(p *ber.Packet, rule string) bool {
	if p.Tag == ldap.FilterExtensibleMatch {
		return slices.ContainsFunc(p.Children, func(c *ber.Packet) bool {
			return c.Tag == ldap.MatchingRuleAssertionMatchingRule && c.Data.String() == rule
		})
	}
	switch p.Tag {
	case ldap.FilterAnd, ldap.FilterOr, ldap.FilterNot:
		return slices.ContainsFunc(p.Children, func(c *ber.Packet) bool { return hasRule(c, rule) })
	}
	return false
}

// computed says which part of the stream's filters the server computes, so that changes do not tell who comes and who
// goes; empty when none is.
func (r *reading) computed() string {
	for _, l := range r.query.lines {
		if what := computedIn(l.filter); what != "" {
			return computedText(what)
		}
	}
	return ""
}

func computedText(what string) string {
	return "the filter looks at " + what + ", which the server computes: who comes or goes by that is in no list of changes"
}

// computedBySchema asks the schema of Active Directory for attributes of the filters that are back links (with an odd
// linkID) or constructed (MS-ADTS 3.1.1.2.3). Where it is not shown, there are none.
func (r *reading) computedBySchema() (string, error) {
	if r.preset.name != presetActiveDirectory || r.session.root.configuration == "" {
		return "", nil
	}
	var names []string
	for _, l := range r.query.lines {
		p, err := ldap.CompileFilter(l.filter)
		if err != nil || l.filter == r.preset.userFilter || l.filter == r.preset.groupFilter {
			continue
		}
		filterAttributes(p, func(name string) { names = append(names, "(lDAPDisplayName="+ldap.EscapeFilter(name)+")") })
	}
	if len(names) == 0 {
		return "", nil
	}
	slices.Sort(names)
	entries, err := r.session.search(r.op+": read schema", ldap.NewSearchRequest("CN=Schema,"+r.session.root.configuration, ldap.ScopeSingleLevel,
		ldap.NeverDerefAliases, 0, 0, false, "(&(objectClass=attributeSchema)(|"+strings.Join(slices.Compact(names), "")+"))",
		[]string{"lDAPDisplayName", "linkID", "systemFlags"}, nil))
	if err != nil && !hidden(err) {
		return "", err
	}
	const constructed = 4
	for _, e := range entries {
		link, _ := strconv.Atoi(e.GetEqualFoldAttributeValue("linkID"))
		flags, _ := strconv.Atoi(e.GetEqualFoldAttributeValue("systemFlags"))
		if link%2 == 1 || flags&constructed != 0 {
			return computedText(e.GetEqualFoldAttributeValue("lDAPDisplayName")), nil
		}
	}
	return "", nil
}
