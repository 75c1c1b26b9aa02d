package store

import (
	"context"
	"crypto/sha256"
	"slices"
	"time"

	"dirsyncd/sync/directory"
)

// What a target's place has, under ids of its own, is kept in a partition of the target: who is who there (Link), whom a human has to
// look at (Review), what a human said (Rejection), and how the place does (DeskState). Records of all connections share it.

// targetConnection is the connection of the targets' partitions. No connection in the configuration can have that name.
const targetConnection = "@target"

// TargetPartition is the partition of a target.
func TargetPartition(target string) Partition {
	return Partition{Connection: targetConnection, Tenant: target}
}

// Target returns the target whose partition it is; false for one of a connection.
func (p Partition) Target() (string, bool) {
	if p.Connection != targetConnection {
		return "", false
	}
	return p.Tenant, true
}

// TargetPartitions lists the partitions of targets that were written to, in order of the targets' names.
func TargetPartitions(ctx context.Context, s Store) ([]Partition, error) {
	return s.Partitions(ctx, targetConnection)
}

// Link says which thing at a target's place is a record's.
type Link struct {
	Subject string // directory.Subject
	Kind    directory.RecordKind
	// ID is the place's; empty when there is none yet.
	ID    string
	State LinkState
	Owner LinkOwner
	// Active: the thing was left in use.
	Active bool
	// Mark is what was written at the place to name the record (targets.Mark); Parent the id of what it is within, a customer or
	// a site; Revision what the place calls its state.
	Mark, Parent, Revision string
	// Sent are digests of the fields as they were last written, Saw of what the place showed right after that, by the fields' names.
	Sent, Saw map[string]Digest
	// Once are the fields that were written when the thing was made and are left alone since, ascending.
	Once []string
	// Members are the ids of the members that we have added, ascending.
	Members []string
	// LastKey is the key of the action that was done last. It is for information only: a restored state goes back.
	LastKey string
	// Contributor is the partition that has the record.
	Contributor Partition
	// Why says, in a word or two, why a link is dead or waits for a human.
	Why string
	// Since is when the link was made, Changed when it was last written, to the second.
	Since, Changed time.Time
}

// LinkState is where a link stands. The numbers are stored; they are appended to, never changed.
type LinkState uint8

// The states of a link.
const (
	Linked       LinkState = iota + 1 // the thing is the record's
	InReview                          // a human decides which thing is the record's
	LinkRejected                      // a human said that nothing there is the record's
	LinkDead                          // the thing is proven gone, or its record is; kept, so that a late listing or a restored state does not make it again
	lastLinkState
)

// Known reports whether it is one of the states above.
func (s LinkState) Known() bool { return s > 0 && s < lastLinkState }

// LinkStates lists all states.
func LinkStates() []LinkState { return []LinkState{Linked, InReview, LinkRejected, LinkDead} }

// String returns the state's word.
func (s LinkState) String() string {
	switch s {
	case Linked:
		return "linked"
	case InReview:
		return "review"
	case LinkRejected:
		return "rejected"
	case LinkDead:
		return "dead"
	default:
		return "unknown"
	}
}

// LinkOwner says how a thing became a record's. The numbers are stored; they are appended to, never changed.
type LinkOwner uint8

// The owners.
const (
	NotOwned LinkOwner = iota
	Created            // we made it
	Adopted            // it was there
	lastLinkOwner
)

// Known reports whether it is one of the owners above.
func (o LinkOwner) Known() bool { return o < lastLinkOwner }

// String returns the owner's word.
func (o LinkOwner) String() string {
	switch o {
	case Created:
		return "created"
	case Adopted:
		return "adopted"
	default:
		return ""
	}
}

// Digest tells two texts apart without keeping them.
type Digest [8]byte

// DigestOf is the digest of a text.
func DigestOf(text string) Digest {
	sum := sha256.Sum256([]byte(text))
	return Digest(sum[:8])
}

