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
	Place    Place
}

// Membership is one group that a person is in.
type Membership struct {
	Named
	Direct bool
}

// Named is the id and the name of an object.
type Named struct{ ID, Name string }

// Place says where an object was read.
type Place struct {
	Connection   string
	TenantID     string
	TenantName   string
	TenantDomain string
}
