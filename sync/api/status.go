package api

import "time"

// Status is how everything is.
type Status struct {
	Version string    `json:"version"`
	Daemon  bool      `json:"daemon"` // false: nobody is running, this is the stored state
	PID     int       `json:"pid,omitempty"`
	Started time.Time `json:"started,omitzero"`
	Config  string    `json:"config"`
	State   string    `json:"state"`
	// ConfigSum tells the text of the configuration in force from others (config.SumOf).
	ConfigSum string `json:"config_sum,omitempty"`
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
	State   string    `json:"state"`
	Proven  time.Time `json:"proven,omitzero"` // when last known to agree with the source
	Failing *Failure  `json:"failing,omitempty"`
	Held    *HeldPlan `json:"held,omitempty"`
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

// Failure says since when and why the runs of a tenant fail.
type Failure struct {
	Class string    `json:"class"` // in the words of package fault
	Text  string    `json:"text"`
	Since time.Time `json:"since"`
	Runs  int       `json:"runs"` // failed runs in a row
	// Retry is before when no schedule tries again; zero when every schedule does.
	Retry time.Time `json:"retry,omitzero"`
}

// HeldPlan is a plan that waits for the operator.
type HeldPlan struct {
	Hash    string    `json:"hash"`
	Run     string    `json:"run"` // that made it
	Since   time.Time `json:"since"`
	Reasons []string  `json:"reasons"`
	Counts  Counts    `json:"counts"`
	// RemovalsOnly: the rest of the run was applied; only removals wait.
	RemovalsOnly bool `json:"removals_only,omitempty"`
}
