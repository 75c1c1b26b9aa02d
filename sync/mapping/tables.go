package mapping

import (
	"fmt"
	"slices"
	"strings"

	"dirsyncd/sync/mapping/expression"
)

// Limits of a table. They are far above what people fill in, and keep a wrong file from taking the memory of the machine.
const (
	MaxTableRows    = 100_000
	maxTableColumns = 50
)

// Table is data that rules look up by a key. It is immutable.
type Table = expression.Table

// TableSpec is a table as the operator wrote it.
type TableSpec struct {
	Name string
	Pos  Pos
	// Columns name the cells of the rows; one that is "" for a table with a single column that has no name.
	Columns []string
	// Exact: capitals count in keys.
	Exact bool
	Rows  []RowSpec
}

// RowSpec is a row of a TableSpec.
type RowSpec struct {
	Key   string
	Cells []string // one for each of Columns
	Pos   Pos      // in the file where the rows are
}

// NewTable makes a table. It reports every problem; with some, the table is good for compiling rules only.
func NewTable(spec *TableSpec) (*Table, []Problem) {
	c := &compilation{}
	label := "table " + spec.Name
	switch {
	case len(spec.Rows) > MaxTableRows:
		c.problem(spec.Pos, "", "%s has more than %d rows", label, MaxTableRows)
	case len(spec.Columns) > maxTableColumns:
		c.problem(spec.Pos, "", "%s has more than %d columns", label, maxTableColumns)
	}
	for i, column := range spec.Columns {
		switch {
		case column == "" && len(spec.Columns) > 1:
			c.problem(spec.Pos, "give it one in the header", "%s: column %d has no name", label, i+1)
		case slices.Contains(spec.Columns[:i], column):
			c.problem(spec.Pos, "rename one of the two", "%s has two columns %q", label, column)
		}
	}
	rows := make([]expression.Row, len(spec.Rows))
	for i := range spec.Rows {
		r := &spec.Rows[i]
		rows[i] = expression.Row{Key: r.Key, Cells: r.Cells}
	}
	t := expression.NewTable(spec.Name, spec.Columns, spec.Exact, rows)
	for i := range spec.Rows {
		r := &spec.Rows[i]
		if strings.TrimSpace(r.Key) == "" {
			c.problem(r.Pos, "nothing that is blank is looked up: remove the row or give it a key", "%s: the row has no key", label)
			continue
		}
		if _, first, _ := t.Find(r.Key); first != i {
			hint := "remove one of the two"
			if spec.Rows[first].Key != r.Key {
				hint = "capitals do not count; where they must, write `case: exact` beside the file or the rows"
			}
			c.problem(r.Pos, hint, "%s: the key %q stands in line %d already", label, r.Key, spec.Rows[first].Pos.Line)
		}
	}
	return t, c.problems
}

// Tables lists the tables in which the rules look something up, by name.
func (r *Ruleset) Tables() []*Table {
	var all []*Table
	for kind := range r.rules {
		for _, x := range r.rules[kind].expressions() {
			for _, t := range x.Tables() {
				if !slices.Contains(all, t) {
					all = append(all, t)
				}
			}
		}
	}
	slices.SortFunc(all, func(a, b *Table) int { return strings.Compare(a.Name(), b.Name()) })
	return all
}

// table adds what rules can find in a table.
func (h hasher) table(t *Table) {
	h.text("table", t.Name(), fmt.Sprint(t.Exact()))
	h.count(len(t.Columns()))
	h.text(t.Columns()...)
	h.count(len(t.Rows()))
	for _, r := range t.Rows() {
		h.text(r.Key)
		h.text(r.Cells...)
	}
}
