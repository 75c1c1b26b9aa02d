package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/connectors/files"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// What preview shows unless it is asked for more, and the most that it can hold.
const (
	previewRows     = 3
	previewProblems = 20
	allProblems     = 1 << 20
)

func newPreviewCommand(cli *cli) *cobra.Command {
	var kind, connection string
	var rows int
	var all bool
	cmd := &cobra.Command{
		Use:   "preview FILE",
		Short: "show how a file of rows is understood, and what is wrong in it",
		Long: `Reads a file to its end as a connection of the connector files would, and shows
how each column is understood, the first rows in normal form, and every problem
with its sheet, line and column. CSV, XLSX, LDIF and JSON lines. No daemon and
no state is needed, and nothing is changed.

The file's name says what its rows are (customers.csv, acme-sites.xlsx), or
--kind does: customer, site, person, group, member, licence, device. With
--connection that connection's layout holds; without, columns mean what they
are called.

Exit codes: 0 every row can be read, 1 the file or some of its rows cannot be,
2 wrong usage or configuration.`,
		Example: `  dirsyncd preview customers.xlsx
  dirsyncd preview export.csv --kind site --all
  dirsyncd preview people.csv --connection crm-export --json`,
		Args: takes(1, 1, "a file"),
		ValidArgsFunction: func(*cobra.Command, []string, string) (completions, directive) {
			return completions{"csv", "tsv", "txt", "xlsx", "xlsm", "ldif", "ldf", "jsonl", "ndjson", "json"}, cobra.ShellCompDirectiveFilterFileExt
		},
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if rows < 0 {
			return misused(cmd, "--rows must not be negative")
		}
		block, err := cli.filesBlock(connection)
		if err != nil {
			return err
		}
		if kind, err = kindOfFile(args[0], kind, block); err != nil {
			return err
		}
		problems := previewProblems
		if all || cli.opts.json {
			problems = allProblems
		}
		return cli.preview(cmd.Context(), args[0], files.PreviewOptions{Kind: kind, Config: block, Rows: rows, Problems: problems})
	}
	flags := cmd.Flags()
	flags.StringVar(&kind, "kind", "", "what the rows `are` (default: as the file's name says)")
	flags.StringVar(&connection, "connection", "", "the `name` of a connection whose layout holds")
	flags.IntVar(&rows, "rows", previewRows, "how many rows are shown of each sheet")
	flags.BoolVar(&all, "all", false, fmt.Sprintf("show every problem, not only the first %d of each sheet", previewProblems))
	return cmd
}

func (cli *cli) preview(ctx context.Context, file string, opts files.PreviewOptions) error {
	if _, err := os.Stat(file); err != nil {
		return &usageError{err.Error(), ""}
	}
	ctx, stop := interruptible(ctx)
	defer stop()
	survey, err := files.Preview(ctx, file, opts)
	if ctx.Err() != nil {
		return err
	}
	if survey == nil {
		survey = &files.Survey{File: file}
	}
	if cli.opts.json {
		if err := cli.out.JSON(previewAnswer(survey, opts.Kind, err)); err != nil {
			return err
		}
	} else {
		cli.showSurvey(survey, opts.Kind)
		cli.complain(err)
	}
	bad := slices.ContainsFunc(survey.Sheets, func(s files.SurveyedSheet) bool { return s.Bad > 0 })
	if bad || err != nil {
		return exitStatus(exitFailed)
	}
	return nil
}

func (cli *cli) showSurvey(s *files.Survey, kind string) {
	cli.out.Line("%s", cli.out.Paint(term.Bold, s.File))
	text := "every row is a " + kind
	if kind == "member" {
		text += " of a group"
	}
	if s.Dialect != "" {
		text += "; " + s.Dialect
	}
	cli.out.Para("  ", text)
	if len(s.Unread) > 0 {
		cli.out.Para("  ", "sheets that are not read: "+strings.Join(s.Unread, ", "))
	}
	for i := range s.Sheets {
		cli.showSurveyed(&s.Sheets[i])
	}
}

