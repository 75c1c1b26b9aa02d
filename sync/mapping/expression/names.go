package expression

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

// The words that have parts. They are no values by themselves.
const (
	Manager         = "manager"
	Owner           = "owner"
	OwnerGroups     = "owner.groups"
	Customer        = "customer"
	Site            = "site"
	Tenant          = "tenant"
	TenantDomains   = "tenant.domains"
	Attributes      = "attributes"
	AttributeValues = "attribute_values"
)

// KeyPart ends the names of keys: manager.key.
const KeyPart = ".key"

// Names are what expressions about one kind of object can read. They are immutable.
type Names struct {
	noun     string // the kind of object, for messages
	bindings map[string]binding
	bases    []string // the words that have parts
	ordered  []Name
	// own binds names that are not known beforehand; nil where there are none but attributes.
	own func(name string) (binding, bool)
}

// NamesOf returns the names of a kind of object.
func NamesOf(kind directory.Kind) *Names {
	if kind == directory.Person {
		return personNames()
	}
	return objectNames(kind)
}

// List returns the names in the order of the reference. Besides these, attributes.NAME and attribute_values.NAME
// read what the source calls NAME. The caller owns the list.
func (n *Names) List() []Name { return slices.Clone(n.ordered) }

// Lookup returns the name of this spelling, such as department, manager.email or attributes.costCentre.
func (n *Names) Lookup(name string) (Name, bool) {
	s, ok := n.lookup(name)
	return s.Name, ok
}

// HasParts reports whether a word is no value by itself but has parts, as manager, tenant and attributes have.
func (n *Names) HasParts(word string) bool { return slices.Contains(n.bases, word) }

// PartsOf lists the parts of a word that has parts; none for attributes, which has whatever the source has.
func (n *Names) PartsOf(word string) []string {
	var parts []string
	for _, name := range n.ordered {
		if rest, ok := strings.CutPrefix(name.Name, word+"."); ok {
			parts = append(parts, rest)
		}
	}
	return parts
}

// Words lists the names without their parts, and the words that have parts: what may have been meant by an unknown
// word.
func (n *Names) Words() []string {
	var words []string
	for _, name := range n.ordered {
		if !strings.Contains(name.Name, ".") {
			words = append(words, name.Name)
		}
	}
	return append(words, n.bases...)
}

func personNames() *Names {
	n := &Names{
		noun:     "person",
		bindings: map[string]binding{},
		bases:    []string{Tenant, Attributes, AttributeValues},
	}
	n.add("id", directory.TextType, "the source's immutable id", readID)
	own := directory.FieldsOf(directory.Person)
	for _, f := range own {
		n.add(f.Name, f.Type, f.Help, readOwn(f.Name, f.Type))
	}
	n.add("groups", directory.ListType, "names of the groups the person is in, nested ones included", readGroups)
	n.add("group_ids", directory.ListType, "ids of these groups", readGroupIDs)
	n.add("direct_groups", directory.ListType, "names of the groups that list the person themselves", readDirectGroups)
	n.add("licences", directory.ListType, "names of the licences the person holds", readLicences)
	n.add("licence_ids", directory.ListType, "ids of these licences", readLicenceIDs)
	n.addSource()
	n.addOthers(directory.Person)
	return n
}

func objectNames(kind directory.Kind) *Names {
	n := &Names{
		noun:     kind.String(),
		bindings: map[string]binding{},
		bases:    []string{Tenant, Attributes, AttributeValues},
	}
	n.add("id", directory.TextType, "the source's immutable id", readID)
	for _, f := range directory.FieldsOf(kind) {
		n.add(f.Name, f.Type, f.Help, readOwn(f.Name, f.Type))
	}
	n.addSource()
	n.addOthers(kind)
	return n
}

// KindOf returns the kind of the object to which a word leads, such as manager; zero when it leads to none.
func KindOf(word string) directory.Kind {
	switch word {
	case Manager, Owner:
		return directory.Person
	case Customer:
		return directory.Customer
	case Site:
		return directory.Site
	default:
		return 0
	}
}

