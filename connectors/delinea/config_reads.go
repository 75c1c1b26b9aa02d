package delinea

import (
	"maps"
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
	p := c.people()
	list := []string{"id: " + p.name + "." + p.id}
	if p.enabled == "" {
		list = append(list, directory.FieldEnabled+": "+strings.Join(slices.Sorted(slices.Values(c.Statuses.Active)), ", "))
	} else {
		list = append(list, directory.FieldEnabled+": "+p.enabled)
	}
	for _, name := range c.Attributes {
		list = append(list, directory.AttributePrefix+name)
	}
	for _, field := range slices.Sorted(maps.Keys(p.fields)) {
		if columns := p.fields[field]; len(columns) > 0 {
			list = append(list, field+": "+strings.Join(columns, ", "))
		}
	}
	if p.lastLogin != "" {
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
	switch {
	case name == "licences" || kind != directory.Person && kind != directory.Group:
		return "a Delinea tenant has none that can be read: give this connection a mapping of its own", true
	case kind == directory.Group && !c.Roles, name == "groups" && !c.Roles:
		return "set delinea.roles: true", true
	case name == "manager":
		return "the table says of nobody who manages them: remove it", true
	case name == directory.FieldLastLogin && c.Table == tableDirectories:
		return "the table DSUsers does not say: set delinea.table: User, and last_login: true", true
	case name == directory.FieldLastLogin:
		return "set delinea.last_login: true", !c.LastLogin
	}
	if kind != directory.Person {
		if strings.HasPrefix(name, directory.AttributePrefix) {
			return "remove it: no attributes are read of a " + kind.String(), true
		}
		return "", false
	}
	if _, common := directory.LookupCommonField(name); common {
		if name == directory.FieldEnabled || name == directory.FieldStatus || len(c.people().fields[name]) > 0 {
			return "", false
		}
		return "name its column in delinea.fields." + name + ", if the table has one", true
	}
	return connectors.UnreadAttribute("delinea.attributes", c.Attributes, name)
}
