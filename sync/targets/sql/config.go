package sql

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"dirsyncd/sync/database"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/settings"
	"dirsyncd/sync/settings/strict"
	"dirsyncd/sync/spelling"
)

// Config is the block `sql:` of a target.
type Config struct {
	database.Server `yaml:",inline"`
	// Timeout is how long one transaction may take; a whole list may take longer.
	Timeout settings.Duration `yaml:"timeout"`
	// Batch is how many rows one transaction writes, Parallel how many run at a time.
	Batch    int `yaml:"batch"`
	Parallel int `yaml:"parallel"`
	// Tables are the tables by the word of the record kind whose records are rows of it.
	Tables map[string]Table `yaml:"tables"`
}

// Table says which table holds the records of a kind.
type Table struct {
	// Table is its name, with its schema before a dot or as the elements of a list, which may hold dots.
	Table settings.Names `yaml:"table" strict:"required"`
	// ID is the column that identifies a row for ever, which the database fills.
	ID string `yaml:"id"`
	// Mark is a column of ours: it holds the record's key and nobody else writes it.
	Mark string `yaml:"mark"`
	// Anchors are columns by which rows are recognised and which no human types, Keys those that people type; the strongest first.
	Anchors settings.Names `yaml:"anchors"`
	Keys    settings.Names `yaml:"keys"`
	// Title is the column by which references name rows. The default is that of the field name, or title.
	Title string `yaml:"title"`
	// Columns are the columns by the names of the records' fields.
	Columns map[string]string `yaml:"columns"`
	// Active says by which values of a column a row is in use.
	Active *Active `yaml:"active"`
	// Ended is a column that holds since when a row is out of use, and nothing while it is in use; in place of Active.
	Ended string `yaml:"ended"`
	// References are the columns that hold the ids of rows of another kind: customer, site, manager, owner.
	References map[string]string `yaml:"references"`
	// Members is the table that says who is in a group.
	Members *Members `yaml:"members"`
}

// Active is a column, or a column with the values that it has.
type Active struct {
	Column string `yaml:"column" strict:"required"`
	// InUse is written to rows in use, the first of OutOfUse to others.
	InUse    string         `yaml:"in_use"`
	OutOfUse settings.Names `yaml:"out_of_use"`
}

// DecodeStrict reads the name of a column, or a block.
func (a *Active) DecodeStrict(v strict.Value) {
	if v.Kind() == strict.Text {
		a.Column, _ = v.Text()
		return
	}
	type block Active
	v.Into((*block)(a))
}

// Members is a table with a row for each member of each group.
type Members struct {
	Table settings.Names `yaml:"table" strict:"required"`
	// Group and Member are the columns with the ids of the group and of the member.
	Group  string `yaml:"group" strict:"required"`
	Member string `yaml:"member" strict:"required"`
	// Kind is the kind of the members: user or agent.
	Kind string `yaml:"kind"`
}

// The defaults of columns.
const (
	usualID   = "id"
	usualMark = "dirsync_mark"
)

func defaults() *Config {
	return &Config{Server: database.Defaults(), Timeout: settings.Duration(time.Minute), Batch: 100, Parallel: 1}
}

// referable are the fields that can refer to rows, and their kinds.
func referable() map[string]directory.RecordKind {
	return map[string]directory.RecordKind{
		"customer": directory.CustomerRecord, "site": directory.SiteRecord, "manager": directory.UserRecord, "owner": directory.UserRecord,
		"user": directory.UserRecord, "agent": directory.AgentRecord,
	}
}

