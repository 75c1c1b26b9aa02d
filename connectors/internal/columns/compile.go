package columns

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/settings"
	"dirsyncd/sync/spelling"
)

// Problem is what is wrong with a column, or with what stands in a cell of it. It quotes no value: it is shown in logs, and the
// same trouble in a thousand rows reads the same.
type Problem struct {
	Column string // its header, or the name by which the configuration calls it; empty: the row
	Index  int    // its place in the header; -1: none
	Reason string // "is not a date"
	Hint   string
}

// String is `column "born" is not a date`.
func (p Problem) String() string {
	if p.Column == "" {
		return p.Reason
	}
	return fmt.Sprintf("column %q %s", p.Column, p.Reason)
}

// Fault makes an error of problems, with the hint of the first one.
func Fault(class fault.Class, op, where string, problems []Problem) *fault.Error {
	texts := make([]string, len(problems))
	for i, p := range problems {
		texts[i] = p.String()
	}
	err := &fault.Error{Class: class, Op: op, Where: where, Err: fmt.Errorf("%s", strings.Join(texts, "; "))}
	if len(problems) > 0 {
		err.Hint = problems[0].Hint
	}
	return err
}

// Options say what rows are of, and how rows of other layouts refer to them.
type Options struct {
	Kind directory.Kind
	// Named are the fields by which others refer to objects of the kind (Config.Names of all layouts of the connection). Each
	// object states a handle for each of them.
	Named []string
	// KeyParts is how many columns the key of a kind has, as far as that is known.
	KeyParts map[directory.Kind]int
	// Ignored are columns that `attributes: all` leaves out, such as the time of the last change.
	Ignored []string
}

// Validate reports what is wrong with the configuration, as far as that can be told without a header. path begins the keys
// of the block; it is empty or ends with a dot.
func (c *Config) Validate(kind directory.Kind, path string, report settings.Reporter) {
	known := Fields(kind)
	for _, field := range slices.Sorted(maps.Keys(c.Columns)) {
		at, source := path+"columns."+field, c.Columns[field]
		if !slices.Contains(known, field) {
			report(at, spelling.Suggest(field, known), "is no field of a %s", kind)
			continue
		}
		c.validateSource(kind, field, at, source, report)
	}
	for i, name := range c.Key {
		if slices.Contains(c.Key[:i], name) {
			report(path+"key", "name each column once", "names column %q twice", name)
		}
	}
	for i, name := range c.Attributes.Names {
		if slices.Contains(c.Attributes.Names[:i], name) {
			report(path+"attributes", "name each column once", "names column %q twice", name)
		}
		if name == "" {
			report(path+"attributes", "a column without a header cannot be read", "names a column without a name")
		}
	}
	if c.Dates != "" && !slices.Contains(orders(), c.Dates) {
		report(path+"dates", "dmy for 31/12/2025, mdy for 12/31/2025, ymd for 2025/12/31", "unknown order %q", c.Dates)
	}
	if _, err := time.LoadLocation(c.Timezone); err != nil || c.Timezone == "Local" {
		report(path+"timezone", `write it as "Europe/London"`, "unknown time zone %q", c.Timezone)
	}
}

func (c *Config) validateSource(kind directory.Kind, field, at string, source Source, report settings.Reporter) {
	for i, name := range source.Columns {
		if slices.Contains(source.Columns[:i], name) {
			report(at, "name each column once", "names column %q twice", name)
		}
	}
	i := slices.IndexFunc(referencesOf(kind), func(r reference) bool { return r.field == field })
	switch {
	case i < 0 && source.By != "":
		report(at, "write the column alone", "is a field of its own, and refers to nothing")
	case i >= 0 && source.By != "" && !namedBy(referencesOf(kind)[i].to, source.By):
		to := referencesOf(kind)[i].to
		report(at, spelling.Suggest(source.By, Fields(to)), "a %s is not known by %q", to, source.By)
	case i >= 0 && len(source.Columns) > 1 && (referencesOf(kind)[i].many || source.By != ""):
		report(at, "several columns are the parts of one key; give one column", "takes one column")
	}
}

// Names lists by which fields rows of a kind refer to objects, by the kinds of those. They are for the Options of the
// layouts of those kinds.
func (c *Config) Names(kind directory.Kind) map[directory.Kind][]string {
	names := map[directory.Kind][]string{}
	for _, r := range referencesOf(kind) {
		if by := c.Columns[r.field].By; by != "" && !slices.Contains(names[r.to], by) {
			names[r.to] = append(names[r.to], by)
		}
	}
	return names
}

