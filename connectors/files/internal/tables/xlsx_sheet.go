package tables

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"dirsyncd/connectors/internal/columns"
)

// sheet is an open sheet. Hidden rows and columns are read: what somebody has filtered away in the view is still there. A cell
// that is merged over several rows stands in each of them, as one sees it; over several columns it stands in the first.
type sheet struct {
	book   *Workbook
	src    io.Closer
	xml    *xmlReader
	header []string
	at     int
	line   int
	first  *Row
	merged merges
	text   []byte
	late   map[int]bool // the columns with days shortly before the next
	over   bool
}

// Open opens a sheet. It is to be closed.
func (w *Workbook) Open(s Sheet) (SheetTable, error) {
	m, err := w.merges(s)
	if err != nil {
		return nil, err
	}
	src, err := w.part(s.part)
	if err != nil {
		return nil, err
	}
	if src == nil || s.part == "" {
		return nil, w.missing(s)
	}
	x, err := newXMLReader(src, w.limits.Row)
	if err != nil {
		_ = src.Close()
		return nil, err
	}
	t := &sheet{book: w, src: src, xml: x, merged: m, late: map[int]bool{}}
	if err := t.begin(); err != nil {
		_ = src.Close()
		return nil, err
	}
	return t, nil
}

// SheetTable is a table that is to be closed.
type SheetTable interface {
	Table
	io.Closer
}

func (s *sheet) Header() ([]string, int) { return s.header, s.at }
func (s *sheet) Doubt() string           { return "" }
func (s *sheet) Dialect() string         { return s.book.Dialect() }
func (s *sheet) Close() error            { return s.src.Close() }

// Notes tells of days that may be wrong.
func (s *sheet) Notes() []string {
	if s.book.options.RoundDates {
		return nil
	}
	var notes []string
	for i, name := range s.header {
		if s.late[i] {
			notes = append(notes, fmt.Sprintf("column %q has days with a time shortly before midnight; if they are a day early, say round_dates: true", name))
		}
	}
	return notes
}

// begin reads up to the header.
func (s *sheet) begin() error {
	at := s.book.options.Header
	for {
		token, err := s.xml.next()
		if errors.Is(err, io.EOF) {
			return unfit("", "the sheet has no rows")
		}
		if err != nil {
			return err
		}
		if token == xmlStart && s.xml.name == "sheetData" {
			break
		}
	}
	var row Row
	for {
		err := s.next(&row)
		if bad, is := err.(*BadRow); is { //nolint:errorlint // it is this package's own, as it was made
			if row.Line < at {
				continue
			}
			return unfit(bad.Hint, "the header cannot be read: %v", bad)
		}
		if errors.Is(err, io.EOF) {
			return unfit("a sheet that is meant to be empty has its header at least", "the sheet is empty, or ends before its header")
		}
		if err != nil {
			return err
		}
		if row.Line >= at && !(at == 0 && isComment(&row)) {
			break
		}
	}
	if at > 0 && row.Line != at {
		return unfit("count rows as the spreadsheet does", "row %d, where the header should be, is blank", at)
	}
	s.header = make([]string, len(row.Cells))
	if at == NoHeader {
		for i := range s.header {
			s.header[i] = columnName(i)
		}
		row.Cells = slices.Clone(row.Cells)
		row.Faults = slices.Clone(row.Faults)
		s.first = &row
		return nil
	}
	for i := range row.Cells {
		s.header[i] = row.Cells[i].String()
	}
	s.at = row.Line
	return nil
}

// isComment reports whether a row is a line of help of a template, which was a CSV file before it became a workbook.
func isComment(row *Row) bool {
	return len(row.Cells) > 0 && strings.HasPrefix(row.Cells[0].String(), "# ")
}

// Next implements Table. Cells beyond the header are not looked at: people write notes there.
func (s *sheet) Next(row *Row) error {
	if s.first != nil {
		*row, s.first = *s.first, nil
		return nil
	}
	if s.over {
		return io.EOF
	}
	for {
		if err := s.next(row); err != nil {
			s.over = errors.Is(err, io.EOF)
			return err
		}
		row.Cells = row.Cells[:min(len(row.Cells), len(s.header))]
		row.Faults = slices.DeleteFunc(row.Faults, func(f Fault) bool { return f.Index >= len(s.header) })
		if !columns.Blank(row.Cells) || len(row.Faults) > 0 {
			return nil
		}
	}
}

