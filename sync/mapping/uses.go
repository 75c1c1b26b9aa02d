package mapping

import (
	"iter"
	"slices"
	"strings"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping/expression"
)

// Uses says what of a person's surroundings the rules look at. What they do not use need not be looked up, and
// its change concerns nobody.
type Uses struct {
	Groups   bool
	Licences bool
	// Owner: rules of devices look at the person to whom one belongs.
	Owner bool
	// OwnerGroups: they look at the groups of that person.
	OwnerGroups bool
	// Manager, Customer and Site say of which kinds of object the rules look at who manages one, and at the customer and the
	// site to which it belongs.
	Manager, Customer, Site [directory.Site + 1]bool
	// Keys are the links to objects whose records the rules name by their keys.
	Keys [directory.AtSite + 1]bool
	// Always: groups have members that their sources do not name.
	Always bool
	// Domains: rules look at the mail domains of the tenant.
	Domains bool
	// Time: rules ask about time. Without that a Result has no Next.
	Time bool
	// Records says of which kinds of object the mapping makes records.
	Records [directory.Site + 1]bool
}

// AnyKey reports whether the rules name any record by its key.
func (u *Uses) AnyKey() bool { return u.Keys != [directory.AtSite + 1]bool{} }

// Uses says what of the surroundings the rules look at.
func (r *Ruleset) Uses() Uses { return r.uses }

func (r *Ruleset) computeUses() Uses {
	var uses Uses
	for kind := range r.rules {
		for _, rule := range r.rules[kind].rules {
			uses.Records[kind] = uses.Records[kind] || len(rule.records) > 0
			uses.Always = uses.Always || len(rule.always) > 0
		}
	}
	for i := range r.rules {
		uses.Time = uses.Time || slices.ContainsFunc(r.rules[i].expressions(), (*expression.Expression).Timed)
	}
	for kind, name := range r.reads() {
		base, part, _ := strings.Cut(name, ".")
		if link := linkOf(base); link != 0 && "."+part == expression.KeyPart {
			uses.Keys[link] = true
		}
		switch base {
		case "groups", "group_ids", "direct_groups":
			uses.Groups = true
		case expression.Tenant:
			uses.Domains = uses.Domains || name == expression.TenantDomains
		case expression.Manager:
			uses.Manager[kind] = true
		case "licences", "licence_ids":
			uses.Licences = true
		case expression.Owner:
			uses.Owner = true
			if name == expression.OwnerGroups {
				uses.Groups, uses.OwnerGroups = true, true
			}
		case expression.Customer:
			uses.Customer[kind] = true
		case expression.Site:
			uses.Site[kind] = true
		}
	}
	return uses
}

// linkOf is the link that leads to what a word stands for; zero when none does.
func linkOf(word string) directory.LinkType {
	switch word {
	case expression.Manager:
		return directory.Manager
	case expression.Owner:
		return directory.Owner
	case expression.Customer:
		return directory.OfCustomer
	case expression.Site:
		return directory.AtSite
	default:
		return 0
	}
}

// Attributes lists the attributes that the rules read under the source's own names, sorted, for the check that
// the connection fetches them.
func (r *Ruleset) Attributes() []string {
	var names []string
	for _, name := range r.reads() {
		base, rest, _ := strings.Cut(name, ".")
		if base == expression.Attributes || base == expression.AttributeValues {
			names = append(names, rest)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Ignores reports whether the rules certainly do not look at what a source says of an object under a name: a common field,
// an attribute ("attributes.costCentre"), "manager", "customer", "site" or "licences". Of any other word nothing is certain.
func (r *Ruleset) Ignores(name string) bool {
	_, common := directory.LookupCommonField(name)
	switch {
	case name == expression.Manager:
		return r.uses.Manager == [directory.Site + 1]bool{}
	case name == expression.Customer:
		return r.uses.Customer == [directory.Site + 1]bool{}
	case name == expression.Site:
		return r.uses.Site == [directory.Site + 1]bool{}
	case name == "licences":
		return !r.uses.Licences && !r.uses.Records[directory.Licence]
	case !common && !strings.HasPrefix(name, directory.AttributePrefix):
		return false
	}
	for _, read := range r.reads() {
		base, rest, _ := strings.Cut(read, ".")
		switch base {
		case expression.Manager, expression.Owner, expression.Customer, expression.Site:
			read = rest
		case expression.AttributeValues:
			read = directory.AttributePrefix + rest
		}
		if read == name {
			return false
		}
	}
	return true
}

// reads goes over the names that the rules read, some more than once, with the kind of object for which a rule is.
func (r *Ruleset) reads() iter.Seq2[directory.Kind, string] {
	return func(yield func(directory.Kind, string) bool) {
		for kind := range r.rules {
			for _, x := range r.rules[kind].expressions() {
				for _, name := range x.Reads() {
					if !yield(directory.Kind(kind), name) {
						return
					}
				}
			}
		}
	}
}
