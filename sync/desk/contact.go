package desk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
)

// plannedContact is the plan of a first contact that waits, and of which roster it was made.
type plannedContact struct {
	generation int
	at         time.Time
}

// allowed is how long what was approved may take.
const allowed = 7 * 24 * time.Hour

// contact makes sure that the place was met: that a human has seen what would happen there. It returns what to wait for.
//
// A first contact is one with a place that was never met, whose address or tenant is another one, or whose things were recognised by
// other keys. All kinds are surveyed and compared with all that waits; what would come of it is held under one hash.
func (d *Desk) contact(ctx context.Context) (*targets.Wait, error) {
	if d.met {
		return nil, nil
	}
	if err := d.readState(ctx); err != nil {
		return nil, err
	}
	f := d.state.First
	same := d.state.Place == d.opts.Place && d.state.Match == d.opts.Matching
	switch {
	case same && f != nil && !f.Done.IsZero():
		d.met = true
		return nil, nil
	case same && f != nil && f.Approved == "" && d.planned.generation == d.roster.generation && d.opts.Now().Sub(d.planned.at) < d.opts.Fresh:
		return heldContact(), nil
	}
	if d.state.Place != "" && d.state.Place != d.opts.Place {
		if err := d.moved(ctx); err != nil {
			d.forget() // some of it may be stored
			return nil, err
		}
	}
	planned, err := d.plan(ctx)
	if err != nil {
		return nil, err
	}
	var next store.FirstContact
	known := false
	err = d.update(ctx, func(tx store.Writer, state *store.DeskState) error {
		var was store.FirstContact // which may have been approved while this was looked at
		if state.First != nil && state.Place == d.opts.Place && state.Match == d.opts.Matching {
			was = *state.First
		}
		next, known = *planned, state.First != nil && state.First.Hash == planned.Hash
		switch {
		case !was.Done.IsZero():
			next = was
		case d.opts.Freely, was.Approved == next.Hash:
			next.Approved, next.Done = next.Hash, next.Since
		case was.Hash == next.Hash:
			next.Since = was.Since
		}
		state.Place, state.Match, state.First = d.opts.Place, d.opts.Matching, &next
		if state.Surveys == nil {
			state.Surveys = map[string]store.DeskSurvey{}
		}
		for kind, s := range d.surveys {
			state.Surveys[kind.String()] = store.DeskSurvey{Began: s.began.UTC(), Ended: planned.Since, Count: len(s.things), Doubt: s.doubt}
		}
		return tx.PutDesk(*state)
	})
	if err != nil {
		return nil, fmt.Errorf("store the first contact: %w", err)
	}
	if !next.Done.IsZero() {
		d.met = true
		d.opts.Log.Info("first contact approved", "target", d.name, "hash", next.Hash)
		return nil, nil
	}
	if !known {
		d.opts.Log.Warn("the first contact with the place waits for approval", "target", d.name, "hash", next.Hash, "hint", "`dirsyncd adopt` shows what would happen there; `dirsyncd approve HASH` lets it")
	}
	d.planned = plannedContact{d.roster.generation, d.opts.Now()}
	return heldContact(), nil
}

func heldContact() *targets.Wait {
	return &targets.Wait{Cause: targets.CauseGuard, Key: contactKey, Text: "the first contact with the place waits for a human"}
}

func (d *Desk) readState(ctx context.Context) error {
	state, err := d.State(ctx)
	if err == nil {
		d.state = state
	}
	return err
}

// update makes a transaction that has to do with what is known of the place: fn gets that as it is stored, and stores it when it changed it.
// What is stored is what the desk goes by from then on. After an error nobody may know what is: the next delivery reads it, and the links, anew.
func (d *Desk) update(ctx context.Context, fn func(tx store.Writer, state *store.DeskState) error) error {
	var state store.DeskState
	err := d.store.Update(ctx, d.part, func(tx store.Writer) (err error) {
		if state, err = tx.Desk(); err != nil {
			return err
		}
		return fn(tx, &state)
	})
	if err != nil {
		d.forget()
		d.last = 0 // an edit that was not made
		return err
	}
	d.state = state
	return nil
}

// What waits for an approval, whatever else has joined it since it was held.
const (
	contactKey = "first contact"
	guardKey   = "guard"
)

// Words in the counts of a first contact, beside those of classes.
const (
	countReview = "review" // waits for a human
	countLinked = "linked" // is known already
	countOthers = "others" // things of others, which are left alone
)

