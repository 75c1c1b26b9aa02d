package columns

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/settings"
	"dirsyncd/sync/spelling"
)

// PairsConfig says what the columns of rows mean that each name a group and a member of it.
type PairsConfig struct {
	// Columns says which columns are group (its key), member (a person) and member_group (a group within the group).
	// Default: the columns of these names.
	Columns map[string]Source `yaml:"columns"`
}

// The fields of pairs.
const (
	pairGroup       = "group"
	pairMember      = "member"
	pairMemberGroup = "member_group"
)

func pairFields() []string { return []string{pairGroup, pairMember, pairMemberGroup} }

func pairReferences() []reference {
	return []reference{{field: pairMember, to: directory.Person}, {field: pairMemberGroup, to: directory.Group}}
}

// Validate reports what is wrong with the configuration, as far as that can be told without a header.
func (c *PairsConfig) Validate(path string, report settings.Reporter) {
	for _, field := range slices.Sorted(maps.Keys(c.Columns)) {
		at, source := path+"columns."+field, c.Columns[field]
		i := slices.IndexFunc(pairReferences(), func(r reference) bool { return r.field == field })
		switch {
		case !slices.Contains(pairFields(), field):
			report(at, spelling.Suggest(field, pairFields()), "is nothing that members have")
		case source.IsFixed || len(source.Columns) == 0:
			report(at, "name a column", "must be a column")
		case i < 0 && source.By != "":
			report(at, "have the query return the group's key", "a group is named by its key here")
		case i >= 0 && source.By != "" && !namedBy(pairReferences()[i].to, source.By):
			to := pairReferences()[i].to
			report(at, spelling.Suggest(source.By, Fields(to)), "a %s is not known by %q", to, source.By)
		}
	}
}

// Names is as Config.Names.
func (c *PairsConfig) Names() map[directory.Kind][]string {
	names := map[directory.Kind][]string{}
	for _, r := range pairReferences() {
		if by := c.Columns[r.field].By; by != "" {
			names[r.to] = append(names[r.to], by)
		}
	}
	return names
}

// Pairs reads rows that each name a group and a member. It is used by one goroutine at a time.
type Pairs struct {
	layout  *Layout
	group   referrer
	members []referrer
}

// CompilePairs makes Pairs for rows with a header, and says everything that is wrong.
func CompilePairs(c *PairsConfig, keyParts map[directory.Kind]int, header []string) (*Pairs, []Problem) {
	b := newCompilation(&Config{Columns: c.Columns}, header)
	p := &Pairs{layout: b.layout}
	take := func(r reference) (referrer, bool) {
		columns, source := b.columnsOf(r.field)
		parts := keyParts[r.to]
		if source.By == "" && len(columns) > 0 && parts > 0 && len(columns) != parts {
			b.problem("columns."+r.field, -1, "give the columns with all parts of the key", "has %d of the %d parts of the key of a %s", len(columns), parts, r.to)
		}
		return referrer{reference: r, columns: columns, source: source}, len(columns) > 0
	}
	var ok bool
	if p.group, ok = take(reference{field: pairGroup, to: directory.Group}); !ok && len(b.problems) == 0 {
		b.problem("columns.group", -1, "name it columns: {group: COLUMN}", "has no column")
	}
	for _, r := range pairReferences() {
		if m, ok := take(r); ok {
			p.members = append(p.members, m)
		}
	}
	if len(p.members) == 0 && len(b.problems) == 0 {
		b.problem("columns.member", -1, "name it columns: {member: COLUMN}", "has no column")
	}
	if len(b.problems) > 0 {
		return nil, b.problems
	}
	return p, nil
}

// Pair returns the id of the group of a row, and the handle of its member: a person, or a group where no person is named. Either is
// empty when the row names none, as outer joins do. The problems are valid until the next call.
func (p *Pairs) Pair(cells []Cell) (group, member string, problems []Problem) {
	l := p.layout
	l.problems = l.problems[:0]
	l.refer(&p.group, cells, func(handle string) { group = handle[len(idPrefix):] })
	for i := range p.members {
		if member == "" {
			l.refer(&p.members[i], cells, func(handle string) { member = handle })
		}
	}
	return group, member, l.problems
}

// Uses is as that of Layout. What a column is to the row stands with it: "key of the group", "email of a person in it".
func (p *Pairs) Uses() []Use {
	uses := make([]Use, len(p.layout.header))
	for i, header := range p.layout.header {
		uses[i] = Use{Column: header, Index: i}
	}
	for _, r := range slices.Concat([]referrer{p.group}, p.members) {
		as := "key of the group"
		if r.field != pairGroup {
			as = fmt.Sprintf("%s of a %s in it", cmp.Or(r.source.By, "key"), r.to)
		}
		for _, i := range r.columns {
			uses[i].As = append(uses[i].As, as)
		}
	}
	return uses
}
