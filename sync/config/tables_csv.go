package config

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"dirsyncd/sync/mapping"
	"dirsyncd/sync/spelling"
)

// maxTableFile is how large the file of a table may be.
const maxTableFile = 16 << 20

// csvRows are the rows of a file.
type csvRows struct {
	key     string
	columns []string
	rows    []mapping.RowSpec
}

// mostRowProblems is how many mistakes in the rows of a file are told: one is often made in all of them.
const mostRowProblems = 50

// readCSV reads a CSV file (RFC 4180) with a header, as spreadsheets write it: UTF-8 or UTF-16 with a byte order mark, UTF-8, else
// Windows-1252; comma, semicolon or tab, whichever the header has most of. key names the column of the keys; "" is the first. A
// line whose cells are all blank is none. Rows with mistakes are left out; without columns, nothing is known of the file.
func readCSV(data []byte, key string) (out csvRows, problems []Problem) {
	text, err := textOf(data)
	if err != nil {
		return out, []Problem{{Message: "the encoding is not known", Hint: "save it as UTF-8"}}
	}
	r := csv.NewReader(bytes.NewReader(text))
	r.Comma, r.FieldsPerRecord, r.ReuseRecord = separatorOf(text), -1, false
	r.TrimLeadingSpace = r.Comma != '\t'
	header, at, problem := readHeader(r, key)
	if problem != nil {
		return out, []Problem{*problem}
	}
	out = csvRows{key: header[at], columns: slices.Delete(slices.Clone(header), at, at+1)}
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) || len(out.rows) > mapping.MaxTableRows { // which is said of the table as a whole
			return out, problems
		}
		var row mapping.RowSpec
		var blank bool
		if err != nil {
			problem = csvProblem(err)
		} else {
			row, blank, problem = readRow(r, cells, header, at)
		}
		switch {
		case problem != nil:
			if problems = append(problems, *problem); len(problems) == mostRowProblems {
				return out, append(problems, Problem{Line: problem.Line, Column: problem.Column, Message: "the rest of the file was not looked at: it has too many mistakes"})
			}
		case !blank:
			out.rows = append(out.rows, row)
		}
	}
}

// readHeader reads the names of the columns, and at which place the keys are.
func readHeader(r *csv.Reader, key string) (header []string, at int, problem *Problem) {
	header, err := r.Read()
	switch {
	case errors.Is(err, io.EOF):
		return nil, 0, &Problem{Message: "the file is empty", Hint: "its first line names the columns"}
	case err != nil:
		return nil, 0, csvProblem(err)
	}
	for i := range header {
		header[i] = strings.TrimSpace(header[i])
	}
	for len(header) > 1 && header[len(header)-1] == "" {
		header = header[:len(header)-1]
	}
	if key != "" {
		if at = slices.Index(header, key); at < 0 {
			line, column := r.FieldPos(0)
			return nil, 0, &Problem{Line: line, Column: column, Message: "there is no column " + quoteShort(key),
				Hint: spelling.DidYouMean(key, header, "the columns are "+strings.Join(header, ", "))}
		}
	}
	if len(header) < 2 {
		return nil, 0, &Problem{Line: 1, Column: 1, Message: "there is no column beside that of the keys", Hint: "the first line names the columns, with , or ; or a tab between them"}
	}
	return header, at, nil
}

// readRow reads the cells of a line, whose key is at a place.
func readRow(r *csv.Reader, cells, header []string, at int) (row mapping.RowSpec, blank bool, problem *Problem) {
	row.Cells = make([]string, 0, len(header)-1)
	row.Pos.Line, row.Pos.Column = r.FieldPos(0)
	blank = true
	for i := range max(len(header), len(cells)) {
		cell := ""
		if i < len(cells) {
			cell = plainCell(strings.TrimSpace(cells[i]))
		}
		blank = blank && cell == ""
		switch {
		case i >= len(header) && cell != "":
			line, column := r.FieldPos(i)
			return row, false, &Problem{Line: line, Column: column, Message: "the row has more cells than the header", Hint: "a cell that holds the separator stands in quotation marks"}
		case i >= len(header):
		case i == at:
			row.Key = cell
		default:
			row.Cells = append(row.Cells, cell)
		}
	}
	return row, blank, nil
}

// GuardedCell writes a text for a cell that people open in a spreadsheet. One that a spreadsheet would take for a formula gets an
// apostrophe before it, as one that has an apostrophe there already (OWASP, "CSV Injection"); plainCell takes it away again.
func GuardedCell(text string) string {
	if rest := strings.TrimLeft(text, "'"); isFormula(rest) {
		return "'" + text
	}
	return text
}

// plainCell is the text of a cell as GuardedCell was given it.
func plainCell(cell string) string {
	if rest := strings.TrimLeft(cell, "'"); rest != cell && isFormula(rest) {
		return cell[1:]
	}
	return cell
}

// isFormula reports whether spreadsheets take a text for a formula.
func isFormula(text string) bool {
	return text != "" && strings.ContainsRune("=+-@\t\r\n", rune(text[0]))
}

func quoteShort(text string) string { return `"` + short(text) + `"` }

func csvProblem(err error) *Problem {
	var e *csv.ParseError
	if errors.As(err, &e) {
		return &Problem{Line: e.Line, Column: e.Column, Message: e.Err.Error(), Hint: "a quotation mark within a cell is doubled, and the cell stands in quotation marks"}
	}
	return &Problem{Message: err.Error()}
}

// textOf returns a file as UTF-8 without byte order mark.
func textOf(data []byte) ([]byte, error) {
	switch {
	case bytes.HasPrefix(data, []byte("\xfe\xff")), bytes.HasPrefix(data, []byte("\xff\xfe")):
		return unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder().Bytes(data)
	case utf8.Valid(data):
		return bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), nil
	default:
		return charmap.Windows1252.NewDecoder().Bytes(data)
	}
}

// separatorOf finds the separator by the first line that is not blank.
func separatorOf(text []byte) rune {
	line, _, _ := bytes.Cut(bytes.TrimLeft(text, "\r\n"), []byte("\n"))
	best, most := ',', 0
	for _, s := range ",;\t" {
		if n := bytes.Count(line, []byte(string(s))); n > most {
			best, most = s, n
		}
	}
	return best
}
