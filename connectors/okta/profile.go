package okta

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"dirsyncd/sync/directory"
)

// profile holds a user's attributes as they stand in the answer.
type profile map[string]json.RawMessage

// value returns an attribute in normal form, and false when there is none: Okta writes an attribute that is not
// set as null, as an empty text, or not at all.
func (p profile) value(name string) (directory.Value, bool) {
	raw, ok := p[name]
	if !ok {
		return directory.Value{}, false
	}
	v := valueOf(raw)
	return v, !v.Blank()
}

// text returns an attribute as text; "" when there is none.
func (p profile) text(name string) string {
	v, ok := p.value(name)
	if !ok {
		return ""
	}
	return v.String()
}

// valueOf translates one JSON value. A number that is not whole, or too long, keeps its digits as a text.
func valueOf(raw json.RawMessage) directory.Value {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return directory.Null()
	}
	switch raw[0] {
	case 'n':
		return directory.Null()
	case 't', 'f':
		return directory.Bool(raw[0] == 't')
	case '"':
		if inner := raw[1 : len(raw)-1]; bytes.IndexByte(inner, '\\') < 0 {
			return directory.Text(string(inner)) // the decoder has seen that it is a text
		}
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return directory.Null()
		}
		return directory.Text(s)
	case '[':
		var items []json.RawMessage
		if json.Unmarshal(raw, &items) != nil {
			return directory.Null()
		}
		list := make([]string, 0, len(items))
		for _, item := range items {
			if v := valueOf(item); !v.Blank() {
				list = append(list, v.String())
			}
		}
		return directory.List(list...)
	case '{':
		return directory.Text(string(raw))
	default:
		if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
			return directory.Number(n)
		}
		return directory.Text(string(raw))
	}
}

// timeOf reads a time; nil is none.
func timeOf(text *string) (time.Time, error) {
	if text == nil || strings.TrimSpace(*text) == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, *text)
	if err != nil {
		return time.Time{}, errors.New("a time is not written as RFC 3339")
	}
	return t, nil
}
