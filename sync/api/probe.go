package api

import "time"

// ProbeResult is what the database of the state, one connection, target or provider of identity answered when it was asked whether it would work.
type ProbeResult struct {
	Name     string    `json:"name"`
	Kind     string    `json:"kind"` // state, connection, target, provider or recipient
	Findings []Finding `json:"findings,omitempty"`
	Error    string    `json:"error,omitempty"`
	Hint     string    `json:"hint,omitempty"` // what to do about the error
	// Elsewhere: nobody was asked, as it is for other workers.
	Elsewhere *ProbeElsewhere `json:"elsewhere,omitempty"`
}

// ProbeElsewhere says who has to ask.
type ProbeElsewhere struct {
	Workers []string `json:"workers"` // their names
	Here    string   `json:"here"`    // what a daemon of this host is called
}

// Finding is one thing that was looked at.
type Finding struct {
	Subject string `json:"subject"` // "bind", "permission User.Read.All"
	OK      bool   `json:"ok"`
	Detail  string `json:"detail,omitempty"` // what was found
	Hint    string `json:"hint,omitempty"`   // what to do when it is not OK
	// Ends is when what was looked at runs out.
	Ends time.Time `json:"ends,omitzero"`
}
