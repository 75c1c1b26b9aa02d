package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const tablesHead = `
connections:
  hq: {connector: memory, mapping: staff, targets: [journal], memory: {}}
targets: {journal: {target: file, file: {path: x}}}
`

func parseTables(t *testing.T, files map[string]string, text string) (*Config, error) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return Parse([]byte(text+tablesHead), filepath.Join(dir, "config.yaml"), testParts(nil))
}

func TestTables(t *testing.T) {
	for name, file := range map[string]string{
		"commas":       "id,customer,site\nT1,Acme,Oslo\n\nT2, \"B, C\",\n",
		"semicolons":   "\xef\xbb\xbfcustomer;id;site;;\r\nAcme;T1;Oslo;;\r\n;;;;\r\n\"B, C\";T2;;;\r\n",
		"tabs":         "id\tcustomer\tsite\nT1\tAcme\tOslo\nT2\tB, C\n",
		"UTF-16":       utf16("id;customer;site\r\nT1;Acme;Oslo\r\nT2;B, C;\r\n"),
		"Windows-1252": "id,customer,site\nT1,Acme,Oslo\nT2,\"B, C\",\nT3,Caf\xe9,\n",
	} {
		cfg, err := parseTables(t, map[string]string{"t.csv": file}, `
tables:
  roles: {Group A: Technician, "Group B": Team lead, 7: 12}
  tenants: {file: t.csv, key: id}
  offices: {rows: {Oslo: {country: "NO"}, London: {city: London, country: GB}}, case: exact}
mappings:
  staff:
    choices:
      site: [{when: 'table.roles[groups] != nil', is: Desk}, {is: '= table.offices[office].city ?? table.tenants[tenant.id].site'}]
    rules:
      - {name: r, new_only: true, user: {role: '= table.roles[groups]', customer: '= table.tenants[tenant.id].customer', site: = choice.site}}
    devices: [{name: d, update_only: true, asset: {name: = name}}]
`)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		tenants := cfg.Tables["tenants"].Rows
		row, _, ok := tenants.Find("t2")
		if !ok || row.Cells[0] != "B, C" || row.Cells[1] != "" {
			t.Errorf("%s: %v, %q", name, ok, row)
		}
		if name == "Windows-1252" {
			if row, _, _ := tenants.Find("T3"); row.Cells[0] != "Café" {
				t.Errorf("%s: %q", name, row)
			}
		}
		if row, _, ok := cfg.Tables["roles"].Rows.Find("7"); !ok || row.Cells[0] != "12" {
			t.Errorf("a row of numbers: %v %q", ok, row)
		}
		if _, _, ok := cfg.Tables["offices"].Rows.Find("oslo"); ok {
			t.Error("exact keys mind no capitals")
		}
		if len(cfg.Warnings) > 0 {
			t.Errorf("%v", cfg.Warnings)
		}
		text, err := cfg.Print()
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"tenants:\n    file: ", "Group A: Technician", "case: exact", "new_only: true", "update_only: true", "choices:", "- when: table.roles[groups] != nil\n"} {
			if !strings.Contains(string(text), want) {
				t.Errorf("printed without %q:\n%s", want, text)
			}
		}
	}
}

func utf16(text string) string {
	out := "\xff\xfe"
	for _, c := range []byte(text) {
		out += string([]byte{c, 0})
	}
	return out
}

// A row that is edited is another configuration, and other rules.
func TestEditedRow(t *testing.T) {
	sums, hashes := map[string]bool{}, map[string]bool{}
	for _, rows := range []string{"g,role\nA,x\nB,y\n", "g,role\nA,x\nB,z\n", "g,role\nB,y\nA,x\n"} {
		cfg, err := parseTables(t, map[string]string{"t.csv": rows, "u.csv": "a,b\n1," + rows[len(rows)-2:]},
			"tables: {r: {file: t.csv}, unused: {file: u.csv}}\nmappings: {staff: {rules: [{name: r, user: {role: '= table.r[groups]'}}]}}")
		if err != nil {
			t.Fatal(err)
		}
		sums[cfg.Sum], hashes[cfg.Mappings["staff"].Rules.Hash()] = true, true
		if len(cfg.Warnings) != 1 || !strings.Contains(cfg.Warnings[0].String(), "no rule uses table unused") {
			t.Errorf("%v", cfg.Warnings)
		}
	}
	if len(sums) != 3 || len(hashes) != 3 {
		t.Errorf("%d sums, %d hashes", len(sums), len(hashes))
	}
}

