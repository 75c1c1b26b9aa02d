package api

import "time"

// Match is a record about which a human decides: which thing at a target it is, or whether something is to be done there. Of a
// connection that is made of others it is somebody who may be the same as somebody else.
type Match struct {
	ID      string    `json:"id"` // unique: target and number, or connection and subject
	Target  string    `json:"target"`
	Subject string    `json:"subject"`        // "user/hq-ad/1"
	Name    string    `json:"name,omitempty"` // the record's, as its source has it
	Kind    string    `json:"kind"`
	Cause   string    `json:"cause"` // ambiguous, contradicted, taken, protected, leaving, …
	Reason  string    `json:"reason"`
	Since   time.Time `json:"since"`
	// Fingerprint is of both sides as they are shown here; a decision names it.
	Fingerprint string      `json:"fingerprint"`
	Candidates  []Candidate `json:"candidates,omitempty"`
	// Connection is the one that asks; empty of what waits at a target.
	Connection string `json:"connection,omitempty"`
}

// Candidate is a thing at a target that may be a record's.
type Candidate struct {
	ID       string   `json:"id"`
	Name     string   `json:"name,omitempty"`
	Parent   string   `json:"parent,omitempty"` // the id of its customer
	Key      string   `json:"key,omitempty"`    // by which it was found
	Differ   []string `json:"differ,omitempty"` // fields that the two have otherwise
	Against  string   `json:"against,omitempty"`
	Inactive bool     `json:"inactive,omitempty"`
}

// MatchDecision is what a human says.
type MatchDecision struct {
	// ID names a match. Undo has none: it forgets whose a thing is, of the record Subject at Target.
	ID      string `json:"id,omitempty"`
	Target  string `json:"target,omitempty"`
	Subject string `json:"subject,omitempty"`
	// Fingerprint is that of the match as it was shown; empty: as it is now.
	Fingerprint string `json:"fingerprint,omitempty"`
	// Verdict is accept (Candidate is the record's thing, or what is asked about may be done), new (one is to be made),
	// reject (Candidate is not, none of them when it is empty; or nothing is to be done) or undo.
	Verdict   string `json:"verdict"`
	Candidate string `json:"candidate,omitempty"`
}

// AdoptRequest says where to look, and at what.
type AdoptRequest struct {
	Target string `json:"target,omitempty"` // none: all
	// Kinds and Key choose a part of the adoptions: of records of these kinds, whom this key of the target's match finds. With
	// neither it is about all that waits.
	Kinds []string `json:"kinds,omitempty"`
	Key   string   `json:"key,omitempty"`
}

// HeldAtTarget is what would happen at a target and waits for an approval.
type HeldAtTarget struct {
	Target string `json:"target"`
	Hash   string `json:"hash,omitempty"` // empty: nothing waits, or it is not known
	First  bool   `json:"first"`          // it is the first contact with the place
	// Part: it is a part of the adoptions. When it is approved, all else stays held.
	Part  *AdoptPart `json:"part,omitempty"`
	Since time.Time  `json:"since,omitzero"`
	// Counts are by kind of record, and what would happen: adopt, create, overwrite, deactivate, review; linked is what is
	// known already, others are things of others.
	Counts  map[string]map[string]int `json:"counts,omitempty"`
	Reasons []string                  `json:"reasons,omitempty"`
	// Fields say of a first contact what adoptions do to fields: by kind, field, and what (fill: it is blank there; overwrite; keep: what is
	// there stays). Examples hold personal data.
	Fields   map[string]map[string]map[string]int `json:"fields,omitempty"`
	Examples []FieldExample                       `json:"examples,omitempty"`
	// Error is why the target could not be looked at, where all of them were; Hint what to do about it.
	Error string `json:"error,omitempty"`
	Hint  string `json:"hint,omitempty"`
}

// AdoptPart is a part of adoptions: those of AdoptRequest.
type AdoptPart struct {
	Kinds []string `json:"kinds,omitempty"`
	Key   string   `json:"key,omitempty"`
}

