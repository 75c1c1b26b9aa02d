package targets

import (
	"context"
	"errors"
	"time"

	"dirsyncd/sync/directory"
)

// Desk is a place that has things of its own, under ids that it gave them: a service desk, an identity service, a
// database. People and programs work there, too: things are renamed, merged, hidden and refused. A Desk only translates
// between the place and the words of this contract; who is who, what may be written and what has to wait is decided
// by package desk, which makes a Target of it.
//
// Apply, Find, Fetch and Survey may be called by several goroutines, at most DeskDescription.Parallel of them at a time; no two
// calls of Apply are about the same thing. Errors are classified by package fault and hold no secret. What a refusal
// quotes may hold personal data: it stands in fault.Error.Err only, never in Op, Where or Hint.
type Desk interface {
	// Describe says what the place takes. It does no I/O and always returns the same.
	Describe() DeskDescription

	// Check asks whether the place is there and would take work, without leaving a trace there.
	Check(ctx context.Context) error

	// Probe measures, by reading only, what the place really does: its documents and what it says of itself are hints.
	Probe(ctx context.Context) ([]Ability, error)

	// Survey hands over everything of a kind that is there, inactive things included, in any order, each once. The entity
	// belongs to yield until it returns. An error of yield ends the survey and comes back unchanged.
	Survey(ctx context.Context, kind directory.RecordKind, yield func(*Entity) error) (Proof, error)

	// Find returns the things of a kind whose key (DeskKind.Keys, or Mark) has a value, inactive ones included; a handful of
	// them when there are many. What the place answers is compared again before it is believed: a place may answer a
	// filter that it does not know with everything. ErrCannotFind: the place cannot be asked by this key.
	Find(ctx context.Context, kind directory.RecordKind, key, value string) ([]Entity, error)

	// Fetch returns one thing as it is now. The error is of class fault.Gone only when the place proves that it is not there.
	Fetch(ctx context.Context, kind directory.RecordKind, id string) (Entity, error)

	// Apply does jobs of one kind and operation, at most DeskDescription.Batch of them, in order, and answers one Result per
	// job in the same order. The returned error means that nothing is known about any of them.
	Apply(ctx context.Context, jobs []Job) ([]Result, error)

	// Reopen and Close are those of Target.
	Reopen() error
	Close() error
}

// ErrCannotFind is in the chain of the error of Find when the place cannot be asked by a key: a survey is needed.
var ErrCannotFind = errors.New("the place cannot be searched by this key")

// Mark is the key of the mark that DeskDescription.Mark promises; see Job.Mark.
const Mark = "mark"

// DeskDescription says what a place takes.
type DeskDescription struct {
	// Place says which place it is: its address, and its tenant where it has several. It holds no secret. Another one is a
	// place that was never met.
	Place string
	// Batch is the largest number of jobs that one Apply takes, at least 1. Parallel is how many calls may run at a time.
	Batch    int
	Parallel int
	// Kinds are the kinds of record that the place knows, in the order in which they can refer to each other: a kind refers to
	// those before it only.
	Kinds []DeskKind
}

// Of returns the description of a kind.
func (d *DeskDescription) Of(kind directory.RecordKind) (DeskKind, bool) {
	for i := range d.Kinds {
		if d.Kinds[i].Kind == kind {
			return d.Kinds[i], true
		}
	}
	return DeskKind{}, false
}

// DeskKind is what a place knows of one kind of record.
type DeskKind struct {
	Kind directory.RecordKind
	// Keys are the names by which things of the kind can be recognised, in the place's own words, strongest first:
	// "externalId", "userName", "email". Entity.Keys has the same names.
	Keys []DeskKey
	// Title is the key by which people name things of the kind ("displayName", "name"): references of records hold such
	// names. Empty when nothing refers to the kind by a name.
	Title string
	// Marked: a job that creates writes Job.Mark in the same request, and Find(Mark) finds it again. Without it a creation
	// whose answer was lost and that is not found again waits for a human.
	Marked bool
	// Settle is how long what was written may be invisible to Find.
	Settle time.Duration
	// References are the fields of a record that the place knows as things, and their kinds: {"customer": CustomerRecord}.
	References map[string]directory.RecordKind
	// Members: things of the kind have members, people or groups, whose lists Job.Add and Job.Remove change.
	Members bool
	// Ends are the operations that take things of the kind out of use; others are done by deactivating, or refused.
	Ends []directory.Op
	// Needs are what a record must have for a thing to be made of it: of each list of fields one with a value.
	Needs [][]string
	// MemberKinds are the kinds whose things can be members; none: people, agents and groups. Ids of others are not handed over:
	// where kinds have ids of their own, they would be somebody else's.
	MemberKinds []directory.RecordKind
}

