// Package bolt keeps the state (package store) in one bbolt file, which one process holds at a time.
//
// # Layout
//
// The top level of the file has the bucket "\x00dirsyncd" (keys "format" and "version", see schema.go), the bucket
// "\x00waiting" (which partitions have actions for which target, see waiting.go), the bucket "\x00awaiting" (which have actions that
// wait for something at a target, see awaiting.go), the bucket "\x00items" (what sign-in keeps, see items.go), the bucket "\x00ledger" (see ledger.go) and one bucket per partition, named
// connection, NUL, tenant. In a partition, numbers are big-endian so that bbolt's
// order is theirs, "k" is a kind's number in decimal, and a "pair set" is described in pairs.go:
//
//	counters         value: what the partition counts, and the numbers given last (counters.go)
//	tenant           value: JSON store.TenantState
//	names            block4 -> hash16 of 32 handle texts, in the order of their numbers (names.go)
//	matching         value: JSON form number and fields of the index match, while there is one
//	match            hash16 of a key, num4 -> nothing: which people have it in one of these fields (match.go)
//	owner            handle4 -> object4: who has a handle; none for an object's own number
//	contested        pair set handle -> object: who states a handle that another object has
//	objects.k        num4 -> row: cause, numbers of the handles, canonical object (rows.go)
//	members          group4 bound4 -> handles of a group's members up to there, ascending, as distances (members.go)
//	memberof         pair set handle -> group: members, turned around
//	referrers        pair set (link type, handle) -> object
//	digests          group4 -> count8 sum8 sum8
//	dirty.k          num4 -> reasons
//	streams          name -> JSON store.StreamState
//	seen             bucket per stream: seq8 -> chunk
//	journal          seq8 -> form, (kind, number, member's number) varints: what differs, for others to follow (journal.go)
//	records.k        num4 -> canonical record
//	outbox           bucket per target: seq8 -> queued time, canonical action (outbox.go)
//	queues           target -> last sequence number, claimed up to, depth
//	parked           id8 -> JSON store.Parked
//	parked.object    kind1 hash16 of the object's id -> id8
//	parked.action    target NUL hash16 of the subject -> id8
//	runs             seq8 -> JSON store.Run
//	runs.id          run's id -> seq8
//	runs.actions     run's id NUL position4 -> JSON store.RunAction
//	waits            target NUL id8 -> what waits at a target outside of its outbox (waits.go)
//	waits.subject    target NUL hash16 of the subject -> id8
//	waits.key        target NUL hash16 of what is waited for, id8
//	waits.due        target NUL time8 id8
//	waits.count      target NUL cause -> how many
//
// The partitions of targets (store.TargetPartition) have these:
//
//	links            hash16 of the subject -> who is who at the target's place (links.go)
//	links.id         kind1, hash16 of the id, 0 or 1, hash16 of the subject
//	rejected         hash16 of the subject, kind1, hash16 of the id -> JSON store.Rejection
//	reviews          number8 -> JSON store.Review
//	reviews.subject  hash16 of the subject -> number8
//	desk             value: JSON store.DeskState
//	desk.counts      value: how many links there are, by state, and reviews
//
// Keys that arrive in ascending order (names, objects, records, the outbox) are appended to full pages. Keys that
// arrive at random (memberships) are packed many to a value and written once per transaction: bbolt
// writes whole pages, and the number of pages that a transaction touches is what a first sync costs.
//
// # Durability
//
// A transaction is durable when Update returns: bbolt writes new pages beside the old ones, syncs, and then
// switches the file over by one small write. The list of free pages is kept in the file too, although bbolt
// can do without: rebuilding it would read the whole file at each start, and bbolt does that in a goroutine
// of its own, where a damaged page ends the process instead of giving an error.
package bolt
