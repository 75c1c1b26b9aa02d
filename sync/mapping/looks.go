package mapping

import (
	"regexp"
	"slices"
	"strings"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping/expression"
)

// Look is a place where the rules look at something that a source may not be read for.
type Look struct {
	// Rules is the kind of object that the rule is for, and Kind that of which it looks at something.
	Rules, Kind directory.Kind
	// Name is what is looked at: a common field, "groups", "licences", "manager", "owner", an attribute
	// ("attributes.costCentre"), or empty for objects of the kind as such.
	Name string
	Pos  Pos
	// Where names the rule and the field.
	Where string
	// Decides: it is a condition, which says whether there is a record, and not only the value of a field.
	Decides bool
	// only are the connections for which the rule can hold; none means all.
	only []string
}

// For reports whether it is done for objects of a connection. It is not where the rule's condition begins with another
// connection's name, as `connection == "cloud" and …` does.
func (l *Look) For(connection string) bool {
	return len(l.only) == 0 || slices.Contains(l.only, connection)
}

// Looks lists the places where the rules look at something, in no certain order.
func (r *Ruleset) Looks() []Look { return slices.Clone(r.looks) }

// rulesOf notes that there are rules for objects of a kind.
func (c *compilation) rulesOf(kind directory.Kind, rules []RuleSpec) {
	if len(rules) > 0 {
		c.looks = append(c.looks, Look{Rules: kind, Kind: kind, Pos: rules[0].Pos, Where: "rules for objects of the kind " + kind.String()})
	}
}

// look notes what an expression reads.
func (c *compilation) look(x *expression.Expression, kind directory.Kind, decides bool, where string, at func(name string) Pos) {
	for _, read := range x.Reads() {
		look := Look{Rules: kind, Kind: kind, Name: read, Pos: at(read), Where: where, Decides: decides, only: connectionsOf(c.condition)}
		base, rest, _ := strings.Cut(read, ".")
		switch base {
		case "group_ids", "direct_groups":
			look.Name = "groups"
		case "licence_ids":
			look.Name = "licences"
		case expression.AttributeValues:
			look.Name = directory.AttributePrefix + rest
		case expression.Manager, expression.Owner:
			look.Name = base
			c.looks = append(c.looks, look)
			look.Kind, look.Name = directory.Person, rest
		}
		c.looks = append(c.looks, look)
	}
}

var (
	oneConnection = regexp.MustCompile(`^connection\s*==\s*"([^"]+)"\s*($|and\b|&&)`)
	anyConnection = regexp.MustCompile(`^connection\s+in\s*\[((?:\s*"[^"]+"\s*,?)+)\]\s*($|and\b|&&)`)
	quotedName    = regexp.MustCompile(`"([^"]+)"`)
)

// connectionsOf returns the connections to which a condition limits its rule; none when it does not begin with that, or
// goes on with "or".
func connectionsOf(condition string) (names []string) {
	if strings.Contains(condition, " or ") || strings.Contains(condition, "||") || strings.Contains(condition, "?") {
		return nil
	}
	if m := oneConnection.FindStringSubmatch(condition); m != nil {
		return m[1:2]
	}
	if m := anyConnection.FindStringSubmatch(condition); m != nil {
		for _, name := range quotedName.FindAllStringSubmatch(m[1], -1) {
			names = append(names, name[1])
		}
	}
	return names
}
