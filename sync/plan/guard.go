package plan

import (
	"fmt"

	"dirsyncd/sync/directory"
)

// Limit is how much of one operation a run may do without being asked. A nil number does not limit.
type Limit struct {
	// Count is the largest number of actions, over all kinds of record.
	Count *int
	// Percent is the largest share of a kind's active records, from 0 to 100.
	Percent *float64
	// Minimum is the number of active records of a kind below which Percent is not looked at.
	Minimum int
}

// Guard holds a limit per operation. A plan that goes beyond one of them waits for the operator.
type Guard map[directory.Op]Limit

// DefaultMinimum is the population below which a percentage says nothing.
const DefaultMinimum = 20

// allOf is the number of records from which on taking every one of them away is never done unasked.
const allOf = 3

// DefaultGuard is the guard of a mapping for which the operator wrote none: no more than a tenth of the
// records may be taken away in one run.
func DefaultGuard() Guard {
	tenth := 10.0
	return Guard{
		directory.Deactivate: {Percent: &tenth, Minimum: DefaultMinimum},
		directory.Delete:     {Percent: &tenth, Minimum: DefaultMinimum},
	}
}

// Counts counts actions by kind of record and operation.
type Counts map[directory.RecordKind]map[directory.Op]int

// Add counts one action.
func (c Counts) Add(kind directory.RecordKind, op directory.Op) {
	if c[kind] == nil {
		c[kind] = map[directory.Op]int{}
	}
	c[kind][op]++
}

// Of returns how many actions of an operation there are over all kinds.
func (c Counts) Of(op directory.Op) int {
	n := 0
	for _, ops := range c {
		n += ops[op]
	}
	return n
}

// Total returns how many actions there are.
func (c Counts) Total() int {
	n := 0
	for _, op := range directory.Ops() {
		n += c.Of(op)
	}
	return n
}

// Words returns the counts under the words of kinds and operations, for storing and showing.
func (c Counts) Words() map[string]map[string]int {
	words := map[string]map[string]int{}
	for kind, ops := range c {
		words[kind.String()] = map[string]int{}
		for op, n := range ops {
			words[kind.String()][op.String()] = n
		}
	}
	return words
}

// Check returns one reason for every limit that the counts exceed; none when the plan may go ahead.
// population is the number of active records of a kind before the plan.
func (g Guard) Check(counts Counts, population func(directory.RecordKind) int) []string {
	var reasons []string
	for _, op := range directory.Ops() {
		limit, limited := g[op]
		if n := counts.Of(op); limited && limit.Count != nil && n > *limit.Count {
			reasons = append(reasons, fmt.Sprintf("%s %d %s; the limit is %d", op, n, records(n), *limit.Count))
		}
		for _, kind := range directory.RecordKinds() {
			n, of := counts[kind][op], population(kind)
			if n == 0 {
				continue
			}
			share := 100 * float64(n) / float64(max(of, 1))
			switch {
			case limited && limit.Percent != nil && of >= limit.Minimum && share > *limit.Percent:
				reasons = append(reasons, fmt.Sprintf("%s %d of %d %s %s, %.1f%%; the limit is %g%%", op, n, of, kind, records(of), share, *limit.Percent))
			case op.Removes() && n >= of && n >= allOf && !g.allows(op, n):
				reasons = append(reasons, fmt.Sprintf("%s all %d %s records", op, n, kind))
			}
		}
	}
	return reasons
}

func records(n int) string {
	if n == 1 {
		return "record"
	}
	return "records"
}

// Idle reports whether no plan could be held: there are no records to take away or to change, and the operator
// does not limit new ones.
func (g Guard) Idle(population func(directory.RecordKind) int) bool {
	for _, kind := range directory.RecordKinds() {
		if population(kind) > 0 {
			return false
		}
	}
	_, create := g[directory.Create]
	_, reactivate := g[directory.Reactivate]
	return !create && !reactivate
}

// allows reports whether the operator wrote a count that expressly covers this many.
func (g Guard) allows(op directory.Op, n int) bool {
	limit, ok := g[op]
	return ok && limit.Percent == nil && limit.Count != nil && n <= *limit.Count
}
