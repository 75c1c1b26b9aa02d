// Package store holds the contract of the durable state: objects as last seen, what they point to, what
// waits to be settled, what the targets were told, and what waits to be delivered. Folder bolt implements it
// on one bbolt file, postgres on a database; storetest holds the suite that every implementation must pass, and move
// brings a state from one to the other.
//
// The contract is shaped for a second implementation on a shared database: every transaction names its
// partition and never spans two; iteration is ordered and in chunks; what is handed out belongs to the caller.
package store

import (
	"cmp"
	"context"
	"errors"
	"io"
	"time"

	"dirsyncd/sync/directory"
)

// Partition is what a transaction is about: one tenant of one connection.
type Partition struct {
	Connection string
	Tenant     string // empty where a source has no tenants
}

// String names the partition for operators: "csp/contoso", or the connection alone.
func (p Partition) String() string {
	if p.Tenant == "" {
		return p.Connection
	}
	return p.Connection + "/" + p.Tenant
}

// Compare puts partitions in the order in which a Store lists them.
func (p Partition) Compare(o Partition) int {
	return cmp.Or(cmp.Compare(p.Connection, o.Connection), cmp.Compare(p.Tenant, o.Tenant))
}

// Num is the store's short name of a handle (see directory.Object) within one partition. Zero is none. An
// object's own number is that of its id's handle. Numbers are given in ascending order and never reused.
type Num uint32

// Store is the durable state. All methods may be called concurrently; Update calls may wait for each other. Within a
// transaction no other one is begun: the two could wait for each other for ever. Errors are classified by package fault.
type Store interface {
	// View runs fn with a consistent view of a partition. A partition that was never written to is empty.
	View(ctx context.Context, p Partition, fn func(Reader) error) error
	// Update runs fn in a transaction that becomes durable as a whole when Update returns nil, and leaves no
	// trace otherwise. An error of fn comes back unchanged. What an attempt wrote is lost when a database gives it up, for
	// a conflict or a lost connection, and fn is called again: it has no effect outside its Writer that a second call
	// would double or that stays from a first. Results that it leaves in variables it begins anew each time.
	Update(ctx context.Context, p Partition, fn func(Writer) error) error
	// Partitions lists the partitions that were written to, in order: those of some connections, at a cost that follows
	// their number, or those of all connections when none is named. For those of targets see TargetPartitions.
	Partitions(ctx context.Context, connections ...string) ([]Partition, error)
	// Waiting lists the partitions that have actions waiting for a target, claimed ones included and parked ones not, in
	// the order of Partitions. Its cost follows the length of the list, not the number of partitions.
	Waiting(ctx context.Context, target string) ([]Partition, error)
	// Awaiting lists the partitions in which actions wait at a target outside of its outbox (Wait), in the order of Partitions: for any
	// of some keys or, when none is named, for anything. Its cost follows the length of the list and the number of the keys.
	Awaiting(ctx context.Context, target string, keys ...string) ([]Partition, error)
	// Lease gives the sole right to work on something, such as a partition's runs, among all who share the store. It waits
	// for it until ctx ends; in which order those who wait get it is open. A context that has a lease cannot wait for the
	// same one. release gives it back, to those who wait at once. It must be called; further calls do nothing.
	//
	// The lease is renewed in the background until it is released. Somebody else may take over ttl after the last renewal:
	// when its holder's process is gone, stood still or cannot reach the database. A store may ask for more time than that,
	// one for all leases of a process.
	//
	// The returned context ends with ctx, with release, and with the cause ErrLeaseLost as soon as the holder can know that
	// somebody else may have taken over. Every Update, Ledger, DropPartition and MovePartition under it, or under a context made from it, even one
	// that does not end (context.WithoutCancel), fails with fault.Conflict and stores nothing once the lease was released
	// or taken over. That is looked at in the transaction, by a fencing number that each holder has anew, and nobody takes
	// over between that and the commit. What goes on outside of the store nobody can fence: calls to others end with the
	// context.
	Lease(ctx context.Context, name string, ttl time.Duration) (held context.Context, release func(), err error)
	// Ledger changes a small value that is of no partition, by its name, in one transaction that is fenced as Update is: fn gets what is
	// stored, nil where nothing is, and returns what is to be instead; nil is nothing again. Those who change the same one take turns,
	// in whatever process: what fn was given is what is replaced. A value that comes back as it was costs no write, and an error of
	// fn comes back unchanged. fn is held to what Update holds it to, and keeps nothing of what it is given.
	Ledger(ctx context.Context, name string, fn func(was []byte) (is []byte, err error)) error
	// DropPartition forgets everything about a partition, outbox and parked and waiting actions included. Links to its records, which
	// are the targets', stay: see RetireLinks.
	DropPartition(ctx context.Context, p Partition) error
	// MovePartition gives everything of a partition another name, in one transaction. Nothing is stored under that name
	// yet, or the error is of class fault.Internal. A partition that was never written to is moved by doing nothing. Links name
	// the partition that has a record: see RenameLinks.
	MovePartition(ctx context.Context, from, to Partition) error
	// Scratch returns a throw-away copy of partitions, as they were at one moment, that shares nothing with the store.
	// Closing it removes it. It holds the partitions named and no others: without any, or with some that were never
	// written to, it is or has what a new store has, nothing: no Items either. Its cost follows the size of what it holds.
	Scratch(ctx context.Context, parts ...Partition) (Store, error)
	Close() error
}

