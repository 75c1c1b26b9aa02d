package plan

import (
	"fmt"
	"time"

	"dirsyncd/sync/directory"
)

// Over are limits on what is done within a time, this run and those before it together. What a limit is about is said for a
// tenant, for all tenants of a connection, or for all connections: the counts decide.
type Over struct {
	// Within is the time; zero: the run alone.
	Within time.Duration
	Guard  Guard
	// Together are the operations whose limits say nothing of a run that is the first to do such a thing in the time: how much one
	// run may do by itself is for the limits of a run to say.
	Together map[directory.Op]bool
	// Memberships limits what all lists lose. Few is the number up to which Percent is not looked at.
	Memberships Limit
	// List limits by how much a list of at least Minimum members shrinks, as a share of the most that it had in the time: where others come in
	// the place of those who go, it is as large as before. ListTogether is Together of it.
	List         Limit
	ListTogether bool
	// Fields are limits by name of a field: on the records, of whatever kind, whose field is changed by an update.
	Fields map[string]Limit
	// Usual is how many times the most that was removed in any seven days of the weeks before may be removed in seven; zero: any.
	Usual float64
	// Of follows the words of each reason, such as ", of all tenants together".
	Of string
	// Written says that the operator wrote any of it.
	Written bool
}

// The defaults of limits over time.
const (
	// defaultOver is the share of the people, and of every other kind of record, that runs together may remove within a day, or a week.
	defaultOver = 5.0
	// defaultList is the share of its members that a list may lose within a day, or a week: as in a run.
	defaultList = 50.0
	// overMinimum is the population from which on the share counts.
	overMinimum = 100
	// DefaultFewOver is Few of DefaultOver: its share of overMinimum.
	DefaultFewOver = 5
	// DefaultUsual is Over.Usual of a week.
	DefaultUsual = 4
	// usualFloor and usualShare are how many records, and which share of them, may be removed in a week however unusual that is.
	usualFloor = 10
	usualShare = 2.0
	day        = 24 * time.Hour
	week       = 7 * day
)

// DefaultOver are the limits of a tenant over time for which the operator wrote none: several runs together remove no more than a
// twentieth within a day or a week, and nothing that is far from what is usual; and they take no list more than half of its members.
// Memberships altogether and fields have none.
func DefaultOver() []Over {
	share, few := defaultOver, DefaultFewOver
	limit := Limit{Percent: &share, Minimum: overMinimum, Few: &few}
	over := func(within time.Duration, usual float64) Over {
		half := defaultList
		return Over{Within: within, Usual: usual, List: Limit{Percent: &half, Minimum: DefaultListMinimum}, ListTogether: true,
			Guard:    Guard{directory.Deactivate: limit, directory.Delete: limit},
			Together: map[directory.Op]bool{directory.Deactivate: true, directory.Delete: true}}
	}
	return []Over{over(day, 0), over(week, DefaultUsual)}
}

// DefaultSharedOver are the limits over time of all tenants of a connection together for which the operator wrote none.
func DefaultSharedOver() []Over {
	list, few := DefaultOver(), DefaultFewShared
	for i := range list {
		list[i].List, list[i].ListTogether = Limit{}, false // a list is of one tenant
		for op, limit := range list[i].Guard {
			limit.Minimum, limit.Few = DefaultSharedMinimum, &few
			list[i].Guard[op] = limit
		}
	}
	return list
}

// Past is what was done before the plan, and among how many.
type Past struct {
	// Done is what was done within the time, and Usual the most in earlier weeks (History.Usual); nil where that is not known.
	Done  Done
	Usual func(of func(Entry) bool) (most int, known bool)
	// Population is the number of active records of a kind before the plan.
	Population func(directory.RecordKind) int
	// Memberships counts all that there are before the plan, up to a number, where it may stop. Nil: they are not counted.
	Memberships func(upTo int) (int, error)
	// Members is how many members a list had before the plan that loses some; nil: not known.
	Members map[Entry]int
}

// Check returns every limit that the plan exceeds together with the past. The breach of a limit on members that are lost has no
// operation. That what is done is nothing is never a breach.
func (o *Over) Check(now Done, past *Past) (breaches []Breach, err error) {
	c := check{Over: o, now: now, past: past}
	c.operations()
	c.usual()
	c.fields()
	c.lists()
	err = c.memberships()
	return c.breaches, err
}

type check struct {
	*Over
	now      Done
	past     *Past
	breaches []Breach
}

func (c *check) add(op directory.Op, format string, args ...any) {
	c.breaches = append(c.breaches, Breach{op, fmt.Sprintf(format, args...) + c.Of})
}

// sum is what is counted of the plan and of both together.
func (c *check) sum(of func(Entry) bool) (now, all int) {
	for e, n := range c.now {
		if of(e) {
			now += n
		}
	}
	all = now
	for e, n := range c.past.Done {
		if of(e) {
			all += n
		}
	}
	return now, all
}

// window says within which time, after "with those": of a run alone nothing.
func (c *check) window(all int) string {
	switch {
	case c.Within == 0:
		return ""
	case c.Within == week:
		return fmt.Sprintf(": with those of the last 7 days %d", all)
	default:
		return fmt.Sprintf(": with those of the last %d hours %d", int(c.Within.Hours()), all)
	}
}