func (cli *cli) showSurveyed(s *files.SurveyedSheet) {
	out := cli.out
	out.Line("")
	text := term.Many(s.Rows, "row")
	if s.Bad > 0 {
		text += fmt.Sprintf(", of which %s cannot be read", term.Number(s.Bad))
	}
	if s.Header > 0 {
		text += fmt.Sprintf("; the header is in line %d", s.Header)
	}
	if s.Name != "" {
		text = fmt.Sprintf("sheet %q: %s", s.Name, text)
	}
	out.Para("  ", text)
	for _, d := range s.Doubts {
		out.ParaStyled(term.Yellow, "  ", "rows may be missing: "+d)
	}
	for _, n := range s.Notes {
		out.Para("  ", n)
	}
	out.Line("")
	t := &term.Table{Indent: "  ", Columns: []term.Column{term.Shrink("COLUMN"), term.Left("IS UNDERSTOOD AS")}}
	for i, c := range s.Columns {
		name := c.Name
		if name == "" {
			name = fmt.Sprintf("number %d, without a name", i+1)
		}
		if len(c.Means) == 0 {
			t.Add(name, term.Dim.Cell("not read"))
		} else {
			t.Add(name, strings.Join(c.Means, ", "))
		}
	}
	out.Table(t)
	cli.showFirst(s.First)
	cli.showRowProblems(s)
}

// showFirst shows rows side by side: a table with a column for every field would be too wide.
func (cli *cli) showFirst(rows []files.SurveyedRow) {
	if len(rows) == 0 {
		return
	}
	t := &term.Table{Indent: "  ", Columns: []term.Column{term.Left("FIELD")}}
	var names []string
	forms := make([]map[string]string, len(rows))
	for i := range rows {
		t.Columns = append(t.Columns, term.Shrink(fmt.Sprintf("LINE %d", rows[i].Line)))
		forms[i] = normalForm(&rows[i], &names)
	}
	for _, name := range names {
		cells := make([]any, 0, len(rows)+1)
		cells = append(cells, term.Dim.Cell(name))
		for _, form := range forms {
			cells = append(cells, form[name])
		}
		t.Add(cells...)
	}
	cli.out.Line("")
	cli.out.Table(t)
}

// normalForm is what a row was understood as, in words by name. Names that are new are added, in their order.
func normalForm(row *files.SurveyedRow, names *[]string) map[string]string {
	form := map[string]string{}
	add := func(name, text string) {
		if !slices.Contains(*names, name) {
			*names = append(*names, name)
		}
		if form[name] != "" {
			text = form[name] + "\n" + text
		}
		form[name] = text
	}
	if row.Object == nil {
		add("group", row.Group)
		add("member", plainHandle(row.Member))
		return form
	}
	add("id", row.Object.ID)
	for _, f := range row.Object.Fields {
		add(f.Name, term.Value(f.Value.Any()))
	}
	for _, l := range row.Object.Links {
		add(l.Type.String(), "→ "+plainHandle(l.To))
	}
	for _, m := range row.Members {
		add("members", "→ "+plainHandle(m))
	}
	return form
}

// plainHandle is a handle as the id column shows the object that has it.
func plainHandle(handle string) string { return strings.TrimPrefix(handle, directory.IDHandle("")) }

func (cli *cli) showRowProblems(s *files.SurveyedSheet) {
	if len(s.Problems) == 0 {
		return
	}
	cli.out.Line("")
	t := &term.Table{Indent: "  ", Columns: []term.Column{term.Right("LINE"), term.Shrink("COLUMN"), term.Left("PROBLEM")}}
	said := map[string]bool{}
	for _, p := range s.Problems {
		t.Add(term.Number(p.Line), p.Column, term.Red.Cell(p.Reason))
		if p.Hint != "" && !said[p.Hint] {
			said[p.Hint] = true
			t.Remark(term.Dim, "→ "+p.Hint)
		}
	}
	cli.out.Table(t)
	if len(s.Problems) == previewProblems && s.Bad > previewProblems {
		cli.out.Hint("--all shows every problem")
	}
}

