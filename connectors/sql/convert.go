package sql

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"dirsyncd/connectors/internal/columns"
)

// Drivers return a value as nil, int64, float64, bool, []byte, string, time.Time, or an unsigned number. What a value means is
// decided by the type of its column, in one of these functions.

// anyCell takes a value for what it is.
func anyCell(value any) columns.Cell {
	switch v := value.(type) {
	case nil:
		return columns.Empty()
	case string:
		return columns.Text(v)
	case []byte:
		return columns.Text(string(v))
	case int64:
		return columns.Int(v)
	case int32:
		return columns.Int(int64(v))
	case uint64:
		if v>>63 == 0 {
			return columns.Int(int64(v))
		}
		return columns.Number(strconv.FormatUint(v, 10))
	case float64:
		return columns.Number(strconv.FormatFloat(v, 'f', -1, 64))
	case float32:
		return columns.Number(strconv.FormatFloat(float64(v), 'f', -1, 32))
	case bool:
		return columns.Bool(v)
	case time.Time:
		return timeCell(v, columns.Time)
	default:
		return columns.Text(fmt.Sprint(v))
	}
}

// timeCell is a cell of a time. The year 1 is how drivers spell a date of zeros, which is none.
func timeCell(t time.Time, of func(time.Time) columns.Cell) columns.Cell {
	if t.Year() <= 1 {
		return columns.Empty()
	}
	return of(t)
}

// typedTime reads a value that should be a time. The texts that come in its place, infinity and -infinity, are none.
func typedTime(value any, of func(time.Time) columns.Cell) columns.Cell {
	switch v := value.(type) {
	case time.Time:
		return timeCell(v, of)
	case string:
		if strings.HasSuffix(v, "infinity") {
			return columns.Empty()
		}
	}
	return anyCell(value)
}

func dateCell(value any) columns.Cell { return typedTime(value, columns.Date) }

// localCell is a time whose zone is nobody's business of the database.
func localCell(value any) columns.Cell { return typedTime(value, columns.Local) }

func momentCell(value any) columns.Cell { return typedTime(value, columns.Time) }

// clockCell is a time of the day.
func clockCell(value any) columns.Cell {
	if t, ok := value.(time.Time); ok {
		return columns.Text(t.Format("15:04:05"))
	}
	return anyCell(value)
}

// hexCell writes bytes as hexadecimal digits.
func hexCell(value any) columns.Cell {
	if b, ok := value.([]byte); ok {
		return columns.Text(hex.EncodeToString(b))
	}
	return anyCell(value)
}

// binaryCell is for columns of bytes that hold texts as often as not: what is no text is written as hexadecimal digits.
func binaryCell(value any) columns.Cell {
	b, ok := value.([]byte)
	if ok && utf8.Valid(b) && !strings.ContainsFunc(string(b), func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' && r != '\r' }) {
		return columns.Text(string(b))
	}
	return hexCell(value)
}

// bitCell is a number of bits, the highest first.
func bitCell(value any) columns.Cell {
	b, ok := value.([]byte)
	if !ok || len(b) > 8 {
		return hexCell(value)
	}
	var n uint64
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	return anyCell(n)
}

// setCell is one of MySQL's sets: words with commas between.
func setCell(value any) columns.Cell {
	b, ok := value.([]byte)
	if !ok || len(b) == 0 {
		return anyCell(value)
	}
	return columns.List(strings.Split(string(b), ",")...)
}

// jsonCell reads JSON: an array of scalars is a list, a scalar itself; anything else stays as it is written.
func jsonCell(value any) columns.Cell {
	cell := anyCell(value)
	text := cell.String()
	var v any
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return columns.Text(text)
	}
	list, ok := v.([]any)
	if !ok {
		if scalar, ok := jsonScalar(v); ok {
			return scalar
		}
		return columns.Text(text)
	}
	items := make([]string, 0, len(list))
	for _, item := range list {
		cell, ok := jsonScalar(item)
		if !ok {
			return columns.Text(text)
		}
		if item := cell.String(); item != "" {
			items = append(items, item)
		}
	}
	return columns.List(items...)
}

func jsonScalar(v any) (columns.Cell, bool) {
	switch v := v.(type) {
	case nil:
		return columns.Empty(), true
	case string:
		return columns.Text(v), true
	case bool:
		return columns.Bool(v), true
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return columns.Int(n), true
		}
		return columns.Number(v.String()), true
	default:
		return columns.Cell{}, false
	}
}

// arrayCell reads an array of PostgreSQL as it is written: {a,"b c",NULL}. One of several dimensions stays a text.
func arrayCell(value any) columns.Cell {
	text, ok := value.(string)
	if !ok || len(text) < 2 || text[0] != '{' || text[len(text)-1] != '}' {
		return anyCell(value)
	}
	var items []string
	for rest := text[1 : len(text)-1]; rest != ""; {
		var item string
		if rest[0] == '{' {
			return anyCell(value)
		}
		if rest[0] == '"' {
			if item, rest, ok = quotedItem(rest); !ok {
				return anyCell(value)
			}
		} else {
			item, rest, _ = strings.Cut(rest, ",")
			if item == "NULL" {
				continue
			}
		}
		items = append(items, item)
	}
	return columns.List(items...)
}

// quotedItem reads an item in quotes, and the comma behind it.
func quotedItem(text string) (item, rest string, ok bool) {
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; c {
		case '\\':
			if i++; i < len(text) {
				b.WriteByte(text[i])
			}
		case '"':
			return b.String(), strings.TrimPrefix(text[i+1:], ","), true
		default:
			b.WriteByte(c)
		}
	}
	return "", "", false
}

// guidCell is a uniqueidentifier, whose first three groups the wire has backwards.
func guidCell(value any) columns.Cell {
	b, ok := value.([]byte)
	if !ok || len(b) != 16 {
		return anyCell(value)
	}
	return columns.Text(strings.ToUpper(fmt.Sprintf("%x-%x-%x-%x-%x",
		[]byte{b[3], b[2], b[1], b[0]}, []byte{b[5], b[4]}, []byte{b[7], b[6]}, b[8:10], b[10:])))
}