func (c *check) operations() {
	for _, op := range directory.Ops() {
		limit, limited := c.Guard[op]
		if !limited {
			continue
		}
		ofOp := func(e Entry) bool { return e.Op == op }
		now, all := c.sum(ofOp)
		if now == 0 || c.Together[op] && all == now {
			continue
		}
		if limit.Count != nil && all > *limit.Count {
			c.add(op, "%s %d %s%s; the limit is %d", op, now, records(now), c.window(all), *limit.Count)
		}
		for _, kind := range directory.RecordKinds() {
			c.share(op, kind, limit)
		}
	}
}

// of is how many records of a kind there were before the time.
func (c *check) of(op directory.Op, kind directory.RecordKind) int {
	of := c.past.Population(kind)
	if op.Removes() {
		of += c.past.Done[Entry{Kind: kind, Op: directory.Deactivate}]
	}
	return of
}

func (c *check) share(op directory.Op, kind directory.RecordKind, limit Limit) {
	e := Entry{Kind: kind, Op: op}
	now, all := c.now[e], c.now[e]+c.past.Done[e]
	of := c.of(op, kind)
	share := 100 * float64(all) / float64(max(of, 1))
	switch {
	case now == 0 || limit.Percent == nil || share <= *limit.Percent || c.Together[op] && all == now:
	case of >= limit.Minimum:
		c.add(op, "%s %d %s %s%s of %d, %.1f%%; the limit is %g%%", op, now, kind, records(now), c.window(all), of, share, *limit.Percent)
	case op.Removes() && all > limit.few(kind):
		c.add(op, "%s %d %s %s%s of %d; of fewer than %d the limit is %d", op, now, kind, records(now), c.window(all), of, limit.Minimum, limit.few(kind))
	}
}

// usual compares what is removed with the weeks before.
func (c *check) usual() {
	if c.Usual <= 0 || c.past.Usual == nil {
		return
	}
	for _, op := range directory.Ops() {
		if !op.Removes() {
			continue
		}
		for _, kind := range directory.RecordKinds() {
			of := func(e Entry) bool { return e.Kind == kind && e.Op == op }
			now, all := c.sum(of)
			total := c.of(op, kind)
			if now == 0 || all <= usualFloor || 100*float64(all) <= usualShare*float64(total) {
				continue
			}
			if most, known := c.past.Usual(of); known && float64(all) > c.Usual*float64(most) {
				c.add(op, "%s %d %s %s%s of %d; usual is at most %d", op, now, kind, records(now), c.window(all), total, most)
			}
		}
	}
}

func (c *check) fields() {
	for _, kind := range directory.RecordKinds() {
		for _, e := range c.now.entries() {
			limit, limited := c.Fields[e.Field]
			if e.Field == "" || e.Kind != kind || !limited {
				continue
			}
			now, all := c.now[e], c.now[e]+c.past.Done[e]
			of := c.past.Population(kind)
			share := 100 * float64(all) / float64(max(of, 1))
			switch {
			case limit.Count != nil && all > *limit.Count:
				c.add(directory.Update, "change %s of %d %s %s%s; the limit is %d", e.Field, now, kind, records(now), c.window(all), *limit.Count)
			case limit.Percent != nil && of >= limit.Minimum && share > *limit.Percent:
				c.add(directory.Update, "change %s of %d %s %s%s of %d, %.1f%%; the limit is %g%%", e.Field, now, kind, records(now), c.window(all), of, share, *limit.Percent)
			}
		}
	}
}

// lists looks at each list by itself.
func (c *check) lists() {
	if c.List.Percent == nil {
		return
	}
	broken := 0
	for e, had := range c.past.Members {
		before := c.past.Done[e]
		most := max(had, c.past.Done[sizeOf(e)])
		if c.past.Done[sizeOf(e)] == 0 {
			most = had + before // what was counted by a former version, which did not know how many there were
		}
		if shrunk := most - (had - c.now[e]); most >= c.List.Minimum && 100*float64(shrunk) > *c.List.Percent*float64(most) && !(c.ListTogether && before == 0) {
			broken++
		}
	}
	if broken > 0 {
		c.add(0, "take members from %s that would have lost more than %g%% of them%s", numbered(broken, "group or licence", "groups or licences"), *c.List.Percent, c.within())
	}
}

func (c *check) within() string {
	switch c.Within {
	case 0:
		return " in this run"
	case week:
		return " in 7 days"
	default:
		return fmt.Sprintf(" in %d hours", int(c.Within.Hours()))
	}
}

func (c *check) memberships() error {
	now, all := c.now[lostMembers()], c.now[lostMembers()]+c.past.Done[lostMembers()]
	limit := c.Memberships
	if now == 0 {
		return nil
	}
	if limit.Count != nil && all > *limit.Count {
		c.add(0, "take %s away%s; the limit is %d", numbered(now, "membership", "memberships"), c.window(all), *limit.Count)
	}
	few := 0
	if limit.Few != nil {
		few = *limit.Few
	}
	if limit.Percent == nil || all <= few || c.past.Memberships == nil {
		return nil
	}
	before := c.past.Done[lostMembers()]
	enough := int(100*float64(all)/max(*limit.Percent, 0.001)) - before
	of, err := c.past.Memberships(max(enough, 0) + 1)
	of += before
	if share := 100 * float64(all) / float64(max(of, 1)); err == nil && share > *limit.Percent {
		c.add(0, "take %s away%s of %d, %.1f%%; the limit is %g%%", numbered(now, "membership", "memberships"), c.window(all), of, share, *limit.Percent)
	}
	return err
}

// Idle reports whether nothing could go beyond the limits: there are no records, and new ones are not limited.
func (o *Over) Idle(population func(directory.RecordKind) int) bool { return o.Guard.Idle(population) }
