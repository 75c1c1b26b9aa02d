package sql

import (
	"strings"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
)

var _ connectors.Selective = (*Config)(nil)

// Unread implements connectors.Selective. Which columns a query returns only the database knows: a common field counts as read
// unless the configuration leaves it empty.
func (c *Config) Unread(kind directory.Kind, name string) (hint string, unread bool) {
	if hint, unread := connectors.UnreadTenant(name); unread {
		return hint, true
	}
	var of *source
	for _, s := range c.sources() {
		if s.kind == kind {
			of = &s
		}
	}
	reads := func(word string) bool { _, ok := c.Kinds[word]; return ok }
	switch {
	case of == nil:
		return "give the connection a query for them: sql.kinds." + kind.String(), true
	case name == directory.FieldSearch:
		return "rows are found by no search: remove it", true
	case name == "groups" && !reads("group"):
		return "give the connection a query for groups: sql.kinds.group", true
	case name == "licences" && !reads("licence"):
		return "give the connection a query for licences: sql.kinds.licence", true
	case strings.HasPrefix(name, directory.AttributePrefix):
		if of.query.Attributes.All {
			return "", false
		}
		return connectors.UnreadAttribute("sql.kinds."+of.word+".attributes", of.query.Attributes.Names, name)
	}
	s, said := of.query.Columns[name]
	return "name its column in sql.kinds." + of.word + ".columns." + name, said && !s.IsFixed && len(s.Columns) == 0
}