// Snapshotter is a Store that can hand out all that it holds.
type Snapshotter interface {
	// Snapshot returns the state as it is now, in the form in which the store itself keeps it, to be read from its
	// beginning to its end and closed. That may take long: it holds up nobody.
	Snapshot(ctx context.Context) (io.ReadCloser, error)
}

// Grouper is a Store in which the transactions of many partitions cost no more than a few.
type Grouper interface {
	// UpdateEach runs fn in a transaction of each of some partitions. They become durable one by one or several together:
	// where it fails, any of them may be stored. fn is held to what Update holds it to.
	UpdateEach(ctx context.Context, parts []Partition, fn func(Partition, Writer) error) error
}

// UpdateEach is that of a Grouper, and elsewhere an Update of each partition.
func UpdateEach(ctx context.Context, s Store, parts []Partition, fn func(Partition, Writer) error) error {
	if g, ok := s.(Grouper); ok {
		return g.UpdateEach(ctx, parts, fn)
	}
	for _, p := range parts {
		if err := s.Update(ctx, p, func(tx Writer) error { return fn(p, tx) }); err != nil {
			return err
		}
	}
	return nil
}

// Verifier is a Store that can check what it holds.
type Verifier interface {
	// Verify reads everything and returns nil when it is what the store would have written. Otherwise the error is of class
	// fault.Internal and names what is wrong, without personal data. No Update runs meanwhile.
	Verify(ctx context.Context) error
}

// ErrLeaseLost is the cause of the end of a lease's context when somebody else may have taken over, and in the chain of
// the error of a transaction under a lease that is not held any longer.
var ErrLeaseLost = errors.New("the lease is no longer held")

// Row is an object as stored.
type Row struct {
	Num Num
	// Gone is why the object counts as removed; empty while it is there.
	Gone GoneCause
	// Handles are the numbers of the object's handles other than its id, in the order of Object.Handles.
	Handles []Num
	// Data is the canonical form (directory.AppendObject).
	Data []byte
}

// GoneCause says how we know that an object is no longer at its source.
type GoneCause uint8

// The causes. NamedRemoved and Absent are proof; OutOfScope and EmptyListing wait for the operator's approval, and NotRead
// with all that follows from what is read (TenantState.Reads).
const (
	Here         GoneCause = iota
	NamedRemoved           // the source named it as removed
	Absent                 // a proven full read of the same scope did not list it
	OutOfScope             // a full read of another scope did not list it
	EmptyListing           // a full read listed nothing where there had been something
	NotRead                // no stream lists its kind any more
	lastCause
)

// Known reports whether it is one of the causes above, or Here.
func (g GoneCause) Known() bool { return g < lastCause }

// String says the cause in words.
func (g GoneCause) String() string {
	switch g {
	case Here:
		return "present"
	case NamedRemoved:
		return "removed at the source"
	case Absent:
		return "no longer listed by the source"
	case OutOfScope:
		return "not in the connection's edited scope"
	case EmptyListing:
		return "the source suddenly listed none"
	case NotRead:
		return "no longer read by the connection"
	default:
		return "unknown"
	}
}

// Proven reports whether nobody need be asked about the object by itself.
func (g GoneCause) Proven() bool { return g == NamedRemoved || g == Absent || g == NotRead }