// addOthers adds what objects of a kind know of those to which they point.
func (n *Names) addOthers(kind directory.Kind) {
	for _, other := range []struct {
		word string
		link directory.LinkType
		who  func(*Input) *directory.Object
		key  func(*Keys) string
	}{
		{Manager, directory.Manager, func(in *Input) *directory.Object { return in.Manager }, func(k *Keys) string { return k.Manager }},
		{Owner, directory.Owner, func(in *Input) *directory.Object { return in.Owner }, func(k *Keys) string { return k.Owner }},
		{Customer, directory.OfCustomer, func(in *Input) *directory.Object { return in.Customer }, func(k *Keys) string { return k.Customer }},
		{Site, directory.AtSite, func(in *Input) *directory.Object { return in.Site }, func(k *Keys) string { return k.Site }},
	} {
		if slices.Contains(other.link.From(), kind) {
			n.bases = append(n.bases, other.word)
			n.addOther(other.word, other.who)
			n.add(other.word+KeyPart, directory.TextType, other.word+": the key of the record, blank when there is none; for fields only", func(in *Input) directory.Value {
				return textOrNull(other.key(&in.Keys))
			})
			if other.word == Owner {
				n.add(OwnerGroups, directory.ListType, "names of the groups the owner is in, nested ones included", func(in *Input) directory.Value {
					return listOf(in.OwnerGroups, func(m *Membership) string { return m.Name })
				})
			}
		}
	}
}

// addOther adds the id and the fields of another object, under the word for what that is to the object.
func (n *Names) addOther(word string, who func(*Input) *directory.Object) {
	n.add(word+".id", directory.TextType, word+": the source's immutable id", func(in *Input) directory.Value {
		if o := who(in); o != nil {
			return textOrNull(o.ID)
		}
		return directory.Null()
	})
	for _, f := range directory.FieldsOf(KindOf(word)) {
		if f.Type == directory.ListType {
			continue
		}
		n.add(word+"."+f.Name, f.Type, word+": "+f.Help, func(in *Input) directory.Value {
			o := who(in)
			if o == nil {
				return directory.Null()
			}
			value, _ := o.Get(f.Name)
			return coerce(value, f.Type)
		})
	}
}

func (n *Names) add(name string, typ directory.ValueType, help string, read func(*Input) directory.Value) {
	described := Name{Name: name, Type: typ, Help: help}
	n.bindings[name] = binding{Name: described, read: read}
	n.ordered = append(n.ordered, described)
}

func (n *Names) addSource() {
	source := func(get func(Source) string) func(*Input) directory.Value {
		return func(in *Input) directory.Value { return textOrNull(get(in.Source)) }
	}
	n.add("connection", directory.TextType, "name of the connection",
		source(func(s Source) string { return s.Connection }))
	n.add("tenant.id", directory.TextType, "id of the tenant",
		source(func(s Source) string { return s.TenantID }))
	n.add("tenant.name", directory.TextType, "name of the tenant",
		source(func(s Source) string { return s.TenantName }))
	n.add("tenant.domain", directory.TextType, "domain of the tenant",
		source(func(s Source) string { return s.TenantDomain }))
	n.add(TenantDomains, directory.ListType, "all mail domains of the tenant; a rule fails while they are not known",
		func(in *Input) directory.Value {
			if len(in.Source.TenantDomains) == 0 {
				return directory.Null()
			}
			return directory.List(in.Source.TenantDomains...)
		})
	domains := n.bindings[TenantDomains]
	domains.stops = true
	n.bindings[TenantDomains] = domains
}

// lookup returns the binding of a name; attributes exist under every name.
func (n *Names) lookup(name string) (binding, bool) {
	if s, ok := n.bindings[name]; ok {
		return s, true
	}
	if n.own != nil {
		return n.own(name)
	}
	typ, field := directory.TextType, ""
	if !slices.Contains(n.bases, Attributes) {
		return binding{}, false
	}
	if rest, ok := strings.CutPrefix(name, Attributes+"."); ok {
		field = rest
	} else if rest, ok := strings.CutPrefix(name, AttributeValues+"."); ok {
		typ, field = directory.ListType, rest
	}
	if field == "" {
		return binding{}, false
	}
	described := Name{Name: name, Type: typ, Help: "the source's attribute " + field}
	return binding{Name: described, read: readOwn(directory.AttributePrefix+field, typ)}, true
}
