package mapping

import (
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping/expression"
)

// Person is what rules see of a person: the object and what the engine knows from its surroundings.
type Person struct {
	Object *directory.Object
	// Groups are the groups that the person is in, nested ones included; nil when the rules do not ask
	// (see Ruleset.Uses).
	Groups []Membership
	// Manager is the manager's own object, or nil. Customer and Site are those to which the person belongs, or nil.
	Manager, Customer, Site *directory.Object
	// Licences that the person holds.
	Licences []Named
	Source   Source
	// Keys are those of the records of Manager, Customer and Site, where the rules look at them.
	Keys Keys
	// At is the moment for which rules are asked about time.
	At time.Time
	// Memory is what the result is made in, so that it is valid until the memory is used again; nil: it stays.
	Memory *Memory
}

// What is known of an object beside its fields.
type (
	// Membership is one group that a person is in.
	Membership = expression.Membership
	// Named is the id and the name of an object.
	Named = expression.Named
	// Source is where an object was read: a tenant of a connection.
	Source = expression.Source
	// Keys are the keys of the records of objects to which one points.
	Keys = expression.Keys
)

// View is what rules see of an object that is no person.
type View struct {
	Object *directory.Object
	// Manager is the person that manages a group, Owner the one that a device belongs to, or nil. Customer is that to which
	// the object belongs, and Site where a device is, or nil.
	Manager, Owner, Customer, Site *directory.Object
	// OwnerGroups are those that the owner is in, nested ones included; nil when the rules do not ask.
	OwnerGroups []Membership
	Source      Source
	// Keys are those of the records of Manager, Owner, Customer and Site, where the rules look at them.
	Keys Keys
	// At and Memory are those of a Person.
	At     time.Time
	Memory *Memory
}

func (p *Person) input() expression.Input {
	return expression.Input{Object: p.Object, Manager: p.Manager, Customer: p.Customer, Site: p.Site,
		Groups: p.Groups, Licences: p.Licences, Source: p.Source, Keys: p.Keys, At: p.At}
}

func (v *View) input() expression.Input {
	return expression.Input{Object: v.Object, Manager: v.Manager, Owner: v.Owner, OwnerGroups: v.OwnerGroups, Customer: v.Customer, Site: v.Site,
		Source: v.Source, Keys: v.Keys, At: v.At}
}
