package api

// HeldRequest asks what a held plan would do.
type HeldRequest struct {
	// Hash is that of a plan of a connection; what waits at a target is shown by Adopt.
	Hash string `json:"hash"`
	// Kind and Op are the kind of record and the operation that are wanted; empty: all.
	Kind string `json:"kind,omitempty"`
	Op   string `json:"op,omitempty"`
	// Who is a part of a name or key, in capitals or not; empty: all.
	Who string `json:"who,omitempty"`
	// From is how many actions of those that are wanted are left out.
	From int `json:"from,omitempty"`
	// Limit is how many are returned at most; 0: HeldPage.
	Limit int `json:"limit,omitempty"`
}

// HeldPage is how many actions of a held plan are returned where nobody said how many.
const HeldPage = 50

// HeldActions are actions of a held plan. They hold personal data.
type HeldActions struct {
	Connection string `json:"connection"`
	Tenant     string `json:"tenant,omitempty"`
	TenantName string `json:"tenant_name,omitempty"`
	HeldPlan
	// Actions are in the order of the plan: what the plan would do by what is stored now.
	Actions []PlannedAction `json:"actions"`
	// More: there are others after these.
	More bool `json:"more,omitempty"`
}
