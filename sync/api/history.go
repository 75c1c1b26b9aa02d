package api

import "time"

// RunActionsRequest says which actions of a run.
type RunActionsRequest struct {
	// Run is the run's id, or the last four digits of it.
	Run string `json:"run"`
	// Kind, Op and Who are those of HeldRequest, and so are From and Limit.
	Kind  string `json:"kind,omitempty"`
	Op    string `json:"op,omitempty"`
	Who   string `json:"who,omitempty"`
	From  int    `json:"from,omitempty"`
	Limit int    `json:"limit,omitempty"`
	// Position is where in the run to begin, as RunActions.Next says: all before it is not looked at.
	Position int `json:"position,omitempty"`
}

// RunActions are actions of a run as they were sent, in their order. They hold personal data.
type RunActions struct {
	Run     Run             `json:"run"`
	Actions []PlannedAction `json:"actions"`
	// More: there are others after these, from the position Next on.
	More bool `json:"more,omitempty"`
	Next int  `json:"next,omitempty"`
	// Forgotten is how many of the run's first actions are not kept any more.
	Forgotten int `json:"forgotten,omitempty"`
}

// UndoRequest says what an undo is to be shown of.
type UndoRequest struct {
	// Run is the run's id, or the last four digits of it. Record is the key of the one record that is meant; empty: all.
	Run    string `json:"run"`
	Record string `json:"record,omitempty"`
	// Who, Kind, From and Limit are those of HeldRequest.
	Kind  string `json:"kind,omitempty"`
	Who   string `json:"who,omitempty"`
	From  int    `json:"from,omitempty"`
	Limit int    `json:"limit,omitempty"`
}

// UndoPlan is what an undo would bring back, and what it cannot. It holds personal data.
type UndoPlan struct {
	Run    Run    `json:"run"`
	Record string `json:"record,omitempty"`
	// Hash approves it; empty when there is nothing to bring back.
	Hash   string `json:"hash,omitempty"`
	Counts Counts `json:"counts,omitempty"`
	// Reasons are the limits of a run that it goes beyond, in words that go on after "it would".
	Reasons []string `json:"reasons,omitempty"`
	// Cannot is how many records stay as they are, in whole or in part, and Forgotten how many of the run's first actions are not kept any
	// more.
	Cannot    int `json:"cannot,omitempty"`
	Forgotten int `json:"forgotten,omitempty"`
	// Actions are a page of what it comes to, person by person; what is as it was before the run already is not among them.
	Actions []UndoAction `json:"actions"`
	More    bool         `json:"more,omitempty"`
}

// UndoAction is what an undo comes to for one record. Op is empty where nothing is brought back.
type UndoAction struct {
	PlannedAction
	// Kept is what stays as it is, and why.
	Kept []UndoKept `json:"kept,omitempty"`
	// Targets are those that have no such record as they should, or wait with it.
	Targets []AtTarget `json:"targets,omitempty"`
}

// UndoKept is a field that stays as it is, and why. Without a field it is the record.
type UndoKept struct {
	Field string `json:"field,omitempty"`
	Why   string `json:"why"`
}

// UndoApproval lets an undo go ahead.
type UndoApproval struct {
	Run    string `json:"run"`
	Record string `json:"record,omitempty"`
	// Approve is the hash of what was looked at.
	Approve string `json:"approve"`
}

// WhyAtRequest asks what a record was.
type WhyAtRequest struct {
	Kind string    `json:"kind"`
	Who  string    `json:"who"` // as for Why
	At   time.Time `json:"at"`
}

// Past is a record as the targets had been told of it at a time. It holds personal data.
type Past struct {
	Kind       string    `json:"kind"`
	Key        string    `json:"key"`
	Connection string    `json:"connection"`
	Tenant     string    `json:"tenant,omitempty"`
	Name       string    `json:"name,omitempty"` // that it has now
	At         time.Time `json:"at"`
	// State is active, deactivated, deleted or, before it was made, absent; empty: what is kept does not reach back that far.
	State string `json:"state,omitempty"`
	// Rule, Run and Since are the rule and the run of the last action about it by then; empty: before what is kept.
	Rule   string      `json:"rule,omitempty"`
	Run    string      `json:"run,omitempty"`
	Since  time.Time   `json:"since,omitzero"`
	Fields []PastField `json:"fields,omitempty"`
	// Reaches is since when all that was sent is kept; none when nothing is.
	Reaches time.Time `json:"reaches,omitzero"`
}

// PastField is a field at a time, and the run that had set it; none: before what is kept.
type PastField struct {
	Field string    `json:"field"`
	Value any       `json:"value,omitempty"`
	Run   string    `json:"run,omitempty"`
	Since time.Time `json:"since,omitzero"`
	// Unknown: it has changed since, and what is kept does not reach back that far.
	Unknown bool `json:"unknown,omitempty"`
}
