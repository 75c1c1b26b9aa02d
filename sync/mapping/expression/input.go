package expression

import (
	"time"

	"dirsyncd/sync/directory"
)

// Input is what expressions may look at: an object and what is known of its surroundings. Expressions only read
// it. What is nil or empty counts as not told.
type Input struct {
	Object   *directory.Object
	Manager  *directory.Object // of a person
	Owner    *directory.Object // of a device
	Customer *directory.Object // to which the object belongs
	Site     *directory.Object // of a person or a device
	Groups   []Membership      // of a person, nested ones included
	Licences []Named           // that a person holds
	// OwnerGroups are those that the owner of a device is in, nested ones included.
	OwnerGroups []Membership
	Source      Source
	// Keys are those of the records of the objects above, by the words for these.
	Keys Keys
	// At is the moment for which functions of time are asked: the start of the run.
	At time.Time
	// Claims are what conditions on a sign-in look at, and nothing else: what a provider said, by its own names.
	Claims map[string][]string
	// Record is what expressions about a record look at, and nothing else.
	Record *directory.Record
}

// Keys are the keys of records, empty where an object has none.
type Keys struct{ Manager, Owner, Customer, Site string }

// Membership is one group that a person is in.
type Membership struct {
	Named
	Direct bool
}

// Named is the id and the name of an object.
type Named struct{ ID, Name string }

// Source is where an object was read: a tenant of a connection.
type Source struct {
	Connection   string
	TenantID     string
	TenantName   string
	TenantDomain string
	// TenantDomains are all mail domains of the tenant; none means that they are not known.
	TenantDomains []string
}
