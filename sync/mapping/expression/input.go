package expression

import "dirsyncd/sync/directory"

// Input is what expressions may look at: an object and what is known of its surroundings. Expressions only read
// it. What is nil or empty counts as not told.
type Input struct {
	Object   *directory.Object
	Manager  *directory.Object // of a person
	Owner    *directory.Object // of a device
	Groups   []Membership      // of a person, nested ones included
	Licences []Named           // that a person holds
	Source   Source
}

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
}
