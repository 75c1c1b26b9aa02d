package ldapsim

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

var (
	errNoEntry = errors.New("no such entry")
	errExists  = errors.New("entry exists already")
)

// entry is one directory entry. It is never changed: a change makes another one, so that a listing that is
// under way keeps what it began with.
type entry struct {
	dn          string
	key, parent string // normalised names of the entry and of the one above
	attrs       []attribute
}

type attribute struct {
	name   string
	values []string
}

// newEntry makes an entry with a name, which it checks. The values in the name become attributes.
func newEntry(dn string, attrs ...attribute) (*entry, error) {
	parsed, err := ldap.ParseDN(dn)
	if err != nil {
		return nil, fmt.Errorf("name %q: %w", dn, err)
	}
	if len(parsed.RDNs) == 0 {
		return nil, fmt.Errorf("name %q is empty", dn)
	}
	above := ldap.DN{RDNs: parsed.RDNs[1:]}
	e := &entry{dn: dn, key: keyOf(parsed), parent: keyOf(&above), attrs: attrs}
	for _, part := range parsed.RDNs[0].Attributes {
		e = e.with(part.Type, part.Value)
	}
	return e, nil
}

// keyOf spells a name in one way: two names are equal when their keys are. A comma in a key is always the
// border between two parts of the name.
func keyOf(dn *ldap.DN) string {
	escape := strings.NewReplacer(`\`, `\5c`, ",", `\2c`, "+", `\2b`)
	var parts []string
	for _, rdn := range dn.RDNs {
		var values []string
		for _, a := range rdn.Attributes {
			values = append(values, strings.ToLower(a.Type+"="+escape.Replace(a.Value)))
		}
		slices.Sort(values)
		parts = append(parts, strings.Join(values, "+"))
	}
	return strings.Join(parts, ",")
}

// parseKey returns the key of a name, and the name itself in lower case when it is none: no entry has that key.
func parseKey(dn string) string {
	parsed, err := ldap.ParseDN(dn)
	if err != nil {
		return strings.ToLower(dn)
	}
	return keyOf(parsed)
}

func (e *entry) values(name string) []string {
	for _, a := range e.attrs {
		if strings.EqualFold(a.name, name) {
			return a.values
		}
	}
	return nil
}

// with returns the entry with other values of an attribute; without values the attribute is not there.
func (e *entry) with(name string, values ...string) *entry {
	changed := *e
	i := slices.IndexFunc(e.attrs, func(a attribute) bool { return strings.EqualFold(a.name, name) })
	switch {
	case i < 0 && len(values) > 0:
		changed.attrs = append(slices.Clip(e.attrs), attribute{name, values})
	case i >= 0 && len(values) > 0:
		changed.attrs = slices.Clone(e.attrs)
		changed.attrs[i].values = values
	case i >= 0:
		changed.attrs = slices.Delete(slices.Clone(e.attrs), i, i+1)
	}
	return &changed
}

// renamed returns the entry under another name.
func (e *entry) renamed(dn string) (*entry, error) { return newEntry(dn, e.attrs...) }

// below reports whether the entry is in the subtree of a name, the name itself included.
func (e *entry) below(key string) bool {
	return e.key == key || strings.HasSuffix(e.key, ","+key)
}

// tree is all entries, in the order in which they were added.
type tree struct {
	entries map[string]*entry
	order   []string
	changes int // counts changes, for unique entryUUID and entryCSN values
	// context is the last CSN of every server that has made changes, by its id: contextCSN.
	context map[string]string
}

// copy returns the tree as it is now: changes of either leave the other alone.
func (t *tree) copy() tree {
	return tree{entries: maps.Clone(t.entries), order: slices.Clone(t.order), changes: t.changes, context: maps.Clone(t.context)}
}

func (t *tree) get(dn string) (*entry, error) {
	e, ok := t.entries[parseKey(dn)]
	if !ok {
		return nil, fmt.Errorf("%s: %w", dn, errNoEntry)
	}
	return e, nil
}

func (t *tree) add(e *entry) error {
	if _, there := t.entries[e.key]; there {
		return fmt.Errorf("%s: %w", e.dn, errExists)
	}
	if t.entries == nil {
		t.entries = map[string]*entry{}
	}
	t.entries[e.key] = e
	t.order = append(t.order, e.key)
	return nil
}

// replace puts another entry in the place of one, which may have another name.
func (t *tree) replace(old, e *entry) {
	delete(t.entries, old.key)
	t.entries[e.key] = e
	if old.key != e.key {
		t.order[slices.Index(t.order, old.key)] = e.key
	}
}

func (t *tree) remove(e *entry) {
	delete(t.entries, e.key)
	t.order = slices.DeleteFunc(t.order, func(key string) bool { return key == e.key })
}

// each calls fn with the entries in order.
func (t *tree) each(fn func(*entry)) {
	for _, key := range t.order {
		fn(t.entries[key])
	}
}

// subtree returns the entry with a key and all below it, in order.
func (t *tree) subtree(key string) []*entry {
	var found []*entry
	t.each(func(e *entry) {
		if e.below(key) {
			found = append(found, e)
		}
	})
	return found
}
