package api

import "time"

// DecisionsRequest says which decisions are wanted.
type DecisionsRequest struct {
	Since time.Time `json:"since,omitzero"`
	Limit int       `json:"limit,omitempty"` // 0: 100
}

// Decision is something that a person had done: who, when, what, and what came of it. Decisions are kept for 400 days.
type Decision struct {
	At time.Time `json:"at"`
	By string    `json:"by"` // the user; empty when that is not known
	// What is the operation in a word: approve, discard, match, resend, retry, drop, rename, retire, repair, sync, end-sessions, unlink, rotate.
	What string `json:"what"`
	// Of is what it was about: a hash, a connection, a target, a subject.
	Of string `json:"of,omitempty"`
	// Detail says more, such as the verdict on a match.
	Detail string `json:"detail,omitempty"`
	// Error is why it was refused, or failed; empty when it was done.
	Error string `json:"error,omitempty"`
}