// Reader reads one partition. What its methods return belongs to the caller and outlives the transaction,
// except where a method says otherwise, and the bytes that are handed to a callback, which are valid during the
// call only.
//
// A callback stops the iteration by returning false. It does not call the Reader or Writer that it is called by, in
// any way: on a database the connection is busy with the iteration. It notes what it wants to know, and asks for all of
// it when the iteration is over. storetest.Strict finds callbacks that do not keep to that.
//
// Whoever wants to know something of many numbers asks once for all of them. A list of numbers may be in any order and
// name one more than once; zero, which Lookup gives for a handle that was never seen, has nothing. Lists in ascending
// order are the fastest.
type Reader interface {
	WaitReader
	LinkReader
	MatchReader

	// Lookup appends the numbers of handles to nums, zero for a handle that was never seen.
	Lookup(handles []string, nums []Num) ([]Num, error)
	// Owners appends to owners the numbers of the objects that have handles, in the order of the handles. A handle that no
	// object claims has itself: it may be an object's own number. Whether that object exists is another question.
	Owners(handles, owners []Num) ([]Num, error)
	// Contestants iterates over the objects that state any of some handles and do not have it, gone ones included, in
	// ascending order of the handles and then of the objects, each pair once.
	Contestants(handles []Num, fn func(handle, object Num) bool) error

	// Row returns an object as stored. Row.Data and Row.Handles are valid until the transaction ends.
	Row(kind directory.Kind, n Num) (Row, bool, error)
	// RowsOf appends to rows one row for each number, in the order of nums. Where no object of the kind is stored it is
	// the zero Row. Data and Handles are valid until the transaction ends.
	RowsOf(kind directory.Kind, nums []Num, rows []Row) ([]Row, error)
	// Rows iterates over the objects of a kind in ascending order of their numbers, those gone included,
	// beginning after a number. Rows are valid during the call.
	Rows(kind directory.Kind, after Num, fn func(Row) bool) error
	// Count returns how many objects of a kind are there, those gone not included.
	Count(kind directory.Kind) (int, error)

	// Members iterates over the handles of a group's direct members in ascending order.
	Members(group Num, fn func(handle Num) bool) error
	// MembersOf iterates over the handles of the direct members of groups, in ascending order of the groups and then of
	// the handles, each pair once.
	MembersOf(groups []Num, fn func(group, handle Num) bool) error
	// MemberDigest returns what SetMemberDigest stored, or the zero value when a member was added or removed
	// since.
	MemberDigest(group Num) (MemberDigest, error)
	// GroupsOf iterates over the groups that have any of some handles among their direct members, in ascending order of
	// the handles and then of the groups, each pair once.
	GroupsOf(handles []Num, fn func(handle, group Num) bool) error
	// ReferrersOf iterates over the objects that state a link of a type to any of some handles, in ascending order of the
	// handles and then of the objects, each pair once.
	ReferrersOf(link directory.LinkType, handles []Num, fn func(handle, object Num) bool) error
	// Memberships returns how many memberships the partition has.
	Memberships() (int, error)

	// Dirty iterates over the dirty marks of a kind in ascending order of the numbers, beginning after one.
	Dirty(kind directory.Kind, after Num, fn func(n Num, why DirtyReason) bool) error

	// Stream returns where a stream stands; the zero value for a stream never read.
	Stream(name string) (StreamState, error)
	// Streams lists the streams that have a state other than the zero value, in order.
	Streams() ([]string, error)
	// Seen calls fn with every chunk that AppendSeen stored under a name, in order.
	Seen(stream string, fn func(chunk []byte) bool) error

	// Record returns a record.
	Record(kind directory.RecordKind, n Num) (directory.Record, bool, error)
	// RecordsOf iterates over the records of some kinds with the given numbers, in ascending order of the numbers and, of
	// one number, in the order of kinds; each once. Their fields and stamps are in m: they are good until it is reset, and for good when it is nil. A
	// transaction that is tried again adds to m.
	RecordsOf(m *directory.Memory, kinds []directory.RecordKind, nums []Num, fn func(Num, directory.Record) bool) error
	// Records iterates over the records of a kind in ascending order, beginning after a number.
	Records(kind directory.RecordKind, after Num, fn func(Num, directory.Record) bool) error
	// ActiveRecords returns how many active records of a kind there are.
	ActiveRecords(kind directory.RecordKind) (int, error)

	// Targets lists the targets that have waiting (queued or Wait) or parked actions or a claim.
	Targets() ([]string, error)
	// Outbox iterates over the actions that wait for a target in the order of their sequence numbers,
	// beginning after one. Queued.Data is valid during the call only.
	Outbox(target string, after uint64, fn func(Queued) bool) error
	// Claimed returns the sequence number up to which actions of a target were claimed (see Claim).
	Claimed(target string) (uint64, error)
	// OutboxDepth returns how many actions wait for a target, and when the oldest of them was queued.
	OutboxDepth(target string) (depth int, oldest time.Time, err error)

	// Parked iterates over what is parked, oldest first.
	Parked(fn func(Parked) bool) error
	// ParkedObject returns what is parked about an object, if anything.
	ParkedObject(kind directory.Kind, id string) (Parked, bool, error)
	// ParkedAction returns what is parked about a record at a target, if anything.
	ParkedAction(target, subject string) (Parked, bool, error)
	// ParkedCount returns how many entries are parked.
	ParkedCount() (int, error)

	// Tenant returns the state of the partition as a whole; the zero value when there is none yet.
	Tenant() (TenantState, error)
	// Runs iterates over the kept runs, newest first.
	Runs(fn func(Run) bool) error
	// RunActions iterates over what is kept of a run's actions, in the order of the run, beginning with the one at a position. Those
	// before the first may be forgotten (ForgetActions).
	RunActions(run string, from int, fn func(at int, a directory.RunAction) bool) error
	// ActionsOf iterates over what is kept of the actions about records with a key, the newest first. Its cost follows all that is kept.
	ActionsOf(key string, fn func(run string, a directory.RunAction) bool) error
	// ActionsKept returns the first run of which actions are kept, empty when none are, the position of the first one, and about how many bytes
	// all of them take.
	ActionsKept() (first string, at int, bytes int64, err error)

	// Due iterates over what is due at or before a time (PutDue), in ascending order of the times and, of one time, of the
	// kinds and the numbers. Its cost follows what it hands out.
	Due(until time.Time, fn func(at time.Time, kind directory.Kind, n Num) bool) error
	// DueOf appends to times when some numbers of a kind are due, in the order of nums; zero for what is not.
	DueOf(kind directory.Kind, nums []Num, times []time.Time) ([]time.Time, error)

	// Journal iterates over what was appended to the partition's journal, in the order of the numbers, beginning after one.
	// The entries are valid during the call.
	Journal(after uint64, fn func(n uint64, entries []JournalEntry) bool) error
	// JournalBounds returns the numbers of the oldest and the newest part of the journal; zeros where there is none.
	JournalBounds() (first, last uint64, err error)
}

