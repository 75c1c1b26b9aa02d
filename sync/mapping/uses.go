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
	Manager  bool
	Licences bool
	// Owner: rules of devices look at the person to whom one belongs.
	Owner bool
	// Records says of which kinds of object the mapping makes records.
	Records [directory.Customer + 1]bool
}

// Uses says what of the surroundings the rules look at.
func (r *Ruleset) Uses() Uses { return r.uses }

func (r *Ruleset) computeUses() Uses {
	var uses Uses
	for kind := range r.rules {
		for _, rule := range r.rules[kind].rules {
			uses.Records[kind] = uses.Records[kind] || len(rule.records) > 0
		}
	}
	for name := range r.reads() {
		base, _, _ := strings.Cut(name, ".")
		switch base {
		case "groups", "group_ids", "direct_groups":
			uses.Groups = true
		case expression.Manager:
			uses.Manager = true
		case "licences", "licence_ids":
			uses.Licences = true
		case expression.Owner:
			uses.Owner = true
		}
	}
	return uses
}

// Attributes lists the attributes that the rules read under the source's own names, sorted, for the check that
// the connection fetches them.
func (r *Ruleset) Attributes() []string {
	var names []string
	for name := range r.reads() {
		base, rest, _ := strings.Cut(name, ".")
		if base == expression.Attributes || base == expression.AttributeValues {
			names = append(names, rest)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Ignores reports whether the rules certainly do not look at what a source says of an object under a name: a common field,
// an attribute ("attributes.costCentre"), "manager" or "licences". Of any other word nothing is certain.
func (r *Ruleset) Ignores(name string) bool {
	_, common := directory.LookupCommonField(name)
	switch {
	case name == expression.Manager:
		return !r.uses.Manager
	case name == "licences":
		return !r.uses.Licences && !r.uses.Records[directory.Licence]
	case !common && !strings.HasPrefix(name, directory.AttributePrefix):
		return false
	}
	for read := range r.reads() {
		base, rest, _ := strings.Cut(read, ".")
		switch base {
		case expression.Manager, expression.Owner:
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

// reads goes over the names that the rules read, some more than once.
func (r *Ruleset) reads() iter.Seq[string] {
	return func(yield func(string) bool) {
		for kind := range r.rules {
			for _, x := range r.rules[kind].expressions() {
				for _, name := range x.Reads() {
					if !yield(name) {
						return
					}
				}
			}
		}
	}
}