// plan surveys the place and says what would happen there.
func (d *Desk) plan(ctx context.Context) (*store.FirstContact, error) {
	f := &store.FirstContact{Since: d.opts.Now().UTC().Truncate(time.Second), Counts: map[string]map[string]int{}}
	var lines []string
	for _, k := range d.surveyed() {
		s, err := d.survey(ctx, k)
		if err != nil {
			return nil, err
		}
		if s.doubt != "" {
			return nil, d.doubtful(k, s)
		}
		if err := d.judge(ctx, k, s); err != nil {
			return nil, err
		}
		counts := map[string]int{}
		mine := map[string]bool{}
		for _, e := range d.roster.of {
			if e.kind != k.Kind {
				continue
			}
			if e.id != "" {
				mine[e.id] = true
				counts[countLinked]++
				continue
			}
			if e.pending == 0 || e.pending.Removes() {
				continue
			}
			v := s.verdicts[e.subject]
			line := e.subject + " "
			switch {
			case v.Situation == Same:
				mine[v.ID] = true
				counts[string(Adoptions)]++
				line += v.ID
			case v.Situation == Asked, e.updates:
				counts[countReview]++
				line += "?"
			default:
				counts[string(Creations)]++
				line += "+"
			}
			lines = append(lines, line)
		}
		if s.asked == nil {
			counts[countOthers] = len(s.things) - len(mine)
		}
		f.Counts[k.Kind.String()] = counts
	}
	met := Foreseen{Counts: f.Counts}
	if err := d.compareFields(ctx, &met, nil, nil); err != nil {
		return nil, err
	}
	f.Fields = met.Fields
	slices.Sort(lines)
	f.Hash = hashOf(lines)
	return f, nil
}

// doubtful is why nothing can be said of a kind.
func (d *Desk) doubtful(k *kind, s *survey) error {
	return &fault.Error{Class: fault.Transient, Op: "first contact", Where: d.name, Err: fmt.Errorf("%ss: %s", k.Kind, s.doubt),
		Hint: "until the place shows everything, nobody can tell who is there already; if it never does, `look: keys` of the target looks every record up by its keys"}
}

// moved forgets the links to another place, but for those whose thing has our mark at this one.
func (d *Desk) moved(ctx context.Context) error {
	for _, k := range d.surveyed() {
		s, err := d.survey(ctx, k)
		if err != nil {
			return err
		}
		if !s.whole() {
			return &fault.Error{Class: fault.Transient, Op: "first contact", Where: d.name, Err: fmt.Errorf("%ss: %s", k.Kind, cmp.Or(s.doubt, "the place does not show everything"))}
		}
		var drop []string
		for _, e := range d.roster.of {
			if e.kind != k.Kind || e.state == 0 {
				continue
			}
			at, there := s.at[e.id]
			if !there || s.things[at].Mark.None() || !s.things[at].Mark.same(d.read.Value(e.mark), &targets.DeskKey{Folded: true}) {
				drop = append(drop, e.subject)
			}
		}
		slices.Sort(drop)
		for len(drop) > 0 {
			n := min(len(drop), 1000)
			var asked []string
			err := d.store.Update(ctx, d.part, func(tx store.Writer) error {
				reviews, err := tx.ReviewsOf(drop[:n])
				if err != nil {
					return err
				}
				asked = asked[:0]
				for _, r := range reviews {
					asked = append(asked, strconv.FormatUint(r.Number, 10))
				}
				for _, subject := range drop[:n] {
					if _, err := tx.DeleteLink(subject); err != nil {
						return err
					}
					if _, err := tx.DeleteReview(subject); err != nil {
						return err
					}
				}
				return d.edit(tx, asked...)
			})
			d.wake(asked...) // what was asked about the other place is looked at anew; after an error, too: it may have been stored
			if err != nil {
				return fmt.Errorf("forget the links to another place: %w", err)
			}
			drop = drop[n:]
		}
	}
	if err := d.movedTickets(ctx); err != nil {
		return err
	}
	// What waits is read again, and what is left of the links.
	pending := map[string]*known{}
	for _, e := range d.roster.of {
		if e.pending != 0 {
			pending[e.subject] = e
		}
	}
	d.roster = nil
	if err := d.know(ctx, nil); err != nil {
		return err
	}
	for subject, e := range pending {
		if have := d.roster.of[subject]; have != nil {
			e.id, e.parent, e.state, e.idle = have.id, have.parent, have.state, have.idle
		} else {
			e.id, e.parent, e.state, e.idle = "", "", 0, false
		}
		d.roster.put(e)
	}
	return nil
}