// Rejection is a pair that a human said is none. It holds while both sides are as they were then.
type Rejection struct {
	Subject     string               `json:"subject"`
	Kind        directory.RecordKind `json:"kind"`
	ID          string               `json:"id"`
	Fingerprint string               `json:"fingerprint,omitempty"`
	Since       time.Time            `json:"since"`
}

// Review is a record about which a human decides.
type Review struct {
	// Number names it to the operator. Numbers are given in ascending order and never reused.
	Number  uint64               `json:"number"`
	Subject string               `json:"subject"`
	Kind    directory.RecordKind `json:"kind"`
	// Cause is why, in the desk's word; Text in the operator's. It holds personal data, as the candidates do.
	Cause      string      `json:"cause"`
	Text       string      `json:"text,omitempty"`
	Candidates []Candidate `json:"candidates,omitempty"`
	// Fingerprint is of the record and of all candidates as they were when the review was written. A decision names it.
	Fingerprint string    `json:"fingerprint"`
	Since       time.Time `json:"since"`
	// Contributor is the partition where the record's action waits.
	Contributor Partition `json:"contributor"`
}

// Candidate is a thing at the place that may be a record's.
type Candidate struct {
	ID string `json:"id"`
	// Name is what the place shows it as, Parent the name of the customer or site that it is within.
	Name   string `json:"name,omitempty"`
	Parent string `json:"parent,omitempty"`
	// Key is the name of the key that matched; Differ are the fields that the two have otherwise.
	Key    string   `json:"key,omitempty"`
	Differ []string `json:"differ,omitempty"`
	// Why says what speaks against it.
	Why         string `json:"why,omitempty"`
	Inactive    bool   `json:"inactive,omitempty"`
	Fingerprint string `json:"fingerprint,omitempty"`
}

// DeskState is what is known of a target's place as a whole. It is small.
type DeskState struct {
	// Place identifies the place (its address and tenant) and Match the rules of correlation under which links were made. Others
	// than those of the configuration make it a first contact again.
	Place string `json:"place,omitempty"`
	Match string `json:"match,omitempty"`
	// First is the first contact with it; nil before it.
	First *FirstContact `json:"first,omitempty"`
	// Held is what the guard at the place holds; nil when it holds nothing.
	Held *HeldWork `json:"held,omitempty"`
	// Granted is what of that was approved and is not done yet: Counts are what is left of it, Since when it was approved, and Hash
	// under which the last of it was held.
	Granted *HeldWork `json:"granted,omitempty"`
	// Part is a part of what waits that was shown to the operator by itself; nil when none was, or it was approved.
	Part *HeldPart `json:"part,omitempty"`
	// PartApproved is the hash of the last part that was approved, for who approves it once more.
	PartApproved string `json:"part_approved,omitempty"`
	// Abilities are what was measured of the place, at Probed.
	Abilities []DeskAbility `json:"abilities,omitempty"`
	Probed    time.Time     `json:"probed,omitzero"`
	// Surveys are the last surveys, by the word of the kind.
	Surveys map[string]DeskSurvey `json:"surveys,omitempty"`
	// Audited is when the last audit came to its end, Audit what it found: by the word of the kind, and finding.
	Audited time.Time                 `json:"audited,omitzero"`
	Audit   map[string]map[string]int `json:"audit,omitempty"`
	// Outage is why the target takes nothing at the moment; nil when it does. It is the delivery's, which looks after it for targets
	// of every kind; all else is the desk's.
	Outage *Outage `json:"outage,omitempty"`
	// Day is what happened there in the day that is counted for the guard; nil when nothing did.
	Day *DeskDay `json:"day,omitempty"`
	// Edits tell the process that delivers of what operators did in others; nil where no store is shared, or nobody did anything yet.
	Edits *DeskEdits `json:"edits,omitempty"`
}

