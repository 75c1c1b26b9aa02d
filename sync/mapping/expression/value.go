package expression

import (
	"time"

	"dirsyncd/sync/directory"
)

// native is a value as expressions compute with it: a missing text is "", a missing list is empty, any other
// missing value is nil.
func native(v directory.Value, want directory.ValueType) any {
	switch want {
	case directory.TextType:
		return v.Text()
	case directory.ListType:
		if list := v.List(); list != nil {
			return list
		}
		return []string{}
	case directory.BoolType:
		if v.Type() == directory.BoolType {
			return v.Bool()
		}
	case directory.TimeType:
		if v.Type() == directory.TimeType {
			return v.Time()
		}
	case directory.NumberType:
		if v.Type() == directory.NumberType {
			return int(v.Number())
		}
	}
	return nil
}

// ValueOf turns what an expression came to, or a literal that an operator wrote (nil, string, bool, int, int64,
// time.Time or []string), into the value of a field. What is blank becomes Null. Any other type is an error.
func ValueOf(v any) (directory.Value, error) {
	var out directory.Value
	switch v := v.(type) {
	case nil:
		return directory.Null(), nil
	case string:
		out = directory.Text(v)
	case bool:
		out = directory.Bool(v)
	case int:
		out = directory.Number(int64(v))
	case int64:
		out = directory.Number(v)
	case time.Time:
		if v.IsZero() {
			return directory.Null(), nil
		}
		out = directory.Time(v)
	case []string:
		out = directory.List(v...)
	default:
		return directory.Null(), errNoField
	}
	if out.Blank() {
		return directory.Null(), nil
	}
	return out, nil
}

// ParseDate reads a text as the function date does: 2026-01-31, or a date and time of RFC 3339, in UTC. A blank text
// is Null.
func ParseDate(text string) (directory.Value, error) {
	t, err := dateOf(text)
	if err != nil {
		return directory.Null(), err
	}
	return ValueOf(t)
}
