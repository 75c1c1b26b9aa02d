package engine

import (
	"context"
	"slices"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/plan"
)

// Each within its own limits, forty tenants may lose more than anybody wants. So what a tenant does is charged to an account of all before it is
// done, and those whose turn comes late wait. Nobody waits for another tenant. Whoever runs the others, in whatever process, charges
// the same account, in a transaction of its own: of two that come at once, the second one counts what the first one charged.
//
// What goes beyond a limit waits, and all else of the plan goes ahead. So a run whose charge is refused, by the limits of the connection or by
// those of all connections, charges what is left of it again, until nothing is beyond: what it does then is never more than what it
// has charged (settle.Task.Charge).
//
// A charge is for a partition. Whoever is cut after it charged, and tries again, pays only for what is more than what was charged and not
// done; what was never done counts until the partition's next run has come to its end, or for a day. So nothing counts twice that is
// done once, and in doubt something waits.
//
// A round is one run of a connection: each of its tenants has its turn once. The limits of a run are for that, and those over time for what
// was done before and since.

// scope is whose account it is, and which limits are on it.
type scope struct {
	ledger      string
	connections []string // whose partitions those are; none: all
	shared      *plan.Shared
	limits      []plan.Over
	// good is how long what was read of the partitions is; zero: for a round.
	good time.Duration
}

// wholeFor is how long what was read of all connections is good for.
const wholeFor = time.Minute

func sharedScope(c *Connection) *scope {
	return &scope{ledger: "done " + c.Name, connections: []string{c.Name}, shared: &c.Shared, limits: c.SharedOver}
}

func wholeScope(c *Connection) *scope {
	return &scope{ledger: "done", limits: c.WholeOver, good: wholeFor}
}

// charging is what a run is about to do.
type charging struct {
	part   store.Partition
	run    string
	round  string    // of its connection
	before plan.Done // all that was ever counted in the partition
	done   plan.Done
	newest string // run of the partition, of those that are stored
}

// limited is what of all that is done any limit is about: all else costs nothing.
func (s *scope) limited(done plan.Done) plan.Done {
	kept := plan.Done{}
	for e, n := range done {
		about := s.shared != nil && e.Op != 0 && (e.Op.Removes() || named(s.shared.Guard, e.Op))
		for i := range s.limits {
			o := &s.limits[i]
			switch {
			case e.Op != 0:
				about = about || e.Op.Removes() || named(o.Guard, e.Op)
			case e.Field != "":
				about = about || named(o.Fields, e.Field)
			default:
				about = about || e.All && o.Memberships.Count != nil
			}
		}
		if about && e.List == 0 && n > 0 {
			kept[e] = n
		}
	}
	return kept
}

func named[K comparable, V any](m map[K]V, key K) bool {
	_, ok := m[key]
	return ok
}

