package desk

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
)

// Lapsed is the cause of a review whose decision does not hold any more: a side changed since it was shown.
const Lapsed Cause = "lapsed"

// mostCandidates bounds what is shown of a review.
const mostCandidates = 10

// fingerprint is of the record as it is compared.
func (d *Desk) fingerprint(w *work) store.Digest {
	var b strings.Builder
	b.WriteString(w.subject)
	for i, v := range d.values(w.kind, w.Action) {
		digest := v.by(&w.kind.keys[i])
		b.WriteString("\n" + hex.EncodeToString(digest[:]))
	}
	customer := d.digest(d.named("customer", text(w.Action, "customer")))
	b.WriteString("\n" + hex.EncodeToString(customer[:]))
	return store.DigestOf(b.String())
}

// fingerprintOf is of a thing as it is compared.
func fingerprintOf(t Theirs) store.Digest {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n%v\n%v\n%x", t.ID, t.Customer, t.Protected != "", t.Inactive, t.Mark.fold)
	for _, v := range t.Keys {
		fmt.Fprintf(&b, "\n%x", v.exact)
	}
	return store.DigestOf(b.String())
}

func printed(digest store.Digest) string { return hex.EncodeToString(digest[:]) }

// review makes a record wait for a human. The things that it is about are read, so that both sides can be shown.
func (d *Desk) review(ctx context.Context, w *work, v Verdict) error {
	r := &store.Review{
		Subject: w.subject, Kind: w.Kind, Cause: string(v.Cause), Since: d.opts.Now().UTC().Truncate(time.Second), Contributor: contributor(w.Action),
		Text: d.explain(w, v),
	}
	for _, id := range v.Candidates[:min(len(v.Candidates), mostCandidates)] {
		e, err := d.place.Fetch(ctx, w.Kind, id)
		if fault.ClassOf(err) == fault.Gone {
			delete(d.surveys, w.Kind)
			continue
		} else if err != nil {
			w.fail(err)
			return nil
		}
		r.Candidates = append(r.Candidates, d.candidate(w, &e, v))
	}
	r.Fingerprint = printed(d.fingerprint(w))
	for _, c := range r.Candidates {
		r.Fingerprint = printed(store.DigestOf(r.Fingerprint + c.Fingerprint))
	}
	w.ask, w.job, w.settled = r, nil, true
	if w.link.State != store.Linked && w.link.State != store.LinkDead {
		w.link.State, w.link.ID, w.link.Why = store.InReview, "", string(v.Cause)
	}
	w.save = true
	w.outcome = targets.Outcome{Wait: d.asks(r.Text)}
	return nil
}

// lookAgain is when a review is looked at again: it may have become clear by itself.
const lookAgain = 24 * time.Hour

func (d *Desk) asks(text string) *targets.Wait {
	return &targets.Wait{Cause: targets.CauseReview, NotBefore: d.opts.Now().Add(lookAgain), Text: text}
}

func (d *Desk) candidate(w *work, e *targets.Entity, v Verdict) store.Candidate {
	c := store.Candidate{
		ID: e.ID, Name: e.Fields[directory.FieldName], Parent: e.Refs["customer"], Inactive: !e.Active, Fingerprint: printed(fingerprintOf(d.theirs(w.kind, e))),
		Why: d.protected(e),
	}
	if v.Key >= 0 && v.Key < len(w.kind.keys) {
		c.Key = w.kind.keys[v.Key].Name
	}
	for _, f := range d.own(w) {
		if have, shown := e.Fields[f.Name]; shown && trim(have) != trim(f.Value.String()) {
			c.Differ = append(c.Differ, f.Name)
		}
	}
	return c
}