func TestTableProblems(t *testing.T) {
	const rules = "\nmappings: {staff: {rules: [{name: r, user: {role: '= table.r[groups]'}}]}}"
	for _, c := range []struct{ file, text, want string }{
		{"", "tables: {Roles: {a: b}}", `config.yaml:1:10: "Roles" cannot be the name of a table`},
		{"", "tables: {r: {a: b, A: c}}", `config.yaml:1:20: table r: the key "A" stands in line 1 already (capitals do not count`},
		{"", "tables: {r: {a: b, c: {x: y}}}", `some rows are a value, others have columns`},
		{"", "tables: {r: {a: [x]}}", `expected a text, found a list`},
		{"", "tables: {r: {}}", `table "r" has no rows`},
		{"", "tables: {r: {file: no.csv}}", `config.yaml:1:20: file cannot be read: no such file or directory`},
		{"g,role\nA,x\na,y\n", "tables: {r: {file: t.csv}}", `t.csv:3:1: table r: the key "a" stands in line 2 already`},
		{"g,role\n,x\n", "tables: {r: {file: t.csv}}", `t.csv:2:1: table r: the row has no key`},
		{"g,role\nA,x,y\n", "tables: {r: {file: t.csv}}", `t.csv:2:5: the row has more cells than the header`},
		{"g,role\n\"A\"b,x\n", "tables: {r: {file: t.csv}}", `t.csv:2:3: extraneous or missing " in quoted-field`},
		{"g,role\nA,x\n", "tables: {r: {file: t.csv, key: group}}", `t.csv:1:1: there is no column "group" (the columns are g, role)`},
		{"", "tables: {r: {file: t.csv}}", `t.csv: the file is empty`},
		{"g\nA\n", "tables: {r: {file: t.csv}}", `t.csv:1:1: there is no column beside that of the keys`},
		{"g,a,a\nA,x,y\n", "tables: {r: {file: t.csv}}", `table r has two columns "a"`},
		{"g,a,b\nA,x,y\n", "tables: {r: {file: t.csv}}", `the column of table r is missing (write table.r[groups].a; it has a, b)`},
		{"", "tables: {r: {rows: {a: b}, fiel: x}}", `unknown key "fiel"`},
		{"g,a\n", "tables: {r: {file: t.csv, rows: {a: b}}}", `table "r" has a file and rows`},
	} {
		_, err := parseTables(t, map[string]string{"t.csv": c.file}, c.text+rules)
		var bad *Error
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v\nwant %s", c.text, err, c.want)
		} else if len(bad.Problems) != 1 {
			t.Errorf("%s: more than that one: %v", c.text, err)
		}
	}
}

func TestChoiceProblems(t *testing.T) {
	for text, want := range map[string]string{
		`{role: [{when: enabled, is: a}, {is: b}, {is: c}]}`:   `choice role, line 3 is never reached`,
		`{role: [{when: enabled, is: a}, {is: true}]}`:         `choice role, line 2 is a truth value, and those before it are a text`,
		`{role: [{when: enabeld, is: a}]}`:                     `choice role, line 1: when: unknown name enabeld`,
		`{role: [{when: enabled}]}`:                            `missing key "is" in choice "role", line 1`,
		`{role: [{is: = choice.a}], a: [{is: = choice.role}]}`: `choice.role cannot be used: it would need itself`,
		`{role: []}`:        `choice role has no lines`,
		`{Role: [{is: a}]}`: `cannot be the name of a choice`,
		`{role: [{is: a}], x: [{when: 'nmae == "x"', is: b}]}`: `choice x, line 1: when: unknown name nmae`,
		`{role: [{when: choice.kind == "a", is: b}]}`:          `there is no choice kind`,
		`{role: [{when: owner.name != nil, is: b}]}`:           `unknown name owner`,
	} {
		_, err := parseTables(t, nil, "mappings: {staff: {choices: "+text+", rules: [{name: r, user: {role: = choice.role}}]}}")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v\nwant %s", text, err, want)
		}
	}
	cfg, err := parseTables(t, nil, "mappings: {staff: {choices: {role: [{is: a}]}, rules: [{name: r, user: {}}]}}")
	if err != nil || len(cfg.Warnings) != 1 || cfg.Warnings[0].Message != "no rule reads choice.role" {
		t.Errorf("%v %v", err, cfg.Warnings)
	}
}

// FuzzTableFile: a file has rows, each with a cell for every column, or problems, not very many.
func FuzzTableFile(f *testing.F) {
	for _, s := range []string{"a,b\n1,2\n", "a;b\n\"1;\";2", "\xff\xfea\x00,\x00b\x00", "a,b\n\"", "", "\n\n", "a\tb\n1\t2\t3", "a,b\n,\n,x\n", "caf\xe9,b\n1,2"} {
		f.Add([]byte(s), "a")
	}
	f.Fuzz(func(t *testing.T, data []byte, key string) {
		rows, problems := readCSV(data, key)
		for _, p := range problems {
			if p.Message == "" {
				t.Fatal("a problem without a word")
			}
		}
		if len(problems) > mostRowProblems+1 || len(problems) == 0 && len(rows.columns) == 0 {
			t.Fatalf("%d problems, %d columns", len(problems), len(rows.columns))
		}
		for _, r := range rows.rows {
			if len(r.Cells) != len(rows.columns) || r.Pos.Line < 2 {
				t.Fatalf("%d cells for %d columns in line %d", len(r.Cells), len(rows.columns), r.Pos.Line)
			}
		}
	})
}
