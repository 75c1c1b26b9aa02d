package directory

import "slices"

// Slab hands out pieces of memory that are all taken back at once. The zero value is ready for use. It belongs to one goroutine at a time.
//
// Whoever keeps a piece beyond Reset finds it cleared, and later in use by somebody else. In builds for the race detector it is never used
// again and stays cleared, so that any test in which that happens shows it: as empty values, or as a race with Reset.
type Slab[T any] struct {
	pages [][]T // each as far as it is handed out
	at    int   // the first that may have room
}

// A slab's first page has so many items, each further one twice as many, up to the most.
const (
	firstPage = 16
	mostPage  = 512
)

// Take returns n zero values, with no room behind them.
func (s *Slab[T]) Take(n int) []T {
	for ; s.at < len(s.pages); s.at++ {
		if page := s.pages[s.at]; cap(page)-len(page) >= n {
			s.pages[s.at] = page[:len(page)+n]
			return page[len(page) : len(page)+n : len(page)+n]
		}
	}
	page := make([]T, n, max(n, min(firstPage<<min(s.at, 16), mostPage)))
	s.pages = append(s.pages, page)
	return page[:n:n]
}

// Reset takes everything back.
func (s *Slab[T]) Reset() {
	for i, page := range s.pages {
		clear(page)
		s.pages[i] = page[:0]
	}
	if !takenAgain {
		s.pages = nil
	}
	s.at = 0
}

// Memory is where records, actions and what they consist of are made by who makes many of them and is done with all of them at
// the same time. Texts and lists of texts or numbers are not in it: they may be kept; but
// a text is a part of that of the whole action or record, which it keeps, so that whoever keeps many for long clones them. A nil Memory makes each piece for good. It belongs to
// one goroutine at a time.
type Memory struct {
	fields       Slab[Field]
	recordFields Slab[RecordField]
	changes      Slab[FieldChange]
	stamps       Slab[Stamp]
	actions      Slab[Action]
	records      Slab[Record]
}

// Reset takes back all that was made: nobody may look at it any more.
func (m *Memory) Reset() {
	m.fields.Reset()
	m.recordFields.Reset()
	m.changes.Reset()
	m.stamps.Reset()
	m.actions.Reset()
	m.records.Reset()
}

// Fields returns n zero fields.
func (m *Memory) Fields(n int) []Field {
	if m == nil {
		return make([]Field, n)
	}
	return m.fields.Take(n)
}

// RecordFields returns n zero fields of records.
func (m *Memory) RecordFields(n int) []RecordField {
	if m == nil {
		return make([]RecordField, n)
	}
	return m.recordFields.Take(n)
}

// Changes returns n zero changes.
func (m *Memory) Changes(n int) []FieldChange {
	if m == nil {
		return make([]FieldChange, n)
	}
	return m.changes.Take(n)
}

// Stamps returns n zero stamps.
func (m *Memory) Stamps(n int) []Stamp {
	if m == nil {
		return make([]Stamp, n)
	}
	return m.stamps.Take(n)
}

// Action returns a copy of an action.
func (m *Memory) Action(a Action) *Action {
	if m == nil {
		made := a
		return &made
	}
	to := &m.actions.Take(1)[0]
	*to = a
	return to
}

// Record returns a copy of a record.
func (m *Memory) Record(rec Record) *Record {
	if m == nil {
		made := rec
		return &made
	}
	to := &m.records.Take(1)[0]
	*to = rec
	return to
}

// Keep returns a copy of an action for whoever keeps it longer than the memory that it was made in.
func (a *Action) Keep() Action {
	kept := *a
	kept.Fields, kept.Changes = slices.Clone(a.Fields), slices.Clone(a.Changes)
	return kept
}
