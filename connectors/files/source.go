package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"dirsyncd/connectors/files/internal/tables"
	"dirsyncd/connectors/internal/columns"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/spelling"
)

// headRows is how many entries are looked at for the columns of a file that has no header.
const headRows = 1000

// source is a file that is read as rows of a kind.
type source struct {
	file   *opened
	word   string // the key of Config.Kinds
	kind   *Kind
	limits tables.Limits
	rows   int // that may come

	layouts *layouts
}

// sheet is one table of a source, with the meaning of its columns.
type sheet struct {
	name   string // of a sheet; empty where a file is one table
	table  tables.Table
	layout *columns.Layout // or
	pairs  *columns.Pairs
	used   []bool // the columns that mean something
}

// hearer is told what is in a source.
type hearer struct {
	// begin is told of each table, before its rows.
	begin func(s *sheet) error
	// row is told of each row that could be read.
	row func(s *sheet, row *tables.Row) error
	// bad is told of each that could not.
	bad func(s *sheet, bad *tables.BadRow) error
	// doubt is told why rows may be missing, and note what else is to be said.
	doubt, note func(text string)
	// other is told of the sheets that are not read; nil: it need not be.
	other func(names []string)
}

// format says how a file is written: what was said, or what its name ends with.
func (s *source) format() string {
	if s.kind.Format != "" {
		return s.kind.Format
	}
	switch strings.ToLower(path.Ext(s.file.name)) {
	case ".xlsx", ".xlsm":
		return formatXLSX
	case ".ldif", ".ldf":
		return formatLDIF
	case ".jsonl", ".ndjson", ".json":
		return formatJSON
	default:
		return formatCSV
	}
}

// read goes through the tables of a source.
func (s *source) read(ctx context.Context, h *hearer) error {
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if s.format() == formatXLSX {
		return s.workbook(ctx, h)
	}
	t, err := s.table()
	if err != nil {
		return err
	}
	return s.each(ctx, "", t, h)
}

// table opens a file that is one table.
func (s *source) table() (tables.Table, error) {
	switch s.format() {
	case formatLDIF:
		names, err := tables.AttributesOf(s.file, headRows, s.limits)
		if err != nil {
			return nil, err
		}
		if _, err := s.file.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
		return tables.OpenLDIF(s.file, s.withWanted(names, strings.EqualFold), s.limits)
	case formatJSON:
		names, err := tables.PathsOf(s.file, headRows, s.limits)
		if err != nil {
			return nil, err
		}
		if _, err := s.file.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
		same := func(a, b string) bool { return a == b }
		return tables.OpenJSONLines(s.file, s.withWanted(names, same), s.limits)
	default:
		if err := s.noText(); err != nil {
			return nil, err
		}
		return tables.OpenCSV(s.file, s.dialect(), s.limits)
	}
}