// DeskEdits are what operators changed of what is known of a place. Who delivers keeps that in memory, and another process may have been
// asked.
type DeskEdits struct {
	// By is the process that delivers: the desk of it that looked last. Count is how often something was edited so far, Seen what that
	// was when By looked.
	By    string `json:"by,omitempty"`
	Count uint64 `json:"count,omitempty"`
	Seen  uint64 `json:"seen,omitempty"`
	// Of the edits that By has not seen, or saw last: Keys are those (Wait.Key) of what does not have to wait any more, and Anew says that
	// the place is to be looked at anew.
	Keys []string `json:"keys,omitempty"`
	Anew bool     `json:"anew,omitempty"`
}

// DeskDay counts what happened at a place since a time.
type DeskDay struct {
	Since time.Time `json:"since"`
	// Done is by the word of the kind, and by what ("adopt", "create", …).
	Done map[string]map[string]int `json:"done,omitempty"`
}

// FirstContact is what became of the first look at a place that has things already.
type FirstContact struct {
	// Hash names what would be done, and Counts say how much of it: by kind, by what ("adopt", "create", …).
	Hash   string                    `json:"hash,omitempty"`
	Counts map[string]map[string]int `json:"counts,omitempty"`
	Since  time.Time                 `json:"since"`
	// Fields count what adoptions do to fields: by kind, field, and what (fill, overwrite, keep).
	Fields map[string]map[string]map[string]int `json:"fields,omitempty"`
	// Approved is the hash that the operator approved; Done when nothing of it was left.
	Approved string    `json:"approved,omitempty"`
	Done     time.Time `json:"done,omitzero"`
}

// HeldWork is work at a place that waits for the operator.
type HeldWork struct {
	Hash    string                    `json:"hash"`
	Counts  map[string]map[string]int `json:"counts"`
	Reasons []string                  `json:"reasons,omitempty"`
	Since   time.Time                 `json:"since"`
	// Approved is the hash that the operator approved, in states of versions before DeskState.Granted; what comes to it may go.
	Approved string `json:"approved,omitempty"`
}

// HeldPart is a part of the adoptions that wait: of records of some kinds, by one key.
type HeldPart struct {
	Hash  string   `json:"hash"`
	Kinds []string `json:"kinds,omitempty"` // words of kinds; none: all
	Key   string   `json:"key,omitempty"`   // empty: any
	// Counts and Fields are those of FirstContact.
	Counts map[string]map[string]int            `json:"counts"`
	Fields map[string]map[string]map[string]int `json:"fields,omitempty"`
	Since  time.Time                            `json:"since"`
}

// DeskAbility is something that was measured of a place.
type DeskAbility struct {
	Name   string `json:"name"`
	Has    bool   `json:"has"`
	Detail string `json:"detail,omitempty"`
}

// DeskSurvey is a survey of one kind.
type DeskSurvey struct {
	Began time.Time `json:"began"`
	Ended time.Time `json:"ended,omitzero"` // zero: it did not come to its end
	Count int       `json:"count"`
	Doubt string    `json:"doubt,omitempty"` // why absence proves nothing
}

// Outage is why a target takes nothing for a while.
type Outage struct {
	Class    string    `json:"class"`
	Text     string    `json:"text"`
	Hint     string    `json:"hint,omitempty"`
	Since    time.Time `json:"since"`
	Attempts int       `json:"attempts"`
	Next     time.Time `json:"next"`
	// Stored is when this was written: not every attempt is.
	Stored time.Time `json:"stored"`
}

