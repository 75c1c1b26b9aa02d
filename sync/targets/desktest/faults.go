package desktest

import "time"

// Faults are what desks were seen to do. Numbers are probabilities per request, 1 for always.
type Faults struct {
	// Limits and lines.
	Down, Hang, Throttle, TokenEnds float64
	ThrottleFor                     time.Duration // zero: it does not say for how long

	// Reading.
	Shuffle      bool // pages come in any order
	Overlap      bool // a thing is listed twice
	SurveyCap    int  // lists end there, without a word
	WrongCount   bool // the total is not that of the list
	NoCount      bool // there is no total
	Doubt        bool // the place says itself that the list proves nothing
	RightsShrink bool // every other thing is hidden, and the total agrees
	HideInactive bool // lists and searches leave inactive things out
	ShortLists   bool // lists leave the anchor and the mark out

	CannotFind    []string      // keys by which it cannot be searched
	FewFinds      int           // after so many searches it cannot be searched any more; zero: it can
	FilterIgnored bool          // a search answers everybody, up to twenty
	CaseSensitive bool          // searches are, while values are unique whatever their case
	IndexEmpty    bool          // searches find nothing
	IndexLag      time.Duration // searches do not see what changed since

	// Writing.
	EffectWithoutAnswer float64
	AnswerWithoutEffect float64
	ErrorInside         float64 // 200, and an error in the answer: nothing was done
	PartRefused         float64 // one field is left as it was, with a warning
	PartialBatch        float64 // the rest of a batch is not done, and the answer says nothing
	LaterFailed         float64 // accepted, and failed afterwards
	Revisions           bool    // another revision is refused
	Cut                 int     // texts are cut, without a word
	Trim                bool
	Upper               bool // mail addresses come back in capitals
	Unknown             []string
	// ExistsSilently: a thing with the same log-in or mail address does not stop a creation.
	ExistsSilently bool
	// Takeover: a creation takes over whoever has that mail address, and says 201.
	Takeover bool
	// RenameMoves: the id changes with the name.
	RenameMoves bool
	// SecondEnd: taking out of use what is out of use already is a 500.
	SecondEnd bool
	// AnotherFirst: somebody makes the same person between our search and our creation.
	AnotherFirst float64
	// NullIgnored: a field that is to be cleared stays as it is, without a word.
	NullIgnored bool
	// Words: yes and no come back as "True" and "False", whole numbers as "95.0".
	Words bool
	// ArrayReplaced: a list of members that are added takes the place of the one that was there.
	ArrayReplaced bool
	// Quota is how many requests an hour the whole place takes; zero: any number.
	Quota int
	// MostMembers is how many members a request may name; zero: any number.
	MostMembers int
	// ClockOff is how far the desk's clock is ahead.
	ClockOff time.Duration
}

// Set changes the faults.
func (s *Sim) Set(change func(*Faults)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.faults)
	s.finds = 0
}

// Mend ends all faults.
func (s *Sim) Mend() { s.Set(func(f *Faults) { *f = Faults{} }) }
