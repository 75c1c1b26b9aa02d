package ldap

import (
	"strings"

	"dirsyncd/connectors/ldap/internal/wire"
)

// row holds the values of one entry after another by slot: a small number that every attribute that is asked
// for gets once, so that translating an entry needs one look-up per attribute and none per field.
type row struct {
	dn     string
	names  []string   // by slot; what the server is asked for
	values [][]string // by slot; nil when the entry does not have the attribute
	// placed maps descriptions as the server sends them to slots.
	placed map[string]place
	// oversized is an attribute of which a value is too long to be taken; empty when there is none.
	oversized string
	// partial lists the slots of which the server sent only a part.
	partial []int

	// extended: DNs come with the GUIDs of their entries. values and dn are without them; linked is with them, by
	// slot, nil for values that are not DNs.
	extended bool
	linked   [][]string
}

// place says where the values under a description belong.
type place struct {
	slot int // -1: nobody asked
	part bool
}

// maxPlaces bounds what is remembered of descriptions, since those with ranges are endless.
const maxPlaces = 1024

func newRow() *row { return &row{placed: make(map[string]place)} }

// slot returns the slot of an attribute, which is asked for from now on.
func (r *row) slot(name string) int {
	for i, known := range r.names {
		if strings.EqualFold(known, name) {
			return i
		}
	}
	r.names = append(r.names, name)
	r.values = append(r.values, nil)
	r.linked = append(r.linked, nil)
	return len(r.names) - 1
}

func (r *row) slots(names []string) []int {
	list := make([]int, len(names))
	for i, name := range names {
		list[i] = r.slot(name)
	}
	return list
}

// load takes the values of an entry. They are valid until e is read into again.
func (r *row) load(e *wire.Entry) {
	r.dn, r.partial, r.oversized = e.DN, r.partial[:0], e.Oversized
	clear(r.values)
	for i := range e.Attributes {
		a := &e.Attributes[i]
		p, ok := r.placed[a.Name]
		if !ok {
			p = r.find(a.Name)
		}
		if p.slot < 0 {
			continue
		}
		r.add(p.slot, a.Values)
		if p.part {
			r.partial = append(r.partial, p.slot)
		}
	}
	if r.extended {
		r.dn = plainDN(e.DN)
		clear(r.linked)
		for slot := range r.values {
			r.unlink(slot)
		}
	}
}

// replace sets the values of a slot that was known in part.
func (r *row) replace(slot int, values []string) {
	r.values[slot] = values
	if r.extended {
		r.unlink(slot)
	}
}

// unlink divides values that are DNs with GUIDs.
func (r *row) unlink(slot int) {
	values := r.values[slot]
	if len(values) == 0 || !strings.HasPrefix(values[0], guidPrefix) {
		return
	}
	r.linked[slot] = values
	r.values[slot] = make([]string, len(values))
	for i, v := range values {
		r.values[slot][i] = plainDN(v)
	}
}

// add joins the parts of an attribute: with a range, Active Directory sends the attribute once more, empty.
func (r *row) add(slot int, values []string) {
	if len(r.values[slot]) == 0 {
		r.values[slot] = values
		return
	}
	if len(values) > 0 {
		r.values[slot] = append(r.values[slot][:len(r.values[slot]):len(r.values[slot])], values...)
	}
}

// find works out where a description belongs and remembers it. A malformed range is one whose rest must be
// fetched: so is anything that is not known to be the whole list.
func (r *row) find(description string) place {
	name, part, ranged, ok := splitRange(description)
	p := place{slot: -1}
	if !ok {
		name, _, _ = strings.Cut(description, ";")
	}
	name = strings.TrimSuffix(name, ";binary")
	for i, known := range r.names {
		if strings.EqualFold(strings.TrimSuffix(known, ";binary"), name) {
			p.slot = i
			p.part = !ok || ranged && (part.first != 0 || !part.final)
		}
	}
	if len(r.placed) < maxPlaces {
		r.placed[description] = p
	}
	return p
}

// first returns the first value that is not empty of the first slot that has one.
func (r *row) first(slots ...int) string {
	for _, slot := range slots {
		for _, v := range r.values[slot] {
			if v != "" {
				return v
			}
		}
	}
	return ""
}

// flag reports whether an attribute of Boolean syntax (RFC 4517 section 3.3.3) is true.
func (r *row) flag(slot int) bool { return strings.EqualFold(r.first(slot), "TRUE") }
