package files

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/xuri/excelize/v2"

	"dirsyncd/connectors/internal/columns"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// TemplateColumn is a column of a file to fill in.
type TemplateColumn struct {
	Name, Help, Example string
}

// Words lists what the rows of a file can be: customer, site, person, group, member, licence, device.
func Words() []string { return words() }

// Template returns the columns of a file with rows of a kind, one of Words: those that a connection's layout names, or, when
// block is nil or its layout names none, all that there can be under their own names.
func Template(kind string, block *Config) []TemplateColumn {
	var layout columns.Config
	if block != nil {
		layout = block.Kinds[kind].Config
	}
	if kind == wordMember {
		return memberColumns(layout.Columns)
	}
	of, _ := kindOf(kind)
	t := template{kind: of, layout: &layout}
	key := []string(layout.Key)
	if len(key) == 0 {
		key = []string{"id"}
	}
	for i, name := range key {
		t.add(name, keyHelp(i, len(key)), "1001")
	}
	said := len(layout.Columns) > 0
	for _, field := range columns.Fields(of) {
		source, ok := layout.Columns[field]
		switch {
		case ok:
			for _, name := range source.Columns {
				t.add(name, t.help(field, source.By), example(of, field))
			}
		case !said:
			t.add(field, t.help(field, ""), example(of, field))
		}
	}
	for _, name := range layout.Attributes.Names {
		t.add(name, "as it is written, for rules: attributes."+name, "")
	}
	return t.columns
}

// template is a list of columns in the making.
type template struct {
	kind    directory.Kind
	layout  *columns.Config
	columns []TemplateColumn
}

// add adds a column. One that fills several fields has the help of all of them.
func (t *template) add(name, help, example string) {
	for i := range t.columns {
		if c := &t.columns[i]; c.Name == name {
			c.Help += "; " + help
			return
		}
	}
	t.columns = append(t.columns, TemplateColumn{name, help, example})
}

func keyHelp(i, n int) string {
	const help = "identifies the row for ever: it never changes, and is never given to another one"
	if n == 1 {
		return help
	}
	return fmt.Sprintf("part %d of %d of what %s", i+1, n, help)
}

// help says in one line what a field is, and how to write it.
func (t *template) help(field, by string) string {
	if f, ok := directory.LookupCommonField(field); ok && by == "" && isField(t.kind, field) {
		switch f.Type {
		case directory.BoolType:
			return f.Help + ": yes or no"
		case directory.NumberType:
			return f.Help + ": a whole number"
		case directory.TimeType:
			return f.Help + ": a day, 2026-01-31, or a time, 2026-01-31 08:15"
		case directory.ListType:
			return f.Help + ", with ; between them"
		default:
			return f.Help
		}
	}
	what := "id"
	if by != "" {
		what = by
	}
	switch field {
	case "manager":
		return "the " + what + " of the person that manages this one"
	case "owner":
		return "the " + what + " of the person to whom it belongs"
	case "customer":
		return "the " + what + " of the customer to which it belongs"
	case "site":
		return "the " + what + " of the site where it is"
	case "groups", "licences":
		return "the " + what + "s of the " + field + ", with ; between them"
	case "members":
		return "the " + what + "s of the people in it, with ; between them"
	case "member_groups":
		return "the " + what + "s of the groups in it, with ; between them"
	default:
		return what
	}
}

func isField(kind directory.Kind, name string) bool {
	return slices.ContainsFunc(directory.FieldsOf(kind), func(f directory.CommonField) bool { return f.Name == name })
}

// memberColumns are those of a file that has a row for each member of a group.
func memberColumns(said map[string]columns.Source) []TemplateColumn {
	list := []TemplateColumn{
		{"group", "the id of the group", "2001"},
		{"member", "the id of a person in it", "1001"},
		{"member_group", "or the id of a group in it", ""},
	}
	for i := range list {
		if source, ok := said[list[i].Name]; ok && len(source.Columns) > 0 {
			list[i].Name = source.Columns[0]
		}
	}
	return list
}

