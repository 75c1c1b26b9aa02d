package desk

import (
	"context"
	"slices"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/targets"
)

// Where processes share the store, one of them delivers to the place (package deliver), and operators may ask any. What a desk keeps in
// memory is true for the one that delivers only, and for that until somebody edits something elsewhere. So an edit is counted in the
// state, with the keys of what need not wait any more, in the transaction that makes it; who delivers looks before each delivery, and from
// time to time while nothing is to be delivered (CatchUp). All others read our side anew for each request.

// begin waits for the turn, and makes what the desk goes by that of the state. The caller gives the turn back with unlock.
func (d *Desk) begin(ctx context.Context) error {
	if err := d.lock(ctx); err != nil {
		return err
	}
	err := d.catchUp(ctx, false)
	if err != nil {
		d.unlock()
	}
	return err
}

// CatchUp implements targets.Waker. Nobody waits for it: while something is under way here, the next delivery looks.
func (d *Desk) CatchUp(ctx context.Context) error {
	select {
	case d.turns <- struct{}{}:
	default:
		return nil
	}
	defer d.unlock()
	return d.catchUp(ctx, true)
}

// catchUp forgets what is not so any more because of others, and wakes what waits for what they did when this desk is the one that delivers.
func (d *Desk) catchUp(ctx context.Context, delivers bool) error {
	if !d.opts.Shared {
		return nil
	}
	state, err := d.State(ctx)
	if err != nil {
		return err
	}
	d.state = state
	e := editsOf(&state)
	if e.By == d.id && e.Seen == e.Count {
		return nil
	}
	if delivers {
		err = d.update(ctx, func(tx store.Writer, state *store.DeskState) error {
			e = editsOf(state)
			now := e
			now.By, now.Seen = d.id, e.Count
			state.Edits = &now
			return tx.PutDesk(*state)
		})
	}
	d.forget()
	unseen := e.Seen != e.Count
	takesOver := delivers && e.By != d.id // and knows nothing of what was tried elsewhere, or came of it
	if takesOver {
		clear(d.first)
		clear(d.waitsFor)
		clear(d.looked)
		clear(d.listed)
		for kind, l := range d.listings {
			select {
			case <-l.done:
				delete(d.listings, kind)
			default:
			}
		}
	}
	others := !delivers && e.By != d.id && e.Count != d.last // whoever delivers may have seen those, and they stand there no more
	d.last = e.Count
	if takesOver || others || unseen && e.Anew && delivers {
		d.surveys = map[directory.RecordKind]*survey{}
	}
	if takesOver || others || unseen && slices.Contains(e.Keys, contactKey) {
		d.planned = plannedContact{}
	}
	if takesOver || unseen && slices.Contains(e.Keys, guardKey) {
		clear(d.stopped)
	}
	if takesOver {
		e.Keys = append(e.Keys, contactKey, guardKey)
	}
	if delivers { // after an error, too: it may have been stored
		d.wake(e.Keys...)
	}
	return err
}

// edited notes an operator's edit in a state that is about to be stored, and the keys of what need not wait any more.
func (d *Desk) edited(s *store.DeskState, keys ...string) {
	if !d.opts.Shared {
		return
	}
	e := editsOf(s)
	if e.Seen == e.Count {
		e.Keys, e.Anew = nil, false
	}
	e.Count++
	d.last = e.Count
	for _, key := range keys {
		if !slices.Contains(e.Keys, key) {
			e.Keys = append(e.Keys, key)
		}
	}
	s.Edits = &e
}

// edit is edited where nothing else of the state is changed.
func (d *Desk) edit(tx store.Writer, keys ...string) error {
	if !d.opts.Shared {
		return nil
	}
	state, err := tx.Desk()
	if err != nil {
		return err
	}
	d.edited(&state, keys...)
	return tx.PutDesk(state)
}

// editedElsewhere reports whether something was edited since this desk read our side, and whether that is what the guard holds.
func (d *Desk) editedElsewhere(s *store.DeskState) (edited, guarded bool) {
	e := editsOf(s)
	edited = d.opts.Shared && e.Count != d.edits
	return edited, edited && slices.Contains(e.Keys, guardKey)
}

func editsOf(s *store.DeskState) (e store.DeskEdits) {
	if s.Edits != nil {
		e = *s.Edits
		e.Keys = slices.Clone(e.Keys)
	}
	return e
}

// stamp tells whether a record's link or review is another one than when it was read.
type stamp struct {
	state   store.LinkState
	id, why string
	changed int64 // in seconds, as it is kept
	review  uint64
	shown   string // the review's fingerprint
}

func stampOf(l *store.Link, r *store.Review) stamp {
	s := stamp{state: l.State, id: l.ID, why: l.Why, changed: l.Changed.Unix()}
	if r != nil {
		s.review, s.shown = r.Number, r.Fingerprint
	}
	return s
}

func stampNow(tx store.Reader, subject string) (stamp, error) {
	links, err := tx.LinksOf([]string{subject})
	if err != nil {
		return stamp{}, err
	}
	reviews, err := tx.ReviewsOf([]string{subject})
	if err != nil {
		return stamp{}, err
	}
	var review *store.Review
	if len(reviews) > 0 {
		review = &reviews[0]
	}
	return stampOf(&links[0], review), nil
}

// putOff leaves a record to the next round: a human decided about it since this one read it. What was done at the place is found by its mark.
func (d *Desk) putOff(w *work) {
	w.save, w.ask, w.class = false, nil, ""
	w.wait(targets.Wait{Cause: targets.CauseBusy, Begun: w.job != nil, NotBefore: d.opts.Now(), Text: "somebody decided about it meanwhile"})
}
