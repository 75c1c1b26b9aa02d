package directory

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ValueType says which form a Value has. The numbers are stored.
type ValueType uint8

// The forms of a value. Null is "known to be empty": it differs from a field that is not there.
const (
	NullType ValueType = iota
	TextType
	BoolType
	NumberType
	TimeType
	ListType
)

var valueTypeNames = [...]string{"null", "text", "bool", "number", "time", "list"}

// String returns the type's word.
func (t ValueType) String() string {
	if int(t) < len(valueTypeNames) {
		return valueTypeNames[t]
	}
	return "unknown"
}

// Value is one immutable value in its only canonical form, so that equal values have equal bytes.
// The zero Value is Null.
type Value struct {
	_    [0]func() // not to be compared by ==, which would compare lists by where they are
	typ  ValueType
	num  int64 // BoolType: 0 or 1; NumberType: the number; TimeType: seconds since 1970 UTC
	text string
	list *[]string // nil for every other type: most values are no lists, and smaller so by two words
}

// Null is the value of a field that is known to be empty.
func Null() Value { return Value{} }

// Text makes a text value. Bytes that are not UTF-8 are replaced: what leaves is JSON.
func Text(s string) Value { return Value{typ: TextType, text: strings.ToValidUTF8(s, "\uFFFD")} }

// Bool makes a truth value.
func Bool(b bool) Value {
	v := Value{typ: BoolType}
	if b {
		v.num = 1
	}
	return v
}

// Number makes a whole number.
func Number(n int64) Value { return Value{typ: NumberType, num: n} }

// Time makes a time, cut to seconds: sources differ in what they keep below that.
func Time(t time.Time) Value { return Value{typ: TimeType, num: t.Unix()} }

// List makes a list of texts: sorted and without duplicates, since no source promises an order.
func List(items ...string) Value {
	list := make([]string, len(items))
	for i, s := range items {
		list[i] = strings.ToValidUTF8(s, "\uFFFD")
	}
	slices.Sort(list)
	return listValue(slices.Compact(list))
}

// listValue makes a list of texts that are in canonical form.
func listValue(list []string) Value { return Value{typ: ListType, list: &list} }

// Type returns the form of the value.
func (v Value) Type() ValueType { return v.typ }

// Blank reports whether there is nothing to show: Null, an empty text or an empty list.
func (v Value) Blank() bool {
	switch v.typ {
	case NullType:
		return true
	case TextType:
		return v.text == ""
	case ListType:
		return len(*v.list) == 0
	default:
		return false
	}
}

// Text returns a text value's text, and "" for every other type.
func (v Value) Text() string { return v.text }

// Bool returns whether the value is the truth value true.
func (v Value) Bool() bool { return v.typ == BoolType && v.num == 1 }

// Number returns a number value's number, and 0 for every other type.
func (v Value) Number() int64 {
	if v.typ != NumberType {
		return 0
	}
	return v.num
}

// Time returns a time value's time in UTC, and the zero time for every other type.
func (v Value) Time() time.Time {
	if v.typ != TimeType {
		return time.Time{}
	}
	return time.Unix(v.num, 0).UTC()
}

// List returns a list value's items, which must not be modified, and nil for every other type.
func (v Value) List() []string {
	if v.list == nil {
		return nil
	}
	return *v.list
}

// Equal reports whether both values are the same.
func (v Value) Equal(w Value) bool {
	return v.typ == w.typ && v.num == w.num && v.text == w.text && slices.Equal(v.List(), w.List())
}

// Any returns the value as encoding/json and expressions know it: nil, string, bool, int64, a time as
// RFC 3339 text, []string.
func (v Value) Any() any {
	switch v.typ {
	case TextType:
		return v.text
	case BoolType:
		return v.num == 1
	case NumberType:
		return v.num
	case TimeType:
		return v.Time().Format(time.RFC3339)
	case ListType:
		return v.List()
	default:
		return nil
	}
}

// String renders the value for a person: lists with commas, Null as nothing.
func (v Value) String() string {
	switch v.typ {
	case TextType:
		return v.text
	case BoolType:
		return strconv.FormatBool(v.num == 1)
	case NumberType:
		return strconv.FormatInt(v.num, 10)
	case TimeType:
		return v.Time().Format(time.RFC3339)
	case ListType:
		return strings.Join(v.List(), ", ")
	default:
		return ""
	}
}

// MarshalJSON writes the value as Any returns it.
func (v Value) MarshalJSON() ([]byte, error) { return json.Marshal(v.Any()) }

// UnmarshalJSON reads null, text, truth values, whole numbers and lists of texts. A time comes back as text.
func (v *Value) UnmarshalJSON(data []byte) error {
	var x any
	dec := json.NewDecoder(strings.NewReader(string(data)))
	dec.UseNumber()
	if err := dec.Decode(&x); err != nil {
		return err
	}
	switch x := x.(type) {
	case nil:
		*v = Null()
	case string:
		*v = Text(x)
	case bool:
		*v = Bool(x)
	case json.Number:
		n, err := x.Int64()
		if err != nil {
			return fmt.Errorf("value %s is not a whole number", x)
		}
		*v = Number(n)
	case []any:
		items := make([]string, len(x))
		for i, e := range x {
			s, ok := e.(string)
			if !ok {
				return fmt.Errorf("list item %d is not a text", i+1)
			}
			items[i] = s
		}
		*v = List(items...)
	default:
		return fmt.Errorf("a value cannot be an object")
	}
	return nil
}
