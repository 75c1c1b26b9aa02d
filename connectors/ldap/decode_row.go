package ldap

import (
	"cmp"
	"slices"
	"strings"

	"dirsyncd/connectors/ldap/internal/wire"
	"dirsyncd/sync/directory/dn"
)

// row holds the values of one entry after another by slot: a small number that every attribute that is asked
// for gets once, so that translating an entry needs one look-up per attribute and none per field.
type row struct {
	dn     string
	names  []string   // by slot; what the server is asked for
	values [][]string // by slot; nil when the entry does not have the attribute
	// placed maps descriptions as the server sends them to slots.
	placed map[string]place
	// schema knows the names of attributes; nil where the server's is not known.
	schema *schema
	// tagged holds the values that came under language tags only (RFC 3866), by slot: the description that they came
	// under and the values. They stand in for values without a tag, of which a tagged one is a subtype (RFC 4512 2.5.2).
	tagged []taggedValues
	// calendar is the time of the read.
	calendar calendar
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
	// tag is the description when it has a language tag that nobody asked for.
	tag string
}

type taggedValues struct {
	slot   int
	tag    string
	values []string
}

// maxPlaces bounds what is remembered of descriptions, since those with ranges are endless.
const maxPlaces = 1024

func newRow(s *schema) *row { return &row{schema: s, placed: make(map[string]place)} }

// slot returns the slot of an attribute, which is asked for from now on.
func (r *row) slot(name string) int {
	for i, known := range r.names {
		if r.schema.same(known, name) {
			return i
		}
	}
	r.names = append(r.names, name)
	r.values = append(r.values, nil)
	r.linked = append(r.linked, nil)
	return len(r.names) - 1
}

// wanted returns what the server is asked for, and last what its schema does not have: OpenLDAP goes through the list for each attribute of each
// entry, up to the one that it is, and takes every name apart once more that it does not know.
func (r *row) wanted() []string {
	foreign := []string{"company", "co", "department", "mailAlternateAddress"}
	for _, m := range marks() {
		foreign = append(foreign, m.attribute)
	}
	unknown := func(name string) int {
		if r.schema == nil && slices.Contains(foreign, name) || r.schema != nil && r.schema.find(name) == nil {
			return 1
		}
		return 0
	}
	list := slices.Clone(r.names)
	slices.SortStableFunc(list, func(a, b string) int { return cmp.Compare(unknown(a), unknown(b)) })
	return list
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
	r.dn, r.partial, r.tagged, r.oversized = e.DN, r.partial[:0], r.tagged[:0], e.Oversized
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
		if p.tag != "" {
			r.tagged = append(r.tagged, taggedValues{p.slot, p.tag, a.Values})
			continue
		}
		r.add(p.slot, a.Values)
		if p.part {
			r.partial = append(r.partial, p.slot)
		}
	}
	r.addTagged()
	if r.extended {
		r.dn = plainDN(e.DN)
		clear(r.linked)
		for slot := range r.values {
			r.unlink(slot)
		}
	}
}

// addTagged gives attributes that have values with language tags only those under one tag, the same one every time: with
// the fewest options, and of those the first by the alphabet.
func (r *row) addTagged() {
	if len(r.tagged) == 0 {
		return
	}
	slices.SortFunc(r.tagged, func(a, b taggedValues) int {
		return cmp.Or(cmp.Compare(strings.Count(a.tag, ";"), strings.Count(b.tag, ";")), cmp.Compare(a.tag, b.tag))
	})
	for _, t := range r.tagged {
		if len(r.values[t.slot]) == 0 {
			r.values[t.slot] = t.values
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
	p.slot = r.indexOf(name)
	if base, options, tagged := strings.Cut(name, ";"); p.slot < 0 && tagged && strings.Contains(strings.ToLower(";"+options), ";lang-") {
		p.slot, p.tag = r.indexOf(base), strings.ToLower(options)
	}
	p.part = p.slot >= 0 && (!ok || ranged && (part.first != 0 || !part.final))
	if len(r.placed) < maxPlaces {
		r.placed[description] = p
	}
	return p
}

// indexOf finds the slot of an attribute that was asked for by this name or another one of the same attribute; -1 if none was.
func (r *row) indexOf(name string) int {
	for i, known := range r.names {
		if r.schema.same(strings.TrimSuffix(known, ";binary"), name) {
			return i
		}
	}
	return -1
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

// rdn is the innermost part of the entry's name.
func (r *row) rdn() dn.RDN {
	name, err := dn.Parse(r.dn)
	if err != nil || len(name) == 0 {
		return nil
	}
	return name[0]
}

// flag reports whether an attribute of Boolean syntax (RFC 4517 section 3.3.3) is true.
func (r *row) flag(slot int) bool { return strings.EqualFold(r.first(slot), "TRUE") }