func (d *Desk) explain(w *work, v Verdict) string {
	key := func(i int) string {
		if i < 0 || i >= len(w.kind.keys) {
			return "our mark"
		}
		return w.kind.keys[i].Name
	}
	switch v.Cause {
	case Ambiguous:
		return key(v.Key) + " is that of several"
	case Contradicted:
		return key(v.Key) + " agrees, and " + key(v.Against) + " says that it is somebody else"
	case OtherPlace:
		return key(v.Key) + " is that of somebody in another customer"
	case Proposal:
		return key(v.Key) + " agrees, which alone decides nothing"
	case Taken:
		return key(v.Key) + " is that of a thing that belongs to " + v.Holder
	case Contested:
		return key(v.Key) + " agrees with a thing that may be another record's"
	case Protected:
		return "it is never touched"
	case Twins:
		return "several things have our mark"
	case Leaving:
		return "the record ended; it is to be taken out of use"
	case Return:
		return "a human at the place took it out of use; it is to come back"
	case Lost:
		return "it was linked and is gone"
	case Exists:
		return "the place says that it has one already, and does not show it"
	case Takeover:
		return "the place answered with a thing that is somebody else's"
	case Unsure:
		return "it may have been made, and cannot be found again"
	case Unproven:
		return "the place shows nobody, and does not prove that nobody is there"
	case Late:
		return key(v.Key) + " agrees; the first contact is over"
	case Lapsed:
		return "it changed since it was decided"
	case Absent:
		return "it is not there, and its connection or rule makes nothing (update_only)"
	case Swap:
		return "two records take each other's values"
	}
	return string(v.Cause)
}

func contributor(a *directory.Action) store.Partition {
	return store.Partition{Connection: a.Origin.Connection, Tenant: a.Origin.Tenant}
}

