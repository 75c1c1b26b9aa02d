package sql

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"dirsyncd/sync/database"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/targets"
)

// table is a Table with its defaults, and how rows of it are read.
type table struct {
	Table
	kind   directory.RecordKind
	driver string
	// parts are the parts of its name, from is the name as statements have it.
	parts []string
	from  string
	keys  []targets.DeskKey
	title string
	// kinds are those that the columns of References refer to.
	kinds      map[string]directory.RecordKind
	memberKind directory.RecordKind
	memberOf   *table // the table of the members, once it is known
	// read are the columns that are read, each once; id and mark are the first two.
	read []string
	at   map[string]int

	// What the database says; see Desk.know. columns holds those that there are, not only those that are read.
	columns map[string]*column
}

// column is what the database says of a column.
type column struct {
	name     string
	typ      string // in lower case
	text     bool   // it holds texts
	whole    bool   // it holds whole numbers
	nullable bool
	filled   bool // the database gives it a value where none is written
	length   int  // the most characters that it holds, 0 when that is not known or not limited
	charset  string
	collated string
}

// tables are those of a configuration.
func (c *Config) tables() map[directory.RecordKind]*table {
	all := map[directory.RecordKind]*table{}
	for word, cfg := range c.Tables {
		kind, ok := directory.ParseRecordKind(word)
		if !ok {
			continue
		}
		t := &table{Table: cfg, kind: kind, driver: c.Driver, parts: nameParts(cfg.Table), at: map[string]int{}, kinds: map[string]directory.RecordKind{}}
		t.from = nameOf(c.Driver, t.parts)
		t.ID, t.Mark = cmp.Or(cfg.ID, usualID), cmp.Or(cfg.Mark, usualMark)
		t.title = cmp.Or(cfg.Title, cfg.Columns[directory.FieldName], cfg.Columns[directory.FieldTitle])
		_, of := cfg.References["customer"]
		within := of && kind == directory.SiteRecord // a name of a site counts inside of its customer
		for _, name := range cfg.Anchors {
			t.keys = append(t.keys, targets.DeskKey{Name: name, Anchor: true, Usual: t.fieldsOf(name)})
		}
		for _, name := range cfg.Keys {
			t.keys = append(t.keys, targets.DeskKey{Name: name, Folded: true, Usual: t.fieldsOf(name), Within: within})
		}
		if t.title != "" && !slices.Contains(cfg.Keys, t.title) && !slices.Contains(cfg.Anchors, t.title) {
			// By it others refer to the row; a row is recognised by it only where the operator says so.
			t.keys = append(t.keys, targets.DeskKey{Name: t.title, Folded: true, Proposes: true, Within: within})
		}
		for field := range cfg.References {
			t.kinds[field] = referable()[field]
		}
		if m := cfg.Members; m != nil {
			t.memberKind, _ = directory.ParseRecordKind(cmp.Or(m.Kind, "user"))
		}
		t.reads(t.ID, t.Mark)
		for _, k := range t.keys {
			t.reads(k.Name)
		}
		for _, field := range slices.Sorted(maps.Keys(cfg.Columns)) {
			t.reads(cfg.Columns[field])
		}
		for _, field := range slices.Sorted(maps.Keys(cfg.References)) {
			t.reads(cfg.References[field])
		}
		if cfg.Active != nil {
			t.reads(cfg.Active.Column)
		}
		if cfg.Ended != "" {
			t.reads(cfg.Ended)
		}
		all[kind] = t
	}
	return all
}

func (t *table) reads(columns ...string) {
	for _, c := range columns {
		if _, has := t.at[c]; !has {
			t.at[c] = len(t.read)
			t.read = append(t.read, c)
		}
	}
}

// fieldsOf are the fields of records that a column holds.
func (t *table) fieldsOf(column string) (fields []string) {
	for _, field := range slices.Sorted(maps.Keys(t.Columns)) {
		if t.Columns[field] == column {
			fields = append(fields, field)
		}
	}
	return fields
}

