package strict

import (
	"strings"

	"go.yaml.in/yaml/v4"
)

// Entry is a key of a block and its value.
type Entry struct {
	Key   string
	Value Value
}

// Entries returns the keys of a block in the order of the document, those of merge keys ("<<") after the
// block's own. It reports a problem when the value is not a block, and for every repeated key, of which the
// first holds.
func (v Value) Entries() ([]Entry, bool) {
	if !v.Expect(Block) {
		return nil, false
	}
	b := block{parent: v, lines: make(map[string]int)}
	b.own(v.node)
	for _, source := range b.merges {
		b.merge(source)
	}
	return b.entries, true
}

// Get returns the value of a key, or the zero Value. It reports what Entries reports.
func (v Value) Get(key string) Value {
	if v.Kind() != Block {
		return Value{}
	}
	entries, _ := v.Entries()
	for _, e := range entries {
		if e.Key == key {
			return e.Value
		}
	}
	return Value{}
}

// At follows a path such as "bind.user" or "servers[1].url" as far as the document goes: the result is the
// deepest value of the path that is written, and whether that is the whole path.
func (v Value) At(path string) (Value, bool) {
	for path != "" {
		next, rest := v.step(path)
		if next.node == nil {
			return v, false
		}
		v, path = next, rest
	}
	return v, true
}

func (v Value) step(path string) (Value, string) {
	if v.Kind() == List {
		index, rest, _ := strings.Cut(strings.TrimPrefix(path, "["), "]")
		items, _ := v.Items()
		for i, item := range items {
			if v.path+"["+index+"]" == items[i].path {
				return item, strings.TrimPrefix(rest, ".")
			}
		}
		return Value{}, ""
	}
	// A key may itself hold a dot, as attribute names do: the longest key that fits wins.
	for end := len(path); end > 0; end = strings.LastIndexAny(path[:end], ".[") {
		if next := v.Get(path[:end]); next.node != nil {
			return next, strings.TrimPrefix(path[end:], ".")
		}
	}
	return Value{}, ""
}

// block collects the entries of a block and of what is merged into it.
type block struct {
	parent  Value
	entries []Entry
	lines   map[string]int // where each key stands
	merges  []Value
}

func (b *block) own(n *yaml.Node) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := resolve(n.Content[i]), resolve(n.Content[i+1])
		entry, ok := b.entry(key, value)
		switch {
		case !ok:
		case key.ShortTag() == "!!merge":
			b.merges = append(b.merges, entry.Value)
		case b.lines[entry.Key] > 0:
			entry.Value.KeyProblem("", "key %q is given twice%s; it stands in line %d already",
				cut(entry.Key), b.parent.Where(), b.lines[entry.Key])
		default:
			b.lines[entry.Key] = key.Line
			b.entries = append(b.entries, entry)
		}
	}
}

func (b *block) entry(key, value *yaml.Node) (Entry, bool) {
	v := Value{doc: b.parent.doc, node: value, key: key, scope: b.parent.scope, path: b.parent.path}
	kind := Value{node: key}.Kind()
	if kind == Null || kind >= List {
		v.KeyProblem("put it in quotes", "a key%s is not text", b.parent.Where())
		return Entry{}, false
	}
	if v.path != "" {
		v.path += "."
	}
	v.path += cut(key.Value)
	return Entry{key.Value, v}, true
}

// merge adds the keys of a merged block, or of each of a list of blocks, that are not there yet.
func (b *block) merge(source Value) {
	if source.Kind() == List {
		items, _ := source.Items()
		for _, item := range items {
			b.merge(item)
		}
		return
	}
	if !source.Expect(Block) {
		return
	}
	source.path = b.parent.path
	entries, _ := source.Entries()
	for _, e := range entries {
		if b.lines[e.Key] == 0 {
			b.lines[e.Key] = e.Value.key.Line
			b.entries = append(b.entries, e)
		}
	}
}
