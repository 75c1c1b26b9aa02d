package api

import "time"

// ResendRequest says who is told everything again.
type ResendRequest struct {
	Target string `json:"target"`
	// Connections are those whose records are sent, or single tenants of them; empty: all that use the target.
	Connections []string `json:"connections,omitempty"`
	// Since leaves out records that have not changed since; zero: none is left out.
	Since time.Time `json:"since,omitzero"`
	// Dry sends nothing: the runs of the answer have no id, and their Counts say what would be sent.
	Dry bool `json:"dry,omitempty"`
}

// Telling is how far a target is with being told every record of a tenant at once: because it is new, or because the
// operator asked for that.
type Telling struct {
	Target string `json:"target"`
	// Coming: it begins with the next run that settles.
	Coming bool `json:"coming,omitempty"`
	// Again: the target was told before.
	Again   bool `json:"again,omitempty"`
	Records int  `json:"records"`
	// Waiting is how many of them the target has not taken yet.
	Waiting int       `json:"waiting"`
	Since   time.Time `json:"since,omitzero"` // of the run that queued them
}
