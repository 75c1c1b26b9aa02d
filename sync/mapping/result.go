package mapping

import "dirsyncd/sync/directory"

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
