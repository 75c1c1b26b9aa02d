package ldapsim

import "strings"

// Moment is where in a client's work a fault strikes.
type Moment uint8

// The moments.
const (
	Listing    Moment = iota // a search below a base, on any of its pages
	Lookup                   // a search for the base itself, the root DSE among them
	Binding                  // a bind
	Connecting               // a new connection; it is cut whatever the kind of the fault
)

// FaultKind is how the server misbehaves.
type FaultKind uint8

// The kinds.
const (
	Cut          FaultKind = iota + 1 // close the connection
	Answer                            // end the operation with Fault.Code
	Hang                              // never answer
	Garble                            // send bytes that are no LDAP message, then close the connection
	Empty                             // list nothing and call it a success
	IgnorePaging                      // list everything at once, as if the paging control were not there
	Repeat                            // answer an empty page with the same cookie, for ever
	Refer                             // name another server (RFC 4511 section 4.5.3) in place of the rest, and call it a success
)

// Fault is one misbehaviour.
type Fault struct {
	On   Moment
	Kind FaultKind
	// After is how many entries of a listing are sent first, counted over its pages.
	After int
	// Code is the LDAP result of Answer, Text its diagnostic message.
	Code uint16
	Text string
	// Only limits the fault to searches whose filter, as RFC 4515 writes it, contains this text.
	Only string
	// Times is how many operations it strikes; zero is all until Behave.
	Times int
}

// Misbehave arms a fault. Of several that fit an operation, the one armed first strikes.
func (s *Server) Misbehave(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, f)
}

// State is what a server knew at a time.
type State struct{ tree tree }

// Keep returns what the server knows now.
func (s *Server) Keep() *State {
	s.treeMu.RLock()
	defer s.treeMu.RUnlock()
	return &State{s.tree.copy()}
}

// Unfilled is what a server knows that is being filled: the suffix and no contextCSN, as slapd writes that last.
func (s *Server) Unfilled() *State {
	s.treeMu.RLock()
	defer s.treeMu.RUnlock()
	var t tree
	if top, ok := s.tree.entries[parseKey(s.base)]; ok {
		_ = t.add(top) // the first entry of a tree
	}
	return &State{t}
}

// Lag shows an older state, with its contextCSN, as a replica does that lags behind or a server that was restored from a
// backup, until Behave.
func (s *Server) Lag(state *State) {
	s.treeMu.Lock()
	defer s.treeMu.Unlock()
	s.lag = state
}

// Behave disarms every fault. A listing that one of them has struck stays as it is.
func (s *Server) Behave() {
	s.Lag(nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// takeFault returns the fault that strikes an operation, if any, and uses it up.
func (s *Server) takeFault(on Moment, filter string) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.faults {
		f := &s.faults[i]
		if f.On != on || !strings.Contains(filter, f.Only) {
			continue
		}
		struck := *f
		if f.Times == 1 {
			s.faults = append(s.faults[:i:i], s.faults[i+1:]...)
		} else if f.Times > 1 {
			f.Times--
		}
		return struck, true
	}
	return Fault{}, false
}
