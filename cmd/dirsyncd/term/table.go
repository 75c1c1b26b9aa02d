package term

import "strings"

// Column is a column of a table: Left, Right or Shrink.
type Column struct {
	head   string
	right  bool
	shrink bool
}

// Left is a column of short texts.
func Left(head string) Column { return Column{head: head} }

// Right is a column of numbers.
func Right(head string) Column { return Column{head: head, right: true} }

// Shrink is a column whose texts are broken into lines where the table is too wide.
func Shrink(head string) Column { return Column{head: head, shrink: true} }

// Cell is what stands in a column.
type Cell struct {
	Text  string
	Style Style
}

// Cell is a text for a table.
func (s Style) Cell(text string) Cell { return Cell{text, s} }

// Table is a table of which the last column, and those that shrink, are broken into lines where it is too wide. Nothing
// is shortened: names that differ must not look alike, ids and hashes are there to be copied.
type Table struct {
	Indent  string
	Columns []Column
	rows    [][]Cell
	below   map[int][]Cell // remarks under a row, over the whole width
}

const gap = 2

// Add appends a row of texts and cells, one per column.
func (t *Table) Add(values ...any) {
	row := make([]Cell, len(values))
	for i, v := range values {
		switch v := v.(type) {
		case Cell:
			row[i] = Cell{Clean(v.Text), v.Style}
		case string:
			row[i] = Cell{Text: Clean(v)}
		}
	}
	t.rows = append(t.rows, row)
}

// Len is the number of rows.
func (t *Table) Len() int { return len(t.rows) }

// Remark puts a text under the last row.
func (t *Table) Remark(s Style, text string) {
	if t.below == nil {
		t.below = map[int][]Cell{}
	}
	last := len(t.rows) - 1
	t.below[last] = append(t.below[last], Cell{text, s})
}

// Table writes a table; one without rows is left out.
func (p *Printer) Table(t *Table) {
	if len(t.rows) == 0 {
		return
	}
	widths := t.widths(p.Width)
	heads := make([]Cell, len(t.Columns))
	for i, c := range t.Columns {
		heads[i] = Cell{c.head, Dim}
	}
	if strings.TrimSpace(headText(t.Columns)) != "" {
		p.row(t, widths, heads)
	}
	for i, row := range t.rows {
		p.row(t, widths, row)
		for _, c := range t.below[i] {
			p.ParaStyled(c.Style, t.Indent+"    ", c.Text)
		}
	}
}

func headText(columns []Column) string {
	text := ""
	for _, c := range columns {
		text += c.head
	}
	return text
}

// widths makes the columns fit: the last one is broken and those that may shrink do, in turn and by degrees.
func (t *Table) widths(available int) []int {
	widths := make([]int, len(t.Columns))
	over := Length(t.Indent) + gap*(len(t.Columns)-1) - available
	for i, c := range t.Columns {
		widths[i] = Length(c.head)
		for _, row := range t.rows {
			for part := range strings.SplitSeq(row[i].Text, "\n") {
				widths[i] = max(widths[i], Length(part))
			}
		}
		over += widths[i]
	}
	// The first column names the row: it keeps its room the longest.
	for _, least := range []struct{ last, others, first int }{{36, 20, 60}, {24, 16, 28}, {16, 12, 20}, {12, 8, 12}} {
		over = t.breakLast(widths, over, least.last)
		over = t.shrink(widths, over, 1, least.others)
		over = t.shrink(widths, over, 0, least.first)
	}
	return widths
}

// breakLast narrows the last column and returns how much the table is still too wide.
func (t *Table) breakLast(widths []int, over, least int) int {
	last := len(widths) - 1
	if t.Columns[last].right {
		return over
	}
	by := max(0, min(over, widths[last]-least))
	widths[last] -= by
	return over - by
}

// shrink narrows the widest of the columns that may be, again and again: the first one, or with from 1 the others.
func (t *Table) shrink(widths []int, over, from, least int) int {
	candidates := t.Columns[:1]
	if from > 0 {
		candidates = t.Columns[from:]
	}
	for ; over > 0; over-- {
		widest := -1
		for i, c := range candidates {
			i += from
			if c.shrink && widths[i] > least && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			break
		}
		widths[widest]--
	}
	return over
}

// row writes a row, in as many lines as its cells need.
func (p *Printer) row(t *Table, widths []int, row []Cell) {
	last, height := len(row)-1, 1
	lines := make([][]string, len(row))
	for i, c := range row {
		if i == last {
			lines[i] = wrap(c.Text, max(widths[i], 1))
		} else {
			lines[i] = hang(strings.ReplaceAll(c.Text, "\n", " "), widths[i])
		}
		height = max(height, len(lines[i]))
	}
	for n := range height {
		var b strings.Builder
		blanks := Length(t.Indent)
		for i, c := range row {
			text := ""
			if n < len(lines[i]) {
				text = lines[i][n]
			}
			pad := widths[i] - min(widths[i], Length(text))
			if t.Columns[i].right {
				blanks, pad = blanks+pad, 0
			}
			if text != "" {
				b.WriteString(strings.Repeat(" ", blanks) + string(p.Paint(c.Style, text)))
				blanks = 0
			}
			blanks += pad + gap
		}
		p.Raw(b.String() + "\n")
	}
}

// hang breaks a text into lines of which those after the first stand a little to the right, so that they do not look
// like rows of their own.
func hang(text string, width int) []string {
	if Length(text) <= width {
		return []string{text}
	}
	const by = 2
	lines := wrap(text, max(width-by, 1))
	for i := 1; i < len(lines); i++ {
		lines[i] = strings.Repeat(" ", by) + lines[i]
	}
	return lines
}
