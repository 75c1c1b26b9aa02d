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
	// ConfigSum tells the text of the configuration in force from others (config.Text.Sum).
	ConfigSum string `json:"config_sum,omitempty"`
	// Problem is set when the last reload was refused.
	Problem     string             `json:"problem,omitempty"`
	Connections []ConnectionStatus `json:"connections"`
	Targets     []TargetStatus     `json:"targets"`
	// Unconfigured are connections that are not configured, and of which the state holds active records or a held plan.
	Unconfigured []UnconfiguredConnection `json:"unconfigured,omitempty"`
	// Providers are those at which people sign in.
	Providers []ProviderStatus `json:"providers,omitempty"`
	// Workers are the processes that share the state; none where one has it to itself.
	Workers []WorkerStatus `json:"workers,omitempty"`
	// Unstaffed are connections and targets of whose workers none is alive.
	Unstaffed []Unstaffed `json:"unstaffed,omitempty"`
	// Conditions are what somebody would be told of (docs/notices.md), also where nobody is.
	Conditions []Condition `json:"conditions,omitempty"`
	// Recipients are those of notices who cannot be told at present.
	Recipients []RecipientStatus `json:"recipients,omitempty"`
}

// Unstaffed is a connection or target that waits for a worker.
type Unstaffed struct {
	Kind    string   `json:"kind"` // connection, target
	Name    string   `json:"name"`
	Workers []string `json:"workers"` // one of these
}

// Condition is something that somebody has to know.
type Condition struct {
	Kind  string    `json:"kind"`  // held, failing, parked, review, unproven, late, empty, seats, expiring
	Where string    `json:"where"` // "connection hq-ad"
	Text  string    `json:"text"`
	Hint  string    `json:"hint,omitempty"`
	Since time.Time `json:"since,omitzero"`
	Ends  time.Time `json:"ends,omitzero"` // of what runs out
}

// RecipientStatus is a recipient of notices who cannot be told.
type RecipientStatus struct {
	Name  string    `json:"name"`
	Since time.Time `json:"since"`
	Error string    `json:"error"`
	Hint  string    `json:"hint,omitempty"`
}

// WorkerStatus is a process that shares the state with others.
type WorkerStatus struct {
	Name    string    `json:"name"`
	Version string    `json:"version"`
	Started time.Time `json:"started"`
	// State is working, draining (it takes nothing more), or outdated (nor does it, as its configuration is not the one that was
	// published last).
	State string `json:"state"`
	// Holds is what it works on: "run CONNECTION", "run CONNECTION (share 1 of 2)", "audit TARGET", and "deliver TARGET" for each target that is its own
	// until it ends, whether there is anything to deliver or not.
	Holds []string `json:"holds,omitempty"`
}

// ProviderStatus is how a provider of identity is, as far as that is known without asking it.
type ProviderStatus struct {
	Name string `json:"name"`
	// Seen is when it last published what it is, or let somebody in.
	Seen time.Time     `json:"seen,omitzero"`
	Ends []ProviderEnd `json:"ends,omitempty"`
}

// ProviderEnd is something that runs out.
type ProviderEnd struct {
	Use  string    `json:"use"` // their_signing, our_key, next_key, client_secret, metadata
	At   time.Time `json:"at"`
	Soon bool      `json:"soon,omitempty"` // so soon that something is to be done
	Text string    `json:"text"`
	Hint string    `json:"hint,omitempty"` // what
}

// UnconfiguredConnection is a connection that is no longer configured.
type UnconfiguredConnection struct {
	Name    string         `json:"name"`
	Records int            `json:"records"` // active ones
	Tenants []TenantStatus `json:"tenants"`
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
	// Questions is how many people, of a connection that is made of others, wait for a human to say who they are (Matches).
	Questions int `json:"questions,omitempty"`
	// Undecided are the rules that decided about nobody since they are in force, as "person/NAME".
	Undecided []string `json:"undecided,omitempty"`
	// Unmet are tenants that the configuration names and that are not there.
	Unmet []string `json:"unmet,omitempty"`
}

// TenantStatus is how a tenant is.
type TenantStatus struct {
	Tenant string `json:"tenant,omitempty"`
	Name   string `json:"name,omitempty"`
	// State is new, ok, due (a full read comes next), held, parked or failing.
	State  string    `json:"state"`
	Proven time.Time `json:"proven,omitzero"` // when last known to agree with the source
	// Listed is when the streams that tell changes were last listed in full and proven, the oldest of them; zero when there are none.
	Listed  time.Time `json:"listed,omitzero"`
	Failing *Failure  `json:"failing,omitempty"`
	Held    *HeldPlan `json:"held,omitempty"`
	// FullNext is why the next run reads everything; empty when it need not.
	FullNext string `json:"full_next,omitempty"`
	// Objects and Records count what is stored by kind: present objects, active records.
	Objects map[string]int `json:"objects,omitempty"`
	Records map[string]int `json:"records,omitempty"`
	Parked  int            `json:"parked,omitempty"`
	// Telling are targets that are told every record at once, as long as something of that waits.
	Telling []Telling `json:"telling,omitempty"`
	// NextDue is when a run next finds something to do although nothing changes: a record to be deleted, or another answer about a
	// date. Zero when nothing is awaited.
	NextDue time.Time `json:"next_due,omitzero"`
	// Unasked counts what was done within the last 24 hours and 7 days ("24h", "7d") and nobody approved, by what the limits over time
	// are about: "user/deactivate", "memberships", and "user.email" for updates that change a field.
	Unasked map[string]map[string]int `json:"unasked,omitempty"`
	// Seats are the desk's own licences that the mapping counts.
	Seats []Seats `json:"seats,omitempty"`
}

// Seats is how it stands with licences of the desk's own that active records take.
type Seats struct {
	Kind    string `json:"kind"`
	Value   string `json:"value,omitempty"` // of the field by which they are told apart
	Limit   int    `json:"limit"`
	Taken   int    `json:"taken"`
	Waiting int    `json:"waiting,omitempty"` // people who get none
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
	// Waits are the actions that the target says have to wait, by cause (targets.Cause); they are not among Waiting.
	Waits map[string]int `json:"waits,omitempty"`
	// Held are the hashes of what waits for an approval at a target that has things of its own: the first contact, or what its
	// guard holds.
	Held []string `json:"held,omitempty"`
	// Audited is when the last audit there came to its end, Audit what it found: by kind of record, and finding.
	Audited time.Time                 `json:"audited,omitzero"`
	Audit   map[string]map[string]int `json:"audit,omitempty"`
	// NextAudit is when the schedule of a daemon has the next one.
	NextAudit time.Time `json:"next_audit,omitzero"`
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

// UnconfiguredHint says what can be done about a connection that is not configured any more.
func UnconfiguredHint(name string) string {
	return "if it has another name now: `dirsyncd state rename " + name + " NAME`; if it is gone: `dirsyncd state retire " + name + "`; or configure it again"
}
