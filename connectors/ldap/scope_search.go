package ldap

import (
	"fmt"
	"strings"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/settings"
)

// namedSearch is a line of searches that has a name.
type namedSearch struct {
	name string
	set  searchSet
}

// searchRule fills the field search with the name of the first line, in the order of the configuration, that holds a person's
// place. It follows from the DN alone, as path does, so that a full read and every incremental one come to the same; that
// filters decide nothing of it is what validateNames is for. It reports false when no line has a name.
func searchRule(p preset, cfg *Config) (fieldRule, bool) {
	var named []namedSearch
	for _, l := range cfg.Users.Search {
		if l.Name != "" {
			named = append(named, namedSearch{l.Name, newSearchSet(p.form, []searchLine{l.line("")})})
		}
	}
	read := func(r *row) (directory.Value, bool) {
		entry := string(p.form.Append(nil, r.dn))
		for i := range named {
			if named[i].set.has(entry) {
				return directory.Text(named[i].name), true
			}
		}
		return directory.Value{}, false
	}
	return fieldRule{directory.FieldSearch, read}, len(named) > 0
}

// validateNames refuses the name of a line where the place of somebody does not say whether the line has found them: an entry
// that two lines with different filters can find is known to have been found by one of them, and an incremental read does not
// tell by which.
func (c *Config) validateNames(report settings.Reporter) {
	type searched struct {
		line searchLine
		what string
	}
	var all []searched
	filter := c.Users.Filter
	bases := c.Base
	if len(c.Users.Base) > 0 {
		bases = c.Users.Base
	}
	if len(bases) == 0 && c.Domains.set() {
		bases = Names{""} // each domain as a whole
	}
	for _, base := range bases {
		what := "the base " + base
		if base == "" {
			what = "the search of the whole domain"
		}
		all = append(all, searched{searchLine{base: base, scope: scopes[c.Users.Scope], filter: tidyFilter(filter)}, what})
	}
	first := len(all)
	for i, l := range c.Users.Search {
		all = append(all, searched{l.line(tidyFilter(filter)), fmt.Sprintf("search[%d]", i)})
	}
	form := openLDAP().form
	for i, l := range c.Users.Search {
		if l.Name == "" {
			continue
		}
		own := all[first+i].line
		for _, other := range all {
			if other.line.filter == own.filter || strings.TrimSpace(l.Base) == "" {
				continue
			}
			if (query{lines: []searchLine{own, other.line}}).overlapping(form) {
				report(fmt.Sprintf("users.search[%d].name", i), "give both the same filter and ask of attributes in rules, or remove the name and use under(path, …)",
					"%s finds the same people by another filter, and a read of changes does not tell which of the two found somebody", other.what)
				break
			}
		}
	}
}
