package columns

import (
	"strconv"
	"time"

	"dirsyncd/sync/directory"
)

// Cell is one cell of a row, in the type that the source gave it. The zero Cell is empty.
type Cell struct {
	is   cellType
	text string // textCell, numberCell
	num  int64  // intCell, boolCell
	time time.Time
	list []string // listCell
}

type cellType uint8

const (
	emptyCell  cellType = iota
	textCell            // a text; an empty one is no value
	numberCell          // a number as it is written, which may be a code such as 0049
	intCell             // a whole number of a column of whole numbers
	boolCell
	dateCell  // a day, without time or zone
	localCell // a time without a zone
	timeCell  // a moment
	listCell
)

// Empty is a cell without a value.
func Empty() Cell { return Cell{} }

// Text is a cell with a text.
func Text(text string) Cell { return Cell{is: textCell, text: text} }

// Number is a cell with a number as it is written, in a place where a number may as well be a code: an attribute becomes a text.
func Number(text string) Cell { return Cell{is: numberCell, text: text} }

// Int is a cell of a column that the source declares to be of whole numbers: an attribute becomes a number.
func Int(n int64) Cell { return Cell{is: intCell, num: n} }

// Bool is a cell with a truth value.
func Bool(b bool) Cell {
	c := Cell{is: boolCell}
	if b {
		c.num = 1
	}
	return c
}

// Date is a cell with a day; the clock and the zone of t are not looked at.
func Date(t time.Time) Cell { return Cell{is: dateCell, time: t} }

// Local is a cell with a time whose zone the source does not say; the zone of t is not looked at.
func Local(t time.Time) Cell { return Cell{is: localCell, time: t} }

// Time is a cell with a moment.
func Time(t time.Time) Cell { return Cell{is: timeCell, time: t} }

// List is a cell with several values, each a text. It is not copied.
func List(items ...string) Cell { return Cell{is: listCell, list: items} }

// Blank reports whether there is nothing in the cell but blanks.
func (c *Cell) Blank() bool {
	switch c.is {
	case emptyCell:
		return true
	case textCell, numberCell:
		return trim(c.text) == ""
	case listCell:
		for _, item := range c.list {
			if trim(item) != "" {
				return false
			}
		}
		return true
	default:
		return false
	}
}

// Blank reports whether there is nothing in a whole row.
func Blank(cells []Cell) bool {
	for i := range cells {
		if !cells[i].Blank() {
			return false
		}
	}
	return true
}

// String returns the cell as a text without blanks around it: the form of texts, keys and references. A list has none.
func (c *Cell) String() string {
	switch c.is {
	case textCell, numberCell:
		return trim(c.text)
	case intCell:
		return strconv.FormatInt(c.num, 10)
	case boolCell:
		return strconv.FormatBool(c.num == 1)
	case dateCell:
		return c.time.Format(time.DateOnly)
	case localCell:
		return c.time.Format("2006-01-02T15:04:05")
	case timeCell:
		return c.time.UTC().Format(time.RFC3339)
	default:
		return ""
	}
}

// attribute returns the cell as the value of an attribute.
func (c *Cell) attribute() directory.Value {
	switch c.is {
	case intCell:
		return directory.Number(c.num)
	case boolCell:
		return directory.Bool(c.num == 1)
	case timeCell:
		return directory.Time(c.time)
	case listCell:
		var items []string
		for _, item := range c.list {
			if item = trim(item); item != "" {
				items = append(items, item)
			}
		}
		return directory.List(items...)
	default:
		return directory.Text(c.String())
	}
}

// trim removes blanks around a text, non-breaking ones among them, which spreadsheets are full of, and NULs at its end.
func trim(text string) string {
	if text == "" || plain(text[0]) && plain(text[len(text)-1]) {
		return text
	}
	return trimSlowly(text)
}

// plain reports whether a byte at the edge of a text is neither a blank nor a part of one.
func plain(b byte) bool { return b > ' ' && b < 0x7f }
