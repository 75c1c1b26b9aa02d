package store

import (
	"strings"
	"time"
)

// StreamState is where a stream stands.
type StreamState struct {
	// Cursor is where the next read goes on; empty when it must be a full one.
	Cursor []byte `json:"cursor,omitempty"`
	// Moved is when Cursor was stored.
	Moved time.Time `json:"moved,omitzero"`
	// Partial is the cursor from which an interrupted full read goes on; empty when none is under way.
	Partial []byte `json:"partial,omitempty"`
	// Known is what the source knew in the newest read that came to its end (connectors.Page).
	Known []byte `json:"known,omitempty"`
	// Scope is what the last accepted full read listed (connectors.Proof).
	Scope string `json:"scope,omitempty"`
	// NewScope is a scope that waits for the operator to approve the removals that it implies.
	NewScope string `json:"new_scope,omitempty"`
	// Complete is when the last full read was proven complete; zero when none was.
	Complete time.Time `json:"complete,omitzero"`
	// Emptied: the last full read listed no membership at all where there had been many; what follows from
	// that waits for the operator.
	Emptied bool `json:"emptied,omitempty"`
	// Reads is what the last read said that it reads of every object (connectors.Proof).
	Reads []string `json:"reads,omitempty"`
}

// TenantState is the state of a partition as a whole.
type TenantState struct {
	Name   string `json:"name,omitempty"`
	Domain string `json:"domain,omitempty"`
	// Domains are all mail domains of the tenant, lower-case and in order, as they were last told; none: they never were.
	Domains []string `json:"domains,omitempty"`
	// Streams are the streams that the tenant has; none means all of its connector's.
	Streams []string `json:"streams,omitempty"`
	// RulesHash is the mapping with which every object was last settled, see Unsettled.
	RulesHash string `json:"rules_hash,omitempty"`
	// Connector is the kind of source that everything was last read from.
	Connector string `json:"connector,omitempty"`
	// Origin is the connection's name in the keys of the partition's records, where it has been renamed since.
	Origin string `json:"origin,omitempty"`
	// Decided are the rules that decided about anybody since the rules are RulesHash, each as "person/NAME", in order.
	Decided []string `json:"decided,omitempty"`
	// Reads is what was read when everything was last settled: the names of the streams, and for each what its proof said
	// (connectors.Proof), after the stream's name and a slash. A stream or an entry that is missing later waits for the operator.
	Reads []string `json:"reads,omitempty"`
	// WantFull makes the next run read in full; Why says who asked for it.
	WantFull bool   `json:"want_full,omitempty"`
	Why      string `json:"why,omitempty"`
	// HalfRead: a read has stored something and has not come to its end, so what is stored is of two times.
	HalfRead bool `json:"half_read,omitempty"`
	// Older says by how much the source knew less, when it was last read, than was read from it before: the operator asked
	// for that, and what follows from it waits for an approval. Empty when it knew that and more.
	Older string `json:"older,omitempty"`
	// Targets are the targets that know every record of the partition.
	Targets []string `json:"targets,omitempty"`
	// Initial: the first sync has begun, and is not over: it was cut, or some of it waits for the operator.
	Initial bool `json:"initial,omitempty"`
	// Rescoped: a read listed by another scope than the one before, and not everything has been settled since.
	Rescoped bool `json:"rescoped,omitempty"`
	// Seats are the desk's own licences for which somebody waits, and SeatQueue they, in the order in which they get theirs.
	Seats     []Seats `json:"seats,omitempty"`
	SeatQueue []Num   `json:"seat_queue,omitempty"`
	// Taken are the seats of that kind which active records of the partition take, by kind of record; nil while nobody has counted them.
	Taken []TakenSeats `json:"taken,omitempty"`
	// Telling are targets that are told of every record there is, or were, the last time of each.
	Telling []Telling `json:"telling,omitempty"`
	// Held is the plan that waits for the operator, or nil.
	Held *HeldPlan `json:"held,omitempty"`
	// Former are the last plans that waited and do so no longer, newest first.
	Former []FormerPlan `json:"former,omitempty"`
	// Alone names the last transaction in which somebody was settled alone (settle.One), beside the runs: another name tells a run that looked
	// before that one came.
	Alone string `json:"alone,omitempty"`
	// Beyond: somebody who signed in may be stored who waits for the operator (directory.FieldSignedInBeyond).
	Beyond bool `json:"beyond,omitempty"`
	// Undone: some records may have what was undone of them (directory.Record). Undoing is what is being undone.
	Undone  bool     `json:"undone,omitempty"`
	Undoing *Undoing `json:"undoing,omitempty"`
	// Done is what was done in the last weeks without anybody having been asked (plan.History).
	Done []byte `json:"done,omitempty"`
	// Proven is when the store was last known to agree with the source: the end of the last complete run.
	Proven time.Time `json:"proven,omitzero"`
	// Failing is the state of a partition whose last run failed, or nil.
	Failing *Failure `json:"failing,omitempty"`
}

