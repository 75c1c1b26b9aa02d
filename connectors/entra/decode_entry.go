package entra

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/internal/jsonscan"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// schema says where the properties of an entry are put, so that a page of them is read without a map per entry.
type schema struct {
	slots map[string]int
}

// slot returns the place of a property, and makes one when there is none.
func (l *schema) slot(name string) int {
	if l.slots == nil {
		l.slots = map[string]int{}
	}
	i, ok := l.slots[name]
	if !ok {
		i = len(l.slots)
		l.slots[name] = i
	}
	return i
}

// entry is one element of a list. It is used for one element after the other.
type entry struct {
	schema  *schema
	id      string
	removed bool             // @removed
	values  []jsonscan.Value // by slot; empty where a property is absent
}

func newEntry(l *schema) *entry {
	return &entry{schema: l, values: make([]jsonscan.Value, len(l.slots))}
}

// load reads an element. An error means that it cannot be translated; the id is set when that much could be read.
func (e *entry) load(v jsonscan.Value) error {
	e.id, e.removed = "", false
	clear(e.values)
	if !v.IsObject() {
		return fmt.Errorf("an entry is %s, not an object", v.Kind())
	}
	var id jsonscan.Value
	for w := jsonscan.Enter(v); w.More(); {
		name := w.Name()
		value := w.Value()
		switch name {
		case "id":
			id = value
		case "@removed":
			e.removed = !value.Null()
		}
		if i, ok := e.schema.slots[name]; ok {
			e.values[i] = value
		}
	}
	text, ok := id.Text()
	if !ok || text == "" {
		return errors.New("an entry has no id")
	}
	e.id = canonicalID(text)
	return nil
}

// canonicalID spells an id in lower case when it is a GUID: its spelling carries no meaning, and other services
// that mention it spell it in their own way.
func canonicalID(id string) string {
	if len(id) != 36 || id[8] != '-' {
		return id
	}
	return strings.ToLower(id)
}

// fieldDecoder fills one field of an object.
type fieldDecoder struct {
	field string
	get   func(e *entry) (directory.Value, error) // Null: nothing known
	// slots are those that the value is made of. In a delta that mentions only what changed, the field is
	// mentioned when all of them are; those of complete objects have none.
	slots []int
}

func mismatch(name, want string, v jsonscan.Value) error {
	return fmt.Errorf("property %s is %s, not %s", name, v.Kind(), want)
}

func (l *schema) text(field, name string) fieldDecoder {
	slot := l.slot(name)
	return fieldDecoder{field: field, slots: []int{slot}, get: func(e *entry) (directory.Value, error) {
		v := e.values[slot]
		if v.Null() {
			return directory.Null(), nil
		}
		s, ok := v.Text()
		if !ok {
			return directory.Value{}, mismatch(name, "a text", v)
		}
		return textOrNull(s), nil
	}}
}

// word is a text in lower case: one of few that the service knows.
func (l *schema) word(field, name string) fieldDecoder {
	c := l.text(field, name)
	get := c.get
	c.get = func(e *entry) (directory.Value, error) {
		v, err := get(e)
		if v.Type() == directory.TextType {
			v = directory.Text(strings.ToLower(v.Text()))
		}
		return v, err
	}
	return c
}

func (l *schema) truth(field, name string) fieldDecoder {
	slot := l.slot(name)
	return fieldDecoder{field: field, slots: []int{slot}, get: func(e *entry) (directory.Value, error) {
		v := e.values[slot]
		switch {
		case v.Null():
			return directory.Null(), nil
		case v == "true", v == "false":
			return directory.Bool(v == "true"), nil
		default:
			return directory.Value{}, mismatch(name, "a truth value", v)
		}
	}}
}

func (l *schema) time(field, name string) fieldDecoder {
	slot := l.slot(name)
	return fieldDecoder{field: field, slots: []int{slot}, get: func(e *entry) (directory.Value, error) {
		return timeOf(name, e.values[slot])
	}}
}

// timeOf reads a time. The first and the last day of the calendar are how the service spells "never".
func timeOf(name string, v jsonscan.Value) (directory.Value, error) {
	if v.Null() {
		return directory.Null(), nil
	}
	s, ok := v.Text()
	if !ok {
		return directory.Value{}, mismatch(name, "a time", v)
	}
	if s == "" {
		return directory.Null(), nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return directory.Value{}, fmt.Errorf("property %s is not a time", name)
	}
	if t.Year() <= 1 || t.Year() >= 9999 {
		return directory.Null(), nil
	}
	return directory.Time(t), nil
}

// texts reads a list of texts, leaving out empty and null ones.
func texts(name string, v jsonscan.Value, each func(string)) error {
	if v.Null() {
		return nil
	}
	if !v.IsList() {
		return mismatch(name, "a list", v)
	}
	for w := jsonscan.Enter(v); w.More(); {
		item := w.Value()
		s, ok := item.Text()
		if !ok && !item.Null() {
			return mismatch(name, "a list of texts", item)
		}
		if s != "" {
			each(s)
		}
	}
	return nil
}

// compact is a value's JSON without white space.
func compact(v jsonscan.Value) string {
	var b bytes.Buffer
	if json.Compact(&b, []byte(v)) != nil {
		return string(v)
	}
	return b.String()
}

// invalid names an entry that could not be translated. The service's own values stay out of the error.
func invalid(kind directory.Kind, op, where, id string, err error) connectors.Invalid {
	return connectors.Invalid{
		Kind: kind, ID: id, Where: where,
		Err: &fault.Error{Class: fault.Invalid, Op: op, Err: err},
	}
}
