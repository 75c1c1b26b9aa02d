// Package control is what an operator can ask of dirsyncd: the operations themselves, and how they travel from
// a command to a running daemon (HTTP over a unix socket). A command uses the same Operations whether the work
// is done by the daemon or, when none is running, by the command's own process.
package control

import (
	"context"
	"io"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/engine"
)

// Operations are what an operator can ask for. All methods may be called concurrently. Errors are classified
// by package fault and say what to do.
type Operations interface {
	// Status says how everything is.
	Status(ctx context.Context) (Status, error)
	// Sync runs connections now, all when none is named, waits for them and for what can be delivered at
	// once. progress, when not nil, is called now and then.
	Sync(ctx context.Context, req SyncRequest, progress func(Progress)) (SyncResult, error)
	// Plan says what a sync would do, without doing it: it works on a throw-away copy of the state. visit
	// is called for every action in order.
	Plan(ctx context.Context, req PlanRequest, visit func(PlannedAction)) ([]Run, error)
	// Approve lets the held plan with this hash go ahead, and delivers.
	Approve(ctx context.Context, hash string) (SyncResult, error)
	// Discard throws the held plan with this hash away; the next run reads in full.
	Discard(ctx context.Context, hash string) error
	// Runs returns the latest runs, newest first.
	Runs(ctx context.Context, req RunsRequest) ([]Run, error)
	// Why explains the records of a kind ("user") that somebody has; who is a key, id, login, address or name.
	Why(ctx context.Context, kind, who string) ([]engine.Reason, error)
	// Parked lists what is parked.
	Parked(ctx context.Context) ([]ParkedItem, error)
	// Replay tries parked items again; Drop forgets them. Both take the IDs of Parked, none for all, and return
	// how many were found.
	Replay(ctx context.Context, ids []string) (int, error)
	Drop(ctx context.Context, ids []string) (int, error)
	// Backup writes a copy of the whole state, as it is at one moment, in the form of the state file. After an
	// error what was written is of no use.
	Backup(ctx context.Context, to io.Writer) error
}

// SyncRequest says what to sync.
type SyncRequest struct {
	Connections []string `json:"connections,omitempty"` // empty: all
	Full        bool     `json:"full,omitempty"`
}

// SyncResult is what came of it.
type SyncResult struct {
	Runs      []Run      `json:"runs"`
	Delivered []Delivery `json:"delivered"`
}

// Run is one run of one tenant.
type Run struct {
	Connection string `json:"connection"`
	Tenant     string `json:"tenant,omitempty"`
	TenantName string `json:"tenant_name,omitempty"`
	store.Run
	// HeldReasons says why a plan was held.
	HeldReasons []string `json:"held_reasons,omitempty"`
}

// Delivery is how a target fared.
type Delivery struct {
	Target    string `json:"target"`
	Delivered int    `json:"delivered"`
	Parked    int    `json:"parked"`
	Waiting   int    `json:"waiting"`
	Error     string `json:"error,omitempty"` // why the rest waits
}

// Progress says how far a sync or plan is.
type Progress struct {
	Connection string `json:"connection"`
	Tenant     string `json:"tenant,omitempty"`
	Stage      string `json:"stage"` // read, settle, deliver
	Stream     string `json:"stream,omitempty"`
	Done       int    `json:"done"`
	Total      int    `json:"total,omitempty"` // 0: unknown
}

// PlanRequest says what to plan.
type PlanRequest struct {
	Connections []string `json:"connections,omitempty"`
	Full        bool     `json:"full,omitempty"`
	// Offline uses the stored objects only.
	Offline bool `json:"offline,omitempty"`
}

// PlannedAction is one action of a plan.
type PlannedAction struct {
	Connection string `json:"connection"`
	Tenant     string `json:"tenant,omitempty"`
	Op         string `json:"op"`
	Kind       string `json:"kind"`
	Key        string `json:"key"`
	Name       string `json:"name,omitempty"` // the record's name field, for people
	Rule       string `json:"rule,omitempty"`
	Reason     string `json:"reason,omitempty"`
	// Changes are the fields that differ; all fields for a create.
	Changes []PlannedChange `json:"changes,omitempty"`
	Added   int             `json:"added,omitempty"` // members
	Removed int             `json:"removed,omitempty"`
}

// PlannedChange is one field before and after.
type PlannedChange struct {
	Field string `json:"field"`
	From  any    `json:"from,omitempty"`
	To    any    `json:"to,omitempty"`
}

// RunsRequest says which runs.
type RunsRequest struct {
	Connection string `json:"connection,omitempty"` // empty: all
	Limit      int    `json:"limit,omitempty"`      // 0: 20
}

// ParkedItem is something that failed for good and waits for the operator.
type ParkedItem struct {
	ID         string    `json:"id"` // unique: connection, tenant and number
	Connection string    `json:"connection"`
	Tenant     string    `json:"tenant,omitempty"`
	Since      time.Time `json:"since"`
	Stage      string    `json:"stage"` // read, map, deliver
	Target     string    `json:"target,omitempty"`
	Subject    string    `json:"subject"`      // "user/hq-ad/1", or kind and id of the object
	Op         string    `json:"op,omitempty"` // of a parked action
	Class      string    `json:"class"`
	Reason     string    `json:"reason"`
}

// Status is how everything is.
type Status struct {
	Version string    `json:"version"`
	Daemon  bool      `json:"daemon"` // false: nobody is running, this is the stored state
	PID     int       `json:"pid,omitempty"`
	Started time.Time `json:"started,omitzero"`
	Config  string    `json:"config"`
	State   string    `json:"state"`
	// Problem is set when the last reload was refused.
	Problem     string             `json:"problem,omitempty"`
	Connections []ConnectionStatus `json:"connections"`
	Targets     []TargetStatus     `json:"targets"`
}

// ConnectionStatus is how a connection is.
type ConnectionStatus struct {
	Name      string         `json:"name"`
	Connector string         `json:"connector"`
	Mapping   string         `json:"mapping"`
	Targets   []string       `json:"targets"`
	Running   bool           `json:"running,omitempty"`
	Next      time.Time      `json:"next,omitzero"` // only of a daemon
	NextFull  time.Time      `json:"next_full,omitzero"`
	Tenants   []TenantStatus `json:"tenants"`
}

// TenantStatus is how a tenant is.
type TenantStatus struct {
	Tenant string `json:"tenant,omitempty"`
	Name   string `json:"name,omitempty"`
	// State is new, ok, due (a full read comes next), held, parked or failing.
	State   string          `json:"state"`
	Proven  time.Time       `json:"proven,omitzero"` // when last known to agree with the source
	Failing *store.Failure  `json:"failing,omitempty"`
	Held    *store.HeldPlan `json:"held,omitempty"`
	// FullNext is why the next run reads everything; empty when it need not.
	FullNext string `json:"full_next,omitempty"`
	// Objects and Records count what is stored by kind: present objects, active records.
	Objects map[string]int `json:"objects,omitempty"`
	Records map[string]int `json:"records,omitempty"`
	Parked  int            `json:"parked,omitempty"`
}

// TargetStatus is how a target is.
type TargetStatus struct {
	Name    string    `json:"name"`
	Target  string    `json:"target"`
	State   string    `json:"state"` // ok, failing, unknown
	Error   string    `json:"error,omitempty"`
	Since   time.Time `json:"since,omitzero"` // of a failure
	NextTry time.Time `json:"next_try,omitzero"`
	Waiting int       `json:"waiting"`
	Oldest  time.Time `json:"oldest,omitzero"` // when the oldest waiting action was queued
	Parked  int       `json:"parked"`
}
