package encoding

// The tables of a partition, as Export hands them out and Import takes them (store.Portable). Integers within keys are big-endian, of as many
// bytes as is said; a kind is one byte. A varint is that of package encoding/binary. Whatever follows from these by itself, such as who is a
// member of which groups, is no table.
//
// What a version adds to the state gets a table here, at the end of Tables. Both stores refuse what they do not know.
const (
	TableNames     = "names"        // block4 -> 16 bytes for each of 32 numbers in order, beginning with 32*block+1: that of the handle's SHA-256
	TableOwner     = "owner"        // handle4 -> object4: who has a handle
	TableContested = "contested"    // handle4 object4 -> nothing: who states a handle that somebody else has
	TableObjects   = "objects"      // kind num4 -> cause1, how many handles, their numbers (varints), canonical object
	TableReferrers = "referrers"    // type1 handle4 object4 -> nothing: who states a link to a handle
	TableMembers   = "members"      // group4 first4 -> up to 512 members: the first, and the distances of the others (varints)
	TableDigests   = "digests"      // group4 -> count8 sum8 sum8
	TableDirty     = "dirty"        // kind num4 -> reasons1
	TableDue       = "due"          // kind num4 -> seconds8, its highest bit turned
	TableTenant    = "tenant"       // nothing -> JSON store.TenantState
	TableStreams   = "streams"      // name -> JSON store.StreamState
	TableSeen      = "seen"         // stream NUL seq8 -> chunk
	TableJournal   = "journal"      // seq8 -> form of a part (AppendJournal)
	TableRecords   = "records"      // kind num4 -> canonical record
	TableQueues    = "queues"       // target -> last number, claimed up to, depth (varints)
	TableOutbox    = "outbox"       // target NUL seq8 -> time in nanoseconds (signed varint, zero for none), canonical action
	TableParked    = "parked"       // id8 -> JSON store.Parked
	TableRuns      = "runs"         // seq8 -> JSON store.Run
	TableActions   = "runs.actions" // run NUL position4 -> canonical actions
	TableWaits     = "waits"        // target NUL id8 -> form of a wait (AppendWait)
	TableLinks     = "links"        // 16 bytes of the subject's SHA-256 -> form of a link (AppendLink)
	TableRejected  = "rejected"     // 16 bytes of the subject, kind, 16 bytes of the id -> JSON store.Rejection
	TableReviews   = "reviews"      // number8 -> JSON store.Review
	TableDesk      = "desk"         // nothing -> JSON store.DeskState
	TableMatching  = "matching"     // nothing -> JSON: by which fields people are found
	TableMatch     = "match"        // 16 bytes of a key, num4 -> nothing
	TableCounters  = "counters"     // name -> varint (Counters)
)

// TableItems is the table of what is in no partition: space NUL key -> form of an item (AppendItem). Keys that were used once are in the space
// without a name.
const TableItems = "items"

// TableLedger is the other one, after it: name -> value (store.Store, Ledger).
const TableLedger = "ledger"

// Tables lists the tables of a partition in the order in which they are handed out: numbers come before what names them.
func Tables() []string {
	return []string{
		TableNames, TableOwner, TableContested, TableObjects, TableReferrers, TableMembers, TableDigests, TableDirty, TableDue, TableTenant, TableStreams,
		TableSeen, TableJournal, TableRecords, TableQueues, TableOutbox, TableParked, TableRuns, TableActions, TableWaits, TableLinks, TableRejected,
		TableReviews, TableDesk, TableMatching, TableMatch, TableCounters,
	}
}