// State is what is known of the place.
func (d *Desk) State(ctx context.Context) (state store.DeskState, err error) {
	err = d.store.View(ctx, d.part, func(tx store.Reader) (err error) {
		state, err = tx.Desk()
		return err
	})
	if err != nil {
		return state, fmt.Errorf("read what is known of the place: %w", err)
	}
	return state, nil
}

// Held is what waits for the operator at the place; both are nil when nothing does.
func (d *Desk) Held(ctx context.Context) (*store.FirstContact, *store.HeldWork, error) {
	state, err := d.State(ctx)
	if err != nil {
		return nil, nil, err
	}
	if state.First != nil && !state.First.Done.IsZero() {
		state.First = nil
	}
	if state.Held != nil && state.Held.Approved == state.Held.Hash {
		state.Held = nil
	}
	return state.First, state.Held, nil
}

// Approve lets what is held under a hash go on. It reports whether there is something with that hash. When something else would happen by the time that it is done, it is held again.
func (d *Desk) Approve(ctx context.Context, hash string) (bool, error) {
	if err := d.begin(ctx); err != nil {
		return false, err
	}
	defer d.unlock()
	found := false
	var part *store.HeldPart
	already := false
	err := d.update(ctx, func(tx store.Writer, state *store.DeskState) error {
		found = false
		now := d.opts.Now().UTC().Truncate(time.Second)
		if f := state.First; f != nil && f.Hash == hash && f.Done.IsZero() {
			f.Approved, f.Since, found = hash, now, true
		}
		found = approveHeld(state, hash, now) || found
		part, already = state.Part, state.PartApproved == hash
		if !found {
			return nil
		}
		d.edited(state, contactKey, guardKey)
		return tx.PutDesk(*state)
	})
	if err != nil {
		d.wake(contactKey, guardKey) // it may have been stored
		return false, fmt.Errorf("approve: %w", err)
	}
	if !found && part != nil && part.Hash == hash {
		return true, d.approvePart(ctx, part)
	}
	if !found && already {
		return true, &fault.Error{Class: fault.Conflict, Op: "approve", Where: d.name, Err: errors.New("this part of the adoptions was approved already"),
			Hint: "nothing more is to be done about it; what is left waits under another hash, which `dirsyncd adopt` shows"}
	}
	if found {
		d.wake(contactKey, guardKey)
	}
	return found, nil
}

// Discard throws away what is held under a hash and not approved: the place is looked at anew, and what is too much then is held again. It
// reports whether there is something with that hash.
func (d *Desk) Discard(ctx context.Context, hash string) (bool, error) {
	if err := d.begin(ctx); err != nil {
		return false, err
	}
	defer d.unlock()
	found := false
	err := d.update(ctx, func(tx store.Writer, state *store.DeskState) error {
		found = false
		if f := state.First; f != nil && f.Hash == hash && f.Done.IsZero() {
			state.First, found = nil, true
		}
		if h := state.Held; h != nil && h.Hash == hash && h.Approved != hash {
			state.Held, found = nil, true
		}
		if p := state.Part; p != nil && p.Hash == hash {
			state.Part, found = nil, true
		}
		if !found {
			return nil
		}
		if d.edited(state, contactKey, guardKey); d.opts.Shared {
			state.Edits.Anew = true
		}
		return tx.PutDesk(*state)
	})
	if found || err != nil { // after an error it may have been stored
		d.surveys, d.planned = map[directory.RecordKind]*survey{}, plannedContact{}
		clear(d.stopped)
		d.forget()
		d.wake(contactKey, guardKey)
	}
	if err != nil {
		return false, fmt.Errorf("discard: %w", err)
	}
	return found, nil
}

// Meet makes the first contact, where it is not over, with what waits now.
func (d *Desk) Meet(ctx context.Context) error {
	ctx, end, err := d.longTurn(ctx)
	if err != nil {
		return err
	}
	defer end()
	if err := d.know(ctx, nil); err != nil {
		return err
	}
	if err := d.scan(ctx); err != nil {
		return err
	}
	_, err = d.contact(ctx)
	return err
}
