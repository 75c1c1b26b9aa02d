package config

import (
	"cmp"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"dirsyncd/sync/mapping"
	"dirsyncd/sync/settings"
	"dirsyncd/sync/settings/strict"
)

const tablesKey = "tables"

// wordPattern keeps names fit for expressions: table.NAME, choice.NAME.
var wordPattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// checkWord reports a name that expressions could not read.
func checkWord(e strict.Entry, what string) bool {
	if wordPattern.MatchString(e.Key) {
		return true
	}
	e.Value.KeyProblem(`up to 64 of a-z, 0-9 and "_", the first a letter: rules read it as `+what+".NAME", "%q cannot be the name of a %s", short(e.Key), what)
	return false
}

// Table is a lookup table of the configuration.
type Table struct {
	// Spec is what it says, and Rows what rules look up.
	Spec mapping.TableSpec
	Rows *mapping.Table
	// File is the file in which the rows are, as messages name it; empty when they are in the configuration.
	File string
	// Key is the column of the file that holds the keys; empty without a file.
	Key string

	doc *strict.Document // in which it stands
}

// longTable is a table that is more than its rows.
type longTable struct {
	File settings.Path `yaml:"file"`
	Key  string        `yaml:"key"`
	Case caseWord      `yaml:"case"`
}

// caseWord says whether capitals count in the keys of a table.
type caseWord string

const (
	anyCase   caseWord = "any"
	exactCase caseWord = "exact"
)

func (c *caseWord) DecodeStrict(v strict.Value) { choose(v, c, anyCase, exactCase) }

// readTables reads all tables. Of one with mistakes in rows the others are there, so that rules can be compiled.
func (l *loader) readTables(parts []strict.Value) {
	l.cfg.Tables = make(map[string]*Table)
	l.noTables = slices.ContainsFunc(parts, func(v strict.Value) bool { return v.Kind() != strict.Block })
	l.unreadable = make(map[string]bool)
	for _, e := range l.section(parts, "table", checkWord) {
		if !wordPattern.MatchString(e.Key) {
			l.noTables = true // rules may look it up by another name
			continue
		}
		t := &Table{Spec: mapping.TableSpec{Name: e.Key}, doc: e.Value.Document()}
		t.Spec.Pos.Line, t.Spec.Pos.Column = e.Value.KeyPos()
		if !l.readTable(t, e.Value.In(quoted("table", e.Key))) {
			l.unreadable[e.Key] = true
			continue
		}
		var problems []mapping.Problem
		t.Rows, problems = mapping.NewTable(&t.Spec)
		for _, p := range problems {
			l.tableProblem(t, p)
			l.unreadable[e.Key] = l.unreadable[e.Key] || p.Pos == t.Spec.Pos // it is about the table as a whole
		}
		if !l.unreadable[e.Key] {
			l.cfg.Tables[e.Key] = t
		}
	}
}

// lost reports whether a table that there is not may be there all the same: it, or a file that may have it, could not be read.
func (l *loader) lost(table string) bool {
	return l.partial || l.noTables || l.unreadable[table]
}

// tableProblem reports a problem in the file where the row stands.
func (l *loader) tableProblem(t *Table, p mapping.Problem) {
	if t.File == "" || p.Pos == t.Spec.Pos {
		t.doc.ProblemAt(p.Pos.Line, p.Pos.Column, p.Hint, "%s", p.Message)
		return
	}
	l.outside = append(l.outside, Problem{File: t.File, Line: p.Pos.Line, Column: p.Pos.Column, Message: p.Message, Hint: p.Hint})
}

func (l *loader) readTable(t *Table, v strict.Value) bool {
	if v.Kind() == strict.Block && v.Get("file").Kind() == strict.None && v.Get("rows").Kind() == strict.None {
		return readRows(t, v)
	}
	long := longTable{Case: anyCase}
	var rows strict.Value
	ok := v.IntoWith(&long, func(e strict.Entry) bool {
		if e.Key == "rows" {
			rows = e.Value
		}
		return e.Key == "rows"
	}, "rows")
	if !ok {
		return false
	}
	t.Spec.Exact, t.Key = long.Case == exactCase, long.Key
	switch {
	case long.File == "":
		if long.Key != "" {
			v.Get("key").KeyProblem("", "%s: key is the column of a file", v.Label())
			return false
		}
		return readRows(t, rows.In(v.Label()))
	case rows.Kind() != strict.None:
		rows.KeyProblem("remove one of the two", "%s has a file and rows", v.Label())
		return false
	}
	t.File = v.Get("file").Literal()
	if !filepath.IsAbs(t.File) {
		t.File = filepath.Join(filepath.Dir(l.fileOf(v)), t.File)
	}
	return l.readTableFile(t, v.Get("file"), string(long.File))
}

