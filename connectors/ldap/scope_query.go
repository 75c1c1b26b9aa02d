package ldap

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/directory/dn"
)

// query is what a stream reads: everything that one of its lines finds.
type query struct {
	lines    []searchLine
	pageSize int
	identity string // who reads
	reads    []string
}

// searchLine is one search.
type searchLine struct {
	base   string
	scope  int
	filter string
}

func newQuery(kind directory.Kind, p preset, cfg *Config, identity string) query {
	search, filter := cfg.Users, p.userFilter
	if kind == directory.Group {
		search, filter = cfg.Groups, p.groupFilter
	}
	if search.Filter != "" {
		filter = tidyFilter(search.Filter)
	}
	bases := cfg.Base
	if len(search.Base) > 0 {
		bases = search.Base
	}
	q := query{pageSize: cfg.PageSize, identity: identity}
	for _, base := range bases {
		q.lines = append(q.lines, searchLine{base: base, scope: scopes[search.Scope], filter: filter})
	}
	for _, own := range search.Search {
		q.lines = append(q.lines, own.line(filter))
	}
	return q
}

// line is the search of a line, with the filter of the stream unless it has one of its own.
func (l SearchLine) line(filter string) searchLine {
	s := searchLine{base: l.Base, scope: ldap.ScopeWholeSubtree, filter: filter}
	if l.Recursive != nil && !*l.Recursive {
		s.scope = ldap.ScopeSingleLevel
	}
	if l.Filter != "" {
		s.filter = tidyFilter(l.Filter)
	}
	return s
}

// tidyFilter takes blanks and line breaks out of a filter where RFC 4515 has none, as they are left when a long one is
// written over several lines. At both ends of a value they mean nothing to a server (RFC 4518 section 2.6.1).
func tidyFilter(filter string) string {
	const blanks = " \t\r\n"
	var b strings.Builder
	for rest := strings.Trim(filter, blanks); rest != ""; rest = strings.TrimLeft(rest, blanks) {
		if strings.IndexByte("()&|!", rest[0]) >= 0 {
			b.WriteByte(rest[0])
			rest = rest[1:]
			continue
		}
		end := strings.IndexByte(rest, ')')
		if end < 0 {
			end = len(rest)
		}
		item := rest[:end]
		rest = rest[end:]
		if name, value, ok := strings.Cut(item, "="); ok {
			b.WriteString(strings.Join(strings.Fields(name), ""))
			b.WriteByte('=')
			item = strings.TrimLeft(value, blanks)
		}
		b.WriteString(strings.TrimRight(item, blanks))
	}
	return b.String()
}

// String is the scope of the stream's proofs. The servers are replicas of each other, so their names are not
// part of it; who asks is, since rights decide what is seen.
func (q query) String() string {
	var parts []string
	for _, group := range grouped(q.lines, func(l searchLine) searchLine { return searchLine{scope: l.scope, filter: l.filter} }) {
		bases := make([]string, len(group))
		for i, l := range group {
			bases[i] = l.base
		}
		parts = append(parts, fmt.Sprintf("bases %q, scope %s, filter %s", strings.Join(bases, "; "), scopeWord(group[0].scope), group[0].filter))
	}
	return strings.Join(parts, "; and ") + ", as " + q.identity
}

func scopeWord(scope int) string {
	switch scope {
	case ldap.ScopeBaseObject:
		return "base"
	case ldap.ScopeSingleLevel:
		return "one"
	default:
		return "sub"
	}
}

// grouped puts lines with the same key together, groups and lines in the order in which they come.
func grouped[K comparable](lines []searchLine, key func(searchLine) K) [][]searchLine {
	var groups [][]searchLine
	for _, l := range lines {
		i := slices.IndexFunc(groups, func(group []searchLine) bool { return key(group[0]) == key(l) })
		if i < 0 {
			groups, i = append(groups, nil), len(groups)
		}
		groups[i] = append(groups[i], l)
	}
	return groups
}

// overlapping reports whether an entry can be found by more than one of the lines.
func (q query) overlapping(form dn.Form) bool {
	for i, a := range q.lines {
		top := string(form.Append(nil, a.base))
		for j, b := range q.lines {
			if i == j {
				continue
			}
			if other := string(form.Append(nil, b.base)); other == top || under(other, top) {
				return true
			}
		}
	}
	return false
}
