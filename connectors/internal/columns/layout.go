package columns

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"dirsyncd/sync/directory"
)

const (
	// maxText bounds a text in bytes; what is longer is no field of a directory.
	maxText = 64 << 10
	// maxItems bounds a list, other than of members.
	maxItems = 10_000
	// maxNames bounds the values of a field by which others refer to an object.
	maxNames = 200
)

// Layout makes objects of rows with a certain header. It is used by one goroutine at a time.
type Layout struct {
	kind      directory.Kind
	header    []string
	key       []int
	fields    []filler // sorted by name
	links     []referrer
	members   []referrer
	names     []namer
	separator string
	dates     string
	zone      *time.Location

	// Reused from row to row.
	buf      []byte
	parts    []string
	items    []string
	problems []Problem
}

// filler fills a field or an attribute.
type filler struct {
	name      string
	typ       directory.ValueType
	columns   []int
	fixed     directory.Value // when source.IsFixed
	source    Source
	attribute bool
	commas    bool // a comma separates, too
}

// referrer states links, or members.
type referrer struct {
	reference
	columns []int
	fixed   string
	source  Source
}

// namer states handles.
type namer struct {
	field   string
	columns []int
	many    bool
	commas  bool
}

// Object makes an object of a row and returns what is wrong with the row; then the object is only good for its ID, which is empty when
// not even that could be read. The object's slices are reused, so it is the caller's to keep one per place of a page;
// the problems are valid until the next call. Cells that the row lacks at its end are empty.
func (l *Layout) Object(cells []Cell, o *directory.Object) []Problem {
	l.problems = l.problems[:0]
	*o = directory.Object{Kind: l.kind, Handles: o.Handles[:0], Fields: o.Fields[:0], Links: o.Links[:0]}
	o.ID = l.id(cells)
	for i := range l.fields {
		f := &l.fields[i]
		v := f.fixed
		if !f.source.IsFixed {
			v = l.fill(f, cells)
		}
		if !v.Blank() {
			o.Fields = append(o.Fields, directory.Field{Name: f.name, Value: v})
		}
	}
	for i := range l.links {
		r := &l.links[i]
		l.refer(r, cells, func(handle string) { o.Links = append(o.Links, directory.Link{Type: r.link, To: handle}) })
	}
	for i := range l.names {
		l.state(&l.names[i], cells, o)
	}
	return l.problems
}

// HasMembers reports whether rows name the members of groups.
func (l *Layout) HasMembers() bool { return len(l.members) > 0 }

// Members appends the handles of the members that the row of a group names.
func (l *Layout) Members(cells []Cell, add []string) []string {
	l.problems = l.problems[:0]
	for i := range l.members {
		l.refer(&l.members[i], cells, func(handle string) { add = append(add, handle) })
	}
	return add
}

// Key lists the places of the columns of the key.
func (l *Layout) Key() []int { return l.key }

// ID returns the id of a row of which only the key need be there; empty when it cannot be read.
func (l *Layout) ID(cells []Cell) string {
	l.problems = l.problems[:0]
	return l.id(cells)
}

// Use says how a column was understood.
type Use struct {
	Column string
	Index  int
	As     []string // "key", "email", "attributes.costCentre", "manager by email"; empty: not used
}

// Uses says of every column how it was understood, in the order of the header.
func (l *Layout) Uses() []Use {
	uses := make([]Use, len(l.header))
	for i, header := range l.header {
		uses[i] = Use{Column: header, Index: i}
	}
	add := func(columns []int, as string) {
		for _, i := range columns {
			uses[i].As = append(uses[i].As, as)
		}
	}
	add(l.key, "key")
	for _, f := range l.fields {
		add(f.columns, f.name)
	}
	for _, r := range slices.Concat(l.links, l.members) {
		as := r.field
		if r.source.By != "" {
			as += " by " + r.source.By
		}
		add(r.columns, as)
	}
	return uses
}

// Says lists what is read, for connectors.Proof.Reads: "email: E-mail", "manager: Boss by email".
func (l *Layout) Says() []string {
	var list []string
	for _, f := range l.fields {
		if f.attribute {
			list = append(list, f.name)
			continue
		}
		list = append(list, f.name+": "+f.source.String())
	}
	for _, r := range slices.Concat(l.links, l.members) {
		list = append(list, r.field+": "+r.source.String())
	}
	var key []string
	for _, i := range l.key {
		key = append(key, l.header[i])
	}
	list = append(list, "id: "+strings.Join(key, ", "))
	slices.Sort(list)
	return list
}

func (l *Layout) problem(column int, reason, hint string) {
	p := Problem{Index: column, Reason: reason, Hint: hint}
	if column >= 0 {
		p.Column = l.header[column]
	}
	l.problems = append(l.problems, p)
}

// cell returns a cell of a row.
func cell(cells []Cell, i int) *Cell {
	if i >= len(cells) {
		return &Cell{}
	}
	return &cells[i]
}

func (l *Layout) id(cells []Cell) string {
	l.parts = l.parts[:0]
	size := 0
	for _, i := range l.key {
		text := cell(cells, i).String()
		switch {
		case text == "":
			l.problem(i, "is empty, and is a part of the key", "every row needs its key")
			return ""
		case !utf8.ValidString(text) || strings.ContainsFunc(text, control):
			l.problem(i, "is a part of the key, and holds characters that are none", "look at the encoding of the source")
			return ""
		}
		size += len(text)
		l.parts = append(l.parts, text)
	}
	if size > maxKey {
		l.problem(l.key[0], "is too long for a key", "is this the right column?")
		return ""
	}
	l.buf = appendID(l.buf[:0], l.kind, l.parts)
	return string(l.buf)
}