// Reviews are what waits for a human, in the order of the numbers. Those whose record wants nothing any more are left out.
func (d *Desk) Reviews(ctx context.Context) ([]store.Review, error) {
	if err := d.begin(ctx); err != nil {
		return nil, err
	}
	defer d.unlock()
	if err := d.know(ctx, nil); err != nil {
		return nil, err
	}
	if err := d.scan(ctx); err != nil {
		return nil, err
	}
	var list []store.Review
	err := d.store.View(ctx, d.part, func(tx store.Reader) error {
		return tx.Reviews(0, func(r store.Review) bool {
			list = append(list, r)
			return true
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read the reviews: %w", err)
	}
	return slices.DeleteFunc(list, func(r store.Review) bool {
		e := d.roster.of[r.Subject]
		return e == nil || e.pending == 0
	}), nil
}

// Decision is what a human says of a review.
type Decision struct {
	Number uint64
	// Fingerprint is that of the review as it was shown. A review that changed since is not decided.
	Fingerprint string
	// Accept says yes: ID is the record's thing, or what is asked about may be done. New says that a thing is to be made beside what
	// is there. Neither: no, ID is not the record's thing (all candidates where it is empty), or is left alone.
	Accept, New bool
	ID          string
}

// ErrLapsed is in the chain of the error about a decision that came too late.
var ErrLapsed = errors.New("it changed since it was shown")

// Decide does what a human says of a review, and returns the record. The delivery goes on with it by itself.
func (d *Desk) Decide(ctx context.Context, by Decision) (subject string, err error) {
	if err := d.begin(ctx); err != nil {
		return "", err
	}
	defer d.unlock()
	var r store.Review
	var l store.Link
	var found bool
	err = d.store.View(ctx, d.part, func(tx store.Reader) error {
		if r, found, err = tx.Review(by.Number); err != nil || !found {
			return err
		}
		links, err := tx.LinksOf([]string{r.Subject})
		if err == nil {
			l = links[0]
		}
		return err
	})
	switch {
	case err != nil:
		return "", fmt.Errorf("read the review: %w", err)
	case !found:
		return "", refuse(fmt.Sprintf("there is no review %d", by.Number), "it may have become clear by itself; `match list` shows what waits")
	case by.Fingerprint != "" && by.Fingerprint != r.Fingerprint:
		return "", lapsed()
	}
	read := stampOf(&l, &r)
	at := d.opts.Now().UTC().Truncate(time.Second)
	doing := Cause(r.Cause) == Leaving || Cause(r.Cause) == Return
	if l.State == 0 {
		l = store.Link{Subject: r.Subject, Kind: r.Kind, Since: at, Contributor: r.Contributor}
	}
	if l.Sent == nil {
		l.Sent = map[string]store.Digest{}
	}
	l.Changed = at
	var reject []store.Rejection
	switch {
	case doing && by.New:
		return "", refuse("nothing is to be made", "accept or reject it")
	case doing && by.Accept:
		l.Sent[chosenName] = saidGo()
	case doing:
		l.Sent[chosenName] = saidKeep()
	case by.New:
		l.State, l.ID, l.Why, l.Owner = store.LinkRejected, "", "new", store.NotOwned
		l.Sent[chosenName] = d.fingerprintOfKnown(d.fromLink(&l))
	case by.Accept:
		i := slices.IndexFunc(r.Candidates, func(c store.Candidate) bool { return c.ID == by.ID })
		if i < 0 {
			return "", refuse("that is none of the candidates", "`match show` names their ids")
		}
		k := d.kind(r.Kind)
		if k == nil {
			return "", refuse("records of that kind do not go there any more", "")
		}
		e, err := d.place.Fetch(ctx, r.Kind, by.ID)
		if err != nil {
			return "", err
		}
		now := fingerprintOf(d.theirs(k, &e))
		if printed(now) != r.Candidates[i].Fingerprint {
			return "", lapsed()
		}
		l.State, l.ID, l.Why, l.Owner, l.Active = store.Linked, by.ID, whyChosen, store.Adopted, e.Active
		l.Sent[chosenName] = now
	case r.Kind == directory.TicketRecord && len(r.Candidates) == 0 && by.ID == "":
		l.State, l.Why = store.LinkDead, whyEnded // it was made, or is not wanted
	default:
		for _, c := range r.Candidates {
			if by.ID == "" || c.ID == by.ID {
				reject = append(reject, store.Rejection{Subject: r.Subject, Kind: r.Kind, ID: c.ID, Fingerprint: c.Fingerprint, Since: at})
			}
		}
		if len(reject) == 0 {
			return "", refuse("that is none of the candidates", "`match show` names their ids")
		}
	}
	key := strconv.FormatUint(r.Number, 10)
	err = d.update(ctx, func(tx store.Writer, state *store.DeskState) error {
		if now, err := stampNow(tx, r.Subject); err != nil {
			return err
		} else if now != read { // who delivers did something about it
			return lapsed()
		}
		for _, pair := range reject {
			if err := tx.Reject(pair); err != nil {
				return err
			}
		}
		if len(reject) == 0 {
			if err := tx.PutLink(l); err != nil {
				return err
			}
		}
		if _, err := tx.DeleteReview(r.Subject); err != nil {
			return err
		}
		d.edited(state, key)
		return tx.PutDesk(*state)
	})
	d.forget()
	d.wake(key)
	switch {
	case errors.Is(err, ErrLapsed):
		return "", err
	case err != nil: // it may have been stored
		return "", fmt.Errorf("store the decision: %w", err)
	}
	return r.Subject, nil
}

// fingerprintOfKnown is fingerprint for a record whose action is not at hand.
func (d *Desk) fingerprintOfKnown(e *known) store.Digest {
	var b strings.Builder
	b.WriteString(e.subject)
	for i := range e.keys {
		b.WriteString("\n" + hex.EncodeToString(e.keys[i][:]))
	}
	b.WriteString("\n" + hex.EncodeToString(e.customer[:]))
	return store.DigestOf(b.String())
}

// Undo forgets whose a thing is and remembers that it is not the record's. At the place nothing changes.
func (d *Desk) Undo(ctx context.Context, subject string) error {
	if err := d.begin(ctx); err != nil {
		return err
	}
	defer d.unlock()
	found := false
	err := d.update(ctx, func(tx store.Writer, state *store.DeskState) error {
		links, err := tx.LinksOf([]string{subject})
		if err != nil {
			return err
		}
		if found = links[0].State != 0; !found {
			return nil
		}
		if l := links[0]; l.ID != "" {
			if err := tx.Reject(store.Rejection{Subject: subject, Kind: l.Kind, ID: l.ID, Since: d.opts.Now().UTC().Truncate(time.Second)}); err != nil {
				return err
			}
		} else if err := tx.Unreject(subject, l.Kind, ""); err != nil {
			return err
		}
		if _, err = tx.DeleteLink(subject); err != nil {
			return err
		}
		d.edited(state)
		return tx.PutDesk(*state)
	})
	d.forget()
	switch {
	case err != nil: // it may have been stored
		return fmt.Errorf("undo: %w", err)
	case !found:
		return refuse("nothing is known of "+subject, "`match list` and `why` name records as KIND/KEY")
	}
	return nil
}

// forget makes the next delivery read our side anew.
func (d *Desk) forget() {
	d.roster = nil
	for _, s := range d.surveys {
		s.verdicts = nil
	}
}

func refuse(what, hint string) error {
	return &fault.Error{Class: fault.Invalid, Op: "decide", Err: errors.New(what), Hint: hint}
}

func lapsed() error {
	return &fault.Error{Class: fault.Conflict, Op: "decide", Err: ErrLapsed, Hint: "look at it again: `match show`"}
}