// next reads the next row that is not blank.
func (s *sheet) next(row *Row) error {
	for {
		token, err := s.xml.next()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = s.xml.bad("the sheet has no end")
			}
			return err
		}
		switch {
		case token == xmlEnd && s.xml.name == "sheetData":
			return s.rest()
		case token != xmlStart || s.xml.name != "row":
			continue
		}
		s.line++
		if r := s.xml.attr("r"); r != nil {
			n, err := strconv.Atoi(string(r))
			if err != nil || n < s.line {
				return s.xml.bad("its rows are not in order")
			}
			s.line = n
		}
		row.Line = s.line
		bad, err := s.cells(row)
		if err != nil {
			return err
		}
		if bad != nil {
			return bad
		}
		if s.merged.over(row); !columns.Blank(row.Cells) || len(row.Faults) > 0 {
			return nil
		}
	}
}

// rest reads what follows after the rows: a sheet that breaks off there is damaged.
func (s *sheet) rest() error {
	for {
		if _, err := s.xml.next(); err != nil {
			return err
		}
	}
}

// cells reads the cells of a row, up to its end.
func (s *sheet) cells(row *Row) (bad *BadRow, err error) {
	row.Cells, row.Faults = row.Cells[:0], row.Faults[:0]
	at := -1
	for {
		token, err := s.xml.next()
		switch {
		case err != nil:
			return nil, err
		case token == xmlEnd && s.xml.name == "row":
			return bad, nil
		case token != xmlStart || s.xml.name != "c":
			continue
		}
		at++
		if ref := s.xml.attr("r"); ref != nil {
			if at = columnIndex(ref); at < 0 {
				return nil, s.xml.bad("a cell has no place")
			}
		}
		cell, fault, err := s.cell(at)
		switch {
		case err != nil:
			return nil, err
		case fault.Reason == "" && cell.Blank():
		case at >= s.book.limits.Columns:
			bad = &BadRow{
				Line: row.Line, Column: columnName(at), Reason: fmt.Sprintf("the row has something in column %s, beyond %d columns", columnName(at), s.book.limits.Columns),
				Hint: "limits.columns allows more",
			}
		default:
			for len(row.Cells) <= at {
				row.Cells = append(row.Cells, columns.Empty())
			}
			row.Cells[at] = cell
			if fault.Reason != "" {
				fault.Index = at
				row.Faults = append(row.Faults, fault)
			}
		}
	}
}

// cell reads a cell, from behind its start up to its end.
func (s *sheet) cell(at int) (cell columns.Cell, fault Fault, err error) {
	kind := string(s.xml.attr("t"))
	var format numberFormat
	if style := s.xml.attr("s"); style != nil {
		if n, err := strconv.Atoi(string(style)); err == nil && n >= 0 && n < len(s.book.formats) {
			format = s.book.formats[n]
		}
	}
	s.text = s.text[:0]
	formula, value, inside, phonetic := false, false, false, 0
	for {
		token, err := s.xml.next()
		if err != nil {
			return cell, fault, err
		}
		name := s.xml.name
		switch {
		case token == xmlEnd && name == "c":
			return s.convert(kind, format, at, formula, value)
		case token == xmlText:
			if inside && phonetic == 0 && len(s.text) <= s.book.limits.Field {
				s.text = s.xml.appendChars(s.text)
			}
		case name == "v", name == "t":
			inside = token == xmlStart
			value = true
		case name == "f":
			formula = true
		case name == "rPh" && token == xmlStart:
			phonetic++
		case name == "rPh":
			phonetic--
		}
	}
}

// convert makes a cell of what stands in it.
func (s *sheet) convert(kind string, format numberFormat, at int, formula, value bool) (cell columns.Cell, fault Fault, err error) {
	text := bytes.TrimSpace(s.text)
	switch {
	case len(s.text) > s.book.limits.Field:
		return cell, Fault{Reason: "is too long", Hint: "limits.field allows more"}, nil
	case formula && !value:
		return cell, Fault{Reason: "holds a formula whose result is not in the file", Hint: "open the file in a spreadsheet and save it"}, nil
	case kind == "e":
		return cell, Fault{Reason: "holds the error " + string(text), Hint: "correct the formula"}, nil
	case kind == "s":
		if len(text) == 0 {
			return cell, fault, nil
		}
		n, err := strconv.Atoi(string(text))
		if err != nil || n < 0 || n >= len(s.book.texts) {
			return cell, fault, s.xml.bad("a cell refers to a text that is not there")
		}
		if len(s.book.texts[n]) > s.book.limits.Field {
			return cell, Fault{Reason: "is too long", Hint: "limits.field allows more"}, nil
		}
		return columns.Text(s.book.texts[n]), fault, nil
	case kind == "inlineStr", kind == "str":
		return columns.Text(string(unescapeX(s.text))), fault, nil
	case len(text) == 0:
		return cell, fault, nil
	case kind == "b":
		return columns.Bool(isTrue(text)), fault, nil
	case kind == "d":
		cell, fault.Reason = isoDate(string(text), format)
	default:
		var late bool
		if cell, late, fault.Reason = s.book.number(string(text), format); late {
			s.late[at] = true
		}
	}
	return cell, fault, nil
}