// noText reports an error when what should be text is a workbook, which spreadsheet programs save under any name.
func (s *source) noText() error {
	var head [4]byte
	n, err := s.file.ReadAt(head[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch string(head[:n]) {
	case "\xD0\xCF\x11\xE0":
		return &tables.Unfit{Reason: "the file is an old workbook (.xls), or one with a password", Hint: "save it as .xlsx, without a password"}
	case "PK\x03\x04":
		return &tables.Unfit{Reason: "the file is a workbook or an archive, and no text", Hint: "save it as .xlsx, and call it so; or as CSV"}
	default:
		return nil
	}
}

func (s *source) withWanted(names []string, same func(a, b string) bool) []string {
	for _, w := range s.layouts.named(s.word) {
		if !slices.ContainsFunc(names, func(n string) bool { return same(n, w) }) {
			names = append(names, w)
		}
	}
	return names
}

func (s *source) dialect() tables.Dialect {
	d := tables.Dialect{
		MySQL: s.kind.CSV.Dialect == dialectMySQL, Encoding: s.kind.CSV.Encoding, Header: int(s.kind.Header),
		Wanted: append(s.layouts.named(s.word), s.layouts.fields(s.word)...),
	}
	if text := s.kind.CSV.Separator; text != "" {
		d.Separator = text[0]
	}
	switch text := s.kind.CSV.Quote; text {
	case "":
	case "none":
		d.Quote = tables.NoQuote
	default:
		d.Quote = text[0]
	}
	return d
}

// workbook goes through the sheets that were asked for.
func (s *source) workbook(ctx context.Context, h *hearer) error {
	w, err := tables.OpenXLSX(s.file, s.file.Size, tables.SheetOptions{Header: int(s.kind.Header), RoundDates: s.kind.RoundDates}, s.limits)
	if err != nil {
		return err
	}
	list, err := s.sheets(w)
	if err != nil {
		return err
	}
	if h.other != nil {
		h.other(others(w.Sheets(), list))
	}
	for _, one := range list {
		if err := s.sheet(ctx, w, one, h); err != nil {
			return err
		}
	}
	return nil
}

func (s *source) sheet(ctx context.Context, w *tables.Workbook, one tables.Sheet, h *hearer) error {
	t, err := w.Open(one)
	if err != nil {
		return inSheet(one.Name, err)
	}
	defer func() { _ = t.Close() }()
	return s.each(ctx, one.Name, t, h)
}

func inSheet(name string, err error) error {
	var bad *tables.Unfit
	if name != "" && errors.As(err, &bad) {
		return &tables.Unfit{Reason: fmt.Sprintf("sheet %q: %s", name, bad.Reason), Hint: bad.Hint}
	}
	return err
}

// sheets are those that were asked for. One that is hidden must be asked for by its own name.
func (s *source) sheets(w *tables.Workbook) ([]tables.Sheet, error) {
	if len(s.kind.Sheets) == 0 {
		return []tables.Sheet{w.Default()}, nil
	}
	var list []tables.Sheet
	all := w.Sheets()
	for _, pattern := range s.kind.Sheets {
		n := len(list)
		for _, one := range all {
			match, _ := path.Match(strings.ToLower(pattern), strings.ToLower(one.Name))
			match = match && !(one.Hidden && wild(pattern)) || strings.EqualFold(pattern, one.Name)
			if match && !slices.Contains(list, one) {
				list = append(list, one)
			}
		}
		if n == len(list) {
			names := make([]string, len(all))
			for i, one := range all {
				names[i] = strconv.Quote(one.Name)
			}
			return nil, &tables.Unfit{Reason: fmt.Sprintf("the workbook has no sheet %q", pattern), Hint: "it has " + strings.Join(names, ", ")}
		}
	}
	return list, nil
}

// each goes through a table.
func (s *source) each(ctx context.Context, name string, t tables.Table, h *hearer) error {
	one := &sheet{name: name, table: t}
	header, _ := t.Header()
	problems := s.layouts.compile(s.word, header, one)
	if len(problems) > 0 {
		_, line := t.Header()
		p := problems[0]
		reason := p.String()
		if line > 0 {
			reason += fmt.Sprintf("; the header is line %d", line)
		}
		hint := p.Hint
		if p.Index < 0 && line > 0 && hint == "" {
			hint = "header says in which line the names of the columns stand"
		}
		return inSheet(name, &tables.Unfit{Reason: reason, Hint: hint})
	}
	only, err := s.only(one, header)
	if err != nil {
		return inSheet(name, err)
	}
	if err := h.begin(one); err != nil {
		return err
	}
	trailer := trailer{is: s.kind.Trailer}
	var row tables.Row
	for n := 0; ; n++ {
		if n&255 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if n > s.rows {
			return inSheet(name, &tables.Unfit{Reason: fmt.Sprintf("there are more than %d rows", s.rows), Hint: "limits.rows allows more"})
		}
		err := t.Next(&row)
		if errors.Is(err, io.EOF) {
			break
		}
		var bad *tables.BadRow
		switch {
		case errors.As(err, &bad):
			trailer.rows++
			err = h.bad(one, bad)
		case err != nil:
			return inSheet(name, err)
		case trailer.takes(row.Cells), !s.counts(row.Cells, only):
		default:
			err = h.row(one, &row)
		}
		if err != nil {
			return err
		}
	}
	if s.kind.Trailer.Begins != "" && !trailer.came {
		// Where it breaks off, a cell may be half of what it was: nothing of it is to be taken.
		return &fault.Error{Class: fault.Transient, Where: s.file.name, Err: errors.New("its last row is no trailer, so its end is missing"), Hint: "is it still being written? trailer says what its last row is"}
	}
	for _, doubt := range []string{t.Doubt(), trailer.doubt()} {
		if doubt != "" {
			h.doubt(doubt)
		}
	}
	for _, note := range t.Notes() {
		h.note(note)
	}
	return nil
}

// only returns the place of the column that tells rows of the kind from others; -1 when all are.
func (s *source) only(one *sheet, header []string) (int, error) {
	if s.kind.Only.Column == "" {
		return -1, nil
	}
	i := slices.IndexFunc(header, func(h string) bool { return strings.EqualFold(strings.TrimSpace(h), s.kind.Only.Column) })
	if i < 0 {
		return -1, &tables.Unfit{Reason: fmt.Sprintf("column %q does not exist; only names it", s.kind.Only.Column), Hint: spelling.Suggest(s.kind.Only.Column, header)}
	}
	one.used[i] = true
	return i, nil
}

// counts reports whether a row is of the kind.
func (s *source) counts(cells []columns.Cell, only int) bool {
	if only < 0 {
		return true
	}
	return only < len(cells) && slices.ContainsFunc(cells[only].Values(), func(value string) bool {
		return slices.ContainsFunc([]string(s.kind.Only.Is), func(is string) bool { return strings.EqualFold(is, value) })
	})
}

// faults are the cells of a row that have no value and should have one.
func faults(s *sheet, row *tables.Row) (problems []columns.Problem) {
	for _, f := range row.Faults {
		if f.Index < len(s.used) && s.used[f.Index] {
			header, _ := s.table.Header()
			problems = append(problems, columns.Problem{Column: header[f.Index], Index: f.Index, Reason: f.Reason, Hint: f.Hint})
		}
	}
	return problems
}

// trailer watches for the row that counts the others.
type trailer struct {
	is   TrailerConfig
	rows int
	came bool
	says int
	bad  string
}

// takes counts a row, and reports whether it is the trailer.
func (t *trailer) takes(cells []columns.Cell) bool {
	if t.is.Begins == "" {
		return false
	}
	if t.came {
		t.bad = "it goes on after its trailer"
	}
	if len(cells) == 0 || !strings.HasPrefix(cells[0].String(), t.is.Begins) {
		t.rows++
		return false
	}
	t.came, t.says = true, -1
	if i := t.is.Count - 1; i < len(cells) {
		text := strings.TrimLeft(strings.TrimPrefix(cells[i].String(), t.is.Begins), " :=")
		if n, err := strconv.Atoi(text); err == nil {
			t.says = n
		}
	}
	return true
}

func (t *trailer) doubt() string {
	rows := t.rows
	if t.is.Header {
		rows++
	}
	if t.is.Itself {
		rows++
	}
	switch {
	case t.is.Begins == "" || t.bad != "":
		return t.bad
	case t.says < 0:
		return "its trailer holds no count"
	case t.says != rows:
		return fmt.Sprintf("its trailer counts %d rows, and there are %d", t.says, rows)
	default:
		return ""
	}
}

// layouts compiles the meaning of columns, for all kinds of a connection.
type layouts struct {
	kinds map[string]Kind
	// names are the fields by which others refer to objects of a kind, and parts of how many columns its key is.
	names map[directory.Kind][]string
	parts map[directory.Kind]int
}

func newLayouts(kinds map[string]Kind) *layouts {
	l := &layouts{kinds: kinds, names: map[directory.Kind][]string{}, parts: map[directory.Kind]int{}}
	for word, k := range kinds {
		var names map[directory.Kind][]string
		if kind, ok := kindOf(word); ok {
			names = k.Config.Names(kind)
			l.parts[kind] = max(1, len(k.Key))
		} else {
			names = k.pairs().Names()
		}
		for kind, fields := range names {
			for _, f := range fields {
				if !slices.Contains(l.names[kind], f) {
					l.names[kind] = append(l.names[kind], f)
				}
			}
		}
	}
	for kind := range l.names {
		slices.Sort(l.names[kind])
	}
	return l
}

// compile gives a table its meaning.
func (l *layouts) compile(word string, header []string, s *sheet) (problems []columns.Problem) {
	k := l.kinds[word]
	s.used = make([]bool, len(header))
	kind, ok := kindOf(word)
	if !ok {
		s.pairs, problems = columns.CompilePairs(k.pairs(), l.parts, header)
		for i := range s.used {
			s.used[i] = true
		}
		return problems
	}
	s.layout, problems = columns.Compile(&k.Config, columns.Options{Kind: kind, Named: l.names[kind], KeyParts: l.parts}, header)
	if s.layout != nil {
		for _, u := range s.layout.Uses() {
			s.used[u.Index] = len(u.As) > 0
		}
	}
	return problems
}

// named lists the columns that the configuration names.
func (l *layouts) named(word string) []string {
	k := l.kinds[word]
	list := slices.Concat([]string(k.Key), k.Attributes.Names)
	if k.Only.Column != "" {
		list = append(list, k.Only.Column)
	}
	for _, source := range k.Columns {
		list = append(list, source.Columns...)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// fields lists the names that columns probably have besides.
func (l *layouts) fields(word string) []string {
	kind, ok := kindOf(word)
	if !ok {
		return []string{"group", "member", "member_group"}
	}
	return append(columns.Fields(kind), "id", "key")
}