// Writer changes one partition. It reads its own writes.
type Writer interface {
	Reader
	WaitWriter
	LinkWriter
	MatchWriter

	// Intern appends the numbers of handles to nums and gives a number to those that have none.
	Intern(handles []string, nums []Num) ([]Num, error)

	// PutRow stores an object under the number of its id's handle, claims its handles for it, gives up
	// those that it had before and has no longer, and brings the referrers of its links up to date. A handle
	// that was given up goes back to an object that states it too, if there is one.
	PutRow(o *directory.Object, gone GoneCause) (Num, error)
	// Give says which of the objects that state a handle has it; none of them for zero. It holds until one of them is
	// stored again or gives the handle up.
	Give(handle, object Num) error
	// SetGone says why a stored object counts as removed, or with Here that it does not. All else about it
	// stays, its claims to handles included, until another object claims them.
	SetGone(kind directory.Kind, n Num, gone GoneCause) error
	// DeleteRow forgets an object, the members that it has as a group, and its claims to handles. Its number
	// stays known: groups may still list it, and it may come back.
	DeleteRow(kind directory.Kind, n Num) error

	// AddMembers adds handles to a group's direct members and appends those that were new to added. The
	// group's number is that of its id, whether or not its object is known.
	AddMembers(group Num, handles []Num, added []Num) ([]Num, error)
	// RemoveMembers takes handles from a group's direct members and appends those that were there to removed.
	RemoveMembers(group Num, handles []Num, removed []Num) ([]Num, error)

	// SetMemberDigest remembers the digest of the list that a group's members are.
	SetMemberDigest(group Num, d MemberDigest) error

	// MarkDirty adds reasons to an object's dirty mark.
	MarkDirty(kind directory.Kind, n Num, why DirtyReason) error
	// ClearDirty removes dirty marks.
	ClearDirty(kind directory.Kind, nums []Num) error

	PutStream(name string, s StreamState) error
	// AppendSeen adds a chunk to what reads have seen and must not forget, by name: that of a stream for an interrupted
	// full read of it, or another one of the reader's choice. ClearSeen forgets all under a name.
	AppendSeen(stream string, chunk []byte) error
	ClearSeen(stream string) error

	// PutRecord, as all that takes a record or an action, keeps nothing of it after the call.
	PutRecord(n Num, rec *directory.Record) error

	// Enqueue appends an action to the outbox of a target. queued is when, for the age of the outbox.
	Enqueue(target string, a *directory.Action, queued time.Time) error
	// Claim says that every waiting action of a target up to a sequence number may have been sent: from now on
	// they are final, and Replace is not used on them. Actions that are queued later are not claimed. It is a write also
	// when nothing becomes claimed that was not: who sends next learns whether the store takes any.
	Claim(target string, upTo uint64) error
	// Replace puts another action in the place of a waiting one, and keeps the time at which that was queued.
	Replace(target string, seq uint64, a *directory.Action) error
	// Dequeue removes actions from the outbox of a target.
	Dequeue(target string, seqs []uint64) error

	// Park keeps what failed. An entry about the same object or the same record and target is replaced; the
	// new one takes over its id.
	Park(p Parked) (id uint64, err error)
	// Unpark removes an entry. It reports whether there was one.
	Unpark(id uint64) (bool, error)

	PutTenant(t TenantState) error
	// PutRun stores a run under its id and forgets those beyond the newest that are kept, but for those of which actions are.
	PutRun(r Run) error
	// KeepActions remembers actions of a run, the first of the list as the one at position from, behind all that is kept of the run. The run
	// need not be stored yet.
	KeepActions(run string, from int, list []directory.RunAction) error
	// ForgetActions forgets actions, the oldest first and as many at a time as KeepActions was given: those of runs whose ids sort before
	// one (ids of runs sort by time), and further ones until all take no more than so many bytes. Runs go with their last one.
	ForgetActions(before string, most int64) error

	// PutDue says when an object, or what is left of it, is to be looked at again although nothing about it changes; zero for
	// never. There is one such time of each; it is kept in whole seconds, rounded up. DeleteRow leaves it as it is.
	PutDue(kind directory.Kind, n Num, at time.Time) error

	// AppendJournal adds a part to the journal, with or without entries, under the number after the newest one. The first one
	// gets the number begin, at least 1, so that numbers of a journal that was dropped are not those of a later one. Parts
	// before the newest keep are forgotten.
	AppendJournal(begin uint64, keep int, entries []JournalEntry) error
	// DropJournal forgets the journal. Where there is none it costs nothing.
	DropJournal() error
}

