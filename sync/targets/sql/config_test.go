package sql

import (
	stdsql "database/sql"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"dirsyncd/sync/database"
	"dirsyncd/sync/settings/strict"
)

func parse(tb testing.TB, text string) *Config {
	tb.Helper()
	cfg := defaults()
	doc := strict.Parse([]byte(text), strict.Options{Dir: "/"})
	if !doc.Root().Into(cfg) {
		tb.Fatal(doc.Problems())
	}
	return cfg
}

func TestBadConfigurations(t *testing.T) {
	const server = "driver: postgres\nhost: h\ndatabase: d\nuser: u\n"
	user := func(block string) string { return server + "tables: {user: {table: t, " + block + "}}" }
	for _, test := range []struct{ text, path, message string }{
		{"driver: postgre\n", "driver", `unknown driver "postgre"`},
		{server, "tables", "must not be empty"},
		{server + "batch: 0\ntables: {user: {table: t}}", "batch", "must be 1 to 1000"},
		{"driver: sqlite\nfile: x\nparallel: 2\ntables: {user: {table: t}}", "parallel", "must be 1 for sqlite"},
		{server + "timeout: 0s\ntables: {user: {table: t}}", "timeout", "must be longer than nothing"},
		{server + "tables: {people: {table: t}}", "tables.people", "is not a kind of record"},
		{server + "tables: {user: {table: a.b.c}}", "tables.user.table", "is no name of a table"},
		{server + "tables: {user: {table: a..c}}", "tables.user.table", "is no name of a table"},
		{server + "tables: {user: {table: [a, \"\"]}}", "tables.user.table", "must not be empty"},
		{user("id: \"x\\ny\""), "tables.user.id", "holds characters that no name has"},
		{user("mark: " + strings.Repeat("ä", 32)), "tables.user.mark", "is longer than a name can be"},
		{user("columns: {name: id}"), "tables.user.columns.name", "is the column of id, too"},
		{user("columns: {name: n, title: n}"), "tables.user.columns.title", "is the column of columns.name, too"},
		{user("columns: {name: ' n'}"), "tables.user.columns.name", "begins or ends with a blank"},
		{user("references: {customer: c}"), "tables.user.references.customer", "refers to a customer, which has no table"},
		{user("references: {department: c}"), "tables.user.references.department", "is nothing that refers to rows"},
		{user("active: a, ended: b"), "tables.user.ended", "goes not together with active"},
		{user("active: {column: a, in_use: x}"), "tables.user.active", "must be given together, and differ"},
		{user("active: {column: a, in_use: x, out_of_use: [y, x]}"), "tables.user.active", "must be given together, and differ"},
		{user("keys: [a], anchors: [a]"), "tables.user.keys", `names "a" twice`},
		{user("keys: [id]"), "tables.user.keys", `"id" is the column of id`},
		{user("members: {table: m, group: g, member: p}"), "tables.user.members.kind", `"user" cannot be a member of a user`},
		{server + "tables: {group: {table: t, members: {table: m, group: g, member: p}}}", "tables.group.members", "members are users, which have no table"},
		{server + "tables: {user: {table: u}, group: {table: t, members: {table: m, group: g, member: g}}}", "tables.group.members.member", "is the column of group, too"},
	} {
		issues := parse(t, test.text).Validate()
		if len(issues) != 1 || issues[0].Path != test.path || !strings.Contains(issues[0].Message, test.message) {
			t.Errorf("%s\n%+v", test.text, issues)
		}
	}
	if issues := parse(t, user("keys: [], columns: {name: n}")).Advise(); len(issues) != 1 || !strings.Contains(issues[0].Message, "names no keys") {
		t.Errorf("%+v", issues)
	}
	if issues := parse(t, server+"tables: {user: {table: u, keys: [mail]}, ticket: {table: t, columns: {summary: s}}}").Advise(); len(issues) != 0 {
		t.Errorf("tickets that are there already are nobody's: %+v", issues)
	}
}