// The answer of preview as JSON.
type (
	previewJSON struct {
		File    string         `json:"file"`
		Kind    string         `json:"kind"`
		Dialect string         `json:"dialect,omitempty"`
		Unread  []string       `json:"unread_sheets,omitempty"`
		Sheets  []previewSheet `json:"sheets"`
		Error   string         `json:"error,omitempty"`
		Hint    string         `json:"hint,omitempty"`
	}
	previewSheet struct {
		Name     string           `json:"name,omitempty"`
		Header   int              `json:"header,omitempty"`
		Columns  []previewColumn  `json:"columns"`
		Rows     int              `json:"rows"`
		Bad      int              `json:"bad"`
		First    []previewRow     `json:"first"`
		Problems []previewProblem `json:"problems"`
		Doubts   []string         `json:"doubts,omitempty"`
		Notes    []string         `json:"notes,omitempty"`
	}
	previewColumn struct {
		Name  string   `json:"name"`
		Means []string `json:"means"` // none: it is not read
	}
	previewRow struct {
		Line    int                        `json:"line"`
		ID      string                     `json:"id,omitempty"`
		Fields  map[string]directory.Value `json:"fields,omitempty"`
		Links   map[string][]string        `json:"links,omitempty"` // handles by the type of link
		Handles []string                   `json:"handles,omitempty"`
		Members []string                   `json:"members,omitempty"`
		Group   string                     `json:"group,omitempty"`
		Member  string                     `json:"member,omitempty"`
	}
	previewProblem struct {
		Line   int    `json:"line"`
		Column string `json:"column,omitempty"` // none: the row
		Reason string `json:"reason"`
		Hint   string `json:"hint,omitempty"`
	}
)

func previewAnswer(s *files.Survey, kind string, err error) previewJSON {
	answer := previewJSON{File: s.File, Kind: kind, Dialect: s.Dialect, Unread: s.Unread, Sheets: []previewSheet{}}
	if err != nil {
		answer.Error, answer.Hint = err.Error(), fault.Hint(err)
	}
	for i := range s.Sheets {
		answer.Sheets = append(answer.Sheets, sheetAnswer(&s.Sheets[i]))
	}
	return answer
}

func sheetAnswer(s *files.SurveyedSheet) previewSheet {
	one := previewSheet{
		Name: s.Name, Header: s.Header, Columns: []previewColumn{}, Rows: s.Rows, Bad: s.Bad,
		First: []previewRow{}, Problems: []previewProblem{}, Doubts: s.Doubts, Notes: s.Notes,
	}
	for _, c := range s.Columns {
		one.Columns = append(one.Columns, previewColumn{c.Name, append([]string{}, c.Means...)})
	}
	for i := range s.First {
		one.First = append(one.First, rowAnswer(&s.First[i]))
	}
	for _, p := range s.Problems {
		one.Problems = append(one.Problems, previewProblem(p))
	}
	return one
}

func rowAnswer(r *files.SurveyedRow) previewRow {
	row := previewRow{Line: r.Line, Group: r.Group, Member: r.Member, Members: r.Members}
	if r.Object == nil {
		return row
	}
	row.ID, row.Handles, row.Fields = r.Object.ID, r.Object.Handles, map[string]directory.Value{}
	for _, f := range r.Object.Fields {
		row.Fields[f.Name] = f.Value
	}
	for _, l := range r.Object.Links {
		if row.Links == nil {
			row.Links = map[string][]string{}
		}
		row.Links[l.Type.String()] = append(row.Links[l.Type.String()], l.To)
	}
	return row
}
