package store

import (
	"time"

	"dirsyncd/sync/directory"
)

// Queued is an action that waits for a target.
type Queued struct {
	Seq    uint64
	Queued time.Time
	Data   []byte // directory.AppendAction
}

// Parked is something that failed for good, kept until an operator replays or drops it.
type Parked struct {
	ID     uint64    `json:"id"`
	Since  time.Time `json:"since"`
	Reason string    `json:"reason"`
	Class  string    `json:"class"`
	// Stage says where it failed: read, map or deliver.
	Stage string `json:"stage"`
	// Kind and Object name the object that failed to be read or mapped.
	Kind   directory.Kind `json:"kind,omitempty"`
	Object string         `json:"object,omitempty"`
	// Where names the object's place at the source, where that says more than Object: a file and a line.
	Where string `json:"where,omitempty"`
	// Target, Subject and Action are set for an action that a target refused.
	Target  string `json:"target,omitempty"`
	Subject string `json:"subject,omitempty"` // directory.Subject
	Action  []byte `json:"action,omitempty"`  // directory.AppendAction
	// Tried: it, or a part of it, may have had its effect before it was refused.
	Tried bool `json:"tried,omitempty"`
}

// Run is what remains of a run.
type Run struct {
	ID       string                    `json:"id"`
	Trigger  string                    `json:"trigger"`
	By       string                    `json:"by,omitempty"` // the user who asked, where a person did
	Mode     string                    `json:"mode"`
	Started  time.Time                 `json:"started"`
	Ended    time.Time                 `json:"ended,omitzero"`
	Outcome  string                    `json:"outcome"` // clean, parked, held, failed
	Error    string                    `json:"error,omitempty"`
	Class    string                    `json:"class,omitempty"`
	Notes    []string                  `json:"notes,omitempty"` // what the operator should know, one line each
	Read     int                       `json:"read"`
	Changed  int                       `json:"changed"`
	Removed  int                       `json:"removed"`
	Requests int                       `json:"requests,omitempty"`
	Counts   map[string]map[string]int `json:"counts,omitempty"` // record kind, operation
	Parked   int                       `json:"parked,omitempty"`
	Held     string                    `json:"held,omitempty"`     // hash of the held plan
	Approved string                    `json:"approved,omitempty"` // hash of the plan that was let go ahead
	// Told is how many records one target was told of that others know already; it is in no count.
	Told int `json:"told,omitempty"`
	// Rules counts the objects that the run looked at by kind and rule that decided; under the empty name, those whom none did.
	Rules map[string]map[string]int `json:"rules,omitempty"`
	// Records counts the active records at its end by kind, and Queued the actions that targets had not taken then.
	Records map[string]int `json:"records,omitempty"`
	Queued  int            `json:"queued,omitempty"`
	// Undid is the id of the run that this one undid, or what of it was asked for.
	Undid string `json:"undid,omitempty"`
	// HeldCounts are the actions that wait, beside those of Counts, which went ahead.
	HeldCounts map[string]map[string]int `json:"held_counts,omitempty"`
}
