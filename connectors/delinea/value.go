package delinea

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"dirsyncd/sync/directory"
)

// text is a column as text; "" when the row has none, or something that is no single value.
func (r row) text(column string) string {
	return strings.TrimSpace(valueOf(r[column]).String())
}

// truth reads a truth value, which comes as one or as the text "True" or "False".
func (r row) truth(column string) (bool, error) {
	switch strings.ToLower(r.text(column)) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	default:
		return false, errors.New("column " + column + " is neither true nor false")
	}
}

// never is the date that stands for none: the first day of the year 1.
const never = -62135596800000

// date reads a time in the form "/Date(1700000000000)/", milliseconds since 1970, with or without an offset, which does not change the moment;
// zero where there is none.
func (r row) date(column string) (time.Time, error) {
	text := r.text(column)
	if text == "" {
		return time.Time{}, nil
	}
	if inner, ok := strings.CutPrefix(text, "/Date("); ok {
		digits, _, closed := strings.Cut(inner, ")")
		if i := strings.LastIndexAny(digits, "+-"); i > 0 {
			digits = digits[:i]
		}
		ms, err := strconv.ParseInt(digits, 10, 64)
		switch {
		case err != nil || !closed:
		case ms <= never:
			return time.Time{}, nil
		default:
			return time.UnixMilli(ms).UTC(), nil
		}
	} else if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	return time.Time{}, errors.New("column " + column + " is not a date as the service writes it")
}

// valueOf translates one JSON value; null for what is no single value. A number that is not whole, or too long, keeps its digits as a text.
func valueOf(raw json.RawMessage) directory.Value {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return directory.Null()
	}
	switch raw[0] {
	case 't', 'f':
		return directory.Bool(raw[0] == 't')
	case '"':
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return directory.Null()
		}
		return directory.Text(s)
	case 'n', '[', '{':
		return directory.Null()
	default:
		if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
			return directory.Number(n)
		}
		return directory.Text(string(raw))
	}
}
