package tables

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"slices"
	"strconv"

	"dirsyncd/connectors/internal/columns"
)

// merges are the cells of a sheet that are merged over several rows, by their first row.
type merges struct {
	waiting []merge // those that begin further down
	open    []merge
}

type merge struct {
	column, from, to int
	cell             columns.Cell
}

// mostMerges bounds how many there may be.
const mostMerges = 100_000

// merges looks for merged cells. They stand behind the rows, so this goes over the whole sheet once, without looking at what is
// in the rows.
func (w *Workbook) merges(s Sheet) (merges, error) {
	var m merges
	src, err := w.part(s.part)
	if err != nil || src == nil {
		return m, err
	}
	defer func() { _ = src.Close() }()
	rest, err := from(src, "mergeCells")
	if err != nil || rest == nil {
		return m, err
	}
	x, err := newXMLReader(rest, w.limits.Row)
	if err != nil {
		return m, err
	}
	for {
		token, err := x.next()
		if err != nil || token == xmlEnd && x.name == "mergeCells" {
			break // what is damaged is found by who reads the rows
		}
		if token != xmlStart || x.name != "mergeCell" {
			continue
		}
		first, last, _ := bytes.Cut(x.attr("ref"), []byte{':'})
		one := merge{column: columnIndex(first), from: rowNumber(first), to: rowNumber(last)}
		if one.column < 0 || one.from <= 0 || one.to <= one.from {
			continue
		}
		if len(m.waiting) == mostMerges {
			return m, unfit("", "the sheet has more than %d merged cells", mostMerges)
		}
		m.waiting = append(m.waiting, one)
	}
	slices.SortStableFunc(m.waiting, func(a, b merge) int { return cmp.Compare(a.from, b.from) })
	return m, nil
}

// from returns what stands from the tag of an element on; nil when there is none.
func from(src io.Reader, element string) (io.Reader, error) {
	buf := make([]byte, 128<<10)
	have := 0
	for {
		n, err := src.Read(buf[have:])
		have += n
		if i := tagAt(buf[:have], element); i > 0 {
			return io.MultiReader(bytes.NewReader([]byte("<"+element)), bytes.NewReader(bytes.Clone(buf[i+len(element):have])), src), nil
		}
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if have > len(buf)/2 {
			keep := min(have, 2*len(element))
			have = copy(buf, buf[have-keep:have])
		}
	}
}

// tagAt is where the name of an element stands behind the beginning of a tag, with or without a prefix; 0 where it does not.
func tagAt(b []byte, element string) int {
	for from := 0; ; {
		i := bytes.Index(b[from:], []byte(element))
		if i < 0 {
			return 0
		}
		if i += from; i > 0 && (b[i-1] == '<' || b[i-1] == ':') {
			return i
		}
		from = i + len(element)
	}
}

func rowNumber(ref []byte) int {
	n, _ := strconv.Atoi(string(bytes.TrimLeft(ref, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")))
	return n
}

// over puts the values of merged cells into a row that has something of its own.
func (m *merges) over(row *Row) {
	for len(m.waiting) > 0 && m.waiting[0].from <= row.Line {
		one := m.waiting[0]
		m.waiting = m.waiting[1:]
		if one.from == row.Line && one.column < len(row.Cells) {
			one.cell = row.Cells[one.column]
			m.open = append(m.open, one)
		}
	}
	if len(m.open) == 0 {
		return
	}
	m.open = slices.DeleteFunc(m.open, func(one merge) bool { return one.to < row.Line })
	if columns.Blank(row.Cells) {
		return
	}
	for i := range m.open {
		one := &m.open[i]
		if one.from == row.Line || one.cell.Blank() {
			continue
		}
		for len(row.Cells) <= one.column {
			row.Cells = append(row.Cells, columns.Empty())
		}
		if row.Cells[one.column].Blank() {
			row.Cells[one.column] = one.cell
		}
	}
}
