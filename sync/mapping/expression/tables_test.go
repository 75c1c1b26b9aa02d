package expression

import (
	"fmt"
	"strings"
	"testing"

	"dirsyncd/sync/directory"
)

func TestTablesAndChoices(t *testing.T) {
	for _, c := range []struct{ expression, want string }{
		{`table.teams["Staff"]`, "2nd Line"},
		{`table.teams.Staff`, "2nd Line"},
		{`table.teams["sTAFF"]`, "2nd Line"},
		{`table["teams"]["service desk"]`, "2nd Line"},
		{`table.teams[name] ?? "none"`, "none"},
		{`table.teams[phone] ?? "none"`, "none"},
		{`table.teams[groups]`, "2nd Line"},
		{`table.teams[["Oslo", "Desk"]]`, "1st Line"},
		{`table.teams[filter(groups, # startsWith "Sta")]`, "2nd Line"},
		{`table.offices[office].country`, "GB"},
		{`table.offices[office].city ?? "no city"`, "no city"},
		{`table.offices[["London", "Oslo"]].city`, "Oslo"},
		{`table.offices[["London", "Oslo"]].country`, "NO"},
		{`table.ids[group_ids].desk`, "17"},
		{`table.ids["G1"]`, "18"},
		{`table.offices["oslo"].city[:2]`, "Os"},
		{`upper(table.offices["oslo"].city) + "!"`, "OSLO!"},
		{`lookup(table.teams, groups)`, "2nd Line"},
		{`lookup(table.teams, ["Oslo", "Desk", "Staff"])`, "1st Line, 2nd Line, Norway"},
		{`join(lookup(table.offices, ["Oslo", "London"], "country"), "+")`, "NO+GB"},
		{`join(map(groups, table.teams[#] ?? "-"), " ")`, "2nd Line 2nd Line"},
		{`let table = name; table`, "Zoë Roe"},
		{`int(table.ids["g1"]) + 1`, "18"},
		{`choice.role`, "2nd line"},
		{`choice.role + "!"`, "2nd line!"},
		{`choice.vip ?? false`, "false"},
		{`choice.vip == nil`, "true"},
		{`under(path, "dc=example, dc=TEST")`, "true"},
		{`under(path, path)`, "true"},
		{`under(path, "ou=London,dc=example,dc=test")`, "false"},
		{`under(path, "")`, "false"},
		{`under("", "dc=test")`, "false"},
		{`under("cn=a\\,ou=x,dc=t", "ou=x,dc=t")`, "false"},
		{`under("cn=a\\\\,ou=x,dc=t", "ou=x,dc=t")`, "true"},
		{`under("ou=B\\2c C,dc=t", "OU=b\\, c,DC=T")`, "true"},
		{`under("ou=ax,dc=t", "ou=x,dc=t")`, "false"},
		{`under("/a/b", "/")`, "true"},
		{`under("/", "/")`, "true"},
		{`under("/a/b", "/A/")`, "true"},
		{`under("/ab", "/a")`, "false"},
		{`under(path, "/a")`, "false"},
	} {
		v, err := evaluate(t, c.expression, jane())
		if err != nil || v.String() != c.want {
			t.Errorf("%s: got %q, %v, want %q", c.expression, v, err, c.want)
		}
	}
	x := mustCondition(people(), `choice.vip and name == "x"`)
	e := NewEvaluator([]*Expression{x}).Begin(jane())
	if _, err := e.Truth(x); err == nil || !strings.Contains(err.Error(), "no line of choice.vip holds") {
		t.Errorf("a choice without a value: %v", err)
	}
}