func nameOf(driver string, parts []string) string {
	quoted := make([]string, len(parts))
	for i, part := range parts {
		quoted[i] = database.Quote(driver, part)
	}
	return strings.Join(quoted, ".")
}

func (t *table) quote(column string) string { return database.Quote(t.driver, column) }

// statement is one that is being written, with the values that go with it.
type statement struct {
	strings.Builder
	driver string
	args   []any
}

func (t *table) statement(parts ...string) *statement {
	s := &statement{driver: t.driver}
	return s.add(parts...)
}

func (s *statement) add(parts ...string) *statement {
	for _, p := range parts {
		s.WriteString(p)
	}
	return s
}

// value writes a place for a value, which is never a part of the text.
func (s *statement) value(v any) *statement {
	s.args = append(s.args, v)
	switch s.driver {
	case database.Postgres:
		return s.add("$", itoa(len(s.args)))
	case database.SQLServer:
		return s.add("@p", itoa(len(s.args)))
	default:
		return s.add("?")
	}
}

func (s *statement) values(list []any) *statement {
	for i, v := range list {
		if i > 0 {
			s.add(", ")
		}
		s.value(v)
	}
	return s
}

// selects begins a query for the columns that are read, all as texts. A row that a statement locks is locked until the transaction
// ends.
func (t *table) selects(lock bool, top int) *statement {
	s := t.statement("SELECT ")
	if top > 0 && t.driver == database.SQLServer {
		s.add("TOP (", itoa(top), ") ")
	}
	for i, c := range t.read {
		if i > 0 {
			s.add(", ")
		}
		s.add(t.asText(c))
	}
	s.add(" FROM ", t.from, " AS t")
	if lock && t.driver == database.SQLServer {
		s.add(" WITH (UPDLOCK, HOLDLOCK)")
	}
	return s
}

// ends ends a query.
func (t *table) ends(s *statement, lock bool, top int) *statement {
	if top > 0 && t.driver != database.SQLServer {
		s.add(" LIMIT ", itoa(top))
	}
	if lock && (t.driver == database.Postgres || t.driver == database.MySQL) {
		s.add(" FOR UPDATE")
	}
	return s
}

// asText is a column of the table t as a text.
func (t *table) asText(name string) string {
	return textOf(t.driver, "t."+t.quote(name), t.columns[name])
}

func textOf(driver, expression string, c *column) string {
	switch driver {
	case database.Postgres:
		return expression + "::text"
	case database.MySQL:
		if c != nil && c.typ == "bit" {
			expression += "+0"
		}
		return "CAST(" + expression + " AS CHAR)"
	case database.SQLServer:
		return "CONVERT(nvarchar(max), " + expression + ")"
	default:
		return "CAST(" + expression + " AS TEXT)"
	}
}

// matches writes the condition that a key has a value; what case makes of it is for the key to say.
func (t *table) matches(s *statement, key string, folded bool, value string) {
	c, name := t.columns[key], "t."+t.quote(key)
	switch {
	case !folded || c != nil && c.whole:
		s.add(name, " = ").value(t.param(key, value))
	case c != nil && !c.text:
		s.add("LOWER(", t.asText(key), ") = LOWER(").value(value).add(")")
	case t.driver == database.SQLServer:
		s.add("LOWER(LTRIM(RTRIM(", name, "))) = LOWER(").value(value).add(")")
	default:
		s.add("LOWER(TRIM(", name, ")) = LOWER(").value(value).add(")")
	}
}

// same writes the condition that a column has a value, or has none.
func (s *statement) same(column string, value any) *statement {
	switch s.driver {
	case database.Postgres:
		return s.add(column, " IS NOT DISTINCT FROM ").value(value)
	case database.MySQL:
		return s.add(column, " <=> ").value(value)
	case database.SQLite:
		return s.add(column, " IS ").value(value)
	}
	if value == nil {
		return s.add(column, " IS NULL")
	}
	return s.add(column, " = ").value(value)
}