// JournalEntry is something of a partition that differs from before: an object, a record of it, or that a handle is a member of a group. What
// it is now is for the store to say: it may be gone.
type JournalEntry struct {
	Kind directory.Kind
	Num  Num // the object's; of a membership the group's
	// Member is the handle whose membership differs; zero when it is the object itself.
	Member Num
	// Record is set when it is the object's record of that kind, and nothing else about the object. Former are then the fields that
	// it had before, as far as the journal's keeper was asked for them, those asked for that it did not have as Null: of a record that
	// was not active none. Without a Num it is some records of the kind, of which the keeper was asked for no field.
	Record directory.RecordKind
	Former []directory.Field
}

// MemberDigest tells two complete lists of member handles apart without reading them. The engine makes it of
// the handles' texts, independent of their order.
type MemberDigest struct {
	Count uint64
	Sum   [2]uint64
}

// DirtyReason says what about an object waits to be settled; reasons add up.
type DirtyReason uint8

// The reasons.
const (
	// Changed: the object itself differs, or is new or gone.
	Changed DirtyReason = 1 << iota
	// MembersChanged: a group's direct members differ. Those who entered and left have marks of their own.
	MembersChanged
	// Regrouped: a group entered or left another group; everybody below it must be looked at again.
	Regrouped
	// Remapped: what waits of a person began to do so without the person coming or leaving: the rules or the scope were edited, or it was
	// the first sync.
	Remapped
)
