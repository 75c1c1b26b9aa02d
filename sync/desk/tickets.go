package desk

import (
	"context"
	"fmt"
	"slices"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/targets"
)

// A ticket is made once, and is its agents' from then on: it is never changed, closed, adopted or audited, and nobody lists all that
// there are. All that matters is that there are no two: after a lost answer it is found by our mark.

// surveyed are the kinds of which the place is looked at as a whole.
func (d *Desk) surveyed() []*kind {
	return slices.DeleteFunc(slices.Clone(d.kinds), func(k *kind) bool { return k.Kind == directory.TicketRecord })
}

// lookTicket finds out whether a ticket is there already.
func (d *Desk) lookTicket(ctx context.Context, w *work) error {
	w.verdict = Verdict{Subject: w.subject, Situation: Nobody}
	if !w.kind.Marked {
		return nil // one that may have been made waits for a human
	}
	mark := d.read.Value(d.opts.Mark(w.Action))
	list, certain, err := d.find(ctx, w.kind, &targets.DeskKey{Name: targets.Mark, Folded: true}, d.opts.Mark(w.Action))
	switch {
	case err != nil:
		return err
	case len(list) > 0:
		w.verdict = Verdict{Subject: w.subject, Situation: Same, Key: MarkKey, ID: list[0].ID}
		return nil
	case certain || !w.again:
		return nil
	}
	// It may have been sent, and the search finds nothing that is known to be there: only a list of all tells.
	if err := d.renew(ctx, w.kind, d.sent(w.subject).Add(1)); err != nil {
		return err
	}
	s, err := d.survey(ctx, w.kind)
	if err != nil {
		return err
	}
	for i := range s.things {
		if s.things[i].Mark.same(mark, &targets.DeskKey{Folded: true}) {
			w.verdict = Verdict{Subject: w.subject, Situation: Same, Key: MarkKey, ID: s.things[i].ID}
			return nil
		}
	}
	if !s.whole() {
		w.verdict = Verdict{Subject: w.subject, Situation: Asked, Key: MarkKey, Cause: Unproven}
	}
	return nil
}

// decideTicket makes a job of a ticket that is not there yet.
func (d *Desk) decideTicket(ctx context.Context, w *work) error {
	switch v := w.verdict; {
	case w.Op != directory.Create, w.link.State == store.Linked, w.link.State == store.LinkDead:
		w.done()
		return nil
	case v.Situation == Same:
		w.link = store.Link{ID: v.ID, Owner: store.Created, State: store.Linked, Active: true, Mark: d.opts.Mark(w.Action), Sent: digests(d.own(w)), LastKey: w.Key}
		w.save = true
		w.done()
		return nil
	case w.link.State == store.LinkRejected && w.link.Sent[chosenName] == d.fingerprint(w):
		return d.create(ctx, w)
	case v.Situation == Asked:
		return d.review(ctx, w, v)
	}
	known, err := d.knewBefore(ctx, w)
	if err != nil {
		w.fail(err)
		return nil
	}
	if known {
		d.opts.Log.Info("no ticket: the place knew the person before the record came", "target", d.name, "ticket", w.Rule)
		w.done()
		return nil
	}
	return d.create(ctx, w)
}

// knewBefore reports whether the person of a ticket was at the place when the record that the ticket is about came there: somebody who
// was adopted is no joiner.
func (d *Desk) knewBefore(ctx context.Context, w *work) (known bool, err error) {
	subject := d.personOf(w)
	if subject == "" {
		return false, nil
	}
	err = d.store.View(ctx, d.part, func(tx store.Reader) error {
		links, err := tx.LinksOf([]string{subject})
		if err != nil {
			return err
		}
		l := &links[0]
		known = l.State == store.Linked && l.Active && l.Owner == store.Adopted && !l.Since.Before(w.Time)
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("read the links: %w", err)
	}
	return known, nil
}

// personKinds are the kinds whose records tickets are about. The field has the word of the kind, and holds the record's key.
func personKinds() []directory.RecordKind {
	return []directory.RecordKind{directory.UserRecord, directory.AgentRecord}
}

// personOf is the subject of whom a ticket is about.
func (d *Desk) personOf(w *work) string {
	for _, kind := range personKinds() {
		if key := text(w.Action, kind.String()); key != "" {
			return directory.Subject(kind, key)
		}
	}
	return ""
}

// referPerson finds the thing of whom a ticket is about. Who is about to come is waited for; of somebody who is not there, and does not
// come, the ticket is made all the same, without the reference: its text says who it is.
func (d *Desk) referPerson(field string, kind directory.RecordKind, key string) (id string, wait *targets.Wait) {
	switch e := d.roster.of[directory.Subject(kind, key)]; {
	case e == nil:
		return "", nil
	case e.id != "":
		return e.id, nil
	case e.pending != 0 && !e.pending.Removes():
		return "", &targets.Wait{Cause: targets.CauseReference, Key: e.subject, NotBefore: d.opts.Now().Add(longPause), Text: field + ": the person is not there yet"}
	default:
		return "", nil
	}
}

// foreseeTickets adds the tickets that would be made.
func (d *Desk) foreseeTickets(f *Foreseen, actions int) {
	counts := map[string]int{}
	var subjects []string
	for subject, e := range d.roster.of {
		if e.kind == directory.TicketRecord && e.pending == directory.Create && e.id == "" {
			subjects = append(subjects, subject)
		}
	}
	slices.Sort(subjects)
	for _, subject := range subjects {
		counts[string(Creations)]++
		if len(f.Actions) < actions {
			f.Actions = append(f.Actions, ForeseenAction{Subject: subject, Kind: directory.TicketRecord, What: string(Creations)})
		}
	}
	if d.kind(directory.TicketRecord) != nil && len(subjects) > 0 {
		f.Counts[directory.TicketRecord.String()] = counts
	}
}

// movedTickets gives up the tickets of another place, whose ids mean other ones here. They were made, and are not made again.
func (d *Desk) movedTickets(ctx context.Context) error {
	var subjects []string
	for subject, e := range d.roster.of {
		if e.kind == directory.TicketRecord && e.id != "" {
			subjects = append(subjects, subject)
		}
	}
	slices.Sort(subjects)
	for some := range slices.Chunk(subjects, 1000) {
		err := d.store.Update(ctx, d.part, func(tx store.Writer) error {
			links, err := tx.LinksOf(some)
			if err != nil {
				return err
			}
			for _, l := range links {
				l.State, l.Why, l.Active = store.LinkDead, whyGone, false
				if err := tx.PutLink(l); err != nil {
					return err
				}
			}
			return d.edit(tx)
		})
		if err != nil {
			return fmt.Errorf("forget the tickets of another place: %w", err)
		}
	}
	return nil
}
