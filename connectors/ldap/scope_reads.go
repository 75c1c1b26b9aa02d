package ldap

import (
	"slices"
	"strings"

	"dirsyncd/connectors"

	"dirsyncd/sync/directory"
)

// says is what the proofs of a stream say is read (connectors.Proof): by which attribute objects are known, and which
// fill what the rules read.
func says(kind directory.Kind, p preset, cfg *Config, anchor string) []string {
	list := []string{"id: " + anchor}
	for _, a := range cfg.Attributes {
		entry := directory.AttributePrefix + a.Name
		if a.Content {
			entry += ": its content"
		}
		list = append(list, entry)
	}
	add := func(name string, attributes Names) {
		if len(attributes) > 0 {
			list = append(list, name+": "+strings.Join(attributes, ", "))
		}
	}
	if kind == directory.Group {
		var members Names
		for _, m := range p.memberAttributes(cfg) {
			members = append(members, m.name)
		}
		add("members", members)
		if name := p.groupManagerAttribute(cfg); name != "" {
			add(managerField, Names{name})
		}
		slices.Sort(list)
		return list
	}
	for name, attributes := range p.person {
		if _, own := cfg.Fields[name]; !own {
			add(name, attributes)
		}
	}
	for name, attributes := range cfg.Fields {
		add(name, attributes)
	}
	for _, l := range cfg.Users.Search {
		if l.Name != "" {
			add(directory.FieldSearch, Names{l.Name + " below " + l.Base})
		}
	}
	for _, name := range []string{directory.FieldEnabled, directory.FieldStatus, directory.FieldUserType, directory.FieldExpires} {
		if _, own := cfg.Fields[name]; !own {
			add(name, Names{"preset " + p.name})
		}
	}
	slices.Sort(list)
	return list
}

var _ connectors.Selective = (*Config)(nil)

// Unread implements connectors.Selective.
func (c *Config) Unread(kind directory.Kind, name string) (hint string, unread bool) {
	if hint, unread := connectors.UnreadPlace(kind, name); unread {
		return hint, true
	}
	if hint, unread := connectors.UnreadTenant(name); unread && !c.Domains.set() {
		return hint, true
	}
	const none = "an LDAP directory has none: give this connection a mapping of its own"
	own, chosen := c.Fields[name]
	if kind == directory.Group && name == managerField {
		return "name the attribute in ldap.groups.manager, as in {manager: owner}", c.Preset == presetOpenLDAP && c.Groups.Manager == ""
	}
	switch {
	case kind != directory.Person && kind != directory.Group, name == "licences":
		return none, true
	case chosen && len(own) == 0:
		return "name its attribute in ldap.fields." + name, true
	case name == directory.FieldLastLogin && !chosen:
		return "name its attribute in ldap.fields, as in {last_login: lastLogonTimestamp}; it changes often", true
	}
	if _, ok := searchRule(openLDAP(), c); name == directory.FieldSearch && !ok && !chosen {
		return "give a line of ldap.users.search a name", true
	}
	names := make([]string, len(c.Attributes))
	for i, a := range c.Attributes {
		names[i] = a.Name
	}
	return connectors.UnreadAttribute("ldap.attributes", names, name)
}
