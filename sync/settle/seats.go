package settle

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
)

// Seats are licences of the desk's own that active records take. A record for which there is none waits, with all that its object
// comes to: nobody else does, and nobody loses a record for it. What leaves in a pass frees its seat for the next one, when the
// target was told. Who waits longest comes first. The seats are the desk's: all tenants of a connection that have the same mapping
// take them from the same number.

// seat is one kind of seat: of all records of a kind, or of those with a value of a field.
type seat struct {
	kind  directory.RecordKind
	value string
	total bool
}

// seatsOf are the seats that a record takes; none of one that is not active.
func (s *Settlement) seatsOf(rec *directory.Record) (list []seat) {
	seats := s.Rules.Seats(rec.Kind)
	if !rec.Active || !seats.Limits() {
		return nil
	}
	if seats.Total != nil {
		list = append(list, seat{kind: rec.Kind, total: true})
	}
	if v, ok := rec.Get(seats.Field); ok {
		if _, limited := seats.Of[v.String()]; limited {
			list = append(list, seat{kind: rec.Kind, value: v.String()})
		}
	}
	return list
}

func limitOf(seats mapping.Seats, of seat) int {
	if of.total {
		return *seats.Total
	}
	return seats.Of[of.value]
}

// seatWish is what an outcome wants of seats: those that it takes besides those that its object has, and those that it gives up. Of an
// outcome that does more than update records, nobody can tell yet whether it goes ahead, and it gives up none.
type seatWish struct{ takes, gives []seat }

func (s *Settlement) seatWish(c *candidate) (w seatWish) {
	updates := true
	for _, step := range c.steps {
		if step.Action != nil && step.Action.Op != directory.Update {
			updates = false
		}
		if step.Record == nil {
			continue
		}
		var had []seat
		if rec := recordOf(c.before, step.Kind); rec != nil {
			had = s.seatsOf(rec)
		}
		has := s.seatsOf(step.Record)
		w.takes = append(w.takes, slices.DeleteFunc(slices.Clone(has), func(of seat) bool { return slices.Contains(had, of) })...)
		w.gives = append(w.gives, slices.DeleteFunc(had, func(of seat) bool { return slices.Contains(has, of) })...)
	}
	if !updates {
		w.gives = nil
	}
	return w
}

// LimitsSeats reports whether a mapping counts seats.
func LimitsSeats(rules *mapping.Ruleset) bool {
	return slices.ContainsFunc(directory.RecordKinds(), func(k directory.RecordKind) bool { seats := rules.Seats(k); return seats.Limits() })
}

// assign says who of those that want a seat has to wait for one.
func (s *Settlement) assign(ctx context.Context, wanted map[store.Num]seatWish) error {
	s.seatless = roaring.New()
	if len(wanted) == 0 {
		return nil
	}
	states := []State{s.State}
	if s.SeatsBeside != nil {
		beside, err := s.SeatsBeside(ctx)
		if err != nil {
			return err
		}
		states = append(states, beside...)
	}
	taken, err := s.taken(ctx, states)
	if err != nil {
		return err
	}
	place := map[store.Num]int{}
	for i, n := range s.SeatQueue {
		place[n] = i - len(s.SeatQueue)
	}
	order := slices.SortedFunc(maps.Keys(wanted), func(a, b store.Num) int { return cmp.Or(cmp.Compare(place[a], place[b]), cmp.Compare(a, b)) })
	waiting := map[seat][]store.Num{}
	given := maps.Clone(taken)
	var left []store.Num
	for _, n := range order {
		if s.full(given, wanted[n].takes) != nil {
			left = append(left, n)
			continue
		}
		for _, of := range wanted[n].takes {
			given[of]++
		}
	}
	swapped := swaps(left, wanted)
	for _, n := range left {
		if swapped[n] {
			continue
		}
		s.seatless.Add(uint32(n))
		s.queue = append(s.queue, n)
		// A seat that is full was so before anybody swapped, and is so after it.
		of := *s.full(given, wanted[n].takes)
		waiting[of] = append(waiting[of], n)
	}
	for _, of := range s.allSeats() {
		if n := len(waiting[of]); n > 0 {
			limit := limitOf(s.Rules.Seats(of.kind), of)
			s.seats = append(s.seats, store.Seats{Kind: of.kind.String(), Value: of.value, Limit: limit, Waiting: waiting[of]})
			s.seatNotes = append(s.seatNotes, fmt.Sprintf("%s for %s: %d of %d are taken", waitWords(n), of, given[of], limit))
		}
	}
	return nil
}

