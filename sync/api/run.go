package api

import "time"

// SyncRequest says what to sync.
type SyncRequest struct {
	Connections []string `json:"connections,omitempty"` // empty: all
	Full        bool     `json:"full,omitempty"`
	// User is the one person who is read, of one connection or tenant, by key, id, login, address, name or employee id; empty: everybody.
	User string `json:"user,omitempty"`
	// Actions is how many actions of each run the answer names at most; 0: none.
	Actions int `json:"actions,omitempty"`
}

// SyncResult is what came of it.
type SyncResult struct {
	Runs      []Run      `json:"runs"`
	Delivered []Delivery `json:"delivered"`
	// Elsewhere are connections that this process may not read, where none was named.
	Elsewhere []Elsewhere `json:"elsewhere,omitempty"`
}

// Elsewhere is a connection that only some workers read, none of which was asked.
type Elsewhere struct {
	Connection string   `json:"connection"`
	Workers    []string `json:"workers"`
	// Asked: one of them was told to, and does it when it can.
	Asked bool `json:"asked,omitempty"`
}

// Run is one run of one tenant.
type Run struct {
	Connection string    `json:"connection"`
	Tenant     string    `json:"tenant,omitempty"`
	TenantName string    `json:"tenant_name,omitempty"`
	ID         string    `json:"id"`
	Trigger    string    `json:"trigger"`      // who asked: schedule, signal, operator, and the like
	By         string    `json:"by,omitempty"` // the user who asked, where a person did
	Mode       string    `json:"mode"`         // full, delta, offline or user
	Started    time.Time `json:"started"`
	Ended      time.Time `json:"ended,omitzero"`
	Outcome    string    `json:"outcome"` // one of the words below
	Error      string    `json:"error,omitempty"`
	Class      string    `json:"class,omitempty"` // of the error, in the words of package fault
	Notes      []string  `json:"notes,omitempty"` // what the operator should know, one line each
	Read       int       `json:"read"`            // objects
	Changed    int       `json:"changed"`         // objects that were new or different
	Removed    int       `json:"removed"`         // objects that are gone
	Requests   int       `json:"requests,omitempty"`
	Counts     Counts    `json:"counts,omitempty"` // actions
	Parked     int       `json:"parked,omitempty"`
	Held       string    `json:"held,omitempty"`     // hash of the held plan
	Approved   string    `json:"approved,omitempty"` // hash of the plan that was let go ahead
	// Undid is the run that this one undid.
	Undid string `json:"undid,omitempty"`
	// Told is how many records one target was told of that others know already; Counts has none of them.
	Told int `json:"told,omitempty"`
	// Records counts the active records at its end by kind, and Queued the actions that targets had not taken then.
	Records map[string]int `json:"records,omitempty"`
	Queued  int            `json:"queued,omitempty"`
	// HeldCounts are the actions that wait with it. Those of Counts went ahead.
	HeldCounts Counts `json:"held_counts,omitempty"`
	// Rules counts the objects that the run looked at by kind and rule that decided; under the empty name, those whom none did.
	Rules Counts `json:"rules,omitempty"`
	// HeldReasons says why a plan was held.
	HeldReasons []string `json:"held_reasons,omitempty"`
	// Actions are the first actions of the run, where they were asked for; Counts counts all of them. What they changed is
	// not said of a creation.
	Actions []PlannedAction `json:"actions,omitempty"`
}

// Outcomes of a run.
const (
	Clean   = "clean"
	Parked  = "parked"
	Held    = "held"
	Failed  = "failed"
	Waiting = "waiting" // it did not begin: schedules leave refused credentials alone for a while
)

// Counts are numbers of actions by kind of record and operation: {"user": {"create": 12}}. Of a connection
// that makes no records, because others are made of it, they are of people: {"person": {"create": 12}}.
type Counts map[string]map[string]int

// Delivery is how a target fared.
type Delivery struct {
	Target    string `json:"target"`
	Delivered int    `json:"delivered"`
	Parked    int    `json:"parked"`
	Waiting   int    `json:"waiting"`
	Error     string `json:"error,omitempty"` // why the rest waits
	// Others: another worker delivers. What it has delivered is not among Delivered. Workers is who that is, or those of whom it is one where the target is bound to some.
	Others  bool     `json:"others,omitempty"`
	Workers []string `json:"workers,omitempty"`
	// Waits are the actions that the target says have to wait, by cause, as in TargetStatus; they are not among Waiting.
	Waits map[string]int `json:"waits,omitempty"`
}

// Progress says how far a sync or plan is.
type Progress struct {
	Connection string `json:"connection"`
	Tenant     string `json:"tenant,omitempty"`
	Stage      string `json:"stage"` // read, settle, retry, deliver
	Stream     string `json:"stream,omitempty"`
	Done       int    `json:"done"`
	Total      int    `json:"total,omitempty"` // 0: unknown
}

// RunsRequest says which runs.
type RunsRequest struct {
	Connection string `json:"connection,omitempty"` // empty: all
	Limit      int    `json:"limit,omitempty"`      // 0: 20
	// ID asks for the run with this id, or with its last four digits, alone, with as many of its actions as are kept.
	// Several tenants may have one.
	ID string `json:"id,omitempty"`
}

// FewActions is how many actions a run is followed by where nobody said how many: what a person reads at a glance.
const FewActions = 20
