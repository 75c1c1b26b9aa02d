package tables

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"dirsyncd/connectors/internal/columns"
)

// Dialect is how a CSV file is written, as far as somebody said it. The zero value has everything found.
type Dialect struct {
	// Separator stands between cells; 0: it is found.
	Separator byte
	// Quote stands around cells that hold separators or line breaks; 0: the quotation mark. NoQuote: there is none.
	Quote byte
	// MySQL is the form of SELECT INTO OUTFILE and of `mariadb --batch`: tabs unless something else is said, a backslash before
	// what would be taken for something else, \N for no value.
	MySQL bool
	// Encoding is one of Encodings; empty: it is found.
	Encoding string
	// Header is the line of the header; 0: the first that is not blank. NoHeader: there is none.
	Header int
	// Wanted are names of columns that the header probably has: the separator that finds most of them is the right one.
	Wanted []string
}

// The absence of a quotation mark, and of a header.
const (
	NoQuote  byte = 1
	NoHeader int  = -1
)

// csv is an open CSV file.
type csv struct {
	in     *input
	text   *text
	limits Limits
	form   form
	header []string
	at     int // the line of the header
	line   int // of the next row
	row    parsed
	kept   string // the texts of a row
	// first is a row that was read before its turn: that after which a file without a header was counted.
	first *Row
	doubt string
	notes []string
}

// form is a dialect that is known.
type form struct {
	separator, quote byte
	escape           bool
	returns          bool // lines end with CR alone
	crlf             bool
}

// OpenCSV reads the beginning of a CSV file.
func OpenCSV(src io.Reader, d Dialect, limits Limits) (Table, error) {
	t, err := decode(src, d.Encoding)
	if err != nil {
		return nil, err
	}
	c := &csv{in: newInput(t), text: t, limits: limits, line: 1}
	for len(c.in.rest()) < sampleSize && c.in.more() {
	}
	if err := c.in.failed(); err != nil {
		return nil, err
	}
	c.form = form{separator: d.Separator, quote: d.Quote, escape: d.MySQL}
	sample := c.in.rest()
	feed := bytes.IndexByte(sample, '\n')
	c.form.returns = feed < 0 && bytes.IndexByte(sample, '\r') >= 0
	c.form.crlf = feed > 0 && sample[feed-1] == '\r'
	switch c.form.quote {
	case 0:
		c.form.quote = '"'
	case NoQuote:
		c.form.quote = 0
	}
	c.typeLine()
	c.separatorLine()
	if d.Header == 0 {
		c.comments()
	}
	if c.form.separator == 0 && d.MySQL {
		c.form.separator = '\t'
	}
	if c.form.separator == 0 {
		c.form.separator = findSeparator(c.in.rest(), c.form, d.Wanted)
	}
	return c, c.readHeader(d.Header)
}

// typeLine takes the first line `#TYPE System.Object`, which the Export-Csv of Windows PowerShell writes unless it is told not to.
func (c *csv) typeLine() {
	b := c.in.rest()
	if end := bytes.IndexByte(b, '\n'); end > 0 && bytes.HasPrefix(b, []byte("#TYPE ")) {
		c.in.start += end + 1
		c.line++
	}
}

// separatorLine takes a first line `sep=;`, which Excel writes and reads and which is no row.
func (c *csv) separatorLine() {
	b := c.in.rest()
	quoted := len(b) > 0 && b[0] == '"'
	if quoted {
		b = b[1:]
	}
	if len(b) < 6 || !strings.EqualFold(string(b[:4]), "sep=") {
		return
	}
	separator, b := b[4], b[5:]
	if quoted {
		if b[0] != '"' {
			return
		}
		b = b[1:]
	}
	end := 0
	for end < len(b) && (b[end] == '\r' || b[end] == '\n') && (end == 0 || b[end] == '\n' && b[end-1] == '\r') {
		end++
	}
	if end == 0 && len(b) > 0 {
		return
	}
	if c.form.separator == 0 {
		c.form.separator = separator
	}
	c.in.start = c.in.end - len(b) + end
	c.line++
}

