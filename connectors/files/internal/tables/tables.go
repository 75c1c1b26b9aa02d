// Package tables reads files as tables: a header and rows of typed cells, each with the place where it stands. It knows
// the formats (CSV, XLSX, LDIF, JSON lines) and nothing of what the columns mean.
//
// What it reads was written by others, and may be damaged or meant to do harm: everything is bounded (Limits), a row that
// cannot be read stops no other, and what says that rows may be missing is kept (Table.Doubt).
package tables

import (
	"fmt"

	"dirsyncd/connectors/internal/columns"
)

// Table is an open table. It is read once, from its beginning to its end.
type Table interface {
	// Header are the names of the columns as the file has them, and Line where they stand; a file without a header has
	// numbers for names, and line 0.
	Header() (names []string, line int)
	// Next reads the next row that is not blank. It returns io.EOF after the last one, and a *BadRow for one that cannot
	// be read, after which the next call goes on. Every other error ends the table.
	Next(row *Row) error
	// Doubt says, after io.EOF, why the table may lack rows; it is empty when nothing speaks for that.
	Doubt() string
	// Notes are what somebody who looks at the table should know, one line each.
	Notes() []string
	// Dialect says in words how the table is written.
	Dialect() string
}

// Row is one row. Its cells belong to the table, and are valid until the next call of Next; the texts in them stay.
type Row struct {
	Line  int // of the file, or the number of the row in a sheet
	Cells []columns.Cell
	// Faults are cells that have no value, although something stands there. They are empty among the cells: whether that
	// matters is for whoever knows what the column means.
	Faults []Fault
}

// Fault is a cell without a value.
type Fault struct {
	Index  int
	Reason string // as of columns.Problem: "holds the error #N/A"
	Hint   string
}

// BadRow is a row that cannot be read.
type BadRow struct {
	Line   int
	Column string // where that is known
	Reason string
	Hint   string
}

// Error says what is wrong, and where.
func (b *BadRow) Error() string {
	if b.Column == "" {
		return fmt.Sprintf("line %d: %s", b.Line, b.Reason)
	}
	return fmt.Sprintf("line %d, column %s: %s", b.Line, b.Column, b.Reason)
}

// Unfit is why a file is no table that can be read, and what to do about it.
type Unfit struct {
	Reason, Hint string
}

// Error says what is wrong.
func (u *Unfit) Error() string { return u.Reason }

func unfit(hint, format string, args ...any) error {
	return &Unfit{Reason: fmt.Sprintf(format, args...), Hint: hint}
}

// Limits are what a file may hold. One that holds more is refused, or the row that does is.
type Limits struct {
	Columns  int   // of a table
	Field    int   // bytes of one cell
	Row      int   // bytes of one row
	Unpacked int64 // bytes of a workbook when it is unpacked
	Ratio    int64 // how much larger a part of a workbook may be unpacked than packed
	Texts    int64 // bytes of the texts that a workbook's sheets share
}

// DefaultLimits are far above what people write, and far below what does harm.
func DefaultLimits() Limits {
	return Limits{Columns: 1000, Field: 128 << 10, Row: 1 << 20, Unpacked: 2 << 30, Ratio: 200, Texts: 128 << 20}
}
