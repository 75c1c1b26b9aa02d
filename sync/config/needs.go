package config

import (
	"fmt"
	"slices"
	"strings"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
)

// checkNeeds points out rules of which a target could make nothing: it needs a field that they never fill. Who is there already can
// be adopted all the same, so that it is no problem.
func (l *loader) checkNeeds() {
	told := map[string]bool{}
	for i := range l.cfg.Connections {
		c := &l.cfg.Connections[i]
		for _, mappingName := range mappingsOf(c) {
			m := l.cfg.Mappings[mappingName]
			if m == nil || m.Rules == nil {
				continue
			}
			for _, target := range c.Targets {
				for _, made := range m.Rules.Made() {
					if once := mappingName + " " + target + " " + made.Kind.String() + " " + made.Rule; !told[once] && l.goesTo(target, made.Kind) {
						told[once] = true
						l.checkNeedsOf(mappingName, target, &made)
					}
				}
			}
		}
	}
}

// mappingsOf are the names of the mappings of a connection and its tenants.
func mappingsOf(c *Connection) []string {
	names := []string{c.Mapping}
	for i := range c.Tenants {
		if name := c.Tenants[i].mapping(c); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// goesTo reports whether records of a kind go to a target.
func (l *loader) goesTo(target string, kind directory.RecordKind) bool {
	i := slices.IndexFunc(l.cfg.Targets, func(t Target) bool { return t.Name == target })
	return i >= 0 && (len(l.cfg.Targets[i].Kinds) == 0 || slices.Contains(l.cfg.Targets[i].Kinds, kind))
}

func (l *loader) checkNeedsOf(mappingName, target string, made *mapping.Made) {
	var lacks []string
	for _, need := range l.needs[target][made.Kind] {
		if len(need) > 0 && !slices.ContainsFunc(need, func(field string) bool { return slices.Contains(made.Fields, field) }) {
			lacks = append(lacks, strings.Join(need, " or "))
		}
	}
	if len(lacks) == 0 {
		return
	}
	field, _, _ := strings.Cut(lacks[0], " ")
	l.mappings[mappingName].value.Document().WarnAt(made.Pos.Line, made.Pos.Column,
		fmt.Sprintf("add it to fields.%s of the mapping, as in %s: = %s", made.Kind, field, field),
		"rule %q fills no %s: target %q needs that to make a new %s", short(made.Rule), strings.Join(lacks, ", no "), short(target), made.Kind)
}