// comments takes the lines before the header that begin with a number sign and a blank, as templates have them. A
// spreadsheet program that wrote the file anew may have put a quotation mark before them.
func (c *csv) comments() {
	end := byte('\n')
	if c.form.returns {
		end = '\r'
	}
	for {
		b := c.in.rest()
		if len(b) > 0 && b[0] == '"' {
			b = b[1:]
		}
		if len(b) < 2 || b[0] != '#' || b[1] != ' ' {
			return
		}
		i := bytes.IndexByte(c.in.rest(), end)
		if i < 0 {
			return
		}
		c.in.start += i + 1
		c.line++
	}
}

// readHeader reads up to the header, or gives the columns numbers.
func (c *csv) readHeader(at int) error {
	var row Row
	for {
		err := c.next(&row)
		if bad, is := err.(*BadRow); is { //nolint:errorlint // it is this package's own, as it was made
			if row.Line < at {
				continue
			}
			return unfit(bad.Hint, "the header cannot be read: %v", bad)
		}
		if errors.Is(err, io.EOF) {
			if at > 0 {
				return unfit("count lines from 1; an empty file is no list", "the file ends before line %d, where its header should be", at)
			}
			return unfit("a file that is meant to be empty has its header at least", "the file is empty")
		}
		if err != nil {
			return err
		}
		if at > row.Line {
			continue
		}
		break
	}
	if at > 0 && row.Line != at {
		return unfit("count lines as an editor does", "line %d, where the header should be, is blank or in the middle of a row", at)
	}
	if len(row.Cells) > c.limits.Columns {
		return unfit("is the separator right? limits.columns allows more", "the table has %d columns, which is more than %d", len(row.Cells), c.limits.Columns)
	}
	c.header = make([]string, len(row.Cells))
	if at == NoHeader {
		for i := range c.header {
			c.header[i] = strconv.Itoa(i + 1)
		}
		row.Cells = append([]columns.Cell(nil), row.Cells...)
		c.first = &row
		return nil
	}
	for i := range row.Cells {
		c.header[i] = row.Cells[i].String()
	}
	for len(c.header) > 1 && c.header[len(c.header)-1] == "" {
		c.header = c.header[:len(c.header)-1]
	}
	c.at = row.Line
	return nil
}

func (c *csv) Header() ([]string, int) { return c.header, c.at }
func (c *csv) Doubt() string           { return c.doubt }
func (c *csv) Notes() []string         { return c.notes }

// Dialect says how the file is written.
func (c *csv) Dialect() string {
	ends := "LF"
	switch {
	case c.form.returns:
		ends = "CR"
	case c.form.crlf:
		ends = "CRLF"
	}
	said := fmt.Sprintf("CSV, separator %s, %s, line ends %s", separatorName(c.form.separator), c.text.encoding, ends)
	if c.form.quote != '"' && c.form.quote != 0 {
		said += fmt.Sprintf(", quotes %c", c.form.quote)
	}
	if c.form.escape {
		said += ", backslash escapes"
	}
	return said
}

func separatorName(b byte) string {
	switch b {
	case '\t':
		return "tab"
	case ' ':
		return "blank"
	default:
		return strconv.QuoteToASCII(string(rune(b)))
	}
}

// Next implements Table.
func (c *csv) Next(row *Row) error {
	if c.first != nil {
		*row, c.first = *c.first, nil
		return nil
	}
	if err := c.next(row); err != nil {
		return err
	}
	if extra := len(row.Cells) - len(c.header); extra > 0 && !columns.Blank(row.Cells[len(c.header):]) {
		return &BadRow{
			Line: row.Line, Reason: fmt.Sprintf("the row has %d cells, and the header %d", len(row.Cells), len(c.header)),
			Hint: "a cell that holds the separator must stand in quotation marks",
		}
	}
	return nil
}

