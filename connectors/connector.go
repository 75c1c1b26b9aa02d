// Package connectors holds the contract between a source and the engine. Each kind of source lives in a
// folder of its own below; connectortest holds the suite that every one of them must pass.
//
// A connector only translates. It holds no business rule, no filter that the operator's rules could hold, no
// retry of its own (sources over HTTP share the one of sync/rest), and it does not log errors: it returns them,
// classified by package fault.
package connectors

import (
	"context"
	"errors"
	"slices"
	"time"

	"dirsyncd/store"
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
	// that an object is not among them proves nothing. In ByID mode they list some objects by their ids, as they are now and as a
	// full read shows them, and carry no cursor; whom the source says not to have, in words that it has for nothing else, they
	// name as removed, and whoever is neither listed nor removed may be there. A cursor that the source no longer takes, or that was made under
	// other settings, is a fault.CursorExpired error, before the first page; it wraps ErrListedAnew where that is how the source works.
	//
	// Read may be called for a tenant that this process never listed: who lists tenants and who reads one need not be
	// the same. All that is known of the tenant is in the request.
	Read(ctx context.Context, req Request, emit func(*Page) error) error

	// Close releases what the connector holds. No other method may be running or follow.
	Close() error
}

// ErrListedAnew is what a fault.CursorExpired error wraps of a source that is listed as a whole whenever it has changed, as a file is:
// nothing is odd about that.
var ErrListedAnew = errors.New("has changed, and is read as a whole")

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

// Asker is a Connector that leaves it to a human who is who. Both methods work on the tenant's own partition.
type Asker interface {
	Connector

	// Questions lists what waits for a human, in order.
	Questions(ctx context.Context, view func(ctx context.Context, fn func(store.Reader) error) error) ([]Question, error)
	// Decide stores what a human says. The next read goes by it. An error of class fault.Conflict says that a side has changed
	// since it was shown, one of fault.Invalid that nothing of the kind waits.
	Decide(tx store.Writer, d Decision) error
}

// Question is somebody of whom a human has to say who it is.
type Question struct {
	// Subject names the object in the words of the connector. It is the question's name, too.
	Subject string
	Kind    directory.Kind
	Cause   string // ambiguous, lapsed
	Reason  string // in full, without personal data
	// Fingerprint is of both sides as they are.
	Fingerprint string
	Since       time.Time
	Candidates  []Suggestion
}

// Suggestion is somebody who may be the same.
type Suggestion struct {
	ID   string // in the words of the connector
	Name string // personal data
	Key  string // by which they may be the same
}

// Decision is what a human says of a Question.
type Decision struct {
	Subject string
	// Verdict is accept (it is Candidate), new (it is none of them), reject (it is not Candidate, none of them when that is
	// empty), or undo: what was decided of the Subject is forgotten.
	Verdict, Candidate string
	// Fingerprint is that of the question as it was shown; empty: as it is now.
	Fingerprint string
	At          time.Time
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
	// Name is the stream's word in logs and in the store: users, groups, members, licences, devices, customers, sites.
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
	// Rewritten is what those handles begin with in whose references the source may change an object of the stream
	// without naming it in a delta: when another object is renamed, moved or deleted, its new handle stands, or none, where
	// the former one stood. The stream can then be read in the mode Referrers. Empty: a delta names everything that reads
	// differently than before.
	Rewritten string
	// Derived: objects of the stream have fields that the source makes of the lists of groups that name them (LDAP:
	// memberOf), and a change of those lists changes the object without naming it in a delta. For streams with Rewritten only.
	Derived bool
	// ByID: the stream can be read in the mode ByID.
	ByID bool
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
	ByID                  // some objects (Stream.ByID)
)

