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
	// Minimum is the number of active records of a kind below which a share says little: what is created or changed is
	// not measured by Percent then, and what is taken away by Few, or by Percent where that allows more.
	Minimum int
	// Few is how many records of a kind may be taken away where there are fewer than Minimum; nil is DefaultFew, and
	// one of agents: a desk of ten that loses two at once is not a desk that somebody has left.
	Few *int
}

// Guard holds a limit per operation. What goes beyond one of them waits for the operator.
type Guard map[directory.Op]Limit

const (
	// DefaultMinimum is the population from which on a tenth is two or more, so that a share alone is a limit.
	DefaultMinimum = 20
	// DefaultFew is a tenth of DefaultMinimum: what goes unasked does not shrink when the population grows.
	DefaultFew = 2
)

// allOf is the number of records from which on taking every one of them away is never done unasked.
const allOf = 3

// DefaultGuard is the guard of a mapping for which the operator wrote none: no more than a tenth of the
// records may be taken away in one run, and of fewer than DefaultMinimum no more than DefaultFew.
func DefaultGuard() Guard {
	tenth := 10.0
	return Guard{
		directory.Deactivate: {Percent: &tenth, Minimum: DefaultMinimum},
		directory.Delete:     {Percent: &tenth, Minimum: DefaultMinimum},
	}
}

// fewAgents is Limit.Few of agents where the operator wrote none.
const fewAgents = 1

func (l Limit) few(kind directory.RecordKind) int {
	switch {
	case l.Few != nil:
		return *l.Few
	case kind == directory.AgentRecord:
		return fewAgents
	default:
		return DefaultFew
	}
}

// DefaultShared are the limits of all tenants of a connection together, for which the operator wrote none. What is an
// everyday week of one customer is none of all at the same time: with many, the share that leaves hardly moves. So half of
// a tenant's share, and ten leavers of whatever is small.
func DefaultShared() Shared {
	half, few := 5.0, DefaultFewShared
	limit := Limit{Percent: &half, Minimum: DefaultSharedMinimum, Few: &few}
	return Shared{Guard: Guard{directory.Deactivate: limit, directory.Delete: limit}, Tenants: ManyTenants}
}

const (
	// ManyTenants is how many tenants must have records before the default limits of all together mean anything: of two or
	// three, one alone is a large part.
	ManyTenants = 4
	// DefaultSharedMinimum is Minimum of DefaultShared.
	DefaultSharedMinimum = 200
	// DefaultFewShared is Few of DefaultShared: its share of DefaultSharedMinimum.
	DefaultFewShared = 10
)

// Shared are limits for all tenants of a connection together. They say nothing of fewer than so many Tenants that have
// records, except for the operations that are Written by the operator.
type Shared struct {
	Guard   Guard
	Tenants int
	Written map[directory.Op]bool
}

// Check returns every limit that the counts of all tenants exceed, as that of Guard does.
func (s Shared) Check(counts Counts, tenants int, population func(directory.RecordKind) int) (breaches []Breach) {
	for _, b := range s.Guard.Check(counts, population) {
		if tenants >= s.Tenants || s.Written[b.Op] {
			b.Text += ", of all tenants together"
			breaches = append(breaches, b)
		}
	}
	return breaches
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

// Merge adds other counts.
func (c Counts) Merge(other Counts) {
	for kind, ops := range other {
		for op, n := range ops {
			if c[kind] == nil {
				c[kind] = map[directory.Op]int{}
			}
			c[kind][op] += n
		}
	}
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

// Breach is a limit that a plan goes beyond, and what of the plan that is, in words that go on from "it would".
type Breach struct {
	Op   directory.Op
	Text string
}

// Check returns every limit that the counts exceed; none when the plan may go ahead.
// population is the number of active records of a kind before the plan.
func (g Guard) Check(counts Counts, population func(directory.RecordKind) int) []Breach {
	var breaches []Breach
	for _, op := range directory.Ops() {
		add := func(format string, args ...any) {
			breaches = append(breaches, Breach{op, fmt.Sprintf(format, args...)})
		}
		limit, limited := g[op]
		if n := counts.Of(op); limited && limit.Count != nil && n > *limit.Count {
			add("%s %d %s; the limit is %d", op, n, records(n), *limit.Count)
		}
		for _, kind := range directory.RecordKinds() {
			n, of := counts[kind][op], population(kind)
			if n == 0 {
				continue
			}
			share := 100 * float64(n) / float64(max(of, 1))
			beyond := limited && limit.Percent != nil && share > *limit.Percent
			switch {
			case op.Removes() && n >= of && n >= allOf && !g.allows(op, n):
				add("%s all %d %s records", op, n, kind)
			case beyond && of >= limit.Minimum:
				add("%s %d of %d %s %s, %.1f%%; the limit is %g%%", op, n, of, kind, records(of), share, *limit.Percent)
			case beyond && op.Removes() && n > limit.few(kind):
				add("%s %d of %d %s %s; of fewer than %d the limit is %d", op, n, of, kind, records(of), limit.Minimum, limit.few(kind))
			}
		}
	}
	return breaches
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
