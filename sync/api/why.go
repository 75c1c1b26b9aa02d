package api

import "time"

// ExplainedKinds lists the kinds of record that Why explains.
func ExplainedKinds() []string {
	return []string{"user", "agent", "group", "licence", "asset", "customer", "site"}
}

// Reason explains a record: what the targets were told of it, where each field came from, and what the present rules
// make of the object as it was last seen. It holds personal data.
type Reason struct {
	Kind       string `json:"kind"`
	Key        string `json:"key"`
	Connection string `json:"connection"`
	Tenant     string `json:"tenant,omitempty"`
	// ID, Object and Groups are the source object's id, its fields as last seen, and its groups by name.
	ID     string         `json:"id"`
	Object map[string]any `json:"object,omitempty"`
	Groups []string       `json:"groups,omitempty"`
	// GroupPaths say of each of Groups through which others somebody is in it: "Service Desk > 1st Line".
	GroupPaths []string `json:"group_paths,omitempty"`
	// Strangers are how many a group, or one below it, lists who are nobody that is read.
	Strangers int           `json:"strangers,omitempty"`
	Gone      string        `json:"gone,omitempty"`   // why it counts as removed
	Record    *RecordReason `json:"record,omitempty"` // nil: the targets were never told of one
	Others    []OtherRecord `json:"others,omitempty"` // of the same object
	Rules     []RuleReason  `json:"rules,omitempty"`
	Fields    []FieldReason `json:"fields,omitempty"`
	// Waiting: something changed that was not settled yet, or is held.
	Waiting bool   `json:"waiting,omitempty"`
	Held    string `json:"held,omitempty"` // hash of the held plan
	Parked  string `json:"parked,omitempty"`
	Error   string `json:"error,omitempty"` // what the rules failed with
	// Targets are the things that the record has at targets with things of their own, and what it waits for there.
	Targets []AtTarget `json:"targets,omitempty"`
	// Import is the mode of the connection when it is an import: sync, create_only or update_only.
	Import string `json:"import,omitempty"`
	// Choices are what each choice of the mapping that the rules read came to.
	Choices []ChoiceReason `json:"choices,omitempty"`
	// Kept names the entry of the mapping's `keep` by which the record is neither deactivated nor deleted.
	Kept string `json:"kept,omitempty"`
	// SignedIn is the provider of identity by which the object came, as long as its source has not named it.
	SignedIn string `json:"signed_in,omitempty"`
	// DeleteAt is when the record, which is deactivated, is deleted if nothing comes back.
	DeleteAt time.Time `json:"delete_at,omitzero"`
	// Next is when it is looked at again although nothing changes: the answer of a rule about a date may be another one then.
	Next time.Time `json:"next,omitzero"`
	// Seats: it waits for one of so many seats of the desk.
	Seats int `json:"seats,omitempty"`
	// Tickets are those that the mapping opens for such records, and others that were opened.
	Tickets []TicketReason `json:"tickets,omitempty"`
}

// TicketReason is a ticket that is opened when the person joins or leaves.
type TicketReason struct {
	Ticket string `json:"ticket"`
	On     string `json:"on,omitempty"` // join or leave; empty: the mapping has it no longer
	// Key is that of the last one that was opened, Opened when, and Run by which run; empty for none.
	Key    string    `json:"key,omitempty"`
	Opened time.Time `json:"opened,omitzero"`
	Run    string    `json:"run,omitempty"`
	// Not says why the last occasion, at Since, opened none.
	Not   string    `json:"not,omitempty"`
	Since time.Time `json:"since,omitzero"`
}

// ChoiceReason is one choice and what it came to.
type ChoiceReason struct {
	Choice string `json:"choice"`
	Value  any    `json:"value"`
	// Line is the number of the line that decided, from 1; 0 when none held. When and Is are what it says.
	Line int    `json:"line"`
	When string `json:"when,omitempty"`
	Is   string `json:"is,omitempty"`
	// Sources are the source values that the line reads, by name.
	Sources map[string]any `json:"sources,omitempty"`
	// Error says why there is no value.
	Error string `json:"error,omitempty"`
}

// RecordReason is the record as the targets were last told.
type RecordReason struct {
	State   string        `json:"state"`            // active, deactivated or deleted
	Reason  string        `json:"reason,omitempty"` // why it was taken away, in the words of the event
	Rule    string        `json:"rule"`
	Run     string        `json:"run"`
	Changed time.Time     `json:"changed"`
	Fields  []RecordField `json:"fields"`
	Members int           `json:"members,omitempty"`
	// Undone says what was undone of it and waits, by whom, when and of which run.
	Undone string `json:"undone,omitempty"`
}

// RecordField is one field of the record and the run that set it.
type RecordField struct {
	Field string    `json:"field"`
	Value any       `json:"value"`
	Run   string    `json:"run"`
	Since time.Time `json:"since"`
}

// OtherRecord is a record of another kind that the same object has, or had.
type OtherRecord struct {
	Kind   string `json:"kind"`
	Key    string `json:"key"`
	State  string `json:"state"`
	Reason string `json:"reason,omitempty"`
}

// RuleReason is one rule and why it did or did not decide.
type RuleReason struct {
	Rule string `json:"rule"`
	When string `json:"when,omitempty"`
	// Outcome says what came of it, followed by ": " and the reason where there is more to say.
	Outcome string `json:"outcome"`
	// Sources are the source values that the condition reads, by name; nil for what the source did not tell.
	Sources map[string]any `json:"sources,omitempty"`
}

// FieldReason is one field that the present rules set, and where its value comes from.
type FieldReason struct {
	Record string `json:"record"` // kind of the record
	Field  string `json:"field"`
	// Expression is the operator's text; a literal stands as it is.
	Expression string `json:"expression"`
	// From says which part of the mapping set it: the rule, or the mapping's fields.
	From string `json:"from"`
	// Sources are the source values that the expression reads, by name.
	Sources map[string]any `json:"sources,omitempty"`
	Value   any            `json:"value"`
	On      string         `json:"on"`    // when it is set: always, or OnCreate
	Blank   string         `json:"blank"` // what a blank value does
	// Error says why the field has no value; empty when it has one, be it blank.
	Error string `json:"error,omitempty"`
	// Contributors are the connections that the source values are from, by name, where the connection is made of others.
	Contributors map[string]string `json:"contributors,omitempty"`
}

// OnCreate is FieldReason.On of a field that is set when its record is made, and never again.
const OnCreate = "create"
