// Package mapping turns objects into records by the operator's rules. Compile checks everything once, at
// load; applying a Ruleset is a pure function of its input: no clock, no I/O, no state.
package mapping

import (
	"slices"
	"time"

	"dirsyncd/sync/directory"
)

// Spec is one mapping as the operator wrote it, with positions for error messages.
type Spec struct {
	Name string
	// Rules are tried in order; the first whose When holds decides what a person is.
	Rules []RuleSpec
	// Groups are tried in order for every group; a group for which none holds has no record. Licences, Devices,
	// Customers and Sites are the same for the objects of their kinds.
	Groups    []RuleSpec
	Licences  []RuleSpec
	Devices   []RuleSpec
	Customers []RuleSpec
	Sites     []RuleSpec
	// Fields are the fields that every record of a kind gets; a rule's own field of the same name wins.
	Fields map[directory.RecordKind][]FieldSpec
	// Leavers says what happens to a record whose object is gone or matches no rule any more, and DeleteAfter when one that was
	// deactivated is deleted (Leaver). LeaversOf says it of some kinds of record instead.
	Leavers     Leavers
	DeleteAfter time.Duration
	LeaversOf   map[directory.RecordKind]Leaver
	// Keep names records that are neither deactivated nor deleted.
	Keep []KeepSpec
	// Choices are lists that each decide one thing, which expressions read as choice.NAME.
	Choices []ChoiceSpec
	// Tables are what expressions look up as table.NAME[key], by name.
	Tables map[string]*Table
	// Tickets are opened when people come and leave.
	Tickets []TicketSpec
	// Seats limits how many active records of a kind of people there may be.
	Seats map[directory.RecordKind]Seats
}

// Of returns the rules for objects of a kind.
func (s *Spec) Of(kind directory.Kind) []RuleSpec {
	switch kind {
	case directory.Person:
		return s.Rules
	case directory.Group:
		return s.Groups
	case directory.Licence:
		return s.Licences
	case directory.Device:
		return s.Devices
	case directory.Customer:
		return s.Customers
	case directory.Site:
		return s.Sites
	default:
		return nil
	}
}

// RecordsOf lists the kinds of record that rules can make of an object of a kind, in the order of their numbers.
func RecordsOf(kind directory.Kind) []directory.RecordKind {
	switch kind {
	case directory.Person:
		return []directory.RecordKind{directory.UserRecord, directory.AgentRecord}
	case directory.Group:
		return []directory.RecordKind{directory.GroupRecord}
	case directory.Licence:
		return []directory.RecordKind{directory.LicenceRecord}
	case directory.Device:
		return []directory.RecordKind{directory.AssetRecord}
	case directory.Customer:
		return []directory.RecordKind{directory.CustomerRecord}
	case directory.Site:
		return []directory.RecordKind{directory.SiteRecord}
	default:
		return nil
	}
}

// ObjectOf returns the kind of object that records of a kind are made of; zero when rules make no such records.
func ObjectOf(record directory.RecordKind) directory.Kind {
	for _, kind := range directory.Kinds() {
		if slices.Contains(RecordsOf(kind), record) {
			return kind
		}
	}
	return 0
}

// RuleSpec is one rule.
type RuleSpec struct {
	Name   string
	Pos    Pos
	When   TextSpec // empty: always
	Ignore bool
	// NewOnly: of those who have a record of the kind already, nothing is changed in it.
	NewOnly bool
	// UpdateOnly: the records are for what a target has already; nothing is to be made there (directory.ImportUpdateOnly).
	UpdateOnly bool
	// Always are the keys of records that a rule for groups has among the members, whatever the source says.
	Always []string
	// Records are the kinds that the rule makes (see RecordsOf), each with the fields that it sets besides
	// those of Spec.Fields.
	Records map[directory.RecordKind][]FieldSpec
}

// FieldSpec says how one field of a record gets its value.
type FieldSpec struct {
	Name string
	Pos  Pos
	// Value is a literal, or an expression when it is a text that begins with "=".
	Value ValueSpec
	On    On
	Blank Blank
}

// On says when a field is set.
type On string

// When a field is set.
const (
	OnAlways On = "always" // the default
	OnCreate On = "create" // once: afterwards the field belongs to the people at the target
)

// Blank says what a blank value does to a field that had one.
type Blank string

// What a blank value does.
const (
	KeepBlank  Blank = "keep"  // the default: the last value stays
	ClearBlank Blank = "clear" // the field becomes Null at the target
)

// TextSpec is a text of the configuration and where it stands.
type TextSpec struct {
	Text string
	Pos  Pos
}

// ValueSpec is a scalar of the configuration and where it stands.
type ValueSpec struct {
	Value any // string, bool, int64 or []string
	Pos   Pos
}

// Pos is a place in the configuration file, both numbers from 1; zero when unknown.
type Pos struct{ Line, Column int }

// Problem is something wrong with a Spec.
type Problem struct {
	Pos     Pos
	Message string // what is wrong, with the name of the rule and the field
	Hint    string // what to write instead
	// Table is the name of a table that there is not, where that is what is wrong.
	Table string
	// Choice is the name of a choice that there is not, or that cannot be used, where that is what is wrong.
	Choice string
}
