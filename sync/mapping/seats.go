package mapping

import (
	"slices"

	"dirsyncd/sync/directory"
)

// Seats is how many active records of a kind there may be at a time, because each takes one of the desk's own licences.
type Seats struct {
	// Total limits all of them; nil does not.
	Total *int
	// Field names a field whose values are limited one by one by Of. A value that is not in it is not limited.
	Field string
	Of    map[string]int
}

// Seats returns the limits of a kind; the zero value when there are none.
func (r *Ruleset) Seats(kind directory.RecordKind) Seats { return r.seats[kind] }

// Limits reports whether anything is limited.
func (s *Seats) Limits() bool { return s.Total != nil || len(s.Of) > 0 }

func (c *compilation) seats(s *Spec) (all map[directory.RecordKind]Seats) {
	names := s.fieldNames()
	for _, kind := range directory.RecordKinds() {
		seats, ok := s.Seats[kind]
		if !ok {
			continue
		}
		if all == nil {
			all = map[directory.RecordKind]Seats{}
		}
		all[kind] = seats
		if seats.Field != "" && !slices.Contains(names, seats.Field) {
			c.problem(Pos{}, "", "seats.%s: no rule sets a field %q", kind, seats.Field)
		}
	}
	return all
}