func TestTableMistakes(t *testing.T) {
	for text, want := range map[string]string{
		`table`:                                `table is no value by itself: write table.NAME[key]`,
		`table.teams`:                          `table.teams is no value by itself: write table.teams[key]`,
		`len(table.teams)`:                     `table.teams is no value by itself`,
		`table.temas[name]`:                    `there is no table temas: did you mean "teams"?`,
		`table[name]["x"]`:                     `the name of a table must be a literal`,
		`table.offices[name]`:                  `the column of table offices is missing: write table.offices[name].city; it has city, country`,
		`table.offices[name].cty`:              `table offices has no column cty: did you mean "city"?`,
		`table.teams[name].team`:               `table teams has one column, without a name: leave it away`,
		`table.teams[enabled]`:                 `the key of a table cannot be a truth value`,
		`table.teams[nmae]`:                    `unknown name nmae`,
		`lookup(table.teams, name)`:            `lookup cannot take a text: for one text write table.teams[key]`,
		`lookup(groups, groups)`:               `this is no table: write lookup(table.NAME, …)`,
		`lookup(table.offices, groups)`:        `the column of table offices is missing`,
		`lookup(table.offices, groups, "x")`:   `table offices has no column x`,
		`lookup(table.offices, groups, login)`: `the name of a column must be a literal`,
		`lookup(table.teams)`:                  `lookup takes a table, a list`,
		`choice`:                               `choice is no value by itself: write choice.NAME`,
		`choice.rol`:                           `there is no choice rol: did you mean "role"?`,
		`choice.vip + "x"`:                     `do not fit`,
		`{"a": "b"}[name]`:                     `a map cannot be used in a rule: make it a table`,
		`tabel.teams[name]`:                    `did you mean "table"?`,
	} {
		_, wrong := people().Value(text)
		if len(wrong) == 0 {
			t.Errorf("%s compiles", text)
			continue
		}
		if got := wrong[0].Message + ": " + wrong[0].Hint; !strings.Contains(got, want) {
			t.Errorf("%s: %s\nwant %s", text, got, want)
		}
	}
	if _, wrong := NewLanguage(directory.Person).Value(`table.x[name]`); len(wrong) == 0 || !strings.Contains(wrong[0].Hint, "tables: {x:") {
		t.Errorf("without tables: %+v", wrong)
	}
}

// A term of a condition is shown as it was written.
func TestTermsOfLookups(t *testing.T) {
	x := mustCondition(people(), `table.offices[office].country == "NO" and enabled`)
	e := NewEvaluator([]*Expression{x}).Begin(jane())
	if holds, err := e.Truth(x); holds || err != nil {
		t.Fatal(holds, err)
	}
	if got := e.FalseTerm(x); got != `table.offices[office].country == "NO"` {
		t.Error(got)
	}
}

func TestMentions(t *testing.T) {
	x := mustCondition(people(), `"VPN" in groups and any(direct_groups, # in ["A", "B"]) and ou(path) == "Desk" and under(path, "dc=x") and `+
		`table.teams[groups] != nil and tenant.id in ["t1"] and department == "Sales"`)
	var got []string
	for _, m := range x.Mentions() {
		text := m.Name + " " + m.Part + " " + m.Text
		if m.Table != nil {
			text += "table " + m.Table.Name()
		}
		got = append(got, text)
	}
	want := "groups  VPN|direct_groups  A|direct_groups  B|path ou Desk|path under dc=x|groups  table teams|tenant.id  t1|department  Sales"
	if all := strings.Join(got, "|"); all != want {
		t.Errorf("got  %s\nwant %s", all, want)
	}
}

// A lookup costs the same in a table of ten and of ten thousand rows.
func BenchmarkLookup(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		rows := make([]Row, n)
		for i := range rows {
			rows[i] = Row{fmt.Sprintf("group %05d", i), []string{"role"}}
		}
		rows[n-1].Key = "Service Desk"
		l := NewLanguage(directory.Person).With(Surroundings{Tables: map[string]*Table{"t": NewTable("t", []string{""}, false, rows)}})
		for _, text := range []string{`table.t[department]`, `table.t[groups]`} {
			x := mustValue(l, text)
			ev := NewEvaluator([]*Expression{x})
			in := jane()
			b.Run(fmt.Sprintf("%s of %d", text, n), func(b *testing.B) {
				for b.Loop() {
					e := ev.Begin(in)
					_, _ = e.Value(x)
					e.End()
				}
			})
		}
	}
}