// Validate reports everything that is wrong with the block, without I/O.
func (c *Config) Validate() []settings.Issue {
	var issues settings.Issues
	report := issues.Report
	if !c.Server.Validate(report) {
		return issues
	}
	if c.Timeout <= 0 {
		report("timeout", "1m is usual", "must be longer than nothing")
	}
	if c.Batch < 1 || c.Batch > 1000 {
		report("batch", "100 is usual", "must be 1 to 1000")
	}
	if c.Parallel < 1 || c.Parallel > 16 {
		report("parallel", "1 is usual", "must be 1 to 16")
	} else if c.Parallel > 1 && c.Driver == database.SQLite {
		report("parallel", "leave it out", "must be 1 for sqlite, in which one writes at a time")
	}
	if len(c.Tables) == 0 {
		report("tables", "write tables: {user: {table: people, columns: {name: full_name}}}", "must not be empty")
	}
	for _, word := range slices.Sorted(maps.Keys(c.Tables)) {
		kind, ok := directory.ParseRecordKind(word)
		if !ok {
			report("tables."+word, spelling.Suggest(word, words()), "is not a kind of record")
			continue
		}
		t := c.Tables[word]
		c.validateTable(kind, &t, "tables."+word+".", report)
	}
	return issues
}

func words() []string {
	var list []string
	for _, k := range directory.RecordKinds() {
		list = append(list, k.String())
	}
	return list
}

func (c *Config) validateTable(kind directory.RecordKind, t *Table, at string, report settings.Reporter) {
	name := func(path, name string) {
		if problem := nameProblem(c.Driver, name); problem != "" {
			report(at+path, "write the name as the database has it, without quotes around it", "%s", problem)
		}
	}
	c.validateTableName(at+"table", t.Table, report)
	used := map[string]string{}
	once := func(path, column string) {
		name(path, column)
		if other, taken := used[column]; taken {
			report(at+path, "", "is the column of %s, too", other)
		}
		used[column] = path
	}
	once("id", cmp.Or(t.ID, usualID))
	once("mark", cmp.Or(t.Mark, usualMark))
	for _, field := range slices.Sorted(maps.Keys(t.Columns)) {
		once("columns."+field, t.Columns[field])
	}
	for _, field := range slices.Sorted(maps.Keys(t.References)) {
		once("references."+field, t.References[field])
		to, known := referable()[field]
		switch _, there := c.Tables[to.String()]; {
		case !known:
			report(at+"references."+field, "customer, site, manager, owner, or of a ticket user and agent; other fields go to columns", "is nothing that refers to rows")
		case !there:
			report(at+"references."+field, "give it a table, or write "+field+" to a column", "refers to a %s, which has no table", to)
		case (field == "user" || field == "agent") && kind != directory.TicketRecord:
			report(at+"references."+field, "", "only a ticket is about a person")
		case to > kind || to == kind && field != "manager":
			report(at+"references."+field, "", "a %s does not refer to a %s", kind, to)
		}
	}
	if a := t.Active; a != nil {
		once("active", a.Column)
		if t.Ended != "" {
			report(at+"ended", "keep one of the two", "goes not together with active")
		}
		if (a.InUse == "") != (len(a.OutOfUse) == 0) || slices.Contains(a.OutOfUse, a.InUse) && a.InUse != "" {
			report(at+"active", "write {column: status, in_use: active, out_of_use: left}", "in_use and out_of_use must be given together, and differ")
		}
	}
	if t.Ended != "" {
		once("ended", t.Ended)
	}
	seen := map[string]bool{}
	for _, list := range []struct {
		key   string
		names settings.Names
	}{{"anchors", t.Anchors}, {"keys", t.Keys}} {
		for _, column := range list.names {
			name(list.key, column)
			switch other := used[column]; {
			case seen[column]:
				report(at+list.key, "", "names %q twice", column)
			case other != "" && !strings.HasPrefix(other, "columns."):
				report(at+list.key, "", "%q is the column of %s", column, other)
			}
			seen[column] = true
		}
	}
	if t.Title != "" {
		name("title", t.Title)
	}
	c.validateMembers(kind, t, at, report)
}