// readRows reads rows that stand in the configuration: key: value, or key: {column: value, …}.
func readRows(t *Table, v strict.Value) bool {
	entries, ok := v.Entries()
	columns := map[string]bool{}
	for _, e := range entries {
		if e.Value.Kind() != strict.Block {
			columns[""] = true
			continue
		}
		cells, _ := e.Value.Entries()
		for _, c := range cells {
			if !columns[c.Key] {
				columns[c.Key] = true
				t.Spec.Columns = append(t.Spec.Columns, c.Key)
			}
		}
	}
	if columns[""] {
		if len(columns) > 1 {
			v.KeyProblem("give every row the same form", "%s: some rows are a value, others have columns", v.Label())
			return false
		}
		t.Spec.Columns = []string{""}
	}
	if len(t.Spec.Columns) == 0 {
		v.KeyProblem("write key: value", "%s has no rows", v.Label())
		return false
	}
	for _, e := range entries {
		row := mapping.RowSpec{Key: strings.TrimSpace(e.Key), Cells: make([]string, len(t.Spec.Columns))}
		row.Pos.Line, row.Pos.Column = e.Value.KeyPos()
		for i, name := range t.Spec.Columns {
			cell := e.Value
			if name != "" {
				cell = e.Value.Get(name)
			}
			switch cell.Kind() {
			case strict.None, strict.Null:
			case strict.Text, strict.Int, strict.Bool, strict.Float:
				row.Cells[i] = strings.TrimSpace(cell.Literal())
			default:
				cell.Problem("several are written as one text, for split(…)", "%s: expected a text, found %s", cell.Label(), cell.Kind())
				ok = false
			}
		}
		t.Spec.Rows = append(t.Spec.Rows, row)
	}
	return ok
}

// readTableFile reads the rows of a CSV file.
func (l *loader) readTableFile(t *Table, at strict.Value, file string) bool {
	data, err := readAtMost(file, maxTableFile)
	switch {
	case err != nil:
		at.Problem("", "%s cannot be read: %v", at.Label(), causeOf(err))
		return false
	case len(data) > maxTableFile:
		at.Problem("", "%s is larger than %d MiB", at.Label(), maxTableFile>>20)
		return false
	}
	l.content = append(l.content, data...)
	rows, problems := readCSV(data, t.Key)
	for _, p := range problems {
		p.File = t.File
		l.outside = append(l.outside, p)
	}
	if len(rows.columns) == 0 {
		return false
	}
	t.Key, t.Spec.Columns, t.Spec.Rows = rows.key, rows.columns, rows.rows
	return true
}

// causeOf leaves away what an error of the file system says of the operation and the path.
func causeOf(err error) error {
	var e *os.PathError
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// rowsOf returns the tables for rules.
func (l *loader) tableRows() map[string]*mapping.Table {
	all := make(map[string]*mapping.Table, len(l.cfg.Tables))
	for name, t := range l.cfg.Tables {
		all[name] = t.Rows
	}
	return all
}

// warnUnread points out tables that no rule looks at.
func (l *loader) warnUnread() {
	used := map[string]bool{}
	for _, m := range l.cfg.Mappings {
		if m.Rules == nil {
			return // it may be the one
		}
		for _, t := range m.Rules.Tables() {
			used[t.Name()] = true
		}
	}
	tables := slices.SortedFunc(maps.Values(l.cfg.Tables), func(a, b *Table) int { return cmp.Compare(a.Spec.Pos.Line, b.Spec.Pos.Line) })
	for _, t := range tables {
		if !used[t.Spec.Name] {
			t.doc.WarnAt(t.Spec.Pos.Line, t.Spec.Pos.Column, "rules look it up as table."+t.Spec.Name+"[key]", "no rule uses table %s", t.Spec.Name)
		}
	}
}
