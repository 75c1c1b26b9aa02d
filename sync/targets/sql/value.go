package sql

import (
	"strconv"
	"time"

	"dirsyncd/sync/database"
	"dirsyncd/sync/directory"
)

func itoa(n int) string { return strconv.Itoa(n) }

// param is a text as it is bound to a column: whole numbers as numbers, since a text that is compared with a column of numbers
// may be compared without its index, and `bit` of MySQL takes the digit for its code. PostgreSQL makes of a text what the column is.
func (t *table) param(name, text string) any {
	if c := t.columns[name]; c != nil && c.whole && t.driver != database.Postgres {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n
		}
	}
	return text
}

// written is the value of a field as it is bound to a column; nil is NULL. A column that takes no NULL gets an empty text.
func (t *table) written(name string, v directory.Value) any {
	c := t.columns[name]
	text := c == nil || c.text
	switch {
	case v.Blank() && c != nil && !c.nullable && c.text:
		return ""
	case v.Blank():
		return nil
	case v.Type() == directory.BoolType && !text:
		if v.Bool() {
			return t.param(name, "1")
		}
		return t.param(name, "0")
	case v.Type() == directory.TimeType && !text:
		return moment(t.driver, v.Time())
	default:
		return t.param(name, v.String())
	}
}

// moment is a time as columns of times take it, in UTC.
func moment(driver string, at time.Time) string {
	text := at.UTC().Format("2006-01-02 15:04:05")
	if driver == database.Postgres {
		text += "+00"
	}
	return text
}

// shown is a bound value as a text, to be held against what the database shows.
func shown(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	default:
		return ""
	}
}
