package okta

import (
	"slices"
	"strings"

	"dirsyncd/connectors"

	"dirsyncd/sync/directory"
)

// says is what the proofs of a stream say is read (connectors.Proof).
func (c *Config) says(stream string) []string {
	if stream != streamUsers {
		return nil
	}
	list := []string{directory.FieldEnabled + ": " + strings.Join(slices.Sorted(slices.Values(c.Statuses.Active)), ", ")}
	for _, name := range c.Attributes {
		list = append(list, directory.AttributePrefix+name)
	}
	for _, s := range c.attributesOf() {
		if len(s.attributes) > 0 {
			list = append(list, s.field+": "+strings.Join(s.attributes, ", "))
		}
	}
	if c.LastLogin {
		list = append(list, directory.FieldLastLogin)
	}
	return list
}

var _ connectors.Selective = (*Config)(nil)

// Unread implements connectors.Selective.
func (c *Config) Unread(kind directory.Kind, name string) (hint string, unread bool) {
	if hint, unread := connectors.UnreadPlace(kind, name); unread {
		return hint, true
	}
	if hint, unread := connectors.UnreadTenant(name); unread {
		return hint, true
	}
	own, chosen := c.Fields[name]
	switch {
	case name == "licences":
		return "an Okta org has none: with apps: true, who has an application is in the group app:LABEL", true
	case kind != directory.Person && kind != directory.Group:
		return "an Okta org has none: give this connection a mapping of its own", true
	case kind == directory.Group && name == managerField:
		return "Okta does not say who manages a group: remove it", true
	case chosen && len(own) == 0:
		return "name its attribute in okta.fields." + name, true
	case name == directory.FieldSearch, name == directory.FieldExpires && !chosen:
		return "an account of Okta has none of its own: name a profile attribute in okta.fields, as in {expires: contractEnd}, or remove it", true
	case name == directory.FieldLastLogin:
		return "set okta.last_login: true", !c.LastLogin
	}
	if kind != directory.Person && strings.HasPrefix(name, directory.AttributePrefix) {
		return "remove it: no attributes are read of a " + kind.String(), true
	}
	return connectors.UnreadAttribute("okta.attributes", c.Attributes, name)
}
