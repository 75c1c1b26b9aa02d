package ldap

import (
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// area is the part of a stream's scope that lies in one naming context: in one database of the server, which
// has one sequence of changes.
type area struct {
	// suffix is the naming context.
	suffix string
	// base is where one search finds everything in the area: the only base, or what all bases have in common.
	base  string
	bases []string // normal form
	scope int
	form  dnForm
}

// searchScope is the scope of a search from base that misses nothing of the area. It may find more.
func (a *area) searchScope() int {
	if len(a.bases) == 1 {
		return a.scope
	}
	return ldap.ScopeWholeSubtree
}

// holds reports whether an entry lies in the area.
func (a *area) holds(dn string) bool {
	normal := string(a.form.append(nil, dn))
	return slices.ContainsFunc(a.bases, func(base string) bool {
		switch a.scope {
		case ldap.ScopeBaseObject:
			return normal == base
		case ldap.ScopeSingleLevel:
			return under(normal, base) && parentDN(normal) == base
		default:
			return normal == base || under(normal, base)
		}
	})
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

// areas divides the bases of a reading by the server's naming contexts. It reports false when one of them lies in
// none that the server names.
func (r *reading) areas() ([]area, bool) {
	var list []area
	form := r.preset.form
	for _, base := range r.query.bases {
		suffix, ok := r.namingContext(base)
		if !ok {
			return nil, false
		}
		normal := string(form.append(nil, base))
		i := slices.IndexFunc(list, func(a area) bool { return a.suffix == suffix })
		if i < 0 {
			list = append(list, area{suffix: suffix, base: base, bases: []string{normal}, scope: r.query.scope, form: form})
			continue
		}
		a := &list[i]
		a.bases = append(a.bases, normal)
		for top := string(form.append(nil, a.base)); normal != top && !under(normal, top); {
			a.base = parentDN(a.base)
			top = string(form.append(nil, a.base))
		}
	}
	return list, true
}

// namingContext finds the naming context that holds a DN: the longest of those above it.
func (r *reading) namingContext(dn string) (suffix string, ok bool) {
	normal := string(r.preset.form.append(nil, dn))
	for _, name := range r.session.root.namingContexts {
		top := string(r.preset.form.append(nil, name))
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
