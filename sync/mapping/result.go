package mapping

import (
	"slices"
	"time"

	"dirsyncd/sync/directory"
)

// Desired is a record as the rules want it. Fields still carry their On and Blank: the plan applies them to
// what the target was told before.
type Desired struct {
	Kind   directory.RecordKind
	Fields []DesiredField // sorted by name
	// NewOnly: a record of the kind that is there already is left as it is.
	NewOnly bool
	// UpdateOnly: the targets are told that nothing is to be made (directory.ImportUpdateOnly).
	UpdateOnly bool
}

// DesiredField is one field as the rules want it.
type DesiredField struct {
	directory.Field
	On    On
	Blank Blank
}

// Memory holds the fields of one result after the other, for who asks about many objects. It belongs to one goroutine.
type Memory struct{ fields []DesiredField }

func (m *Memory) reset() {
	if m != nil {
		clear(m.fields)
		m.fields = m.fields[:0]
	}
}

func (m *Memory) clone(fields []DesiredField) []DesiredField {
	if m == nil {
		return slices.Clone(fields)
	}
	first := len(m.fields)
	m.fields = append(m.fields, fields...)
	return m.fields[first:len(m.fields):len(m.fields)]
}

// Result is what the rules make of one object.
type Result struct {
	// Rule is the name of the rule that decided; empty when none did.
	Rule    string
	Ignored bool
	// Always are the keys of records that are members in any case. They must not be modified.
	Always  []string
	Records []Desired // in the order of their kinds; none when ignored or when no rule held
	// Next is the first moment at which the same object comes to something else, or may do so, because an answer about time
	// changes; zero when there is none. It is told of an error, too.
	Next time.Time
}
