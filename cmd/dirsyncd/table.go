package main

import "strings"

// column is a column of a table.
type column struct {
	head  string
	right bool // numbers
	// shrink: where the table is too wide, texts of this column are broken into lines.
	shrink bool
}

func left(head string) column   { return column{head: head} }
func right(head string) column  { return column{head: head, right: true} }
func shrink(head string) column { return column{head: head, shrink: true} }

// cell is what stands in a column.
type cell struct {
	text  string
	style style
}

// table is a table of which the last column, and those that shrink, are broken into lines where it is too wide. Nothing
// is shortened: names that differ must not look alike, ids and hashes are there to be copied.
type table struct {
	indent  string
	columns []column
	rows    [][]cell
	below   map[int][]cell // remarks under a row, over the whole width
}

const gap = 2

// add appends a row of texts and cells, one per column.
func (t *table) add(values ...any) {
	row := make([]cell, len(values))
	for i, v := range values {
		switch v := v.(type) {
		case cell:
			row[i] = cell{clean(v.text), v.style}
		case string:
			row[i] = cell{text: clean(v)}
		}
	}
	t.rows = append(t.rows, row)
}

// remark puts a text under the last row.
func (t *table) remark(s style, text string) {
	if t.below == nil {
		t.below = map[int][]cell{}
	}
	last := len(t.rows) - 1
	t.below[last] = append(t.below[last], cell{text, s})
}

// table writes a table; one without rows is left out.
func (p *printer) table(t *table) {
	if len(t.rows) == 0 {
		return
	}
	widths := t.widths(p.width)
	heads := make([]cell, len(t.columns))
	for i, c := range t.columns {
		heads[i] = cell{c.head, dim}
	}
	if strings.TrimSpace(headText(t.columns)) != "" {
		p.row(t, widths, heads)
	}
	for i, row := range t.rows {
		p.row(t, widths, row)
		for _, c := range t.below[i] {
			p.paraStyled(c.style, t.indent+"    ", c.text)
		}
	}
}

func headText(columns []column) string {
	text := ""
	for _, c := range columns {
		text += c.head
	}
	return text
}

// widths makes the columns fit: the last one is broken and those that may shrink do, in turn and by degrees.
func (t *table) widths(available int) []int {
	widths := make([]int, len(t.columns))
	over := length(t.indent) + gap*(len(t.columns)-1) - available
	for i, c := range t.columns {
		widths[i] = length(c.head)
		for _, row := range t.rows {
			for part := range strings.SplitSeq(row[i].text, "\n") {
				widths[i] = max(widths[i], length(part))
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
func (t *table) breakLast(widths []int, over, least int) int {
	last := len(widths) - 1
	if t.columns[last].right {
		return over
	}
	by := max(0, min(over, widths[last]-least))
	widths[last] -= by
	return over - by
}

// shrink narrows the widest of the columns that may be, again and again: the first one, or with from 1 the others.
func (t *table) shrink(widths []int, over, from, least int) int {
	candidates := t.columns[:1]
	if from > 0 {
		candidates = t.columns[from:]
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
func (p *printer) row(t *table, widths []int, row []cell) {
	last, height := len(row)-1, 1
	lines := make([][]string, len(row))
	for i, c := range row {
		if i == last {
			lines[i] = wrap(c.text, max(widths[i], 1))
		} else {
			lines[i] = hang(strings.ReplaceAll(c.text, "\n", " "), widths[i])
		}
		height = max(height, len(lines[i]))
	}
	for n := range height {
		var b strings.Builder
		blanks := length(t.indent)
		for i, c := range row {
			text := ""
			if n < len(lines[i]) {
				text = lines[i][n]
			}
			pad := widths[i] - min(widths[i], length(text))
			if t.columns[i].right {
				blanks, pad = blanks+pad, 0
			}
			if text != "" {
				b.WriteString(strings.Repeat(" ", blanks) + string(p.paint(c.style, text)))
				blanks = 0
			}
			blanks += pad + gap
		}
		p.write(b.String() + "\n")
	}
}

// hang breaks a text into lines of which those after the first stand a little to the right, so that they do not look
// like rows of their own.
func hang(text string, width int) []string {
	if length(text) <= width {
		return []string{text}
	}
	const by = 2
	lines := wrap(text, max(width-by, 1))
	for i := 1; i < len(lines); i++ {
		lines[i] = strings.Repeat(" ", by) + lines[i]
	}
	return lines
}
