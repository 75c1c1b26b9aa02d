package mapping

import (
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping/expression"
)

// Person is what rules see of a person: the object and what the engine knows from its surroundings.
type Person struct {
	Object *directory.Object
	// Groups are the groups that the person is in, nested ones included; nil when the rules do not ask
	// (see Ruleset.Uses).
	Groups []Membership
	// Manager is the manager's own object, or nil.
	Manager *directory.Object
	// Licences that the person holds.
	Licences []Named
	Source   Source
}

// What is known of an object beside its fields.
type (
	// Membership is one group that a person is in.
	Membership = expression.Membership
	// Named is the id and the name of an object.
	Named = expression.Named
	// Source is where an object was read: a tenant of a connection.
	Source = expression.Source
)

// View is what rules see of an object that is no person.
type View struct {
	Object *directory.Object
	// Owner is the person that a device belongs to, or nil.
	Owner  *directory.Object
	Source Source
}

func (p *Person) input() expression.Input {
	return expression.Input{Object: p.Object, Manager: p.Manager, Groups: p.Groups, Licences: p.Licences, Source: p.Source}
}

func (v *View) input() expression.Input {
	return expression.Input{Object: v.Object, Owner: v.Owner, Source: v.Source}
}
