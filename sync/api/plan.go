package api

// PlanRequest says what to plan.
type PlanRequest struct {
	Connections []string `json:"connections,omitempty"`
	Full        bool     `json:"full,omitempty"`
	// Offline uses the stored objects only.
	Offline bool `json:"offline,omitempty"`
	// User is the one person who is read, as in SyncRequest.
	User string `json:"user,omitempty"`
	// Config is a configuration to plan by, in place of the one in force; nil: that one.
	Config *ConfigText `json:"config,omitempty"`
}

// PlanResult is what a plan came to, beside its actions.
type PlanResult struct {
	Runs []Run `json:"runs"`
	// Elsewhere are connections that this process may not read, where none was named.
	Elsewhere []Elsewhere `json:"elsewhere,omitempty"`
}

// ConfigText is a configuration file. It may hold secrets.
type ConfigText struct {
	// Pattern is what names it, where another file includes it, and Included are those that it includes.
	Pattern  string       `json:"pattern,omitempty"`
	Included []ConfigText `json:"included,omitempty"`

	File string `json:"file"` // its absolute path: where its relative paths start, and its name in messages
	Text string `json:"text"`
}

// PlannedAction is one action of a plan.
type PlannedAction struct {
	Connection string `json:"connection"`
	Tenant     string `json:"tenant,omitempty"`
	TenantName string `json:"tenant_name,omitempty"`
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
	// Entered and Left are the keys of the members that came and went, of an action that was sent (RunActions).
	Entered []string `json:"entered,omitempty"`
	Left    []string `json:"left,omitempty"`
}

// PlannedChange is one field before and after.
type PlannedChange struct {
	Field string `json:"field"`
	From  any    `json:"from,omitempty"`
	To    any    `json:"to,omitempty"`
}
