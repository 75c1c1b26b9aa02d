package directory

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"
	"time"
)

// Op is what an action does to a record. The numbers are stored; they are appended to, never changed.
type Op uint8

// The operations.
const (
	Create Op = iota + 1
	Update
	Deactivate
	Reactivate
	Delete
)

var opNames = [...]string{Create: "create", Update: "update", Deactivate: "deactivate", Reactivate: "reactivate", Delete: "delete"}

// Ops lists all operations in the order of their numbers.
func Ops() []Op { return []Op{Create, Update, Deactivate, Reactivate, Delete} }

// String returns the operation's word as it stands in configuration and events.
func (op Op) String() string {
	if int(op) < len(opNames) && opNames[op] != "" {
		return opNames[op]
	}
	return "unknown"
}

// ParseOp returns the operation of a word.
func ParseOp(word string) (Op, bool) {
	for _, op := range Ops() {
		if op.String() == word {
			return op, true
		}
	}
	return 0, false
}

// Action is one change that a target is to make. It carries the whole record, so that a target that lost an
// earlier action can still do the right thing.
type Action struct {
	// Key is the idempotency key: the same for every attempt at this action, different for every other one.
	Key    string
	Op     Op
	Kind   RecordKind
	Record string // the record's key
	Origin Origin
	// Rule made the record; for a removal, the rule that had made it.
	Rule string
	Run  string
	Time time.Time // when the run began, to the second, UTC
	// Reason says in a few words why a record is removed or changes its kind; empty for the rest.
	Reason string
	// Fields are all fields of the record after the action, sorted by name.
	Fields []Field
	// Changes are the fields that differ, sorted by name; none for create and delete.
	Changes []FieldChange
	// Sets are changes of many-valued parts (group members, licence holders), sorted by name.
	Sets []SetChange
	// Other names the record ("agent/hq/1") that takes this one's place or gives its place to this one when a
	// person changes its kind.
	Other string
	// Once are the names of those among Fields that are written when the record is made and left alone afterwards: they belong to
	// the people at the target, or hold their last value because the source has none any more. Ascending.
	Once []string
	// Initial: it comes of the first sync of a tenant, or tells a target that is new to the connection what there was before it. What was
	// there all the time is no joiner: nobody is to be welcomed, and no ticket made.
	Initial bool
}

// SentAgain is how the Reason of an action begins that tells a target what it was told before, because the operator asked
// for that.
const SentAgain = "sent again"

// IsSentAgain reports whether the action changes nothing but makes sure of what is: the target may have the record, or may
// have lost it.
func (a *Action) IsSentAgain() bool { return strings.HasPrefix(a.Reason, SentAgain) }

// FieldChange is one field before and after. A field that was not there is Null.
type FieldChange struct {
	Name     string
	From, To Value
}

// SetChange is what entered and what left a many-valued part of a record. Items are record keys, ascending.
type SetChange struct {
	Name           string
	Added, Removed []string
}

// Subject names a record among all kinds: "user/hq-ad/5f1c…".
func Subject(kind RecordKind, key string) string { return kind.String() + "/" + key }

// Removes reports whether the operation takes a record away from its users.
func (op Op) Removes() bool { return op == Deactivate || op == Delete }

// SealKey computes the action's Key from its content and the record's revision: the same action of the same
// record state has the same key, so that a plan is a function of its input, and no two actions of a record
// share one. Run and time are left out, and Once and Initial, which say nothing of the record's state.
func (a *Action) SealKey(revision uint64) {
	content := *a
	content.Key, content.Run, content.Time, content.Once = "", "", time.Time{}, nil
	content.Initial = false
	buf := appendUvarint(make([]byte, 0, 1024), revision)
	sum := sha256.Sum256(AppendAction(buf, &content))
	a.Key = strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:20]))
}

// FieldSummary is the field of a ticket that says in one line what it is about.
const FieldSummary = "summary"

// Name is the record's name field, for people, and the summary of a ticket; empty when it has none.
func (a *Action) Name() string {
	name := FieldName
	if a.Kind == TicketRecord {
		name = FieldSummary
	}
	for _, f := range a.Fields {
		if f.Name == name {
			return f.Value.Text()
		}
	}
	return ""
}
