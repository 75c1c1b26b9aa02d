// Package columns makes objects of rows: a header, rows of typed cells, and a layout that says what each column means.
// The connectors for files and for databases share it; each of them brings its own reader.
//
//	problems := config.Validate(...)                    // without a header: loading the configuration
//	layout, problems := columns.Compile(config, options) // with the header: once per file, sheet or query
//	problems := layout.Object(cells, &object)           // per row
//
// What a row refers to (a manager, a customer) it names by key, or by a field such as the mail address: then the rows that
// can be meant must state that name, see Config.Names and Options.Named.
package columns

import (
	"slices"
	"strings"

	"dirsyncd/sync/settings"
	"dirsyncd/sync/settings/strict"
)

// Config says what the columns of one kind of row mean. It is meant to be inlined into the block of a source.
type Config struct {
	// Key are the columns that identify a row for ever. Default: the column "id" or "key".
	Key settings.Names `yaml:"key"`
	// Columns says by field which column fills it. A field that is not among them is filled by the column of its own name,
	// if there is one; an empty list leaves it empty.
	Columns map[string]Source `yaml:"columns"`
	// Attributes are columns that appear as attributes.COLUMN, in the spelling of this list; "all" are all that nothing else uses.
	Attributes Attributes `yaml:"attributes"`
	// Separator stands between several values in one cell. Default: a semicolon, a comma or a line break.
	Separator string `yaml:"separator"`
	// Dates is the order of day, month and year in dates such as 03/04/2025: dmy, mdy or ymd.
	Dates string `yaml:"dates"`
	// Timezone is that of times which state none. Default: UTC.
	Timezone string `yaml:"timezone"`
}

// Source says where a field comes from: from the first of several columns that has a value (a field with many values: from all of
// them), or a text that is the same in every row. For a reference it is the columns of the other object's key, or those of a
// field by which it is known.
type Source struct {
	Columns []string
	Fixed   string
	IsFixed bool
	// By is the field by which another object is named; empty: its key.
	By string
}

// fixedPrefix begins a text that is no column.
const fixedPrefix = "fixed:"

// Column is the source that one column, or the first of several, is.
func Column(names ...string) Source { return Source{Columns: names} }

// Fixed is the source of a text that is the same in every row.
func Fixed(text string) Source { return Source{Fixed: text, IsFixed: true} }

// By is the source of a reference by a field of the other object.
func By(field string, names ...string) Source { return Source{Columns: names, By: field} }

// DecodeStrict reads `column`, `[column, column]`, `"fixed:text"` or `{column: …, by: field}`.
func (s *Source) DecodeStrict(v strict.Value) {
	if v.Kind() == strict.Block {
		var block struct {
			Column settings.Names `yaml:"column" strict:"required"`
			By     string         `yaml:"by"`
		}
		if v.Into(&block) {
			*s = Source{Columns: block.Column, By: block.By}
		}
		return
	}
	var names settings.Names
	names.DecodeStrict(v)
	if len(names) == 1 && strings.HasPrefix(names[0], fixedPrefix) {
		*s = Fixed(strings.TrimPrefix(names[0], fixedPrefix))
		return
	}
	*s = Source{Columns: names}
}

// MarshalYAML writes what DecodeStrict reads.
func (s Source) MarshalYAML() (any, error) {
	switch {
	case s.IsFixed:
		return fixedPrefix + s.Fixed, nil
	case s.By != "":
		return map[string]any{"column": s.Columns, "by": s.By}, nil
	case len(s.Columns) == 1:
		return s.Columns[0], nil
	default:
		return slices.Concat([]string{}, s.Columns), nil
	}
}

// String is the source as it stands in the proof of a read (connectors.Proof.Reads).
func (s Source) String() string {
	text := strings.Join(s.Columns, ", ")
	if s.IsFixed {
		text = fixedPrefix + s.Fixed
	}
	if s.By != "" {
		text += " by " + s.By
	}
	return text
}

// Attributes are columns by name, or all that nothing else uses.
type Attributes struct {
	All   bool
	Names []string
}

// allAttributes is the word for all columns that nothing else uses.
const allAttributes = "all"

// DecodeStrict reads `all` or a list of columns.
func (a *Attributes) DecodeStrict(v strict.Value) {
	if v.Kind() == strict.Text {
		if text, _ := v.Text(); text != allAttributes {
			v.Problem("write a list of columns, or all", "%s: unknown word %q", v.Label(), text)
			return
		}
		*a = Attributes{All: true}
		return
	}
	var names settings.Names
	names.DecodeStrict(v)
	*a = Attributes{Names: names}
}

// MarshalYAML writes what DecodeStrict reads.
func (a Attributes) MarshalYAML() (any, error) {
	if a.All {
		return allAttributes, nil
	}
	return slices.Concat([]string{}, a.Names), nil
}
