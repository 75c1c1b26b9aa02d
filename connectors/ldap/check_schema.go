package ldap

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"dirsyncd/connectors"
	"dirsyncd/sync/spelling"
)

// checkSchema finds attributes of the configuration that the server does not know: it would answer as if nobody had any.
// Where the server does not show its schema, there is nothing to find.
func (c *Connector) checkSchema(s *session) []connectors.Finding {
	wanted := c.cfg.ownAttributes()
	known := c.schemaOf(s, "check", true)
	if known == nil || len(known.names()) == 0 {
		return nil
	}
	var findings []connectors.Finding
	for _, name := range wanted {
		// Options and object identifiers are not for us to judge.
		base, _, _ := strings.Cut(name, ";")
		if strings.Trim(base, "0123456789.") == "" || known.find(base) != nil {
			continue
		}
		hint := spelling.DidYouMean(base, known.names(), "check the spelling, or whether the server has the schema that it is from")
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
	add(c.Anchor.Users)
	add(c.Anchor.Groups)
	for _, a := range c.Attributes {
		add(a.Name)
	}
	for _, field := range slices.Sorted(maps.Keys(c.Fields)) {
		for _, name := range c.Fields[field] {
			add(name)
		}
	}
	for _, name := range append(slices.Clone(c.Groups.Members), c.Groups.Manager) {
		add(name)
	}
	return list
}