// full is the first of some seats of which there is none left, or nil.
func (s *Settlement) full(given map[seat]int, takes []seat) *seat {
	for i, of := range takes {
		if given[of] >= limitOf(s.Rules.Seats(of.kind), of) {
			return &takes[i]
		}
	}
	return nil
}

// swaps finds those of some who wait, in their order, who only take each other's seats, two or more in a ring: each would wait for
// another one for ever, and together they take none that is not there.
func swaps(waiting []store.Num, wanted map[store.Num]seatWish) map[store.Num]bool {
	givers := map[seat][]store.Num{}
	for _, n := range waiting {
		if w := wanted[n]; len(w.takes) == 1 && len(w.gives) == 1 {
			givers[w.gives[0]] = append(givers[w.gives[0]], n)
		}
	}
	swapped := map[store.Num]bool{}
	var seen map[seat]bool
	// path lists those of whom one gives a seat, the next one what that one takes, until somebody takes the end.
	var path func(from, end seat) ([]store.Num, bool)
	path = func(from, end seat) ([]store.Num, bool) {
		if from == end || seen[from] {
			return nil, from == end
		}
		seen[from] = true
		for _, n := range givers[from] {
			if swapped[n] {
				continue
			}
			if rest, ok := path(wanted[n].takes[0], end); ok {
				return append(rest, n), true
			}
		}
		return nil, false
	}
	for _, n := range waiting {
		w := wanted[n]
		if len(w.takes) != 1 || len(w.gives) != 1 || swapped[n] {
			continue
		}
		seen = map[seat]bool{}
		if others, ok := path(w.takes[0], w.gives[0]); ok {
			for _, member := range append(others, n) {
				swapped[member] = true
			}
		}
	}
	return swapped
}

// allSeats lists the seats that are limited.
func (s *Settlement) allSeats() (list []seat) {
	for _, kind := range directory.RecordKinds() {
		seats := s.Rules.Seats(kind)
		if seats.Total != nil {
			list = append(list, seat{kind: kind, total: true})
		}
		for _, value := range slices.Sorted(maps.Keys(seats.Of)) {
			list = append(list, seat{kind: kind, value: value})
		}
	}
	return list
}

// String names it for operators.
func (of seat) String() string {
	if of.total {
		return "a seat of kind " + of.kind.String()
	}
	return "a seat of kind " + of.kind.String() + ", " + of.value
}

func waitWords(n int) string {
	if n == 1 {
		return "1 waits"
	}
	return fmt.Sprintf("%d wait", n)
}

// SeatCount is how it stands with one kind of seat.
type SeatCount struct {
	Kind, Value  string // a kind of record, and the value of the field by which they are told apart
	Limit, Taken int
}

// Seats counts the seats that some tenants take together by the same rules, as they are, with so many records at a time.
func Seats(ctx context.Context, rules *mapping.Ruleset, states []State, chunk int) (list []SeatCount, err error) {
	s := newSettlement(&Task{Rules: rules, Chunk: chunk})
	taken, err := s.taken(ctx, states)
	for _, of := range s.allSeats() {
		list = append(list, SeatCount{of.kind.String(), of.value, limitOf(s.Rules.Seats(of.kind), of), taken[of]})
	}
	return list, err
}

// waitsForSeat reports whether an outcome waits for a seat. As long as nobody was assigned one, it notes who wants one.
func (s *Settlement) waitsForSeat(c *candidate) bool {
	if s.seatless != nil {
		return s.seatless.Contains(uint32(c.num)) && c.kind == directory.Person
	}
	c.seats = s.seatWish(c)
	return false
}

// assignSeats goes over everything once to see who wants a seat, and says who gets one.
func (s *Settlement) assignSeats(ctx context.Context) error {
	wanted := map[store.Num]seatWish{}
	err := s.pass(ctx, nil, func(_ context.Context, b *batch) error {
		for i := range b.outcomes {
			if o := &b.outcomes[i]; len(o.seats.takes) > 0 {
				wanted[o.num] = o.seats
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.assign(ctx, wanted)
}