func (c *Config) validateMembers(kind directory.RecordKind, t *Table, at string, report settings.Reporter) {
	m := t.Members
	if m == nil {
		return
	}
	c.validateTableName(at+"members.table", m.Table, report)
	for path, column := range map[string]string{"group": m.Group, "member": m.Member} {
		if problem := nameProblem(c.Driver, column); problem != "" {
			report(at+"members."+path, "write the name as the database has it, without quotes around it", "%s", problem)
		}
	}
	if m.Group == m.Member {
		report(at+"members.member", "", "is the column of group, too")
	}
	word := cmp.Or(m.Kind, "user")
	if of, ok := directory.ParseRecordKind(word); !ok || of != directory.UserRecord && of != directory.AgentRecord || of >= kind {
		report(at+"members.kind", "user or agent", "%q cannot be a member of a %s", word, kind)
	} else if _, ok := c.Tables[word]; !ok {
		report(at+"members", "give it a table", "members are %ss, which have no table", word)
	}
}

func (c *Config) validateTableName(path string, names settings.Names, report settings.Reporter) {
	parts := nameParts(names)
	most := map[string]int{database.Postgres: 2, database.MySQL: 2, database.SQLite: 2, database.SQLServer: 3}[c.Driver]
	if len(parts) == 0 || len(parts) > most {
		report(path, "write people, or app.people", "is no name of a table")
		return
	}
	for _, part := range parts {
		if problem := nameProblem(c.Driver, part); problem != "" {
			report(path, "write people, or app.people, without quotes; a name that holds a dot stands in a list: [app, \"odd.name\"]", "%s", problem)
			return
		}
	}
}

// nameParts splits the name of a table at its dots, if it is written as one text.
func nameParts(names settings.Names) []string {
	if len(names) == 1 {
		return strings.Split(names[0], ".")
	}
	return names
}

// nameProblem says why a text cannot be the name of a column or table. Longer ones than the database keeps would be cut by it,
// and be another name (PostgreSQL, "Identifiers and Key Words").
func nameProblem(driver, name string) string {
	most := map[string]int{database.Postgres: 63, database.MySQL: 64, database.SQLServer: 128}[driver]
	length := utf8.RuneCountInString(name)
	if driver == database.Postgres {
		length = len(name)
	}
	switch {
	case name == "":
		return "must not be empty"
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return "holds characters that no name has"
	case strings.TrimSpace(name) != name:
		return "begins or ends with a blank"
	case most > 0 && length > most:
		return "is longer than a name can be"
	default:
		return ""
	}
}

// Advise reports what is allowed and probably not meant.
func (c *Config) Advise() []settings.Issue {
	var issues settings.Issues
	c.Server.Advise(issues.Report)
	for _, word := range slices.Sorted(maps.Keys(c.Tables)) {
		// A ticket that is there already belongs to nobody: ours are known by their marks alone.
		if t := c.Tables[word]; word != directory.TicketRecord.String() && len(t.Keys)+len(t.Anchors) == 0 {
			issues.Report("tables."+word, "write keys: [email]", "names no keys: rows that are there already are not recognised, and made again")
		}
	}
	return issues
}

// InForce returns the block with its defaults, those of its tables among them.
func (c *Config) InForce() (block any, remark string) {
	full := *c
	if c.Driver != database.SQLite {
		full.Port = c.PortInForce()
	}
	full.Tables = maps.Clone(c.Tables)
	for word, t := range full.Tables {
		t.ID, t.Mark = cmp.Or(t.ID, usualID), cmp.Or(t.Mark, usualMark)
		full.Tables[word] = t
	}
	return &full, ""
}

// place says which place it is: another database, or other tables of it, were never met.
func (c *Config) place() string {
	var tables []string
	for _, word := range slices.Sorted(maps.Keys(c.Tables)) {
		tables = append(tables, word+" "+strings.Join(nameParts(c.Tables[word].Table), "."))
	}
	text := c.Driver + "://" + c.Address()
	if c.Driver != database.SQLite {
		text += "/" + c.Database
	}
	return text + " (" + strings.Join(tables, ", ") + ")"
}
