package halo

import (
	"encoding/json"
	"strconv"
	"strings"
)

// object is one JSON object of an answer. Numbers come as 95 or 95.0, truth as true, "True" or 1: what is read is the meaning.
type object map[string]any

// text is a property as a text; "" where there is none.
func (o object) text(name string) string { return textOf(o[name]) }

func textOf(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		if id := idOf(v); id != "" {
			return id
		}
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	default:
		return ""
	}
}

// has reports whether a property is there, and not null.
func (o object) has(name string) bool { return o[name] != nil }

// id is a property that is the number of a thing; "" where it is none, or 0 or less, which stands for nobody.
func (o object) id(name string) string {
	id := idOf(o[name])
	if n, err := strconv.ParseInt(id, 10, 64); err == nil && n <= 0 {
		return ""
	}
	return id
}

// idOf reads a whole number, in any of its spellings.
func idOf(v any) string {
	var text string
	switch v := v.(type) {
	case json.Number:
		text = v.String()
	case string:
		text = strings.TrimSpace(v)
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return strconv.FormatInt(n, 10)
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil && f == float64(int64(f)) && f > -1e15 && f < 1e15 {
		return strconv.FormatInt(int64(f), 10)
	}
	return ""
}

// flag is a property that is true or false, and whether it says so.
func (o object) flag(name string) (value, known bool) {
	switch v := o[name].(type) {
	case bool:
		return v, true
	case string:
		b, err := strconv.ParseBool(strings.ToLower(strings.TrimSpace(v)))
		return b, err == nil
	case json.Number:
		return v.String() != "0", true
	default:
		return false, false
	}
}

// is reports whether a property says true.
func (o object) is(name string) bool {
	value, _ := o.flag(name)
	return value
}

// number is a count; false where there is none.
func (o object) number(name string) (int, bool) {
	n, err := strconv.Atoi(idOf(o[name]))
	return n, err == nil
}

// objects are the elements of a list, and whether the list is there.
func (o object) objects(name string) ([]object, bool) { return objectsOf(o[name]) }

// whole is a list that is to be changed and written back; false where the answer leaves it out, so that nobody knows what is in
// it. Null is an empty one.
func (o object) whole(name string) ([]object, bool) {
	v, there := o[name]
	if list, is := objectsOf(v); is {
		return list, true
	}
	return nil, there && v == nil
}

func objectsOf(v any) ([]object, bool) {
	list, ok := v.([]any)
	if !ok {
		return nil, false
	}
	out := make([]object, 0, len(list))
	for _, element := range list {
		if m, ok := element.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out, true
}

// whole is a number as an integer of JSON: 95.0 and "95" are refused.
func whole(id string) any {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return id
	}
	return n
}

// customOf returns the name in customfields[NAME].
func customOf(name string) (string, bool) {
	inner, ok := strings.CutPrefix(name, "customfields[")
	if !ok || !strings.HasSuffix(inner, "]") {
		return "", false
	}
	return strings.TrimSuffix(inner, "]"), true
}

// property is one as a text: of the object, or of its custom fields. shown says that the answer has it.
func (o object) property(name string) (text string, shown bool) {
	inner, custom := customOf(name)
	if !custom {
		_, shown = o[name]
		return o.text(name), shown
	}
	list, shown := o.objects("customfields")
	for _, f := range list {
		if strings.EqualFold(f.text("name"), inner) {
			return f.text("value"), true
		}
	}
	return "", shown
}