// charge adds what a run is about to do to an account. When that goes beyond the limits nothing is added, and each breach is of something that the
// run is about to do: whoever does the rest charges that.
func (e *Engine) charge(ctx context.Context, s *scope, c charging) (breaches []plan.Breach, err error) {
	if c.done = s.limited(c.done); len(c.done) == 0 {
		return nil, nil
	}
	if c.newest, err = e.newestRun(ctx, c.part); err != nil {
		return nil, err
	}
	now := e.opts.Now()
	var read *look
	for first := true; ; first = false {
		var a account
		var damaged, outdated bool
		err := e.store.Ledger(ctx, s.ledger, func(was []byte) ([]byte, error) {
			breaches = nil
			a, damaged = parseAccount(was)
			outdated = read == nil && a.outdated(s, c.round, now)
			if outdated {
				return was, nil
			}
			if read != nil && read.changes == a.Changes { // else it is as somebody else has just read it
				a.renew(read)
			}
			e.ended.forget(&a)
			found, err := a.charge(s, &c, now)
			if err != nil {
				return nil, err
			}
			breaches = found
			return a.encode(was)
		})
		if err != nil || !outdated {
			return breaches, err
		}
		if first { // of those who come together one reads, and the others find it done
			select {
			case e.looking <- struct{}{}:
				defer func() { <-e.looking }()
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			continue
		}
		if damaged {
			e.opts.Log.Warn("the account of what is done together is damaged, and begins anew: what was charged is forgotten, what was done is not", "ledger", s.ledger)
		}
		if read, err = e.lookAt(ctx, s, &a, now); err != nil {
			return nil, err
		}
	}
}

// refund takes back what a run has just charged and does not do, since other limits keep it back.
func (e *Engine) refund(ctx context.Context, s *scope, c charging) error {
	return e.store.Ledger(ctx, s.ledger, func(was []byte) ([]byte, error) {
		a, _ := parseAccount(was)
		charged := a.open(c.part)
		if charged == nil || charged.Run != c.run {
			return was, nil
		}
		done := charged.Ahead.done()
		a.Charged = tallyOf(beyond(a.Charged.done(), done))
		if s.shared != nil && a.knows(c.round) {
			round := a.round(c.round)
			round.Done = tallyOf(beyond(round.Done.done(), done))
		}
		a.Open = slices.DeleteFunc(a.Open, func(o openCharge) bool { return o.partition() == c.part })
		return a.encode(was)
	})
}

// outdated reports whether all partitions are to be read anew.
func (a *account) outdated(s *scope, round string, now time.Time) bool {
	if s.good == 0 {
		return !a.knows(round)
	}
	return now.Sub(a.Read).Abs() > s.good
}

// charge adds what a run is about to do when nothing is beyond the limits then.
func (a *account) charge(s *scope, c *charging, now time.Time) (breaches []plan.Breach, err error) {
	more, again := c.done, false
	if was := a.open(c.part); was != nil {
		more, again = beyond(c.done, was.left(c.before)), was.Round == c.round
	}
	charged := a.Charged.done()
	charged.Merge(more)
	round := plan.Done{}
	if s.shared != nil {
		if round = a.round(c.round).Done.done(); again {
			round.Merge(more)
		} else {
			round.Merge(c.done)
		}
		breaches = slices.DeleteFunc(s.shared.Check(round.Counts(), a.Tenants, a.population), func(b plan.Breach) bool {
			return c.done.Counts().Of(b.Op) == 0 // others have gone beyond it, under limits that were edited since
		})
	}
	history, _ := plan.ParseHistory(a.History) // it is as this program wrote it
	for i := range s.limits {
		o := &s.limits[i]
		if s.shared != nil && a.Tenants < s.shared.Tenants && !o.Written {
			continue
		}
		past := history.Within(now, o.Within)
		past.Merge(beyond(charged, c.done))
		found, err := o.Check(c.done, &plan.Past{Done: past, Population: a.population,
			Usual: func(of func(plan.Entry) bool) (int, bool) { return history.Usual(now, of) }})
		if err != nil {
			return nil, err
		}
		breaches = append(breaches, found...)
	}
	if len(breaches) > 0 {
		return breaches, nil
	}
	a.Charged = tallyOf(charged)
	if s.shared != nil {
		a.round(c.round).Done = tallyOf(round)
	}
	before := plan.Done{}
	for e := range c.done {
		if n := c.before[e]; n > 0 {
			before[e] = n
		}
	}
	a.put(openCharge{Connection: c.part.Connection, Tenant: c.part.Tenant, Run: c.run, Round: c.round, At: now.UTC(),
		Ahead: tallyOf(c.done), Before: tallyOf(before), Newest: &c.newest})
	return nil, nil
}

// beyond is by how much something is more than something else.
func beyond(done, than plan.Done) plan.Done {
	more := plan.Done{}
	for e, n := range done {
		if n -= than[e]; n > 0 {
			more[e] = n
		}
	}
	return more
}
