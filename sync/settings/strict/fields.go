package strict

import (
	"reflect"
	"slices"
	"strings"
)

// field is a struct field that the document can set.
type field struct {
	key      string
	index    []int
	required bool
}

// fieldsOf lists the fields of a struct type that have a yaml tag, those of inlined structs among them.
func fieldsOf(t reflect.Type) []field {
	var list []field
	for i := range t.NumField() {
		f := t.Field(i)
		tag, ok := f.Tag.Lookup("yaml")
		name, flags, _ := strings.Cut(tag, ",")
		switch {
		case !ok || !f.IsExported() && !f.Anonymous || name == "-":
		case name == "" && strings.Contains(flags, "inline") && f.Type.Kind() == reflect.Struct:
			for _, inner := range fieldsOf(f.Type) {
				inner.index = append([]int{i}, inner.index...)
				list = append(list, inner)
			}
		case name != "":
			list = append(list, field{name, []int{i}, f.Tag.Get("strict") == "required"})
		}
	}
	return list
}

func keysOf(fields []field) []string {
	keys := make([]string, len(fields))
	for i, f := range fields {
		keys[i] = f.key
	}
	return keys
}

// Keys lists every key that can stand in a value of v's type, with the keys of inner blocks after a dot
// ("bind.user"). It is for tests that compare documentation with code.
func Keys(v any) []string {
	keys := keysIn(reflect.TypeOf(v), "")
	slices.Sort(keys)
	return slices.Compact(keys)
}

func keysIn(t reflect.Type, prefix string) []string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || custom(t) {
		return nil
	}
	var keys []string
	for _, f := range fieldsOf(t) {
		keys = append(keys, prefix+f.key)
		keys = append(keys, keysIn(t.FieldByIndex(f.index).Type, prefix+f.key+".")...)
	}
	return keys
}

// HasRequired reports whether a block of v's type, a struct or a pointer to one, has keys that must be given.
func HasRequired(v any) bool {
	t := reflect.TypeOf(v)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Kind() == reflect.Struct && slices.ContainsFunc(fieldsOf(t), func(f field) bool { return f.required })
}