// FieldExample is a field that an adoption meets with another value.
type FieldExample struct {
	Subject string `json:"subject"`
	Kind    string `json:"kind"`
	ID      string `json:"id"`
	Field   string `json:"field"`
	What    string `json:"what"` // overwrite or keep
	Ours    string `json:"ours"`
	Theirs  string `json:"theirs"`
}

// PlanAtRequest asks what would happen at a target that has things of its own.
type PlanAtRequest struct {
	Target string `json:"target"`
	// Connections are those whose next sync is planned along; none: all that use the target. Offline asks no source.
	Connections []string `json:"connections,omitempty"`
	Offline     bool     `json:"offline,omitempty"`
	// Limit is how many actions are listed.
	Limit int `json:"limit,omitempty"`
}

// PlanAtResult says what would happen at a target.
type PlanAtResult struct {
	Target string `json:"target"`
	// Counts are by kind of record, and what would happen: adopt, create, overwrite, update, deactivate, review.
	Counts map[string]map[string]int `json:"counts"`
	// Fields are those of HeldAtTarget.
	Fields  map[string]map[string]map[string]int `json:"fields,omitempty"`
	Actions []ForeseenAction                     `json:"actions,omitempty"`
	// Doubts say of which kinds nobody can tell, and why.
	Doubts map[string]string `json:"doubts,omitempty"`
	Runs   []Run             `json:"runs,omitempty"`
}

// ForeseenAction is what would become of a record at a target.
type ForeseenAction struct {
	What    string `json:"what"`
	Kind    string `json:"kind"`
	Subject string `json:"subject"`
	ID      string `json:"id,omitempty"`
	Key     string `json:"key,omitempty"`   // by which it was found, or that asks
	Cause   string `json:"cause,omitempty"` // of a review
}

// AuditRequest says what to compare.
type AuditRequest struct {
	Target string   `json:"target"`
	Kinds  []string `json:"kinds,omitempty"` // none: all
	// Repair puts right what the configuration of the target says.
	Repair bool `json:"repair,omitempty"`
}

// AuditResult says how a target is beside what was left there.
type AuditResult struct {
	Target string `json:"target"`
	// Counts are by kind of record and finding: same, changed, missing, inactive, active, moved, twin, foreign, unproven, fought.
	Counts map[string]map[string]int `json:"counts"`
	// Doubts say of which kinds absence proves nothing, and why.
	Doubts      map[string]string `json:"doubts,omitempty"`
	Differences []AuditDifference `json:"differences,omitempty"`
	// More is how many differences are not listed.
	More int `json:"more,omitempty"`
	// Repaired is how many of them are being put right. Held says why nothing is: it would be too much, and waits for an approval.
	Repaired int      `json:"repaired,omitempty"`
	Held     []string `json:"held,omitempty"`
}

// AuditDifference is a thing that is not as it was left.
type AuditDifference struct {
	Finding string   `json:"finding"`
	Subject string   `json:"subject,omitempty"`
	Kind    string   `json:"kind"`
	ID      string   `json:"id"`
	Fields  []string `json:"fields,omitempty"`
	// Repaired: it is being put right.
	Repaired bool `json:"repaired,omitempty"`
}

// AtTarget is what a record is at a target that has things of its own.
type AtTarget struct {
	Target string `json:"target"`
	// ID is its thing's; empty when it has none. State is linked, review, rejected (a human said that nothing there is it) or dead.
	ID    string `json:"id,omitempty"`
	State string `json:"state,omitempty"`
	// Owner is created (we made it) or adopted (it was there); Inactive: it was left out of use.
	Owner    string    `json:"owner,omitempty"`
	Inactive bool      `json:"inactive,omitempty"`
	Written  time.Time `json:"written,omitzero"` // when the link last changed
	// Cause is what it waits for: review, reference, settle, busy or guard; Waits says it in words.
	Cause string `json:"cause,omitempty"`
	Waits string `json:"waits,omitempty"`
	// Initial: what waits comes of a first sync, and is no joiner (data.initial of an event).
	Initial bool `json:"initial,omitempty"`
}
