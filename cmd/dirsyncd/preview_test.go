package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/sync/config"
)

const filesConfig = `state: state.db
connections:
  crm:
    connector: files
    mapping: crm
    targets: [journal]
    files:
      folder: imports
      kinds:
        customer: {file: "kunden*.csv", key: Nr, columns: {name: Firma, reference: Nr}, attributes: [Branche]}
  staff:
    connector: ldap
    mapping: crm
    targets: [journal]
    ldap: {servers: ["ldap://127.0.0.1"], base: "dc=example,dc=test"}
mappings:
  crm:
    rules: [{name: everyone, user: true}]
    customers: [{name: all, customer: {name: = name}}]
targets:
  journal: {target: file, file: {path: changes.jsonl}}
`

// TestTemplateAndPreview: a template of a connection's layout is written, filled in, and understood; what is wrong has a line
// and a column.
func TestTemplateAndPreview(t *testing.T) {
	c := withConfig(t, filesConfig)
	c.parts = func() config.Parts { return parts().Config() }
	for _, step := range []struct {
		args     string
		code     int
		out, err string
	}{
		{"template kunden.csv --connection crm", exitClean, "one row for each customer, 3 columns", ""},
		{"template kunden.csv --connection crm", exitUsage, "", "kunden.csv is there already"},
		{"preview kunden.csv --connection crm", exitClean, "0 rows", ""},
		{"preview kunden.csv", exitUsage, "", `the name "kunden.csv" does not say what the rows are`},
		{"preview kunden.csv --kind customr", exitUsage, "", `did you mean "customer"?`},
		{"preview kunden.csv --connection cmr", exitUsage, "", `did you mean "crm"?`},
		{"preview kunden.csv --connection staff", exitUsage, "", "reads no files, but ldap"},
		{"template kunden.txt", exitUsage, "", "end it with .csv or .xlsx"},
		{"template missing/sites.csv", exitFailed, "", "no such file or directory"},
		{"template --json people.xlsx", exitClean, `"name": "given_name"`, ""},
		{"preview people.xlsx", exitClean, "sheets that are not read: Help", ""},
	} {
		if code := c.run(strings.Fields(step.args)...); code != step.code {
			t.Errorf("%s: exit code %d, want %d: %s", step.args, code, step.code, c.stderr.String())
		}
		if !strings.Contains(c.stdout.String(), step.out) || !strings.Contains(c.stderr.String(), step.err) {
			t.Errorf("%s: %s%s", step.args, c.stdout.String(), c.stderr.String())
		}
	}
	f, err := os.OpenFile("kunden.csv", os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("0042,Acme GmbH,Handel\n,Namenlos,Handel\n"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if code := c.run("preview", "kunden.csv", "--connection", "crm"); code != exitFailed {
		t.Errorf("exit code %d", code)
	}
	for _, want := range []string{"customer:0042", "Acme GmbH", "attributes.Branche", "Nr      is empty"} {
		if !strings.Contains(c.stdout.String(), want) {
			t.Errorf("no %q in\n%s", want, c.stdout.String())
		}
	}
}

// TestPreviewOfWorkbooks: problems stand with their sheet, and what is no workbook says so.
func TestPreviewOfWorkbooks(t *testing.T) {
	c := withConfig(t, filesConfig)
	c.parts = func() config.Parts { return parts().Config() }
	f := excelize.NewFile()
	rows := [][]any{{"id", "Name", "Created"}, {"007", "Oslo", "2024-03-07"}, {"008", "Bergen", "soon"}}
	for i := range rows {
		if err := f.SetSheetRow("Sheet1", "A"+string(rune('1'+i)), &rows[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.SaveAs("sites.xlsx"); err != nil {
		t.Fatal(err)
	}
	if code := c.run("preview", "sites.xlsx"); code != exitFailed {
		t.Errorf("exit code %d: %s", code, c.stderr.String())
	}
	for _, want := range []string{`sheet "Sheet1": 2 rows, of which 1 cannot be read`, "site:007", "2024-03-07", "3  Created  is not a date"} {
		if !strings.Contains(c.stdout.String(), want) {
			t.Errorf("no %q in\n%s", want, c.stdout.String())
		}
	}
	for line := range strings.SplitSeq(c.stdout.String(), "\n") {
		if term.Length(line) > term.DefaultWidth {
			t.Errorf("too wide: %s", line)
		}
	}
	if err := os.WriteFile("sites2.xlsx", []byte("no workbook"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code := c.run("preview", "--kind", "site", "sites2.xlsx", "--json"); code != exitFailed || c.stderr.Len() > 0 {
		t.Errorf("exit code %d: %s", code, c.stderr.String())
	}
	var answer struct{ Error, Hint string }
	if err := json.Unmarshal(c.stdout.Bytes(), &answer); err != nil || !strings.Contains(answer.Error, "no workbook") || answer.Hint == "" {
		t.Errorf("%s, %v", c.stdout.String(), err)
	}
}

// TestKindOfFile: the last word of a file's name that means something says what its rows are.
func TestKindOfFile(t *testing.T) {
	for file, want := range map[string]string{
		"customers.csv": "customer", "/tmp/Acme-Sites_2026.XLSX": "site", "customer-sites.csv": "site", "group members.csv": "member",
		"users.ldif": "person", "export.csv": "",
	} {
		if got, err := kindOfFile(file, "", nil); got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v", file, got, err)
		}
	}
}
