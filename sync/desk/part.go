package desk

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// saidKey is what a link keeps of a human who said of many at once that they are those whom a key finds.
func saidKey(name string) store.Digest { return store.DigestOf("key " + name) }

// saidBy is the key by which a human said so of many; false of what was chosen by itself.
func (k *kind) saidBy(said store.Digest) (key int, many bool) {
	for i := range k.keys {
		if said == saidKey(k.keys[i].Name) {
			return i, true
		}
	}
	return MarkKey, false
}

// adoption is one of a part.
type adoption struct {
	known       *known
	kind        *kind
	key         int
	thing       *Theirs
	contributor store.Partition
}

// Offer shows a part of the adoptions that wait by itself, under a hash of its own: of records of some kinds (none: all) whom one key
// finds (empty: any). Approve lets it go, and everything else stays held.
func (d *Desk) Offer(ctx context.Context, kinds []directory.RecordKind, key string) (store.HeldPart, error) {
	part := store.HeldPart{Key: key}
	if err := d.begin(ctx); err != nil {
		return part, err
	}
	defer d.unlock()
	for _, kind := range kinds {
		if d.kind(kind) == nil {
			return part, &fault.Error{Class: fault.Configuration, Op: "adopt", Where: d.name, Err: fmt.Errorf("no %ss go there", kind), Hint: "kinds of the target says which do"}
		}
		part.Kinds = append(part.Kinds, kind.String())
	}
	if err := d.keyNamed(kinds, key); err != nil {
		return part, err
	}
	if err := d.know(ctx, nil); err != nil {
		return part, err
	}
	if err := d.scan(ctx); err != nil {
		return part, err
	}
	if _, err := d.contact(ctx); err != nil {
		return part, err
	}
	list, err := d.adoptions(ctx, &part)
	if err != nil {
		return part, err
	}
	only := map[string]bool{}
	f := Foreseen{Counts: part.Counts}
	for i := range list {
		only[list[i].known.subject] = true
	}
	if err := d.compareFields(ctx, &f, nil, only); err != nil {
		return part, err
	}
	part.Fields = f.Fields
	err = d.update(ctx, func(tx store.Writer, state *store.DeskState) error {
		if state.Part = nil; len(list) > 0 {
			state.Part = &part
		}
		return tx.PutDesk(*state)
	})
	if err != nil {
		return part, fmt.Errorf("store what is offered: %w", err)
	}
	if len(list) == 0 {
		part.Hash = ""
	}
	return part, nil
}

// keyNamed refuses a key that none of the kinds is recognised by.
func (d *Desk) keyNamed(kinds []directory.RecordKind, key string) error {
	if key == "" {
		return nil
	}
	var names []string
	for _, k := range d.kinds {
		if len(kinds) > 0 && !slices.Contains(kinds, k.Kind) {
			continue
		}
		for i := range k.keys {
			if k.keys[i].Name == key {
				return nil
			}
			names = append(names, k.keys[i].Name)
		}
	}
	slices.Sort(names)
	return &fault.Error{
		Class: fault.Configuration, Op: "adopt", Where: d.name, Err: fmt.Errorf("nothing is recognised by a key %q", key),
		Hint: "the keys are " + strings.Join(slices.Compact(names), ", ") + "; match of the target says which are used",
	}
}

// adoptions lists those of a part, and sets its hash and counts.
func (d *Desk) adoptions(ctx context.Context, part *store.HeldPart) (list []adoption, err error) {
	var lines []string
	at := map[string]int{}
	part.Counts, part.Since = map[string]map[string]int{}, d.opts.Now().UTC().Truncate(time.Second)
	for _, k := range d.surveyed() {
		if len(part.Kinds) > 0 && !slices.Contains(part.Kinds, k.Kind.String()) {
			continue
		}
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
		part.Counts[k.Kind.String()] = map[string]int{}
		for _, e := range d.roster.of {
			v := s.verdicts[e.subject]
			if e.kind != k.Kind || e.id != "" || e.pending == 0 || e.pending.Removes() || e.state == store.LinkDead || e.state == store.LinkRejected ||
				v.Situation != Same || v.Key == MarkKey || part.Key != "" && k.keys[v.Key].Name != part.Key {
				continue
			}
			at[e.subject] = len(list)
			list = append(list, adoption{known: e, kind: k, key: v.Key, thing: &s.things[s.at[v.ID]]})
			lines = append(lines, e.subject+" "+v.ID+" "+k.keys[v.Key].Name)
			part.Counts[k.Kind.String()][string(Adoptions)]++
		}
	}
	slices.Sort(lines)
	part.Hash = hashOf([]string{"part"}, lines)
	return list, d.eachPending(ctx, func(_ *kind, a *directory.Action) {
		if i, in := at[directory.Subject(a.Kind, a.Record)]; in {
			list[i].contributor = contributor(a)
		}
	})
}

