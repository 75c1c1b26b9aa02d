// Package directory is the vocabulary that every stage shares: objects as they were last seen at a
// source, records as the operator's rules make them, and the changes and actions between the two.
//
// It imports the standard library only. Values of this package are plain data: they may be copied,
// and a slice that a function returns belongs to the caller unless its documentation says otherwise.
package directory

import (
	"strings"
	"time"
)

// Kind says what an object is. The numbers are stored; they are appended to, never changed.
type Kind uint8

// The kinds of object that a source can have.
const (
	Person Kind = iota + 1
	Group
	Licence
	Device
	Customer
	Site
)

var kindNames = [...]string{Person: "person", Group: "group", Licence: "licence", Device: "device", Customer: "customer", Site: "site"}

// Kinds lists all kinds in the order of their numbers.
func Kinds() []Kind { return []Kind{Person, Group, Licence, Device, Customer, Site} }

// String returns the kind's word as operators read it.
func (k Kind) String() string {
	if int(k) < len(kindNames) && kindNames[k] != "" {
		return kindNames[k]
	}
	return "unknown"
}

// Ref names an object within one partition (connection and tenant).
type Ref struct {
	Kind Kind
	ID   string // the source's immutable id
}

// Object is a person, group, licence, device, customer or site in normal form, as last seen at the source.
type Object struct {
	Kind Kind
	// ID is the source's immutable id: objectGUID, entryUUID, a Graph, Google or Okta id; never a mail
	// address, login or DN. It is unique among all objects of a partition that other objects point to.
	ID string
	// Handles are the other names by which objects of the same source point to this one, such as
	// "dn:uid=a,dc=x" or "uid:a". Spelling is the connector's; it must be the same wherever the
	// connector mentions the object. The id is a handle by itself, spelled by IDHandle.
	Handles []string
	// Fields holds what is known of the object. It is sorted by name and has no duplicates (see Set).
	Fields []Field
	// Links point to other objects that this object itself states (its manager, its primary group).
	// The members of a group are not links: they come as connectors.Members.
	Links []Link
	// Partial marks an object of which only the mentioned fields are known, as in a delta. A field that
	// a partial object does not mention keeps its stored value; one mentioned as Null is cleared.
	// Handles and Links of a partial object are taken only when the object has any.
	Partial bool
}

// LinkType says how one object points to another. The numbers are stored; they are appended to, never changed.
type LinkType uint8

// The links that an object can state.
const (
	Manager    LinkType = iota + 1 // from a person to the person that manages it, or from a group to the person that does
	MemberOf                       // from a person to a group whose own list does not name it (AD and POSIX primary groups)
	Holds                          // from a person to a licence
	Owner                          // from a device to a person
	OfCustomer                     // from a site, person, group, licence or device to the customer to which it belongs
	AtSite                         // from a person or device to the site where it is
)

// LinkTypes lists all types of link in the order of their numbers.
func LinkTypes() []LinkType {
	return []LinkType{Manager, MemberOf, Holds, Owner, OfCustomer, AtSite}
}

var linkNames = [...]string{Manager: "manager", MemberOf: "member_of", Holds: "holds", Owner: "owner", OfCustomer: "customer", AtSite: "site"}

// String returns the type's word, for operators.
func (t LinkType) String() string {
	if int(t) < len(linkNames) && linkNames[t] != "" {
		return linkNames[t]
	}
	return "unknown"
}

// From lists the kinds of object that state links of the type, in the order of their numbers. The result is the caller's.
func (t LinkType) From() []Kind {
	switch t {
	case Manager:
		return []Kind{Person, Group}
	case MemberOf, Holds:
		return []Kind{Person}
	case Owner:
		return []Kind{Device}
	case OfCustomer:
		return []Kind{Person, Group, Licence, Device, Site}
	case AtSite:
		return []Kind{Person, Device}
	default:
		return nil
	}
}

// Link points to another object by one of its handles. The target need not exist (yet).
type Link struct {
	Type LinkType
	To   string
}

// IDHandle is the handle that every object has without stating it.
func IDHandle(id string) string { return "id:" + id }

// NameHandle is the handle of a name by which groups list members and that a source does not keep unique, such as the
// log-in names of memberUid (RFC 2307). Several people may state one; who is meant then is decided by package relations.
func NameHandle(name string) string { return namePrefix + name }

// IsNameHandle reports whether a handle is one of NameHandle.
func IsNameHandle(handle string) bool { return strings.HasPrefix(handle, namePrefix) }

// NumberHandle is the handle of a number that several groups may carry, such as gidNumber (RFC 2307). Whoever says to be
// in the group with the number is in all of them.
func NumberHandle(number string) string { return numberPrefix + number }

// IsNumberHandle reports whether a handle is one of NumberHandle.
func IsNumberHandle(handle string) bool { return strings.HasPrefix(handle, numberPrefix) }

const (
	namePrefix   = "uid:"
	numberPrefix = "gid:"
)

// Field is one named value of an object or a record.
type Field struct {
	Name  string
	Value Value
}

// Get returns the value of a field, and false when the object does not have it.
func (o *Object) Get(name string) (Value, bool) { return getField(o.Fields, name) }

// BySignIn reports whether the object is stored because its person signed in, and the source's silence about it means nothing at a time.
func (o *Object) BySignIn(now time.Time) bool {
	if _, is := o.Get(FieldSignedInBy); !is {
		return false
	}
	until, ends := o.Get(FieldSignedInUntil)
	return !ends || now.Before(until.Time())
}

// Set stores a field in its sorted place; a second value for the same name replaces the first.
func (o *Object) Set(name string, v Value) { o.Fields = setField(o.Fields, name, v) }

// SetText stores a text field unless the text is empty: sources spell "no value" as an empty string.
func (o *Object) SetText(name, text string) {
	if text != "" {
		o.Set(name, Text(text))
	}
}