// DeskKey is a name by which things can be recognised.
type DeskKey struct {
	Name string
	// Folded: two values that differ in case only are the same.
	Folded bool
	// Usual are the fields of records of which the first that has a value is compared with it, where the operator says nothing
	// else; none: it is used only where the operator says so.
	Usual []string
	// Anchor: no human types it (an id of a source). A stronger key that says otherwise vetoes a weaker one.
	Anchor bool
	// Within: the key is unique within a customer only.
	Within bool
	// Proposes: people choose the value freely and others may have it, too (a name): a thing that has it is put before a
	// human, and never taken without one.
	Proposes bool
}

// Ability is something that was measured.
type Ability struct {
	Name   string `json:"name"` // "filter by userName"
	Has    bool   `json:"has"`
	Detail string `json:"detail,omitempty"` // what was asked and answered, without personal data
}

// Entity is a thing at the place.
type Entity struct {
	Kind directory.RecordKind
	ID   string
	// Keys are its values by the names of DeskKind.Keys, and Mark; absent where it has none, or the answer did not say.
	Keys map[string]string
	// Fields are its values by the names of the records' fields, as texts, as far as the place keeps them. A field that the
	// place has and that is blank is there with "".
	Fields map[string]string
	// Refs are the ids of the things that it refers to, by the names of DeskKind.References.
	Refs map[string]string
	// Members are the ids of its members; MembersKnown says that the place shows them.
	Members      []string
	MembersKnown bool
	Active       bool
	// Protected says why the thing is never adopted or taken out of use: an administrator, a service account, the account
	// that we log in with, a thing of another integration. Empty: it may be.
	Protected string
	// Busy says why the thing cannot be taken out of use now: tickets that are open. Empty: it can be, or it was not looked at.
	Busy string
	// Short: it comes from a list that leaves fields out; Fetch knows more.
	Short bool
	// ChangedAt is when the place says that it was last changed; zero when it does not.
	ChangedAt time.Time
	// Revision is what the place calls this state of it (an entity tag); empty when it has no such thing.
	Revision string
}

// Proof says what a survey that came to its end is worth.
type Proof struct {
	// Count is how many things the place says there are, independently of what it listed; -1 when it does not.
	Count int
	// Doubt says why absence from the survey proves nothing; empty when it does.
	Doubt string
}

// Job is one piece of work at the place. Everything in it is decided: the place is asked to do exactly this.
type Job struct {
	// Op is what to do. Create makes a thing; all others change the one with ID. An Update without anything to write is not
	// handed over. Deactivate and Reactivate change the state, and write Fields, Refs and members beside it.
	Op   directory.Op
	Kind directory.RecordKind
	ID   string
	// Key is the idempotency key of the action, for places that take one.
	Key string
	// Mark names the record at the place; written when a thing is made or adopted.
	Mark string
	// Keys are values of DeskKind.Keys that the record has, written beside the mark where the place lets them be written.
	Keys map[string]string
	// Fields are what to write, by the names of the records' fields, sorted; Null means the place's "no value".
	Fields []directory.Field
	// Refs are the ids of the things to refer to, by the names of DeskKind.References; "" ends a reference.
	Refs map[string]string
	// Add and Remove are the ids of members.
	Add, Remove []string
	// Revision is the state that the job was decided on, where the place has such a thing: another one is fault.Conflict.
	Revision string
	// Sent are all fields that the record has, for places that can only replace a thing as a whole.
	Sent []directory.Field
	// Owner is the mark that the thing with ID was last given, as far as it is known. A place that can tell refuses a job without
	// a Mark, with fault.Gone, where the thing has another mark or none: ids are given away anew, and the thing is another one.
	Owner string
}

// Result is what became of a Job. Its zero value is none.
type Result struct {
	// Err is why the job was not done. Its class says what follows:
	//   - retryable classes: later; it may have been done.
	//   - fault.Gone: the place proves that there is no thing with the ID.
	//   - fault.Conflict: somebody changed the thing meanwhile; it is decided anew.
	//   - ErrExists in its chain: a thing is in the way that has the same key (Exists). Nothing was done.
	//   - any other: the place refuses, and will again.
	Err error
	// Entity is the thing as the place shows it after the job: its answer, or fetched again. Its ID is never empty when Err is nil
	// but after a Delete.
	Entity Entity
	// Warnings are what the place said beside a success: fields that it ignored, cut or refused. They are for the operator
	// and may hold personal data.
	Warnings []string
}

// ErrExists is in the chain of a Result.Err when a thing with the same unique value is in the way of a creation or change,
// active or not, shown or hidden.
var ErrExists = errors.New("the place has a thing with this value already")