// TestPrinted: what is printed of a configuration is that configuration, but for its secrets.
func TestPrinted(t *testing.T) {
	cfg := parse(t, "driver: postgres\nhost: h\ndatabase: d\nuser: u\npassword: hush\n"+strings.ReplaceAll(tables, "active: in_use", "active: {column: s, in_use: a, out_of_use: b}"))
	block, _ := cfg.InForce()
	text, err := yaml.Dump(block)
	if err != nil || strings.Contains(string(text), "hush") {
		t.Fatalf("%v\n%s", err, text)
	}
	for _, want := range []string{"port: 5432", "mark: dirsync_mark", "batch: 100", "in_use: a"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

// TestSQLServer looks at the statements for SQL Server: there is no server to be had.
func TestSQLServer(t *testing.T) {
	cfg := parse(t, "driver: sqlserver\nhost: h\ndatabase: d\nuser: u\n"+strings.Replace(tables, "table: people", "table: [dbo, \"peo]ple\"]", 1))
	if issues := cfg.Validate(); len(issues) > 0 {
		t.Fatal(issues)
	}
	var people *table
	for kind, of := range cfg.tables() {
		if kind.String() == "user" {
			people = of
		}
	}
	people.read = people.read[:2]
	people.columns = map[string]*column{"id": {name: "id", typ: "bigint", whole: true}, "login": {name: "login", typ: "nvarchar", text: true}}
	find := people.selects(false, handful).add(" WHERE ")
	people.matches(find, "login", true, "Ann")
	lock := people.selects(true, 0).add(" WHERE t.", people.quote("id"), " IN (").values([]any{people.param("id", "1"), people.param("id", "2")}).add(")")
	for text, want := range map[string]string{
		people.ends(find, false, handful).String():                                                  "SELECT TOP (20) CONVERT(nvarchar(max), t.[id]), CONVERT(nvarchar(max), t.[dirsync_mark]) FROM [dbo].[peo]]ple] AS t WHERE LOWER(LTRIM(RTRIM(t.[login]))) = LOWER(@p1)",
		people.ends(lock, true, 0).String():                                                         "SELECT CONVERT(nvarchar(max), t.[id]), CONVERT(nvarchar(max), t.[dirsync_mark]) FROM [dbo].[peo]]ple] AS t WITH (UPDLOCK, HOLDLOCK) WHERE t.[id] IN (@p1, @p2)",
		people.statement().same("[m]", "x").String() + people.statement().same("[m]", nil).String(): "[m] = @p1[m] IS NULL",
		people.index(): "CREATE UNIQUE INDEX [peo]]ple_dirsync_mark] ON [dbo].[peo]]ple] ([dirsync_mark]) WHERE [dirsync_mark] IS NOT NULL;",
	} {
		if text != want {
			t.Errorf("%s\n%s", text, want)
		}
	}
	if lock.args[0] != int64(1) || find.args[0] != "Ann" {
		t.Error(lock.args, find.args)
	}
	columns, unique, engine := catalogue(database.SQLServer, people.parts)
	if columns.args[0] != "[dbo].[peo]]ple]" || unique.args[0] != columns.args[0] || engine.String() != "" {
		t.Error(columns.args, unique.args, engine)
	}
}

// FuzzNames: a name that is taken is one name, whatever is in it, and no part of a statement.
func FuzzNames(f *testing.F) {
	for _, name := range []string{"a", `a"b`, "a`b", "a]b", "a]]b", `"; DROP TABLE x; --`, "ä 漢", "a.b", "'", `\`, "a\x00b", strings.Repeat("x", 64)} {
		f.Add(name)
	}
	db, err := stdsql.Open("sqlite", ":memory:")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = db.Close() })
	f.Fuzz(func(t *testing.T, name string) {
		for _, driver := range database.Drivers() {
			if nameProblem(driver, name) != "" {
				continue
			}
			quoted := []rune(database.Quote(driver, name))
			end := quoted[len(quoted)-1]
			inside := strings.ReplaceAll(string(quoted[1:len(quoted)-1]), string([]rune{end, end}), "")
			if strings.ContainsRune(inside, end) || strings.ContainsRune(inside, 0) {
				t.Errorf("%s: %q ends before its end: %s", driver, name, string(quoted))
			}
		}
		if nameProblem(database.SQLite, name) != "" {
			return
		}
		rows, err := db.QueryContext(t.Context(), "SELECT 1 AS "+database.Quote(database.SQLite, name))
		if err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		defer func() { _ = rows.Close() }()
		columns, err := rows.Columns()
		if err != nil || len(columns) != 1 || columns[0] != name {
			t.Errorf("%q is %q: %v", name, columns, err)
		}
		if rows.Next() && rows.Err() != nil {
			t.Error(rows.Err())
		}
	})
}
