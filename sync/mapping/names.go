package mapping

import (
	"slices"
	"strings"

	"dirsyncd/sync/directory"
)

// Name describes something that expressions can read.
type Name struct {
	Name string              `json:"name"`
	Type directory.ValueType `json:"-"`
	Help string              `json:"help"`
}

// TypeWord returns the name's type as problems and the reference spell it.
func (n Name) TypeWord() string { return typeWord(n.Type) }

// input is what one application of the rules may look at.
type input struct {
	object   *directory.Object
	manager  *directory.Object // of a person
	owner    *directory.Object // of a device
	groups   []Membership
	licences []Named
	place    Place
}

// source is a Name with the way to its value. A value is Null when the source did not say; otherwise it has
// the name's type.
type source struct {
	Name
	read func(*input) directory.Value
}

// The names that have parts. They are no values by themselves.
const (
	managerPart         = "manager"
	ownerPart           = "owner"
	tenantPart          = "tenant"
	attributesPart      = "attributes"
	attributeValuesPart = "attribute_values"
)

// vocabulary is the set of names that rules of one kind of object know.
type vocabulary struct {
	noun    string // the kind of object, for messages
	sources map[string]source
	parts   []string
	ordered []Name
}

// NamesOf lists what the rules for objects of a kind can read, in the order of the reference. Besides these,
// attributes.NAME and attribute_values.NAME read what the source calls NAME.
func NamesOf(kind directory.Kind) []Name { return vocabularyOf(kind).ordered }

func vocabularyOf(kind directory.Kind) *vocabulary {
	if kind == directory.Person {
		return personVocabulary()
	}
	return objectVocabulary(kind)
}

func personVocabulary() *vocabulary {
	v := &vocabulary{
		noun:    "person",
		sources: map[string]source{},
		parts:   []string{managerPart, tenantPart, attributesPart, attributeValuesPart},
	}
	v.add("id", directory.TextType, "the source's immutable id", readID)
	own := directory.FieldsOf(directory.Person)
	for _, f := range own {
		v.add(f.Name, f.Type, f.Help, readOwn(f.Name, f.Type))
	}
	v.add("groups", directory.ListType, "names of the groups the person is in, nested ones included", readGroups)
	v.add("group_ids", directory.ListType, "ids of these groups", readGroupIDs)
	v.add("direct_groups", directory.ListType, "names of the groups that list the person themselves", readDirectGroups)
	v.add("licences", directory.ListType, "names of the licences the person holds", readLicences)
	v.add("licence_ids", directory.ListType, "ids of these licences", readLicenceIDs)
	v.addPlace()
	v.addOther(managerPart, func(in *input) *directory.Object { return in.manager })
	return v
}

func objectVocabulary(kind directory.Kind) *vocabulary {
	v := &vocabulary{
		noun:    kind.String(),
		sources: map[string]source{},
		parts:   []string{tenantPart, attributesPart, attributeValuesPart},
	}
	v.add("id", directory.TextType, "the source's immutable id", readID)
	for _, f := range directory.FieldsOf(kind) {
		v.add(f.Name, f.Type, f.Help, readOwn(f.Name, f.Type))
	}
	v.addPlace()
	if kind == directory.Device {
		v.parts = append(v.parts, ownerPart)
		v.addOther(ownerPart, func(in *input) *directory.Object { return in.owner })
	}
	return v
}

// addOther adds the id and the fields of another person, under the word for what that person is to the object.
func (v *vocabulary) addOther(word string, who func(*input) *directory.Object) {
	v.add(word+".id", directory.TextType, word+": the source's immutable id", func(in *input) directory.Value {
		if o := who(in); o != nil {
			return textOrNull(o.ID)
		}
		return directory.Null()
	})
	for _, f := range directory.FieldsOf(directory.Person) {
		if f.Type == directory.ListType {
			continue
		}
		v.add(word+"."+f.Name, f.Type, word+": "+f.Help, func(in *input) directory.Value {
			o := who(in)
			if o == nil {
				return directory.Null()
			}
			value, _ := o.Get(f.Name)
			return coerce(value, f.Type)
		})
	}
}