// example is what may stand in a column.
func example(kind directory.Kind, field string) string {
	switch field {
	case directory.FieldName:
		switch kind {
		case directory.Person:
			return "Ada King"
		case directory.Customer:
			return "Acme Ltd"
		case directory.Site:
			return "Head office"
		case directory.Group:
			return "Service Desk"
		case directory.Licence:
			return "Office Standard"
		default:
			return "PC-0042"
		}
	case directory.FieldReference:
		return "C-0042"
	case directory.FieldEmail:
		return "ada.king@acme.example"
	case directory.FieldDomain, directory.FieldDomains:
		return "acme.example"
	case directory.FieldPhone, directory.FieldMobile:
		return "+44 20 5550 0100"
	case directory.FieldStreet:
		return "1 High Street"
	case directory.FieldCity:
		return "London"
	case directory.FieldPostalCode:
		return "W1A 0AA"
	case directory.FieldCountry:
		return "GB"
	case directory.FieldEnabled:
		return "yes"
	case directory.FieldQuantity:
		return "25"
	case directory.FieldExpires:
		return "2026-12-31"
	case directory.FieldSerialNumber:
		return "5CG0012345"
	case "customer", "site":
		return "1001"
	default:
		return ""
	}
}

// helpSheet is the name of the sheet that says what the columns are.
const helpSheet = "Help"

// WriteTemplate writes a file to fill in, as csv or xlsx. What explains it is no row: a CSV file begins with lines that are
// comments, one for each column and one with an example; a workbook has it on a sheet of its own, behind the one that is read.
func WriteTemplate(w io.Writer, format, kind string, list []TemplateColumn) error {
	switch format {
	case formatCSV:
		return writeCSV(w, kind, list)
	case formatXLSX:
		return writeXLSX(w, kind, list)
	default:
		return &fault.Error{Class: fault.Configuration, Op: "template", Err: fmt.Errorf("%q is no form that can be filled in", format), Hint: "csv or xlsx"}
	}
}

func writeCSV(w io.Writer, kind string, list []TemplateColumn) error {
	names, examples := make([]string, len(list)), make([]string, len(list))
	var head strings.Builder
	// Spreadsheet programs take a file without the mark for one of the machine's own encoding.
	head.WriteString("\uFEFF# One row for each " + kind + ". Lines like this one are not read.\r\n")
	for i, c := range list {
		names[i], examples[i] = c.Name, c.Example
		head.WriteString("# " + c.Name + ": " + c.Help + "\r\n")
	}
	example, err := csvLine(examples)
	if err != nil {
		return err
	}
	head.WriteString("# For example: " + example)
	header, err := csvLine(names)
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, head.String()+header)
	return err
}

func csvLine(cells []string) (string, error) {
	var line strings.Builder
	out := csv.NewWriter(&line)
	out.UseCRLF = true
	err := out.Write(cells)
	out.Flush()
	return line.String(), errors.Join(err, out.Error())
}

func writeXLSX(w io.Writer, kind string, list []TemplateColumn) error {
	f := excelize.NewFile()
	defer func() { _ = f.Close() }()
	sheet := strings.ToUpper(kind[:1]) + kind[1:]
	bold, err := f.NewStyle(&excelize.Style{Font: &excelize.Font{Bold: true}, NumFmt: asText})
	if err != nil {
		return err
	}
	// Numbers that begin with zeros stay as they are written.
	text, err := f.NewStyle(&excelize.Style{NumFmt: asText})
	if err != nil {
		return err
	}
	if err := errors.Join(f.SetSheetName("Sheet1", sheet), f.SetColStyle(sheet, "A:"+columnName(len(list)), text)); err != nil {
		return err
	}
	if _, err := f.NewSheet(helpSheet); err != nil {
		return err
	}
	rows := [][]string{{"Column", "What it is", "For example"}}
	for i, c := range list {
		at := columnName(i+1) + "1"
		width := float64(max(12, len([]rune(c.Name))+4))
		err := errors.Join(f.SetCellStr(sheet, at, c.Name), f.SetCellStyle(sheet, at, at, bold),
			f.SetColWidth(sheet, columnName(i+1), columnName(i+1), width))
		if err != nil {
			return err
		}
		rows = append(rows, []string{c.Name, c.Help, c.Example})
	}
	for i, row := range rows {
		if err := f.SetSheetRow(helpSheet, fmt.Sprintf("A%d", i+1), &row); err != nil {
			return err
		}
	}
	err = errors.Join(
		f.SetCellStyle(helpSheet, "A1", "C1", bold), f.SetColWidth(helpSheet, "A", "A", 20), f.SetColWidth(helpSheet, "B", "B", 80),
		f.SetColWidth(helpSheet, "C", "C", 30),
		f.SetPanes(sheet, &excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}),
	)
	if err != nil {
		return err
	}
	return f.Write(w)
}

// asText is the number of the format in which a cell keeps what was typed.
const asText = 49

func columnName(n int) string {
	name, err := excelize.ColumnNumberToName(n)
	if err != nil {
		return "A" // n begins at 1
	}
	return name
}
