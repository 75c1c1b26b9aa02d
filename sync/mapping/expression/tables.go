package expression

import (
	"cmp"
	"slices"
	"strings"

	"dirsyncd/sync/directory"
)

// tableWord is the word before the name of a table.
const tableWord = "table"

// Table is rows of texts that expressions look up by a key: table.roles[name]. It is immutable and may be used by many
// goroutines. A lookup costs the same however many rows there are.
type Table struct {
	name    string
	columns []string
	exact   bool
	rows    []Row
	index   map[string]int
}

// Row is a row of a Table.
type Row struct {
	Key string
	// Cells are the texts of the columns, in their order; blank where nothing was said.
	Cells []string
}

// NewTable returns a table. columns name the cells of its rows: one that is "" for a table of a single column that has no
// name. Keys are compared without regard to capitals unless exact is set. Of two rows with the same key (Table.Same), the
// first holds.
func NewTable(name string, columns []string, exact bool, rows []Row) *Table {
	t := &Table{name: name, columns: columns, exact: exact, rows: rows, index: make(map[string]int, len(rows))}
	for i, r := range rows {
		if key := t.Same(r.Key); !t.has(key) {
			t.index[key] = i
		}
	}
	return t
}

func (t *Table) has(key string) bool { _, ok := t.index[key]; return ok }

// Name returns the name by which expressions know the table.
func (t *Table) Name() string { return t.name }

// Columns returns the names of the columns.
func (t *Table) Columns() []string { return t.columns }

// Exact reports whether capitals count in keys.
func (t *Table) Exact() bool { return t.exact }

// Rows returns the rows in their order. The caller must not change them.
func (t *Table) Rows() []Row { return t.rows }

// Same returns what two keys have in common that mean the same row.
func (t *Table) Same(key string) string {
	if t.exact {
		return key
	}
	return strings.ToLower(key)
}

// Find returns the row of a key and its number, from 0.
func (t *Table) Find(key string) (Row, int, bool) {
	i, ok := t.index[t.Same(key)]
	if !ok {
		return Row{}, 0, false
	}
	return t.rows[i], i, true
}

// row returns the key of the first row that a text or a list has, or nil.
func (t *Table) row(v directory.Value) any {
	keys, first := v.List(), len(t.rows)
	if v.Type() == directory.TextType {
		keys = []string{v.Text()}
	}
	for _, k := range keys {
		if _, at, ok := t.Find(k); ok {
			first = min(first, at)
		}
	}
	if first == len(t.rows) {
		return nil
	}
	return t.rows[first].Key
}

// column is one column of a table, as a constant of a compiled expression.
type column struct {
	table *Table
	at    int
}

// of returns the cell of a key; blank when there is none.
func (c *column) of(key string) string {
	row, _, ok := c.table.Find(key)
	if !ok {
		return ""
	}
	return row.Cells[c.at]
}

// cell is a lookup. Of a list, the first row of the table counts that has one of its items as key and says something.
func cell(col, key any) string {
	c := col.(*column)
	switch key := key.(type) {
	case string:
		return c.of(key)
	case []string:
		first, out := -1, ""
		for _, k := range key {
			row, at, ok := c.table.Find(k)
			if ok && (first < 0 || at < first) && row.Cells[c.at] != "" {
				first, out = at, row.Cells[c.at]
			}
		}
		return out
	default:
		return ""
	}
}

// cells is the function lookup: what all rows say that have an item of the list as key, in the order of the table.
func cells(col, list any) any {
	c := col.(*column)
	keys, _ := list.([]string)
	var found []int
	for _, k := range keys {
		if row, at, ok := c.table.Find(k); ok && row.Cells[c.at] != "" {
			found = append(found, at)
		}
	}
	slices.SortFunc(found, cmp.Compare[int])
	out := make([]string, 0, len(found))
	for _, at := range found {
		if text := c.table.rows[at].Cells[c.at]; !slices.Contains(out, text) {
			out = append(out, text)
		}
		if len(out) > maxItems {
			panic(errTooMany)
		}
	}
	return out
}