// unsettled begins the RulesHash of a partition whose records are partly of other rules.
const unsettled = "unfinished "

// Settling is what RulesHash is from when records are first made by some rules until all are.
func Settling(rules string) string { return unsettled + rules }

// Unsettled reports whether everything has yet to be settled by one set of rules, for the first time or anew.
func (t *TenantState) Unsettled() bool {
	return t.RulesHash == "" || strings.HasPrefix(t.RulesHash, unsettled)
}

// Seats is one kind of the desk's own licences: of records of a kind, or of those with a value of a field.
type Seats struct {
	Kind  string `json:"kind"`
	Value string `json:"value,omitempty"`
	Limit int    `json:"limit"`
	// Waiting are the people who get none.
	Waiting []Num `json:"waiting,omitempty"`
}

// TakenSeats is how many active records of a kind have which value of a field. It is kept by the transactions that store records.
type TakenSeats struct {
	Kind  string `json:"kind"`
	Field string `json:"field"`
	// Of has the values that are counted, each with its number, be it zero.
	Of map[string]int `json:"of"`
}

// Telling is the work of telling a target of every record there is.
type Telling struct {
	Target string `json:"target"`
	// Since is the time of the run that queues it, and of what it queues; Records how many that are.
	Since   time.Time `json:"since"`
	Records int       `json:"records"`
	// Seed is set when the target was told before and the operator asked for it again: it names the request.
	Seed string `json:"seed,omitempty"`
	// From is since when a record must have changed to be told of again; zero: all are.
	From time.Time `json:"from,omitzero"`
	// Queued: everything is in the outbox. Otherwise the next run begins again.
	Queued bool `json:"queued,omitempty"`
}

// Undoing is an undo that the operator has approved and that has begun: the next run goes on with one that was cut.
type Undoing struct {
	Run    string `json:"run"`              // that is undone
	Record string `json:"record,omitempty"` // the key of the one record that is meant; empty: all
	// ID is that of the undoing run, Started when it began, By who asked, and Approved the hash of what was looked at.
	ID       string    `json:"id"`
	Started  time.Time `json:"started"`
	By       string    `json:"by,omitempty"`
	Approved string    `json:"approved"`
}

// Failure is why a partition does not sync at the moment.
type Failure struct {
	Class string    `json:"class"`
	Text  string    `json:"text"`
	Since time.Time `json:"since"`
	Runs  int       `json:"runs"` // failed runs in a row
	// Retry is before when no schedule tries again; zero when every schedule does.
	Retry time.Time `json:"retry,omitzero"`
}

// HeldPlan is a plan that waits for the operator. Its actions are not stored: they follow from the dirty
// marks, the objects and the rules, and its hash says whether they are still the same.
type HeldPlan struct {
	Hash    string                    `json:"hash"`
	Run     string                    `json:"run"`
	Since   time.Time                 `json:"since"`
	Reasons []string                  `json:"reasons"`
	Counts  map[string]map[string]int `json:"counts"` // record kind, operation
	// At is the moment for which it was decided, where that matters: it is approved for that moment, too. Zero: any.
	At time.Time `json:"at,omitzero"`
	// RemovalsOnly: the rest of the run was applied; only removals wait, and what else went beyond its limit.
	RemovalsOnly bool `json:"removals_only,omitempty"`
	// Beyond are the operations whose limits were exceeded, and what waits with them; Limits tells those limits from others.
	Beyond []string `json:"beyond,omitempty"`
	Limits string   `json:"limits,omitempty"`
	// What are the numbers of the objects whose records are taken away or lose members, by kind of record, as roaring
	// bitmaps; nothing of too many.
	What map[string][]byte `json:"what,omitempty"`
}

// FormerPlan is a plan that waited for the operator, and what became of it.
type FormerPlan struct {
	Hash  string    `json:"hash"`
	Ended time.Time `json:"ended"`
	// How it ended: Approved, Discarded, Replaced by another one, or Settled, when it needed nobody any longer.
	How string `json:"how"`
	// By is the user who approved or discarded it.
	By string `json:"by,omitempty"`
	// Beyond, Limits, Reasons and What are those of the HeldPlan; without What, older ones first, when that becomes too much.
	Beyond  []string          `json:"beyond,omitempty"`
	Limits  string            `json:"limits,omitempty"`
	Reasons []string          `json:"reasons,omitempty"`
	What    map[string][]byte `json:"what,omitempty"`
}

// The ways in which a held plan ends.
const (
	PlanApproved  = "approved"
	PlanDiscarded = "discarded"
	PlanReplaced  = "replaced"
	PlanSettled   = "settled"
)
