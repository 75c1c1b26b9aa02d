package api

import "time"

// ShowRequest says whom to show.
type ShowRequest struct {
	// Who is a key, id, login, address, name or employee id.
	Who string `json:"who"`
	// Connections are those where the person is looked for, or single tenants of them; empty: all.
	Connections []string `json:"connections,omitempty"`
	// Read reads the sources into a throw-away copy of the state first, as Plan does: the records are then those that the
	// next run would make.
	Read bool `json:"read,omitempty"`
}

// Person is what is known of somebody: what the source says, what the targets were told, what of it waits, and what was
// done last. It holds personal data.
type Person struct {
	Connection string `json:"connection"`
	Tenant     string `json:"tenant,omitempty"`
	TenantName string `json:"tenant_name,omitempty"`
	ID         string `json:"id"`
	Key        string `json:"key"` // of the records
	// Object are the fields as last seen at the source; absent when the object was forgotten.
	Object map[string]any `json:"object,omitempty"`
	Groups []string       `json:"groups,omitempty"`
	// GroupPaths say of each of Groups through which others somebody is in it: "Service Desk > 1st Line".
	GroupPaths []string       `json:"group_paths,omitempty"`
	Licences   []string       `json:"licences,omitempty"`
	Manager    string         `json:"manager,omitempty"` // by name
	Gone       string         `json:"gone,omitempty"`    // why the person counts as removed
	Records    []PersonRecord `json:"records,omitempty"`
	// Waiting: something changed that was not settled yet, or is held.
	Waiting bool           `json:"waiting,omitempty"`
	Held    string         `json:"held,omitempty"` // hash of the held plan
	Queued  []QueuedAction `json:"queued,omitempty"`
	Parked  []ParkedItem   `json:"parked,omitempty"`
	// Changes are the last ones, newest first, of the runs that are kept.
	Changes []PersonChange `json:"changes,omitempty"`
}

// PersonRecord is one of a person's records, as the targets were last told.
type PersonRecord struct {
	Kind string `json:"kind"`
	RecordReason
}

// QueuedAction is an action that a target has not taken yet.
type QueuedAction struct {
	Target string    `json:"target"`
	Since  time.Time `json:"since"`
	Op     string    `json:"op"`
	Kind   string    `json:"kind"`
}

// PersonChange is what a run did to one of a person's records.
type PersonChange struct {
	Run     string    `json:"run"`
	Started time.Time `json:"started"`
	PlannedAction
}