func control(r rune) bool { return r < ' ' || r == 0x7f }

// fill returns the value of a field or an attribute: of its first column that has one, or all values of a list.
func (l *Layout) fill(f *filler, cells []Cell) directory.Value {
	if f.typ == directory.ListType {
		return l.list(f, cells)
	}
	for _, i := range f.columns {
		c := cell(cells, i)
		if c.Blank() {
			continue
		}
		v, reason := l.value(f, c)
		if reason != "" {
			l.problem(i, reason, hintOf(reason))
		}
		return v
	}
	return directory.Value{}
}

// value reads a cell for a field, other than a list.
func (l *Layout) value(f *filler, c *Cell) (v directory.Value, reason string) {
	switch {
	case len(c.text) > maxText:
		return v, "is longer than 64 KiB"
	case f.attribute:
		return c.attribute(), ""
	}
	switch f.typ {
	case directory.BoolType:
		return boolean(c)
	case directory.NumberType:
		return number(c)
	case directory.TimeType:
		return l.moment(c)
	case directory.ListType:
		return directory.List(l.split(c, f.commas, nil)...), ""
	}
	if c.is == listCell {
		return directory.Text(firstOf(c.list)), ""
	}
	return directory.Text(c.String()), ""
}

func firstOf(items []string) string {
	for _, item := range items {
		if item = trim(item); item != "" {
			return item
		}
	}
	return ""
}

func (l *Layout) list(f *filler, cells []Cell) directory.Value {
	l.items = l.items[:0]
	for _, i := range f.columns {
		c := cell(cells, i)
		if len(c.text) > maxText {
			l.problem(i, "is longer than 64 KiB", "")
			continue
		}
		if l.items = l.split(c, f.commas, l.items); len(l.items) > maxItems {
			l.problem(i, "has more than 10000 values", "is the separator right?")
			l.items = l.items[:0]
		}
	}
	if len(l.items) == 0 {
		return directory.Value{}
	}
	return directory.List(l.items...)
}

// split appends the values of a cell.
func (l *Layout) split(c *Cell, commas bool, items []string) []string {
	if c.is == listCell {
		for _, item := range c.list {
			if item = trim(item); item != "" {
				items = append(items, item)
			}
		}
		return items
	}
	text := c.String()
	for text != "" {
		end, size := l.nextSeparator(text, commas)
		if item := trim(text[:end]); item != "" {
			items = append(items, item)
		}
		text = text[end+size:]
	}
	return items
}

// nextSeparator returns where the first value of a text ends, and the size of the separator there.
func (l *Layout) nextSeparator(text string, commas bool) (end, size int) {
	if l.separator != "" {
		end = strings.Index(text, l.separator)
		size = len(l.separator)
	} else {
		separators := ";\n"
		if commas {
			separators = ";\n,"
		}
		end, size = strings.IndexAny(text, separators), 1
	}
	if end < 0 {
		return len(text), 0
	}
	return end, size
}

// refer calls fn with the handles that a row names.
func (l *Layout) refer(r *referrer, cells []Cell, fn func(handle string)) {
	switch {
	case r.source.IsFixed:
		fn(r.fixed)
	case r.many:
		l.items = l.split(cell(cells, r.columns[0]), false, l.items[:0])
		if r.link != 0 && len(l.items) > maxItems {
			l.problem(r.columns[0], "has more than 10000 values", "is the separator right?")
			return
		}
		for _, item := range l.items {
			l.parts = append(l.parts[:0], item)
			fn(l.handle(r))
		}
	default:
		l.parts = l.parts[:0]
		missing := -1
		for n, i := range r.columns {
			text := cell(cells, i).String()
			if text == "" && (n == len(r.columns)-1 || r.source.By != "") {
				return
			}
			if text == "" {
				missing = i
			}
			l.parts = append(l.parts, text)
		}
		if missing >= 0 {
			l.problem(missing, "is empty, and the rest of the key of "+r.field+" is not", "fill in all its parts or none")
			return
		}
		fn(l.handle(r))
	}
}

// handle spells the handle of what l.parts name.
func (l *Layout) handle(r *referrer) string {
	if r.source.By != "" {
		l.buf = appendName(l.buf[:0], r.to, r.source.By, l.parts[0])
		return string(l.buf)
	}
	l.buf = appendID(append(l.buf[:0], idPrefix...), r.to, l.parts)
	return string(l.buf)
}

// idPrefix is what directory.IDHandle begins with.
const idPrefix = "id:"

// state adds the handles of names.
func (l *Layout) state(n *namer, cells []Cell, o *directory.Object) {
	l.items = l.items[:0]
	for _, i := range n.columns {
		c := cell(cells, i)
		if n.many || c.is == listCell {
			l.items = l.split(c, n.commas, l.items)
		} else if text := c.String(); text != "" {
			l.items = append(l.items, text)
		}
	}
	if len(l.items) > maxNames {
		l.problem(n.columns[0], "has more than 200 values, by which others refer to the row", "is the separator right?")
		return
	}
	for _, item := range l.items {
		l.buf = appendName(l.buf[:0], l.kind, n.field, item)
		if !slices.ContainsFunc(o.Handles, func(h string) bool { return h == string(l.buf) }) {
			o.Handles = append(o.Handles, string(l.buf))
		}
	}
}
