package bolt

import (
	"strconv"

	"dirsyncd/sync/directory"
)

// bucketID names a bucket within a partition. Those that exist once per kind have the kind's number added.
type bucketID int

const (
	names bucketID = iota
	owner
	contested
	members
	memberOf
	referrers
	digests
	streams
	seen
	outbox
	queues
	parked
	parkedObjects
	parkedActions
	runs
	runIDs
	runActions
	waits
	waitSubjects
	waitKeys
	waitDue
	waitCounts
	links
	linkIDs
	rejected
	reviews
	reviewSubjects
	due
	dueOf
	journal
	match
	objects
	dirty       = objects + maxKinds
	records     = dirty + maxKinds
	bucketCount = records + maxKinds
)

// maxKinds is more than there are kinds of object or of record.
const maxKinds = 16

var bucketNames = [...]string{
	names: "names", owner: "owner", contested: "contested", members: "members", memberOf: "memberof",
	referrers: "referrers", digests: "digests", streams: "streams", seen: "seen", outbox: "outbox",
	queues: "queues", parked: "parked", parkedObjects: "parked.object", parkedActions: "parked.action",
	runs: "runs", runIDs: "runs.id", runActions: "runs.actions",
	waits: "waits", waitSubjects: "waits.subject", waitKeys: "waits.key", waitDue: "waits.due", waitCounts: "waits.count",
	links: "links", linkIDs: "links.id", rejected: "rejected", reviews: "reviews", reviewSubjects: "reviews.subject",
	due: "due", dueOf: "due.of",
	journal: "journal", match: "match",
}

// String returns the name of the bucket.
func (p bucketID) String() string {
	switch {
	case p < objects:
		return bucketNames[p]
	case p < dirty:
		return "objects." + strconv.Itoa(int(p-objects))
	case p < records:
		return "dirty." + strconv.Itoa(int(p-dirty))
	default:
		return "records." + strconv.Itoa(int(p-records))
	}
}

// fill is how full bbolt leaves a page that it splits. Where keys arrive in ascending order nothing will come
// between them later; elsewhere room for that is left.
func (p bucketID) fill() float64 {
	switch {
	case p >= objects, p == names, p == owner, p == seen, p == outbox, p == runs, p == runActions, p == waits, p == reviews, p == journal:
		return 0.95
	default:
		return 0.5
	}
}

// objectsOf returns the bucket of a kind's objects; dirtyOf and recordsOf likewise.
func objectsOf(kind directory.Kind) (bucketID, error) { return ofKind(objects, kind) }
func dirtyOf(kind directory.Kind) (bucketID, error)   { return ofKind(dirty, kind) }

func recordsOf(kind directory.RecordKind) (bucketID, error) {
	if kind == 0 || kind >= maxKinds {
		return 0, misuse("record kind %d is unknown", kind)
	}
	return records + bucketID(kind), nil
}

func ofKind(first bucketID, kind directory.Kind) (bucketID, error) {
	if kind == 0 || kind >= maxKinds {
		return 0, misuse("object kind %d is unknown", kind)
	}
	return first + bucketID(kind), nil
}