// next reads the next row that is not blank, whatever the header says.
func (c *csv) next(row *Row) error {
	for {
		used, why := c.parse()
		if why == ended {
			if err := c.in.failed(); err != nil {
				return err
			}
			return io.EOF
		}
		line := c.line
		row.Line = line
		if why != "" {
			return c.bad(line, why)
		}
		b := c.in.rest()[:used]
		c.in.start += used
		c.line += c.lines(b)
		last := len(c.in.rest()) == 0 && !c.in.more()
		if c.row.blank(last) {
			continue
		}
		if !utf8.Valid(c.row.text) {
			return &BadRow{
				Line: line, Column: c.columnOf(invalidAt(c.row.text)), Reason: "the row holds bytes that are no text in " + c.text.encoding,
				Hint: "say which encoding the file has, such as csv: {encoding: windows-1252}",
			}
		}
		if at := bytes.IndexByte(c.row.text, 0); at >= 0 {
			return &BadRow{
				Line: line, Column: c.columnOf(at), Reason: "the row holds a zero byte",
				Hint: "the file is damaged, or was not written to its end",
			}
		}
		if last && !c.row.closed && len(c.row.ends) < len(c.header) {
			c.doubt = fmt.Sprintf("its last line (%d) is cut off", line)
			return &BadRow{
				Line: line, Reason: fmt.Sprintf("the line is cut off: it has %d of %d cells, and no end", len(c.row.ends), len(c.header)),
				Hint: "was the file written to its end?",
			}
		}
		c.cells(row)
		return nil
	}
}

// cells makes cells of what was parsed.
func (c *csv) cells(row *Row) {
	c.kept = string(c.row.text)
	row.Cells = row.Cells[:0]
	from := 0
	for i, to := range c.row.ends {
		if c.row.null != nil && i < len(c.row.null) && c.row.null[i] {
			row.Cells = append(row.Cells, columns.Empty())
		} else {
			row.Cells = append(row.Cells, columns.Text(c.kept[from:to]))
		}
		from = to
	}
}

// lines counts the ends of lines.
func (c *csv) lines(b []byte) int {
	if c.form.returns {
		return bytes.Count(b, []byte{'\r'})
	}
	return bytes.Count(b, []byte{'\n'})
}

// bad gives up a row: reading goes on with the line after the one in which it begins. A quotation mark that is not closed
// would otherwise take all the rest of the file with it.
func (c *csv) bad(line int, why string) error {
	end := byte('\n')
	if c.form.returns {
		end = '\r'
	}
	for {
		if i := bytes.IndexByte(c.in.rest(), end); i >= 0 {
			c.in.start += i + 1
			break
		}
		c.in.start = c.in.end
		if !c.in.more() {
			break
		}
	}
	c.line++
	hint := "in a cell with quotation marks around it, one that belongs to the text is written twice"
	if why == tooLong {
		hint = "limits.field and limits.row allow more; a quotation mark that is not closed makes such rows, too"
	}
	if c.header == nil && why == tooLong {
		hint = "is this a text file at all?"
	}
	return &BadRow{Line: line, Reason: why, Hint: hint}
}

// columnOf is the name of the column in which a byte of the row's text stands.
func (c *csv) columnOf(at int) string {
	for i, end := range c.row.ends {
		if at < end && i < len(c.header) {
			return c.header[i]
		}
	}
	return ""
}

func invalidAt(b []byte) int {
	for i := 0; i < len(b); {
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size <= 1 {
			return i
		}
		i += size
	}
	return -1
}

// parse parses the next row of the input, of which it gets as much as it needs.
func (c *csv) parse() (used int, why string) {
	for {
		b := c.in.rest()
		if len(b) == 0 && !c.in.more() {
			return 0, ended
		}
		used, why = c.row.parse(c.in.rest(), c.in.err != nil, &c.form, &c.limits)
		if why != partly {
			return used, why
		}
		if len(c.in.rest()) > c.limits.Row+c.limits.Row/8 {
			return 0, tooLong
		}
		c.in.more()
	}
}
