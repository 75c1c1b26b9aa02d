package desk

import (
	"log/slog"
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/targets"
)

// Options say what a desk may do. The zero value touches least.
type Options struct {
	// Kinds are the kinds of record that go there; none means all that the place knows.
	Kinds []directory.RecordKind
	// Match says how records are recognised at the place, the strongest key first. A kind without keys is recognised by our
	// mark only. Keys that the place does not know are passed over: whoever reads a configuration refuses them.
	Match map[directory.RecordKind][]Match
	// Blanks are texts that count as no value, besides DefaultBlanks.
	Blanks []string
	// Place identifies the place (its address and tenant) and Matching the correlation (a hash of Match): when either is
	// another than that under which the links were made, the next contact is a first one.
	Place, Matching string
	// Freely leaves out that the first contact waits for a human.
	Freely bool
	// After says what becomes later of a record whose thing is there already.
	After After
	// Adopt says what is written to a thing when it becomes a record's.
	Adopt Adopt
	// ByKeys looks every record up by its keys where a survey proves nothing: who is not found, by keys of which it was seen that the
	// place finds by them, is not there. Of whom that cannot be told, a human is asked.
	ByKeys bool
	// CreatedOnly takes nothing out of use that we did not make.
	CreatedOnly bool
	// Missing says what becomes of a record whose thing is proven gone.
	Missing Missing
	// ExactMembers removes members that we did not add.
	ExactMembers bool
	// Clear are fields whose value is taken away when the record has none; others keep what is there.
	Clear []string
	// Interim are the fields that may have another value for a while, by name, when records take each other's and the place refuses what
	// two would have: texts in which * becomes a word of the record's own. Others wait for a human then.
	Interim map[string]string
	// References say how references of records are resolved, by field.
	References map[string]Reference
	// Protect says, beside the place, why a thing is never touched; "" when it may be.
	Protect func(*targets.Entity) string
	// Leavers say what becomes of the things of records that end. A kind that is not named: agents wait for a human, all
	// others are deactivated.
	Leavers map[directory.RecordKind]Leaver
	// ReactivateAlways brings back what a human at the place had taken out of use, without asking.
	ReactivateAlways bool
	// Guard are the limits per day; none means DefaultGuard.
	Guard Guard
	// Settle is how long what was written may be invisible to a search, where that is longer than the place says.
	Settle time.Duration
	// Fresh is how long a survey is used. Default 10 min.
	Fresh time.Duration
	// Shared: other processes have desks of the place on the same store. One of them at a time delivers, and operators may ask any.
	Shared bool
	// Batch is how many records are looked at together. Default 20.
	Batch int
	// Mark names a record at the place. Default: the record's key.
	Mark func(*directory.Action) string

	Now func() time.Time
	Log *slog.Logger
}

// Match is a key by which things are recognised.
type Match struct {
	Key   string // a name of targets.DeskKind.Keys
	Value func(*directory.Action) string
	// Within and Proposes are those of targets.DeskKey, where the operator wants them and the place does not say so.
	Within, Proposes bool
}

// After says what becomes of adoptions when the first contact is over.
type After uint8

// What may follow the first contact.
const (
	AfterReview After = iota // each waits for a human
	AfterAdopt               // they go on
)

// Adopt says what is written to a thing that becomes a record's, besides our mark and its being in use.
type Adopt uint8

// What an adoption writes.
const (
	AdoptBlank     Adopt = iota // fields that are blank there
	AdoptLink                   // nothing
	AdoptOverwrite              // all fields
)

// Missing says what becomes of a record whose thing is proven gone.
type Missing uint8

// What becomes of it.
const (
	MissingReview   Missing = iota // a human decides
	MissingRecreate                // it is made again
	MissingLeave                   // nothing, for good
)

// Reference says how a reference is resolved.
type Reference struct {
	// Alias are other names of things, by the records' texts.
	Alias map[string]string
	// Default is the name to use where a record has none.
	Default string
	// Create makes what is not there.
	Create bool
}

// Leaver says what becomes of the things of records that end.
type Leaver struct {
	Do End
	// Tickets: take it out of use although the place has open work for it.
	Tickets bool
}

// End is what becomes of a thing whose record ends. The zero value is the default of the kind.
type End uint8

// The ends.
const (
	EndDefault End = iota
	EndDeactivate
	EndDelete // where we made it; else deactivated
	EndReview
	EndKeep
)

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = discard()
	}
	if o.Fresh <= 0 {
		o.Fresh = 10 * time.Minute
	}
	if o.Batch <= 0 {
		o.Batch = 20
	}
	if o.Mark == nil {
		o.Mark = func(a *directory.Action) string { return a.Record }
	}
	if o.Protect == nil {
		o.Protect = func(*targets.Entity) string { return "" }
	}
	if o.Guard == nil {
		o.Guard = DefaultGuard()
	}
	return o
}

// end returns what becomes of a kind's things.
func (o *Options) end(kind directory.RecordKind) Leaver {
	l := o.Leavers[kind]
	switch {
	case l.Do != EndDefault:
	case kind == directory.AgentRecord:
		l.Do = EndReview
	default:
		l.Do = EndDeactivate
	}
	return l
}
