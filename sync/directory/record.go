package directory

import (
	"fmt"
	"time"
)

// RecordKind says what a record is at a target. The numbers are stored; they are appended to, never changed.
type RecordKind uint8

// The kinds of record that rules can make.
const (
	CustomerRecord RecordKind = iota + 1
	SiteRecord
	UserRecord
	AgentRecord
	GroupRecord
	LicenceRecord
	AssetRecord
	TicketRecord
)

var recordKindNames = [...]string{
	CustomerRecord: "customer", SiteRecord: "site", UserRecord: "user", AgentRecord: "agent",
	GroupRecord: "group", LicenceRecord: "licence", AssetRecord: "asset", TicketRecord: "ticket",
}

// RecordKinds lists all record kinds in the order of their numbers.
func RecordKinds() []RecordKind {
	return []RecordKind{CustomerRecord, SiteRecord, UserRecord, AgentRecord, GroupRecord, LicenceRecord, AssetRecord, TicketRecord}
}

// String returns the kind's word as it stands in configuration and events.
func (k RecordKind) String() string {
	if int(k) < len(recordKindNames) && recordKindNames[k] != "" {
		return recordKindNames[k]
	}
	return "unknown"
}

// ParseRecordKind returns the kind of a word.
func ParseRecordKind(word string) (RecordKind, bool) {
	for _, k := range RecordKinds() {
		if k.String() == word {
			return k, true
		}
	}
	return 0, false
}

// Record is what the operator's rules made of an object, as the targets were last told (or are about to be).
type Record struct {
	Kind RecordKind
	// Key identifies the record at the targets: RecordKey of its origin.
	Key string
	// Active is false after a deactivate: the record is remembered so that a return is a reactivate.
	Active bool
	// Deleted is what remains after a delete: nothing but the revision, so that a record which comes back
	// has other idempotency keys than the one that went.
	Deleted bool
	// Rule is the name of the rule that made the record.
	Rule string
	// UpdateOnly: the targets were told last that nothing is to be made (ImportUpdateOnly), by the rule as it was then. A record
	// that is deleted has no such mark.
	UpdateOnly bool
	// Revision counts the actions that the record has seen; it is part of every idempotency key.
	Revision uint64
	// Fields is sorted by name and has no duplicates.
	Fields []RecordField
	// Members are the store's numbers of the people that a group or licence record lists, ascending.
	Members []uint32
	// Changed is the run that last changed the record.
	Changed Stamp
	// Reason is why a record that is not active was taken away, in the words of the Action; empty for an active
	// one. It is for those who ask later: the object may be forgotten by then.
	Reason string
	// Undone is what an operator took back of the record and nobody has let go ahead again; nil for nothing.
	Undone *Undone
}

// Undone is what an operator took back of a record. When the rules want it again it waits, and nothing else of the record does.
type Undone struct {
	// Of is the run that had done it, By who took it back, and At the run that did so.
	Of, By string
	At     Stamp
	// Op is Create or Reactivate when the record itself was taken back, Deactivate or Delete when its end was; zero for neither.
	Op Op
	// Fields are the values that were taken back, sorted by name; Null of a field that had been taken away.
	Fields []Field
	// Entered and Left are the members whose coming and going was taken back, ascending.
	Entered, Left []uint32
}

// Empty reports whether nothing waits any longer.
func (u *Undone) Empty() bool {
	return u == nil || u.Op == 0 && len(u.Fields)+len(u.Entered)+len(u.Left) == 0
}

// RecordField is one field of a record and the run that gave it its value.
type RecordField struct {
	Field
	// Since is shared by fields and must not be modified; nil for the zero value.
	Since *Stamp
}

// Stamp names a run and the time at which it began.
type Stamp struct {
	Run  string
	Time time.Time // to the second, UTC
}

// String is for those who look at a record that a test did not expect.
func (s *Stamp) String() string {
	if s == nil {
		return "{}"
	}
	return fmt.Sprintf("{%s %s}", s.Run, s.Time.Format(time.RFC3339))
}

// Get returns the value of a field, and false when the record does not have it.
func (r *Record) Get(name string) (Value, bool) {
	for i := range r.Fields {
		if r.Fields[i].Name == name {
			return r.Fields[i].Value, true
		}
	}
	return Value{}, false
}

// Origin says which object a record was made of.
type Origin struct {
	Connection string `json:"connection"`
	Connector  string `json:"connector"`
	Tenant     string `json:"tenant"`
	ID         string `json:"id"`
	// Import says that the connection is an import, and of which kind, or that the rule makes nothing at a target
	// (ImportUpdateOnly); empty for all others.
	Import Import `json:"import,omitempty"`
}

// Import says what an import does, in the operator's word.
type Import string

// The kinds of import.
const (
	// ImportSync goes on as any connection does; its events are marked.
	ImportSync Import = "sync"
	// ImportCreateOnly makes records and leaves them to the people at the target: they are neither changed nor taken away.
	ImportCreateOnly Import = "create_only"
	// ImportUpdateOnly is for what the target has already: nothing is to be made there.
	ImportUpdateOnly Import = "update_only"
)

// UpdateOnly is the origin of a record for what a target has already.
func (o Origin) UpdateOnly() Origin {
	o.Import = ImportUpdateOnly
	return o
}

// Of is the origin of another object of the same tenant.
func (o Origin) Of(id string) Origin {
	o.ID = id
	return o
}

// OfKey is the origin of the object of the same tenant whose records have a key.
func (o Origin) OfKey(key string) Origin {
	prefix := o.Of("").RecordKey()
	return o.Of(key[min(len(prefix), len(key)):])
}

// RecordKey is the key of the records that are made of the object with this id: connection, tenant if there
// is one, id, with slashes between. It never changes while the object lives.
func (o Origin) RecordKey() string {
	if o.Tenant == "" {
		return o.Connection + "/" + o.ID
	}
	return o.Connection + "/" + o.Tenant + "/" + o.ID
}
