package main

import "strings"

// column is a column of a table.
type column struct {
	head  string
	right bool // numbers
	// shrink: where the table is too wide, texts of this column are shortened in their middle.
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

// table is a table of which the last column is broken into lines where it is too wide. Columns that do not
// shrink are never shortened: ids and hashes are there to be copied.
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
	for _, least := range []struct{ last, others int }{{36, 20}, {24, 12}, {16, 8}} {
		over = t.breakLast(widths, over, least.last)
		over = t.shrink(widths, over, least.others)
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

// shrink narrows the widest of the columns that may be, again and again.
func (t *table) shrink(widths []int, over, least int) int {
	for ; over > 0; over-- {
		widest := -1
		for i, c := range t.columns {
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

func (p *printer) row(t *table, widths []int, row []cell) {
	last := len(row) - 1
	lines := wrap(row[last].text, max(widths[last], 1))
	var b strings.Builder
	b.WriteString(t.indent)
	for i, c := range row[:last] {
		text := elide(strings.ReplaceAll(c.text, "\n", " "), widths[i])
		pad := strings.Repeat(" ", widths[i]-min(widths[i], length(text)))
		if t.columns[i].right {
			b.WriteString(pad + string(p.paint(c.style, text)))
		} else {
			b.WriteString(string(p.paint(c.style, text)) + pad)
		}
		b.WriteString(strings.Repeat(" ", gap))
	}
	lead := length(t.indent)
	for _, w := range widths[:last] {
		lead += w + gap
	}
	for i, l := range lines {
		if i > 0 {
			b.WriteString("\n" + strings.Repeat(" ", lead))
		}
		if t.columns[last].right {
			b.WriteString(strings.Repeat(" ", widths[last]-min(widths[last], length(l))))
		}
		b.WriteString(string(p.paint(row[last].style, l)))
	}
	p.write(strings.TrimRight(b.String(), " ") + "\n")
}