// String returns the mode's word.
func (m Mode) String() string {
	switch m {
	case Full:
		return "full"
	case Referrers:
		return "referrers"
	case ByID:
		return "by id"
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
	// it is empty, or the cursor of a Resumable page of an interrupted full read. In Referrers and ByID mode it is that of the
	// last delta or full read, than which the answer must not be older; in ByID mode it may be empty.
	Cursor []byte
	// Handles, in Referrers mode, are those whose referrers are asked for: the objects of the stream with links or
	// members that name one of them. Only handles with the stream's Rewritten are asked for.
	Handles []string
	// IDs, in Referrers and ByID mode, are objects of the stream that are asked for by themselves.
	IDs []string
	// Known is the Page.Known with which the last read of the stream ended, in both modes; empty when there was none. A
	// source that knows less by now, such as a replica that lags behind, is no proof of anything: to read it would undo
	// what is newer. The read then fails as fault.Transient, before the first page: waiting helps.
	Known []byte
	// Owners returns the ids of the stored objects of the stream that have some handles and are there; empty where there is
	// none. It is for sources that do not keep ids apart: who had one before keeps it. It is nil where nothing is stored.
	Owners func(ctx context.Context, handles []string) (ids []string, err error)
	// Unlisted returns the ids of the stored people and groups that are members of a stored group, are there, and are named by none of some
	// handles, in any order. It is for sources that tell of a group that comes back no more than that. It is nil where nothing is stored.
	Unlisted func(ctx context.Context, group string, listed []string) (people, groups []string, err error)
	// Stored returns the stored objects of a kind that have some ids, in their order; in place of one that is not stored, or gone, is one
	// without an id. They are the caller's. It is nil where nothing is stored.
	Stored func(ctx context.Context, kind directory.Kind, ids []string) ([]directory.Object, error)
	// Older takes even a source that knows less than Known, if there is no other. The proof then says so, and all that
	// follows from the read waits for the operator.
	Older bool
	// Dry: the read only looks. Nothing at the source may change by it, and what it answers is forgotten.
	Dry bool
	// View reads what is stored of the tenant itself, as the read's pages leave it. It is for sources that have no memory of
	// their own. It is nil where nothing is stored.
	View func(ctx context.Context, fn func(store.Reader) error) error
	// Same, in Full mode, looks up what is stored by what it was made of (Page.Digests), so that a source need not translate what it
	// sent in the same bytes before. basis names, besides this program, all that decides what becomes of an entry: what of the
	// configuration and of the server has a say in it. With another one than before, nothing is known. same reports whether an object
	// was made of the entry with a digest, is there, and stored as it was made, a group with its members. It may take a
	// moment, until that is looked up; it may be called from any goroutine, and holds for this read. Where nobody keeps digests, Same or
	// same is nil, and a page has none.
	Same func(ctx context.Context, basis string) (same func(Digest) bool, err error)
}

// Digest tells the entries of a source apart by their bytes. The zero value is none.
type Digest [12]byte

// Page is a part of an answer. What it holds may be stored page by page.
type Page struct {
	// Objects are there, as described. In Full mode an object may come twice; the later one holds.
	Objects []directory.Object
	// Digests are those of the entries of which Objects were made, in their order; none, or zero, for one that is to be made anew each
	// time. An object with a digest, and the members of such a group, follow from the bytes of one entry and from Request.Same's
	// basis, and from nothing else: not from the time, from what is stored, from other entries, or from what is asked for besides. The
	// members are on the same page, Whole. Only for reads that have called Same.
	Digests []Digest
	// Same are the digests of the page's other entries, which Request.Same knows: their objects are there, and as they are stored.
	Same []Digest
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
	// Unlisted, on the last page of a full read, are parts of the source that the proof does not speak of.
	Unlisted []Part
	// Domains, on the last page of a delta or full read of one stream of the tenant's, are all mail domains that the tenant
	// has now, in letters of any case and any order. None: they were not asked for, or nobody could say. That is not told apart, for
	// what is not known takes nobody out.
	Domains []string
	// Proof is set on the last page only.
	Proof *Proof
	// Look, on the last page, asks the source, one by one, for objects that two lists that may be short (Proof) did not
	// name, and returns the ids of those that are there all the same. The engine calls it before emit returns, with
	// MostLooks ids at most. Nil, or an error: nobody can be asked.
	Look func(ctx context.Context, ids []string) (there []string, err error)
	// Definite: what Look does not find is gone, and no second list is needed. The service says so in words that it has
	// for nothing else.
	Definite bool
	// LookMembers, on the last page of a full read, lists the members of one group by another way than that by which the
	// parts of its list came, for groups whose parts did not name everybody of before. Whom it names stays; whom it does not
	// has left. Where it fails, or was called MostLooks times, two reads in a row must lack them. Nil: the parts are believed.
	LookMembers func(ctx context.Context, group string) (handles []string, err error)
	// LookMembersOf, in Delta mode, says which of some people, by their ids, are in a group whose Whole list MayBeShort and does
	// not name them, by another way than that list. Who is stays, and who is not has left. The engine calls it before emit
	// returns, for MostLooks people at most in a read. Nil, or an error: nobody can be asked.
	LookMembersOf func(ctx context.Context, group string, ids []string) (there []string, err error)
	// MayLack says what of the page's objects was made of lists of their own that can be short; nil: nothing.
	MayLack *MayLack
}

// MayLack is what objects can lack because a list from which it comes is short and looks whole. What an object has lost of
// it stays until the next list lacks it, too, and the source, if it can be asked, does not have it.
type MayLack struct {
	// Link reports whether a link of an object comes from such a list, as it is read now.
	Link func(l directory.Link) bool
	// Counts are fields with numbers that were counted from such a list: one that is smaller than before can be wrong. Fewer is by
	// how much it may be smaller because the source says by another way that something ended.
	Counts []string
	Fewer  int
	// Made is the field in which an object names the lists that it was made of, if it is one of several: one that a list no
	// longer has stays as it was as a whole, for what only that list says of it.
	Made string
	// Look asks the source for links by themselves and says of each whether it is there. The engine calls it before emit
	// returns, with MostLooks links at most in a read. Nil, or an error: nobody can be asked.
	Look func(ctx context.Context, lost []Lost) (there []bool, err error)
	// Definite: what Look does not find is gone, and no second list is needed.
	Definite bool
}

// Lost is a link that an object had before. Object is as it is now.
type Lost struct {
	Object *directory.Object
	Link   directory.Link
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
	// PeopleCounted: the source counts the people among the members, and the count agrees with a list that MayBeShort: only
	// groups can be missing from it.
	PeopleCounted bool
	// CountedMore is how many more members the source counts than a list that MayBeShort names; 0 when it does not count.
	// Whom such a list does not name stays, however often that happens, as long as the count exceeds the list by more than
	// it did when nobody was missing: a source may always count somebody whom it does not list.
	CountedMore int
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
	// MayBeShort: a list of this kind can lack objects, end as if it were whole, and nothing counts them. What a full read
	// did not name stays until the next one does not name it either, and counts as gone then unless Page.Look finds it.
	MayBeShort bool
	// CountedMore is how many more objects the source counts, by another way that can be behind, than the list names; the list
	// MayBeShort then. As long as it exceeds what it was when nobody was missing, only Page.Look says who is gone.
	CountedMore int
	// Doubt says why absence from the listing proves nothing; empty when it does.
	Doubt string
	// Reads says what the stream reads of its objects, as far as the configuration or the server decides it, in the words
	// of the rules: "manager", "licences", "last_login", "attributes.costCentre". Where it can be chosen what fills it,
	// that follows after a colon: "department: department, ou", "id: entryUUID". When less is read than before, what
	// follows from that waits for the operator. To go on where an entry ended before (another name to fall back to) is
	// more and not less. A delta says it, too. None: always the same is read.
	Reads []string
	// Older says by how much the source knows less than Request.Known; empty when it knows that and more.
	Older string
}

// Part is a part of what a stream lists that could not be listed: the source said so, or the operator that a list proves
// nothing. Whoever was there may still be.
type Part struct {
	// Where names it for the operator: a DN.
	Where string
	// Why says why it proves nothing, in a few words for the log; empty: the source refers to another server for it.
	Why string
	// Holds reports whether an object, as it was last seen, belongs to the part.
	Holds func(o *directory.Object) bool
}

// Kept is everything in a stream whose lists prove nobody's absence, because the configuration says so.
func Kept(why string) Part {
	return Part{Why: why, Holds: func(*directory.Object) bool { return true }}
}

// AttributeFrom is the attribute in which an object that is made of several says which connection each field is from, as
// "department: hr".
const AttributeFrom = directory.AttributePrefix + "merged_fields"

// MostLooks is how many objects are asked for one by one at the end of a read.
const MostLooks = 100

// Finding is one result of Check.
type Finding struct {
	Subject string `json:"subject"` // what was looked at: "bind", "permission User.Read.All"
	OK      bool   `json:"ok"`
	Detail  string `json:"detail,omitempty"` // what was found
	Hint    string `json:"hint,omitempty"`   // what to do when it is not OK
}

// Findings are what a check has found so far.
type Findings []Finding

// Add adds what came of a subject, the detail or else the error, and reports whether it is good.
func (f *Findings) Add(subject, detail string, err error) bool {
	if err != nil {
		*f = append(*f, Failed(subject, err))
		return false
	}
	*f = append(*f, Finding{Subject: subject, OK: true, Detail: detail})
	return true
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
