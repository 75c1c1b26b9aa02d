package expression

import (
	"slices"
	"strings"

	"dirsyncd/sync/directory"
)

// RecordFields is the word under which every field of a record can be read, whatever its name.
const RecordFields = "fields"

// NewRecordLanguage returns the language of expressions about a record that a target has: kind, key, and its fields, each as one
// text. They hold for records whose object is gone, too. fields are the names that there can be.
func NewRecordLanguage(fields []string) *Language {
	n := &Names{noun: "record", bindings: map[string]binding{}, bases: []string{RecordFields}}
	n.add("kind", directory.TextType, "the kind of record", ofRecord(func(rec *directory.Record) directory.Value { return directory.Text(rec.Kind.String()) }))
	n.add("key", directory.TextType, "the record's key", ofRecord(func(rec *directory.Record) directory.Value { return textOrNull(rec.Key) }))
	for _, name := range slices.Sorted(slices.Values(fields)) {
		read := ofRecord(func(rec *directory.Record) directory.Value {
			v, _ := rec.Get(name)
			if v.Type() == directory.ListType {
				return textOrNull(strings.Join(v.List(), ", "))
			}
			return coerce(v, directory.TextType)
		})
		if _, ok := n.bindings[name]; !ok && name != RecordFields && !strings.Contains(name, ".") {
			n.add(name, directory.TextType, "the record's field "+name, read)
		}
		if _, ok := n.bindings[RecordFields+"."+name]; !ok {
			n.add(RecordFields+"."+name, directory.TextType, "the record's field "+name, read)
		}
	}
	return newLanguage(n)
}

func ofRecord(read func(*directory.Record) directory.Value) func(*Input) directory.Value {
	return func(in *Input) directory.Value {
		if in.Record == nil {
			return directory.Null()
		}
		return read(in.Record)
	}
}