// approvePart stores of all of a part that a human chose it, in one transaction: it is adopted, whatever else waits.
func (d *Desk) approvePart(ctx context.Context, shown *store.HeldPart) error {
	if err := d.know(ctx, nil); err != nil {
		return err
	}
	if err := d.scan(ctx); err != nil {
		return err
	}
	now := *shown
	list, err := d.adoptions(ctx, &now)
	if err != nil {
		return err
	}
	if now.Hash != shown.Hash {
		return &fault.Error{
			Class: fault.Conflict, Op: "approve", Where: d.name, Err: ErrLapsed, Hint: "look at it again: `adopt` with the same --kind and --key shows what would happen now",
		}
	}
	subjects := make([]string, len(list))
	for i := range list {
		subjects[i] = list[i].known.subject
	}
	wake := []string{contactKey, guardKey}
	err = d.update(ctx, func(tx store.Writer, state *store.DeskState) error {
		if edited, _ := d.editedElsewhere(state); edited {
			return lapsed()
		}
		links, err := tx.LinksOf(subjects)
		if err != nil {
			return err
		}
		reviews, err := tx.ReviewsOf(subjects)
		if err != nil {
			return err
		}
		wake = wake[:2]
		for i := range reviews {
			wake = append(wake, strconv.FormatUint(reviews[i].Number, 10))
			if _, err := tx.DeleteReview(reviews[i].Subject); err != nil {
				return err
			}
		}
		for i := range list {
			if links[i].State == store.Linked {
				continue // who delivers came first
			}
			if err := tx.PutLink(list[i].chosen(links[i], now.Since)); err != nil {
				return err
			}
		}
		state.Part, state.PartApproved = nil, shown.Hash
		if h := state.Held; h != nil && h.Approved != h.Hash {
			state.Held = nil // what of it is left is counted anew
		}
		d.edited(state, wake...)
		return tx.PutDesk(*state)
	})
	d.planned = plannedContact{}
	clear(d.stopped)
	d.forget()
	d.wake(wake...)
	if err != nil { // it may have been stored
		return fmt.Errorf("approve: %w", err)
	}
	d.opts.Log.Info("a part of the adoptions approved", "target", d.name, "hash", shown.Hash, "count", len(list))
	return nil
}

// chosen is the link of a record whose thing a human approved among others.
func (a *adoption) chosen(l store.Link, at time.Time) store.Link {
	if l.State == 0 {
		l = store.Link{Subject: a.known.subject, Kind: a.kind.Kind, Since: at, Contributor: a.contributor}
	}
	if l.Sent == nil {
		l.Sent = map[string]store.Digest{}
	}
	l.State, l.ID, l.Why, l.Owner, l.Active, l.Changed = store.Linked, a.thing.ID, whyChosen, store.Adopted, !a.thing.Inactive, at
	l.Sent[chosenName] = saidKey(a.kind.keys[a.key].Name)
	for i, key := range a.kind.keys {
		if v := a.known.keys[i]; v != (store.Digest{}) {
			l.Sent[keyPrefix+key.Name] = v
		}
	}
	return l
}

// chosen reports whether a human chose the record's thing, and it is to be there.
func (w *work) chosen() bool {
	return w.link.State == store.Linked && w.link.Why == whyChosen && !w.Op.Removes()
}

// chosen makes all wait but those whose thing a human chose.
func (d *Desk) chosen(ctx context.Context, todo []*work) (ready []*work, err error) {
	if err := d.load(ctx, todo); err != nil {
		return nil, err
	}
	return stillChosen(todo), nil
}

// stillChosen makes wait those of which a human has taken it back, or never chose it.
func stillChosen(todo []*work) (ready []*work) {
	for _, w := range todo {
		if w.chosen() {
			ready = append(ready, w)
		} else {
			w.wait(*heldContact())
		}
	}
	return ready
}
