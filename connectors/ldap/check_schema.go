package ldap

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"dirsyncd/connectors"
	"dirsyncd/sync/spelling"
)

// checkSchema finds attributes of the configuration that the server does not know: it would answer as if nobody had any.
// Where the server does not show its schema, there is nothing to find.
func (c *Connector) checkSchema(s *session) []connectors.Finding {
	wanted := c.cfg.ownAttributes()
	if s.root.schema == "" || len(wanted) == 0 {
		return nil
	}
	// RFC 4512 section 4.2: attributes of the subschema entry must be asked for by name, and by this filter.
	entries, err := s.search("check: read schema", ldap.NewSearchRequest(s.root.schema, ldap.ScopeBaseObject, ldap.NeverDerefAliases,
		0, 0, false, "(objectClass=subschema)", []string{"attributeTypes"}, nil))
	if err != nil || len(entries) != 1 {
		return nil
	}
	var known []string
	for _, description := range entries[0].GetEqualFoldAttributeValues("attributeTypes") {
		known = append(known, attributeNames(description)...)
	}
	if len(known) == 0 {
		return nil
	}
	var findings []connectors.Finding
	for _, name := range wanted {
		// Options and object identifiers are not for us to judge.
		base, _, _ := strings.Cut(name, ";")
		if strings.Trim(base, "0123456789.") == "" || slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, base) }) {
			continue
		}
		hint := spelling.DidYouMean(base, known, "check the spelling, or whether the server has the schema that it is from")
		findings = append(findings, connectors.Finding{Subject: "attribute " + name, Detail: "the server's schema does not have it", Hint: hint})
	}
	if len(findings) == 0 {
		findings = append(findings, connectors.Finding{
			Subject: "attributes", OK: true, Detail: fmt.Sprintf("the server's schema has all %d that are configured", len(wanted)),
		})
	}
	return findings
}

// ownAttributes lists the attributes that the operator named, each once.
func (c *Config) ownAttributes() []string {
	var list []string
	add := func(name string) {
		if name != "" && !slices.ContainsFunc(list, func(known string) bool { return strings.EqualFold(known, name) }) {
			list = append(list, name)
		}
	}
	add(c.Anchor)
	for _, a := range c.Attributes {
		add(a.Name)
	}
	for _, field := range slices.Sorted(maps.Keys(c.Fields)) {
		for _, name := range c.Fields[field] {
			add(name)
		}
	}
	return list
}

// attributeNames takes the names out of an attribute type description (RFC 4512 section 4.1.2): after the word NAME one
// name in quotes, or several in parentheses.
func attributeNames(description string) []string {
	_, rest, ok := strings.Cut(description, " NAME ")
	if !ok {
		return nil
	}
	rest = strings.TrimLeft(rest, " ")
	if list, several := strings.CutPrefix(rest, "("); several {
		list, _, _ = strings.Cut(list, ")")
		var names []string
		for _, quoted := range strings.Fields(list) {
			if name := strings.Trim(quoted, "'"); name != "" {
				names = append(names, name)
			}
		}
		return names
	}
	quoted, _, _ := strings.Cut(rest, " ")
	if name := strings.Trim(quoted, "'"); name != "" {
		return []string{name}
	}
	return nil
}
