package memory

import (
	"errors"
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// Trouble is a way to misbehave.
type Trouble uint8

// The ways to misbehave. Those that name a page strike in its place: the pages before it were emitted.
const (
	Fail               Trouble = iota + 1 // Read returns Err in place of the page
	Cut                                   // Read returns nil in place of the page: a listing without Proof, a defect
	EmptyListing                          // a valid listing of nothing, with Proof
	WrongCount                            // the Proof's Count is off by Count
	RepeatPage                            // the page comes twice, so its objects are duplicates
	Reorder                               // the objects of all pages come in descending order
	Hang                                  // nothing comes in place of the page until the context ends
	ExpiredCursor                         // a cursor is refused, whatever it is
	InvalidEntry                          // the page names an entry that could not be translated, with ID ""
	InvalidEntryWithID                    // the same, with the id of the page's first object, which is left out
	ChangedScope                          // the Proof's Scope is Scope
	Panic                                 // Read panics in place of the page
	EmitAfterError                        // a defect: emit is called once more after it has returned an error
	EmitElsewhere                         // a defect: emit is called on another goroutine
	LeakGoroutine                         // a defect: a goroutine stays behind
	NoReferrers                           // a defect: what refers to the handles of a request is not listed
	NothingByID                           // asked for by its id, somebody who is not there is not said to be gone
)

// Misbehaviour is a trouble and the reads that it strikes.
type Misbehaviour struct {
	What   Trouble
	Tenant string // empty: any tenant
	Stream string // empty: any stream
	Page   int    // from 0; see the troubles
	// Times is how many reads the trouble strikes; zero is all.
	Times int

	Err   error  // for Fail
	Count int    // for WrongCount
	Scope string // for ChangedScope
}

// FailWith makes a read fail in place of a page with an error of a class.
func FailWith(page int, class fault.Class) Misbehaviour {
	return Misbehaviour{What: Fail, Page: page, Err: &fault.Error{
		Class: class, Op: "read", Where: "memory", Hint: "this error was asked for", Err: errors.New("scripted trouble"),
	}}
}

// Throttle makes a read fail in place of a page, as a service does that wants to be left alone for a while.
func Throttle(page int, after time.Duration) Misbehaviour {
	return Misbehaviour{What: Fail, Page: page, Err: &fault.Error{
		Class: fault.Throttled, Op: "read", Where: "memory", After: after, Err: errors.New("too many requests"),
	}}
}

// Script replaces what the source does wrong. Without arguments it behaves again.
func (s *Source) Script(script ...Misbehaviour) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = script
}

// trouble is the script of one read.
type trouble []Misbehaviour

// strike takes what the script has for a read.
func (s *Source) strike(tenantID, stream string) trouble {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	var hits trouble
	kept := s.script[:0:0]
	for _, m := range s.script {
		if m.Tenant != "" && m.Tenant != tenantID || m.Stream != "" && m.Stream != stream {
			kept = append(kept, m)
			continue
		}
		hits = append(hits, m)
		if m.Times != 1 {
			m.Times = max(0, m.Times-1)
			kept = append(kept, m)
		}
	}
	s.script = kept
	return hits
}

// has reports whether a trouble is in the script, whatever its page.
func (t trouble) has(what Trouble) (Misbehaviour, bool) {
	for _, m := range t {
		if m.What == what {
			return m, true
		}
	}
	return Misbehaviour{}, false
}

// at reports whether a trouble is in the script for a page.
func (t trouble) at(what Trouble, page int) (Misbehaviour, bool) {
	for _, m := range t {
		if m.What == what && m.Page == page {
			return m, true
		}
	}
	return Misbehaviour{}, false
}

// errInvalid is the error of the entries that InvalidEntry makes.
func errInvalid(kind directory.Kind) error {
	return &fault.Error{
		Class: fault.Invalid, Op: "translate " + kind.String(), Hint: "repair the entry at the source",
		Err: errors.New("scripted invalid entry"),
	}
}
