// Package connectors holds the contract between a source and the engine. Each kind of source lives in a
// folder of its own below; connectortest holds the suite that every one of them must pass.
//
// A connector only translates. It holds no business rule, no filter that the operator's rules could hold, no
// retry of its own (sources over HTTP share the one of internal/rest), and it does not log errors: it returns them,
// classified by package fault.
package connectors

import (
	"context"
	"errors"
	"slices"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// Connector reads one configured source (a connection). Its methods may be called concurrently for different
// tenants, never for the same stream of the same tenant. Every error is a *fault.Error, except that an error
// from emit and the end of the context (ctx.Err()) come back unchanged; no error holds a secret. What of this is the
// same for every source is seen to by Guard, which New puts around each: an implementation need not.
type Connector interface {
	// Describe says what the connector can read. It does no I/O and always returns the same.
	Describe() Description

	// Check asks the server whether it is there, whether the credentials work and whether the granted
	// permissions are those that the configuration needs, each missing one as a finding of its own. The
	// error is for what kept the check itself from finishing.
	Check(ctx context.Context) ([]Finding, error)

	// Tenants lists the parts of the source that live and fail on their own. A source without tenants
	// returns one Tenant with an empty ID, without I/O.
	Tenants(ctx context.Context) ([]Tenant, error)

	// Read streams one stream of one tenant. It needs no earlier call: another process may have listed the tenant and
	// made the cursor. emit is called once per page, in order, on the caller's
	// goroutine; the page and all it holds belong to emit until it returns, and may be reused after.
	// An error from emit ends Read, which returns it unchanged. After an error of the source no page
	// follows. The last page, and only that one, carries a Proof; a Read that returns nil without having
	// emitted a Proof is a defect of the connector.
	//
	// In Full mode the pages list everything there is. In Delta mode they list what changed since the
	// cursor was made. In Referrers mode they list, as they are now and with the whole lists of their members, the
	// objects that refer to some handles and those that are asked for by id; they name no removal and carry no cursor, and
	// that an object is not among them proves nothing. A cursor that the source no longer takes, or that was made under
	// other settings, is a fault.CursorExpired error, before the first page.
	//
	// Read may be called for a tenant that this process never listed: who lists tenants and who reads one need not be
	// the same. All that is known of the tenant is in the request.
	Read(ctx context.Context, req Request, emit func(*Page) error) error

	// Close releases what the connector holds. No other method may be running or follow.
	Close() error
}

// Watcher is a Connector whose source can tell at once that something changed. It is a trigger and nothing more: what
// changed is what the next read finds, a watch may call for nothing or miss something, and the schedule stays the truth.
type Watcher interface {
	Connector

	// Watch calls notify when something changed in a tenant that a read would probably see: once as soon as the watch
	// is in place, for nobody knows what changed before, and then after every change or several. notify is called from
	// one goroutine at a time and must return soon; calls that come close together are the caller's to fold.
	//
	// Watch blocks until the context ends, whose error it returns unchanged, or until the source ends the watch, with
	// a *fault.Error: a transient one is answered by another Watch after a while, as a failed read is by another read.
	// It returns nil at once when this connection is not to be watched. It may run beside any other method.
	Watch(ctx context.Context, t Tenant, notify func()) error
}

// Description says what a connector can read and what it needs for that.
type Description struct {
	// Streams are read one after the other, in this order.
	Streams []Stream
	// Permissions are what the source must grant, in its own words, for the operator to read.
	Permissions []string
}

// Stream is one kind of cursor: what is read in one go. Its abilities are promises that the conformance
// suite checks; the engine trusts nothing that is not declared.
type Stream struct {
	// Name is the stream's word in logs and in the store: users, groups, members, licences, devices, customers.
	Name string
	// Kinds are the kinds of object that the stream lists completely in Full mode: an object of one of
	// these kinds that a proven full read did not list is no longer there. No two streams share a kind.
	Kinds []directory.Kind
	// Members says that the stream lists the members of groups.
	Members bool
	// Delta: the stream can be read from a cursor.
	Delta bool
	// Tombstones: a delta names what was removed. Without it, removals are found by full reads only.
	Tombstones bool
	// Resumable: some pages of a full read carry a cursor from which an interrupted read goes on.
	Resumable bool
	// Counted: the proof of a full read carries a count that the source made independently of the pages.
	Counted bool
	// MayBeShort: a full list can lack objects, end as if it were whole, and nothing counts them. What it does not name
	// stays until the next list does not name it either, and counts as gone then unless Page.Look finds it.
	MayBeShort bool
	// Rewritten is what those handles begin with in whose references the source may change an object of the stream
	// without naming it in a delta: when another object is renamed, moved or deleted, its new handle stands, or none, where
	// the former one stood. The stream can then be read in the mode Referrers. Empty: a delta names everything that reads
	// differently than before.
	Rewritten string
	// Derived: objects of the stream have fields that the source makes of the lists of groups that name them (LDAP:
	// memberOf), and a change of those lists changes the object without naming it in a delta. For streams with Rewritten only.
	Derived bool
}

// Tenant is a part of a connection that lives and fails on its own.
type Tenant struct {
	ID     string // immutable; empty where a source has no tenants
	Name   string
	Domain string
	// Streams are the names of the streams that this tenant has, of those that Describe lists; none means all.
	Streams []string
}

// Has reports whether the tenant has a stream.
func (t *Tenant) Has(stream string) bool {
	return len(t.Streams) == 0 || slices.Contains(t.Streams, stream)
}

// Mode says how a stream is read.
type Mode uint8

// The modes.
const (
	Delta     Mode = iota // what changed since the cursor
	Full                  // everything
	Referrers             // what refers to some handles, and some objects besides (Stream.Rewritten)
)

// String returns the mode's word.
func (m Mode) String() string {
	switch m {
	case Full:
		return "full"
	case Referrers:
		return "referrers"
	default:
		return "delta"
	}
}

// Request says what to read.
type Request struct {
	Tenant Tenant
	Stream string
	Mode   Mode
	// Cursor is where to go on. In Delta mode it is the cursor of an earlier read's last page; in Full mode
	// it is empty, or the cursor of a Resumable page of an interrupted full read. In Referrers mode it is that of the
	// last delta or full read, than which the answer must not be older.
	Cursor []byte
	// Handles, in Referrers mode, are those whose referrers are asked for: the objects of the stream with links or
	// members that name one of them. Only handles with the stream's Rewritten are asked for.
	Handles []string
	// IDs, in Referrers mode, are objects of the stream that are asked for by themselves.
	IDs []string
	// Known is the Page.Known with which the last read of the stream ended, in both modes; empty when there was none. A
	// source that knows less by now, such as a replica that lags behind, is no proof of anything: to read it would undo
	// what is newer. The read then fails as fault.Transient, before the first page: waiting helps.
	Known []byte
	// Older takes even a source that knows less than Known, if there is no other. The proof then says so, and all that
	// follows from the read waits for the operator.
	Older bool
}

// Page is a part of an answer. What it holds may be stored page by page.
type Page struct {
	// Objects are there, as described. In Full mode an object may come twice; the later one holds.
	Objects []directory.Object
	// Removed are gone: the source said so. A Full read has none.
	Removed []directory.Ref
	// Members are memberships of groups.
	Members []Members
	// Invalid are entries that could not be translated. The read goes on without them; they are parked, and stay as they
	// were, a group with its members.
	Invalid []Invalid
	// FoldedIDs: the source takes ids that differ only in case, or in the number of spaces, for the same. An object keeps the
	// spelling under which it became known.
	FoldedIDs bool
	// Notes are what the operator should know of the answer, one line each, without personal data: they are logged.
	Notes []string
	// Cursor is where a later read goes on after everything up to and including this page. Empty when the
	// source has none to offer here.
	Cursor []byte
	// Resumable: Cursor may be used to go on with this very read after an interruption.
	Resumable bool
	// Known, on the last page, is what the source knew when this was read, in words of the connector's own. It is the
	// same as in the request as long as nothing has changed at the source: a new one is stored at once, with Cursor.
	// Connectors whose source is always the same one leave it empty.
	Known []byte
	// Proof is set on the last page only.
	Proof *Proof
	// Look, on the last page, asks the source, one by one, for objects that two full lists of a stream that MayBeShort did
	// not name, and returns the ids of those that are there all the same. The engine calls it before emit returns, with
	// MostLooks ids at most. Nil, or an error: nobody can be asked.
	Look func(ctx context.Context, ids []string) (there []string, err error)
}

// Members are memberships of one group. People and groups are named by handles (see directory.Object).
type Members struct {
	// Group is the group's id. The group's object may come earlier, later, or from another stream.
	Group string
	// Add holds members of the group.
	Add []string
	// Remove holds handles that are no longer members; in Delta mode only. Beside a Whole list they are those of whom
	// the source says by another way that they left.
	Remove []string
	// Whole: Add is the complete list. Otherwise, in Delta mode Add and Remove are changes; in Full mode Add
	// is a part of the list, whose other parts are anywhere in the same read.
	Whole bool
	// MayBeShort: a Whole list that can lack members, and no count of the source's own agrees with it. Whom it does
	// not name stays until the next list of the group does not name him either.
	MayBeShort bool
}

// Invalid is an entry of the source that could not be translated.
type Invalid struct {
	Kind directory.Kind
	// ID is the entry's immutable id when that much could be read. Without it the engine cannot tell whose
	// absence is real, and the read proves no removal.
	ID string
	// Where names the entry for the operator: a DN, a URL path.
	Where string
	Err   error // classified
}

// Proof states that the page chain closed: the source said that nothing follows. The engine decides what may
// be concluded from it.
type Proof struct {
	// Scope says in words what was listed: server name as configured, base, filter, identity. Two full
	// reads with different scopes are not comparable: what only the earlier one listed may still be there.
	// It holds no secret.
	Scope string
	// Count is how many objects the source says there are, counted independently of the pages; -1 when it
	// cannot tell.
	Count int
	// Older says by how much the source knows less than Request.Known; empty when it knows that and more.
	Older string
}

// MostLooks is how many objects are asked for one by one at the end of a read.
const MostLooks = 100

// Finding is one result of Check.
type Finding struct {
	Subject string `json:"subject"` // what was looked at: "bind", "permission User.Read.All"
	OK      bool   `json:"ok"`
	Detail  string `json:"detail,omitempty"` // what was found
	Hint    string `json:"hint,omitempty"`   // what to do when it is not OK
}

// Failed is the finding that an error is.
func Failed(subject string, err error) Finding {
	detail := err.Error()
	var f *fault.Error
	if errors.As(err, &f) && f.Err != nil {
		detail = f.Err.Error()
	}
	return Finding{Subject: subject, Detail: detail, Hint: fault.Hint(err)}
}
