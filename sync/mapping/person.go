package mapping

import "dirsyncd/sync/directory"

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

// View is what rules see of an object that is no person.
type View struct {
	Object *directory.Object
	// Owner is the person that a device belongs to, or nil.
	Owner *directory.Object
	Place Place
}

// Desired is a record as the rules want it. Fields still carry their On and Blank: the plan applies them to
// what the target was told before.
type Desired struct {
	Kind   directory.RecordKind
	Fields []DesiredField // sorted by name
}

// DesiredField is one field as the rules want it.
type DesiredField struct {
	directory.Field
	On    On
	Blank Blank
}

// Result is what the rules make of one object.
type Result struct {
	// Rule is the name of the rule that decided; empty when none did.
	Rule    string
	Ignored bool
	Records []Desired // in the order of their kinds; none when ignored or when no rule held
}

// Uses says what of a person's surroundings the rules look at. What they do not use need not be looked up, and
// its change concerns nobody.
type Uses struct {
	Groups   bool
	Manager  bool
	Licences bool
	// Owner: rules of devices look at the person to whom one belongs.
	Owner bool
	// Records says of which kinds of object the mapping makes records.
	Records [directory.Customer + 1]bool
}
