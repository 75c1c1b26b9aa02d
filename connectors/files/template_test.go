package files

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"dirsyncd/connectors/internal/columns"
)

// TestTemplateCanBeFilledIn: every template is read back, with every column understood; it has no row, and the example that it
// gives is one that can be read.
func TestTemplateCanBeFilledIn(t *testing.T) {
	for _, kind := range Words() {
		for _, format := range []string{formatCSV, formatXLSX} {
			t.Run(kind+"."+format, func(t *testing.T) {
				file := filepath.Join(t.TempDir(), kind+"."+format)
				list := Template(kind, nil)
				writeTemplate(t, file, format, kind, list)
				checkTemplate(t, file, kind, nil, 0)
				appendRow(t, file, format, list)
				checkTemplate(t, file, kind, nil, 1)
			})
		}
	}
}

// TestTemplateOfALayout: the columns are called as the connection's layout calls them.
func TestTemplateOfALayout(t *testing.T) {
	cfg := Defaults()
	cfg.Kinds = map[string]Kind{"site": {Config: columns.Config{
		Key: []string{"Company", "No."},
		Columns: map[string]columns.Source{"name": columns.Column("Site"), "reference": columns.Column("No."), "country": columns.Fixed("GB"),
			"customer": columns.By("name", "Company")},
		Attributes: columns.Attributes{Names: []string{"Opening hours"}},
	}}}
	list := Template("site", cfg)
	var names []string
	for _, c := range list {
		names = append(names, c.Name)
	}
	if got, want := strings.Join(names, "|"), "Company|No.|Site|Opening hours"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := list[0].Help; !strings.Contains(got, "part 1 of 2") || !strings.Contains(got, "the name of the customer") {
		t.Errorf("help of Company: %s", got)
	}
	file := filepath.Join(t.TempDir(), "site.csv")
	writeTemplate(t, file, formatCSV, "site", list)
	checkTemplate(t, file, "site", cfg, 0)
}

func writeTemplate(t *testing.T, file, format, kind string, list []TemplateColumn) {
	t.Helper()
	var buf bytes.Buffer
	if err := WriteTemplate(&buf, format, kind, list); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, buf.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// appendRow puts the example below the header, as somebody who fills the file in would.
func appendRow(t *testing.T, file, format string, list []TemplateColumn) {
	t.Helper()
	examples := make([]string, len(list))
	for i, c := range list {
		examples[i] = c.Example
	}
	if format == formatCSV {
		line, err := csvLine(examples)
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(line); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		return
	}
	f, err := excelize.OpenFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.SetSheetRow(f.GetSheetName(0), "A2", &examples); err != nil {
		t.Fatal(err)
	}
	if err := f.Save(); err != nil {
		t.Fatal(err)
	}
}

func checkTemplate(t *testing.T, file, kind string, cfg *Config, rows int) {
	t.Helper()
	survey, err := Preview(t.Context(), file, PreviewOptions{Kind: kind, Config: cfg, Rows: 2, Problems: 10})
	if err != nil {
		t.Fatal(err)
	}
	if len(survey.Sheets) != 1 {
		t.Fatalf("%d sheets", len(survey.Sheets))
	}
	one := survey.Sheets[0]
	if one.Rows != rows || one.Bad != 0 || len(one.First) != rows || len(one.Doubts) > 0 {
		t.Errorf("%+v", one)
	}
	for _, c := range one.Columns {
		if len(c.Means) == 0 {
			t.Errorf("column %q is not understood", c.Name)
		}
	}
}

// TestComments: what a template says of its columns is no row, also after a spreadsheet program wrote the file anew.
func TestComments(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"as it was", "# One row, each; so.\n# id: x\nid,name\n1,Acme\n", "customer:1"},
		{"written anew", "\"# One row, each; so.\",\n# id: x,\nid,name\n1,Acme\n", "customer:1"},
		{"old line ends", "# id: x\rid,name\r1,Acme\r", "customer:1"},
		{"no comment", "#,name,id\n7,Acme,1\n", "customer:1"},
		{"in the middle", "id,name\n1,Acme\n# 2,Next\n", "customer:1 customer:# 2"},
		{"nothing but it", "# id: x", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "customers.csv")
			if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			survey, err := Preview(t.Context(), file, PreviewOptions{Kind: "customer", Rows: 5, Problems: 5})
			var got []string
			if err == nil {
				for _, row := range survey.Sheets[0].First {
					got = append(got, row.Object.ID)
				}
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}