// Compile makes a layout for rows with a header, and says everything that is wrong. The layout is nil when anything is.
func Compile(c *Config, opts Options, header []string) (*Layout, []Problem) {
	b := newCompilation(c, header)
	b.layout.kind = opts.Kind
	b.key()
	fields := fieldsOf(opts.Kind)
	slices.SortFunc(fields, func(x, y directory.CommonField) int { return cmp.Compare(x.Name, y.Name) })
	for _, f := range fields {
		b.field(f)
	}
	b.mailAddresses(fields)
	for _, r := range referencesOf(opts.Kind) {
		b.reference(r, opts.KeyParts[r.to])
	}
	b.attributes(opts.Ignored)
	for _, field := range opts.Named {
		b.name(field)
	}
	slices.SortFunc(b.layout.fields, func(x, y filler) int { return cmp.Compare(x.name, y.name) })
	if len(b.problems) > 0 {
		return nil, b.problems
	}
	return b.layout, nil
}

// compilation is a layout in the making.
type compilation struct {
	config   *Config
	header   []string
	layout   *Layout
	used     []bool
	problems []Problem
}

func newCompilation(c *Config, header []string) *compilation {
	zone, _ := time.LoadLocation(c.Timezone) // Validate has looked at it
	return &compilation{
		config: c, header: header, used: make([]bool, len(header)),
		layout: &Layout{header: slices.Clone(header), separator: c.Separator, dates: c.Dates, zone: zone},
	}
}

func (b *compilation) problem(column string, index int, hint, format string, args ...any) {
	b.problems = append(b.problems, Problem{Column: column, Index: index, Reason: fmt.Sprintf(format, args...), Hint: hint})
}

// find returns the place of a column that the configuration names, in the given spelling or in another one of case.
func (b *compilation) find(name, what string) int {
	at := b.matching(func(header string) bool { return header == name })
	if len(at) == 0 {
		at = b.matching(func(header string) bool { return strings.EqualFold(trim(header), trim(name)) && trim(name) != "" })
	}
	switch {
	case len(at) == 0:
		b.problem(name, -1, spelling.Suggest(name, b.headers()), "does not exist; %s names it", what)
		return -1
	case len(at) > 1:
		b.problem(name, at[1], "give the columns different names", "exists %d times", len(at))
	}
	b.used[at[0]] = true
	return at[0]
}

func (b *compilation) matching(is func(header string) bool) []int {
	var at []int
	for i, header := range b.header {
		if is(header) {
			at = append(at, i)
		}
	}
	return at
}

func (b *compilation) headers() []string {
	var list []string
	for _, h := range b.header {
		if trim(h) != "" {
			list = append(list, h)
		}
	}
	return list
}

func (b *compilation) findAll(names []string, what string) []int {
	var list []int
	for _, name := range names {
		if i := b.find(name, what); i >= 0 {
			list = append(list, i)
		}
	}
	return list
}

// own returns the columns whose header is the name of a field, or means it.
func (b *compilation) own(field string) []int {
	folded := fold(field)
	at := b.matching(func(header string) bool { return fold(header) == folded })
	if len(at) == 0 {
		at = b.matching(func(header string) bool { return wellKnown(fold(header)) == field })
	}
	if len(at) > 1 {
		b.problem(b.header[at[1]], at[1], "rename one of them, or say which one it is: columns: {"+field+": …}",
			"and column %q both mean %s", b.header[at[0]], field)
	}
	at = at[:min(1, len(at))]
	for _, i := range at {
		b.used[i] = true
	}
	return at
}

func (b *compilation) key() {
	if len(b.config.Key) > 0 {
		b.layout.key = b.findAll(b.config.Key, "key")
		return
	}
	for _, name := range []string{"id", "key"} {
		if b.layout.key = b.own(name); len(b.layout.key) > 0 {
			return
		}
	}
	b.problem("", -1, "write key: COLUMN, or key: [COLUMN, COLUMN], with what never changes and is never given to another one",
		"no column is the key")
}

// columnsOf returns the columns of a field, or the text that it has in every row.
func (b *compilation) columnsOf(field string) (columns []int, source Source) {
	source, said := b.config.Columns[field]
	if !said {
		columns = b.own(field)
		for _, i := range columns {
			source.Columns = append(source.Columns, b.header[i])
		}
		return columns, source
	}
	return b.findAll(source.Columns, "columns."+field), source
}

