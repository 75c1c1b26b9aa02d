package settle

import (
	"slices"
	"time"

	"github.com/RoaringBitmap/roaring/v2"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/plan"
)

// A ticket is opened when somebody's first record is made or the last one is taken away, in the transaction that does that. It follows
// from the same outcome, so it waits when that waits, and comes when that goes ahead. Whoever was there all the time has not come, and of
// whom there is no proof that he left has not left.

// lookForMoved notes the people who are looked at for more than the rules.
func (s *Settlement) lookForMoved(tx store.Reader) error {
	if !s.SameRules {
		s.moved = roaring.New()
	}
	if !s.Rules.OpensTickets() {
		return nil
	}
	err := tx.Dirty(directory.Person, 0, func(n store.Num, why store.DirtyReason) bool {
		if why&store.Remapped != 0 {
			s.remapped.Add(uint32(n))
		}
		if why == store.Remapped {
			return true
		}
		if why&store.Remapped != 0 {
			s.restless.Add(uint32(n))
		}
		if s.moved != nil {
			s.moved.Add(uint32(n))
		}
		return true
	})
	if err != nil || s.moved == nil {
		return err
	}
	return tx.Due(s.at(), func(_ time.Time, kind directory.Kind, n store.Num) bool {
		if kind == directory.Person {
			s.moved.Add(uint32(n))
		}
		return true
	})
}

// openTickets adds to the steps of somebody who comes or leaves the tickets that are opened for that.
func (s *Settlement) openTickets(tx store.Reader, c *candidate) error {
	if c.kind != directory.Person || c.left || s.Initial || s.Origin.Import != "" || !s.Rules.OpensTickets() {
		return nil
	}
	on := mapping.Joining
	if c.leaves {
		on = mapping.Leaving
	}
	wanted, err := s.Rules.Tickets(on, PersonView(s.Source, s.at(), c.object, c.related))
	if err != nil {
		// Nobody comes without the ticket that belongs to it.
		c.err, c.steps, c.leaves, c.due, c.seats = err, nil, false, c.next, seatWish{}
		return nil
	}
	var stays *directory.Record
	if rec, known, err := tx.Record(directory.TicketRecord, c.num); err != nil {
		return err
	} else if known {
		stays = &rec
	}
	not := s.noTickets(c)
	var tickets []plan.Ticket
	for i := range wanted {
		w := &wanted[i]
		a := actionFor(c.steps, w.For, c.leaves)
		if a == nil {
			continue
		}
		t := plan.Ticket{Name: w.Name, Not: not, AgainAfter: w.AgainAfter, Fields: w.About(a.Record, a.Fields)}
		if not == "" && !w.Wanted {
			t.Not = "`when` does not hold"
		}
		tickets = append(tickets, t)
	}
	c.steps = slices.Concat(c.steps, c.subject.OpenTickets(c.before, stays, c.leaves, tickets))
	return nil
}

// actionFor is the action that makes a record of a kind, or takes it away; nil for none.
func actionFor(steps []plan.Step, kind directory.RecordKind, leaves bool) *directory.Action {
	for i := range steps {
		if a := steps[i].Action; a != nil && a.Kind == kind && a.Op.Removes() == leaves {
			return a
		}
	}
	return nil
}

// noTickets says why no ticket is opened for somebody who comes, or leaves, now; empty when there is no such reason.
func (s *Settlement) noTickets(c *candidate) string {
	switch {
	case s.moved != nil && !s.moved.Contains(uint32(c.num)), s.remapped.Contains(uint32(c.num)) && !(c.leaves && s.restless.Contains(uint32(c.num))):
		return "the rules were edited; nobody came or left"
	case s.Rescoped && !c.leaves:
		return "the scope of the connection was edited"
	case len(s.Less) > 0, s.Older != "", c.object.Gone == store.NotRead:
		return "less is read than before"
	case c.unprovenRemoval:
		return "there is no proof that the person left"
	case len(s.basis) > 0:
		return "groups or others that the rules look at were missing without proof"
	default:
		return ""
	}
}

// waitingFor is the reason of the mark that an outcome has for as long as it waits. What is no coming and no leaving now is none when it
// goes ahead.
func (s *Settlement) waitingFor(o *outcome) store.DirtyReason {
	if o.kind == directory.Person && s.Rules.OpensTickets() && (s.Initial || s.Rescoped && o.comes || s.moved != nil && !s.moved.Contains(uint32(o.num))) {
		return store.Remapped
	}
	return store.Changed
}
