package ldap

import (
	"slices"
	"strings"

	"dirsyncd/sync/directory/dn"

	"github.com/go-ldap/ldap/v3"
)

// area is the part of a stream's scope that lies in one naming context: in one database of the server, which
// has one sequence of changes.
type area struct {
	// suffix is the naming context.
	suffix string
	// base is where one search finds everything in the area: the only base, or what all bases have in common.
	base string
	sets []searchSet
	form dn.Form
}

// searchSet holds lines of an area that have the same filter.
type searchSet struct {
	base   string // as that of the area
	filter string
	bases  []searchBase
	form   dn.Form
}

// searchBase is where a line searches.
type searchBase struct {
	base  string // normal form
	scope int
}

// searchScope is the scope of a search from base that misses nothing of the set. It may find more.
func (s *searchSet) searchScope() int {
	if len(s.bases) == 1 {
		return s.bases[0].scope
	}
	return ldap.ScopeWholeSubtree
}

// holds reports whether the entry of a DN lies in the set.
func (s *searchSet) holds(entry string) bool {
	return s.has(string(s.form.Append(nil, entry)))
}

// has is holds of a DN in normal form.
func (s *searchSet) has(normal string) bool {
	return slices.ContainsFunc(s.bases, func(b searchBase) bool {
		switch b.scope {
		case ldap.ScopeBaseObject:
			return normal == b.base
		case ldap.ScopeSingleLevel:
			return under(normal, b.base) && dn.Parent(normal) == b.base
		default:
			return normal == b.base || under(normal, b.base)
		}
	})
}

// newSearchSet makes a set of lines with the same filter.
func newSearchSet(form dn.Form, lines []searchLine) searchSet {
	s := searchSet{base: commonBase(form, lines), filter: lines[0].filter, form: form}
	for _, l := range lines {
		s.bases = append(s.bases, searchBase{base: string(form.Append(nil, l.base)), scope: l.scope})
	}
	return s
}

// commonBase is the lowest entry that has all bases below it, or is one of them.
func commonBase(form dn.Form, lines []searchLine) string {
	base := lines[0].base
	for _, l := range lines[1:] {
		normal := string(form.Append(nil, l.base))
		for top := string(form.Append(nil, base)); normal != top && !under(normal, top); {
			base = dn.Parent(base)
			top = string(form.Append(nil, base))
		}
	}
	return base
}

// under reports whether a DN lies below another, both in normal form. The empty DN is above all others.
func under(dn, base string) bool {
	if base == "" {
		return dn != ""
	}
	head, ok := strings.CutSuffix(dn, base)
	if !ok {
		return false
	}
	head, ok = strings.CutSuffix(head, ",")
	// A comma behind an odd number of backslashes is a part of a value.
	return ok && (len(head)-len(strings.TrimRight(head, `\`)))%2 == 0
}

// areas divides the lines of a reading by the server's naming contexts. It reports false when one of them lies in
// none that the server names.
func (r *reading) areas() ([]area, bool) {
	form := r.preset.form
	suffixes := make(map[searchLine]string)
	for _, l := range r.query.lines {
		suffix, ok := r.namingContext(l.base)
		if !ok {
			return nil, false
		}
		suffixes[l] = suffix
	}
	var list []area
	for _, lines := range grouped(r.query.lines, func(l searchLine) string { return suffixes[l] }) {
		a := area{suffix: suffixes[lines[0]], base: commonBase(form, lines), form: form}
		for _, same := range grouped(lines, func(l searchLine) string { return l.filter }) {
			a.sets = append(a.sets, newSearchSet(form, same))
		}
		list = append(list, a)
	}
	return list, true
}

// namingContext finds the naming context that holds a DN: the longest of those above it.
func (r *reading) namingContext(dn string) (suffix string, ok bool) {
	normal := string(r.preset.form.Append(nil, dn))
	for _, name := range r.session.root.namingContexts {
		top := string(r.preset.form.Append(nil, name))
		if (normal == top || under(normal, top)) && (!ok || len(name) > len(suffix)) {
			suffix, ok = name, true
		}
	}
	return suffix, ok
}

// outermost returns those of the DNs that do not lie below another one. The second list is their normal form.
func outermost(dns, normal []string) []string {
	var outer []string
	for i, dn := range normal {
		if !slices.ContainsFunc(normal, func(other string) bool { return under(dn, other) }) {
			outer = append(outer, dns[i])
		}
	}
	return outer
}