func (b *compilation) field(f directory.CommonField) {
	columns, source := b.columnsOf(f.Name)
	fill := filler{
		name: f.Name, typ: f.Type, columns: columns, source: source,
		commas: f.Name == directory.FieldEmails || f.Name == directory.FieldDomains,
	}
	switch {
	case source.IsFixed:
		cell := Text(source.Fixed)
		v, reason := b.layout.value(&fill, &cell)
		if reason != "" {
			b.problem("columns."+f.Name, -1, hintOf(reason), "%s", reason)
		}
		fill.fixed = v
	case len(columns) == 0:
		return
	}
	b.layout.fields = append(b.layout.fields, fill)
}

// mailAddresses fills the list of all addresses by the main one where nothing else does.
func (b *compilation) mailAddresses(fields []directory.CommonField) {
	_, said := b.config.Columns[directory.FieldEmails]
	has := func(name string) int {
		return slices.IndexFunc(b.layout.fields, func(f filler) bool { return f.name == name })
	}
	knows := slices.ContainsFunc(fields, func(f directory.CommonField) bool { return f.Name == directory.FieldEmails })
	if i := has(directory.FieldEmail); knows && !said && i >= 0 && has(directory.FieldEmails) < 0 {
		fill := b.layout.fields[i]
		fill.name, fill.typ, fill.commas = directory.FieldEmails, directory.ListType, true
		if fill.source.IsFixed {
			fill.fixed = directory.List(fill.source.Fixed)
		}
		b.layout.fields = append(b.layout.fields, fill)
	}
}

func (b *compilation) reference(r reference, parts int) {
	columns, source := b.columnsOf(r.field)
	if !source.IsFixed && len(columns) == 0 {
		return
	}
	if !source.IsFixed && source.By == "" && parts > 0 && len(columns) != parts {
		b.problem(strings.Join(source.Columns, ", "), -1, fmt.Sprintf("give the columns with all %d parts: %s: [COLUMN, COLUMN]", parts, r.field),
			"has %d of the %d parts of the key of a %s", len(columns), parts, r.to)
		return
	}
	ref := referrer{reference: r, columns: columns, source: source}
	if source.IsFixed {
		ref.fixed = directory.IDHandle(ID(r.to, source.Fixed))
	}
	if r.link == 0 {
		b.layout.members = append(b.layout.members, ref)
		return
	}
	b.layout.links = append(b.layout.links, ref)
}

func (b *compilation) attributes(ignored []string) {
	taken := map[string]int{}
	add := func(name string, i int) {
		if first, twice := taken[name]; twice {
			b.problem(name, i, "give the columns different names", "exists twice (places %d and %d)", first+1, i+1)
			return
		}
		taken[name] = i
		b.layout.fields = append(b.layout.fields, filler{
			name: directory.AttributePrefix + name, columns: []int{i}, attribute: true, source: Column(b.header[i]),
		})
	}
	if b.config.Attributes.All {
		for i, header := range b.header {
			name := trim(header)
			if name != "" && !b.used[i] && !slices.ContainsFunc(ignored, func(x string) bool { return strings.EqualFold(x, name) }) {
				add(name, i)
			}
		}
		return
	}
	for _, name := range b.config.Attributes.Names {
		if i := b.find(name, "attributes"); i >= 0 {
			add(name, i)
		}
	}
}

// name adds a handle by which others refer to the row.
func (b *compilation) name(field string) {
	fields := []string{field}
	if field == directory.FieldEmail {
		fields = append(fields, directory.FieldEmails)
	}
	found := false
	for _, f := range b.layout.fields {
		if slices.Contains(fields, f.name) && !f.source.IsFixed {
			found = true
			b.layout.names = append(b.layout.names, namer{field: field, columns: f.columns, many: f.typ == directory.ListType, commas: f.commas})
		}
	}
	if !found {
		b.problem("columns."+field, -1, "name a column for it, or refer by key",
			"has no column, and others refer to a %s by %s", b.layout.kind, field)
	}
}

// hintOf says what to do about a reason.
func hintOf(reason string) string {
	switch reason {
	case ambiguous:
		return "say dates: dmy or dates: mdy"
	case "is not a truth value":
		return truthHint
	case notDate, "has no year of four digits":
		return "write it as 2025-12-31"
	case "is a number where a date is expected":
		return "format the cells of the column as dates, or have the query return a date"
	}
	return ""
}
