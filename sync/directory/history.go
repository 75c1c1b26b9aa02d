package directory

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// RunAction is what remains of an action that a run queued: who, and what about them. It holds personal data.
type RunAction struct {
	Op   Op
	Kind RecordKind
	// Num is the store's number of the object, and Key that of its record.
	Num  uint32
	Key  string
	Name string // the record's name field
	Rule string
	// Reason is that of the action.
	Reason string
	// Revision is the record's after the action: a record of another one has changed since.
	Revision uint64
	// Changes are the fields that differ, sorted by name: none for a creation, of a deletion all that the record had.
	Changes []FieldChange
	// Added and Removed count the members that the record got and lost. Entered and Left are their numbers, ascending; none for a creation.
	Added, Removed int
	Entered, Left  []uint32
}

// AppendRunActions appends actions of one run in their canonical form. What begins all keys alike, and what many have in common, is
// written once.
func AppendRunActions(buf []byte, list []RunAction) []byte {
	prefix := ""
	if len(list) > 0 {
		prefix = list[0].Key
	}
	texts, index := []string{""}, map[string]uint64{"": 0}
	number := func(text string) {
		if _, ok := index[text]; !ok {
			index[text] = uint64(len(texts))
			texts = append(texts, text)
		}
	}
	for i := range list {
		for !strings.HasPrefix(list[i].Key, prefix) {
			prefix = prefix[:len(prefix)-1]
		}
		number(list[i].Rule)
		number(list[i].Reason)
	}
	buf = appendText(buf, prefix)
	buf = appendTexts(buf, texts)
	buf = appendUvarint(buf, uint64(len(list)))
	for i := range list {
		a := &list[i]
		buf = append(buf, byte(a.Op), byte(a.Kind))
		buf = appendUvarint(buf, uint64(a.Num))
		buf = appendText(buf, a.Key[len(prefix):])
		buf = appendText(buf, a.Name)
		buf = appendUvarint(buf, index[a.Rule])
		buf = appendUvarint(buf, index[a.Reason])
		buf = appendUvarint(buf, a.Revision)
		buf = appendUvarint(buf, uint64(len(a.Changes)))
		for _, c := range a.Changes {
			buf = appendField(buf, Field{Name: c.Name, Value: c.From})
			buf = appendValue(buf, c.To)
		}
		buf = appendUvarint(buf, uint64(a.Added))
		buf = appendUvarint(buf, uint64(a.Removed))
		buf = appendNumbers(buf, a.Entered)
		buf = appendNumbers(buf, a.Left)
	}
	return buf
}

// ParseRunActions reads what AppendRunActions wrote: those about records with a key, or all when it is empty. They do not refer to
// data. What names no such record is not taken apart.
func ParseRunActions(data []byte, key string) ([]RunAction, error) {
	if key != "" && !mentions(data, key) {
		return nil, nil
	}
	r := reader{rest: string(data)}
	prefix, texts := r.text(), r.texts()
	n := r.count(11)
	var list []RunAction
	if key == "" {
		list = make([]RunAction, 0, n)
	}
	text := func() string {
		i := r.uvarint()
		if i >= uint64(len(texts)) {
			r.fail()
			return ""
		}
		return texts[i]
	}
	for range n {
		a := RunAction{Op: Op(r.byte()), Kind: RecordKind(r.byte()), Num: r.number(), Key: prefix + r.text(), Name: r.text(), Rule: text(), Reason: text(), Revision: r.uvarint()}
		if n := r.count(3); n > 0 {
			a.Changes = make([]FieldChange, n)
			for i := range a.Changes {
				f := r.field()
				a.Changes[i] = FieldChange{Name: f.Name, From: f.Value, To: r.value()}
			}
		}
		a.Added, a.Removed = int(r.number()), int(r.number())
		a.Entered, a.Left = r.numbers(), r.numbers()
		if key == "" || a.Key == key {
			list = append(list, a)
		}
	}
	if err := r.close("actions of a run"); err != nil {
		return nil, err
	}
	return list, nil
}

// mentions reports whether actions may be about a record with a key: its end stands somewhere in them as it is.
func mentions(data []byte, key string) bool {
	n, size := binary.Uvarint(data)
	if size <= 0 || n > uint64(len(data)-size) {
		return true // it is damaged, and whoever takes it apart says so
	}
	rest, ok := strings.CutPrefix(key, string(data[size:size+int(n)]))
	return ok && bytes.Contains(data[size+int(n):], []byte(rest))
}
