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
	// Name is what is looked at: a common field, "groups", "licences", "manager", "owner", "customer",
	// "site", an attribute ("attributes.costCentre"), or empty for objects of the kind as such.
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

// Mention is a text with which the rules compare something that they read, or a table in which they look it up.
type Mention struct {
	// Rules is the kind of object that the rule is for.
	Rules directory.Kind
	// Kind and Name say what is read: a kind of object and "id" or a field of it. Kind is zero for the tenant.
	Kind directory.Kind
	Name string
	// Name is empty where a table is looked up by something else than what is read as it is.
	// Part says what of it: "" for it as it is, "ou" for one of its organizational units, "under" for a container above it.
	Part string
	// List: it is one of a list, as with groups.
	List bool
	Text string
	// Table is set, and Text is not, where it is looked up.
	Table *Table
	Pos   Pos
	Where string
	only  []string
}

// For reports whether it is done for objects of a connection, as of a Look.
func (m *Mention) For(connection string) bool {
	return len(m.only) == 0 || slices.Contains(m.only, connection)
}

// Mentions lists what the rules compare with texts, in no certain order.
func (r *Ruleset) Mentions() []Mention { return slices.Clone(r.mentions) }

// Under reports whether a path is that of a container or of something below it, as the function of rules does.
func Under(path, container string) bool { return expression.Under(path, container) }

// Units lists the organizational units of a path, as the function ou of rules finds them.
func Units(path string) []string { return expression.Units(path) }

// mention notes what an expression compares.
func (c *compilation) mention(x *expression.Expression, kind directory.Kind, where string, at func(text string) Pos) {
	for _, m := range x.Mentions() {
		out := Mention{Rules: kind, Kind: kind, Name: m.Name, Part: m.Part, Text: m.Text, Table: m.Table, Where: where, only: connectionsOf(c.condition)}
		base, rest, _ := strings.Cut(m.Name, ".")
		switch base {
		case "groups", "direct_groups", "group_ids":
			out.Kind, out.Name, out.List = directory.Group, directory.FieldName, true
		case "licences", "licence_ids":
			out.Kind, out.Name, out.List = directory.Licence, directory.FieldName, true
		case expression.Tenant:
			out.Kind, out.Name, out.List = 0, rest, m.Name == expression.TenantDomains
		case expression.Manager, expression.Owner, expression.Customer, expression.Site:
			if out.Kind, out.Name = expression.KindOf(base), rest; m.Name == expression.OwnerGroups {
				out.Kind, out.Name, out.List = directory.Group, directory.FieldName, true
			}
		case expression.AttributeValues:
			out.Name, out.List = directory.AttributePrefix+rest, true
		case "connection":
			if m.Table == nil {
				continue
			}
			out.Name = ""
		}
		if strings.HasSuffix(base, "_ids") {
			out.Name = "id"
		}
		text := m.Text
		if m.Table != nil {
			text = "table"
		}
		out.Pos = at(text)
		c.mentions = append(c.mentions, out)
	}
}

// look notes what an expression reads.
func (c *compilation) look(x *expression.Expression, kind directory.Kind, decides bool, where string, at func(name string) Pos) {
	for _, read := range x.Reads() {
		look := Look{Rules: kind, Kind: kind, Name: read, Pos: at(read), Where: where, Decides: decides, only: connectionsOf(c.condition)}
		base, rest, _ := strings.Cut(read, ".")
		switch base {
		case "choice":
			continue // its lines were looked at where it is
		case "group_ids", "direct_groups":
			look.Name = "groups"
		case "licence_ids":
			look.Name = "licences"
		case expression.AttributeValues:
			look.Name = directory.AttributePrefix + rest
		case expression.Manager, expression.Owner, expression.Customer, expression.Site:
			look.Name = base
			if "."+rest == expression.KeyPart {
				break // it is no field of the other object
			}
			c.looks = append(c.looks, look)
			look.Kind, look.Name = expression.KindOf(base), rest
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