func (v *vocabulary) add(name string, typ directory.ValueType, help string, read func(*input) directory.Value) {
	n := Name{Name: name, Type: typ, Help: help}
	v.sources[name] = source{Name: n, read: read}
	v.ordered = append(v.ordered, n)
}

func (v *vocabulary) addPlace() {
	place := func(get func(Place) string) func(*input) directory.Value {
		return func(in *input) directory.Value { return textOrNull(get(in.place)) }
	}
	v.add("connection", directory.TextType, "name of the connection",
		place(func(p Place) string { return p.Connection }))
	v.add("tenant.id", directory.TextType, "id of the tenant",
		place(func(p Place) string { return p.TenantID }))
	v.add("tenant.name", directory.TextType, "name of the tenant",
		place(func(p Place) string { return p.TenantName }))
	v.add("tenant.domain", directory.TextType, "domain of the tenant",
		place(func(p Place) string { return p.TenantDomain }))
}

// lookup returns the source of a name; attributes exist under every name.
func (v *vocabulary) lookup(name string) (source, bool) {
	if s, ok := v.sources[name]; ok {
		return s, true
	}
	typ, field := directory.TextType, ""
	if rest, ok := strings.CutPrefix(name, attributesPart+"."); ok {
		field = rest
	} else if rest, ok := strings.CutPrefix(name, attributeValuesPart+"."); ok {
		typ, field = directory.ListType, rest
	}
	if field == "" {
		return source{}, false
	}
	n := Name{Name: name, Type: typ, Help: "the source's attribute " + field}
	return source{Name: n, read: readOwn(directory.AttributePrefix+field, typ)}, true
}

func (v *vocabulary) hasPart(name string) bool { return slices.Contains(v.parts, name) }

func readID(in *input) directory.Value { return textOrNull(in.object.ID) }

func readOwn(field string, typ directory.ValueType) func(*input) directory.Value {
	return func(in *input) directory.Value {
		v, _ := in.object.Get(field)
		return coerce(v, typ)
	}
}

func readGroups(in *input) directory.Value {
	names := make([]string, 0, len(in.groups))
	for i := range in.groups {
		names = appendText(names, in.groups[i].Name)
	}
	return directory.List(names...)
}

func readGroupIDs(in *input) directory.Value {
	ids := make([]string, 0, len(in.groups))
	for i := range in.groups {
		ids = appendText(ids, in.groups[i].ID)
	}
	return directory.List(ids...)
}

func readDirectGroups(in *input) directory.Value {
	var names []string
	for i := range in.groups {
		if in.groups[i].Direct {
			names = appendText(names, in.groups[i].Name)
		}
	}
	return directory.List(names...)
}

func readLicences(in *input) directory.Value {
	var names []string
	for i := range in.licences {
		names = appendText(names, in.licences[i].Name)
	}
	return directory.List(names...)
}

func readLicenceIDs(in *input) directory.Value {
	var ids []string
	for i := range in.licences {
		ids = appendText(ids, in.licences[i].ID)
	}
	return directory.List(ids...)
}

func appendText(list []string, text string) []string {
	if text == "" {
		return list
	}
	return append(list, text)
}

func textOrNull(s string) directory.Value {
	if s == "" {
		return directory.Null()
	}
	return directory.Text(s)
}

// coerce gives a value the type that rules rely on, whatever form the source chose: the first of several values
// where a text is asked for, a list of one where a list is. What has no such form counts as not told.
func coerce(v directory.Value, want directory.ValueType) directory.Value {
	if v.Type() == want || v.Blank() {
		return v
	}
	switch want {
	case directory.TextType:
		if list := v.List(); len(list) > 0 {
			return directory.Text(list[0])
		}
		return directory.Text(v.String())
	case directory.ListType:
		return directory.List(v.String())
	default:
		return directory.Null()
	}
}