// LinkReader reads the partition of a target. In that of a connection there is nothing of it.
type LinkReader interface {
	// LinksOf returns one link for each subject, in their order; the zero Link for a record that has none.
	LinksOf(subjects []string) ([]Link, error)
	// LinksAt returns the links that name things of a kind, in the order of the ids: of each id the record that has it, then
	// those that had it and are dead. An id that nothing names has none.
	LinksAt(kind directory.RecordKind, ids []string) ([]Link, error)
	// Links iterates over all links in an order of the store's, beginning after the one of a subject, or at the first when it is
	// empty.
	Links(after string, fn func(Link) bool) error
	// LinkCounts returns how many links there are, by state.
	LinkCounts() (map[LinkState]int, error)

	// Rejected returns the pairs of some records that are none, in the order of the subjects.
	Rejected(subjects []string) ([]Rejection, error)

	// Review returns a review by its number, and ReviewsOf those of records, in the order of the subjects; nothing for a record that has none.
	Review(number uint64) (Review, bool, error)
	ReviewsOf(subjects []string) ([]Review, error)
	// Reviews iterates over the reviews in ascending order of their numbers, beginning after one.
	Reviews(after uint64, fn func(Review) bool) error
	// ReviewCount returns how many reviews there are.
	ReviewCount() (int, error)

	// Desk returns what is known of the place; the zero value when nothing is.
	Desk() (DeskState, error)
}

// LinkWriter changes the partition of a target.
type LinkWriter interface {
	// PutLink stores a link; one of the same record is replaced. A thing is one record's at most: when another record
	// has the link's id and State is Linked, the error is of class fault.Conflict and names both. Dead links have nothing.
	PutLink(l Link) error
	// DeleteLink forgets a link. It reports whether there was one.
	DeleteLink(subject string) (bool, error)

	// Reject stores a pair that is none; Unreject forgets it, and all of the record when the id is empty.
	Reject(r Rejection) error
	Unreject(subject string, kind directory.RecordKind, id string) error

	// PutReview stores a review and returns its number. One of the same record is replaced, and the new one takes over its number and,
	// when it has the same cause, since when it waits.
	PutReview(r Review) (number uint64, err error)
	// DeleteReview removes the review of a record. It reports whether there was one.
	DeleteReview(subject string) (bool, error)

	// PutDesk stores what is known of the place.
	PutDesk(d DeskState) error
}

// linksAtOnce is how many links are changed in one transaction.
const linksAtOnce = 1000

// RenameLinks makes a connection's records at all targets those of its new name. Their keys stay, and with them the subjects.
func RenameLinks(ctx context.Context, s Store, from, to string) error {
	return changeLinks(ctx, s, func(l *Link) bool {
		if l.Contributor.Connection != from {
			return false
		}
		l.Contributor.Connection = to
		return true
	})
}

// RetireLinks makes the links of partitions dead that are forgotten: nobody speaks for those records any longer. What is at the place stays
// as it is, and may become another record's.
func RetireLinks(ctx context.Context, s Store, parts []Partition, now time.Time) error {
	if len(parts) == 0 {
		return nil
	}
	return changeLinks(ctx, s, func(l *Link) bool {
		if l.State == LinkDead || !slices.Contains(parts, l.Contributor) {
			return false
		}
		l.State, l.Why, l.Changed = LinkDead, "retired", now.UTC().Truncate(time.Second)
		return true
	})
}

// changeLinks goes over the links of all targets and stores those that fn has changed.
func changeLinks(ctx context.Context, s Store, fn func(*Link) bool) error {
	parts, err := TargetPartitions(ctx, s)
	if err != nil {
		return err
	}
	for _, p := range parts {
		for after, more := "", true; more; {
			var last string
			err := s.Update(ctx, p, func(tx Writer) error {
				var changed []Link
				seen := 0
				last = after
				err := tx.Links(after, func(l Link) bool {
					last = l.Subject
					if fn(&l) {
						changed = append(changed, l)
					}
					seen++
					return len(changed) < linksAtOnce && seen < 20*linksAtOnce
				})
				more = last != after
				for i := range changed {
					if err != nil {
						break
					}
					err = tx.PutLink(changed[i])
				}
				return err
			})
			if err != nil {
				return err
			}
			after = last
		}
	}
	return nil
}
