package desk

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
)

// survey is what was seen of a kind, as digests.
type survey struct {
	began  time.Time
	things []Theirs
	at     map[string]int
	titles map[store.Digest][]int
	// fields are digests of what each of the things has in fields of these names; zero where that is not shown.
	names  []string
	fields [][]store.Digest
	// doubt says why absence proves nothing; empty when it does.
	doubt string
	// asked are the records that were looked up by their keys, where the list proves nothing (Options.ByKeys), and whether that proves
	// that nobody else is theirs; nil for a list of everything.
	asked map[string]bool
	// verdicts are those about the records of a roster.
	verdicts   map[string]Verdict
	generation int
}

// survey returns a survey of a kind that is not too old; a new one if need be.
func (d *Desk) survey(ctx context.Context, k *kind) (*survey, error) {
	now := d.opts.Now()
	if s := d.surveys[k.Kind]; s != nil && now.Sub(s.began) < d.opts.Fresh {
		return s, nil
	}
	s, proof, twice, short, err := d.listing(ctx, k)
	if err != nil {
		return nil, err
	}
	switch {
	case proof.Doubt != "":
		s.doubt = proof.Doubt
	case twice:
		s.doubt = "the place lists things twice"
	case proof.Count >= 0 && proof.Count != len(s.things):
		s.doubt = fmt.Sprintf("the place lists %d and says that there are %d", len(s.things), proof.Count)
	default:
		if s.doubt, err = d.hides(ctx, k, s); err != nil {
			return nil, err
		}
	}
	if short {
		if err := d.complete(ctx, k, s); err != nil {
			return nil, err
		}
	}
	delete(d.listings, k.Kind)
	if s.doubt != "" && d.opts.ByKeys {
		d.listed[k.Kind] = s
		if err := d.gather(ctx, k, s); err != nil {
			return nil, err
		}
	}
	d.surveys[k.Kind] = s
	return s, nil
}

// gather adds to a list that proves nothing what is found by the keys of the records that wait.
func (d *Desk) gather(ctx context.Context, k *kind, s *survey) error {
	var actions []*directory.Action
	err := d.eachPending(ctx, func(of *kind, a *directory.Action) {
		if of == k && !a.Op.Removes() {
			actions = append(actions, a)
		}
	})
	if err != nil {
		return err
	}
	s.asked = map[string]bool{}
	d.untrusted = map[search]bool{} // each search is tried once, not for every record
	defer func() { d.untrusted = nil }()
	for _, a := range actions {
		subject := directory.Subject(a.Kind, a.Record)
		if e := d.roster.of[subject]; e == nil || e.id != "" {
			continue
		}
		before, known := d.looked[subject]
		if !known || d.opts.Now().Sub(before.at) >= longestListing {
			found, sure, err := d.search(ctx, &work{Action: a, subject: subject, kind: k})
			if err != nil {
				return err // what was looked up is remembered
			}
			before = lookedUp{at: d.opts.Now(), found: slices.Collect(maps.Values(found)), sure: sure}
			d.looked[subject] = before
		}
		s.asked[subject] = before.sure
		for _, t := range before.found {
			if _, there := s.at[t.ID]; !there {
				s.at[t.ID] = len(s.things)
				s.things, s.fields = append(s.things, t), append(s.fields, make([]store.Digest, len(s.names)))
			}
		}
	}
	clear(d.looked)
	s.doubt = ""
	return nil
}

// lookedUp is what was found by a record's keys.
type lookedUp struct {
	at    time.Time
	found []Theirs
	sure  bool
}

// whole reports whether a survey shows everything.
func (s *survey) whole() bool { return s.doubt == "" && s.asked == nil }

// sent is when an action was first seen that may have been sent before: all that are handed over together have been by the time
// that they are, so that one survey serves them all.
func (d *Desk) sent(subject string) time.Time {
	at, ok := d.first[subject]
	if !ok {
		at = d.turn
		d.first[subject] = at
	}
	return at
}

// renew sees to it that the next survey of a kind begins after a time: an older one does not show what happened since.
func (d *Desk) renew(ctx context.Context, k *kind, since time.Time) error {
	if s := d.surveys[k.Kind]; s != nil && s.began.Before(since) {
		delete(d.surveys, k.Kind)
	}
	if l := d.listings[k.Kind]; l != nil && l.survey.began.Before(since) {
		if _, _, _, _, err := d.listing(ctx, k); err != nil {
			return err
		}
		delete(d.listings, k.Kind)
	}
	return nil
}

// listing is a list that is being read, or was and is not used yet.
type listing struct {
	survey *survey
	proof  targets.Proof
	twice  bool // something was listed twice
	short  bool // something was listed without all of its fields
	err    error
	done   chan struct{}
}

// longestListing ends one that hangs.
const longestListing = time.Hour

// listing reads the list of a kind. It may take longer than a delivery: then it goes on by itself, and who comes next finds it.
func (d *Desk) listing(ctx context.Context, k *kind) (s *survey, proof targets.Proof, twice, short bool, err error) {
	l := d.listings[k.Kind]
	if l == nil || l.old(d.opts.Now(), d.opts.Fresh) {
		l = &listing{survey: &survey{began: d.opts.Now(), at: map[string]int{}, titles: map[store.Digest][]int{}}, done: make(chan struct{})}
		d.listings[k.Kind] = l
		go d.list(k, l)
	}
	select {
	case <-l.done:
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.Canceled) {
			return nil, proof, false, false, ctx.Err()
		}
		return nil, proof, false, false, &fault.Error{Class: fault.Transient, Op: "survey", Where: d.name, Err: errors.New("the place is still being looked at"),
			Hint: "a large place takes its time; what waits goes on by itself"}
	}
	if l.err != nil {
		delete(d.listings, k.Kind)
		return nil, proof, false, false, fmt.Errorf("survey: %w", l.err)
	}
	return l.survey, l.proof, l.twice, l.short, nil
}

// old reports whether a list came to its end too long ago.
func (l *listing) old(now time.Time, fresh time.Duration) bool {
	select {
	case <-l.done:
		return now.Sub(l.survey.began) >= max(fresh, longestListing)
	default:
		return false
	}
}

func (d *Desk) list(k *kind, l *listing) {
	ctx, cancel := context.WithTimeout(d.life, longestListing)
	defer cancel()
	defer close(l.done)
	defer fault.Recover("survey", &l.err)
	s := l.survey
	l.proof, l.err = d.place.Survey(ctx, k.Kind, func(e *targets.Entity) error {
		if _, seen := s.at[e.ID]; seen {
			l.twice = true
			return nil
		}
		s.at[e.ID] = len(s.things)
		s.things = append(s.things, d.theirs(k, e))
		s.fields = append(s.fields, s.digests(e))
		if title := d.title(k, e); title != (store.Digest{}) {
			s.titles[title] = append(s.titles[title], len(s.things)-1)
		}
		l.short = l.short || e.Short
		return nil
	})
}

// sentinels is how many things that a survey did not list are asked for one by one.
const sentinels = 3

// hides finds out whether a survey leaves out what is there: things that records are linked with. Rights that were taken
// away look like this.
func (d *Desk) hides(ctx context.Context, k *kind, s *survey) (doubt string, err error) {
	asked := 0
	for _, subject := range d.roster.linked[k.Kind] {
		e := d.roster.of[subject]
		if e == nil || e.id == "" {
			continue
		}
		if _, listed := s.at[e.id]; listed {
			continue
		}
		_, err := d.place.Fetch(ctx, k.Kind, e.id)
		switch {
		case err == nil:
			return "the place does not list things that are there", nil
		case fault.ClassOf(err) != fault.Gone:
			return "", err
		}
		if asked++; asked == sentinels {
			break
		}
	}
	return "", nil
}

// complete reads what a list left out of things: of those that could be a record's and, when records are left that
// found nobody, of all that are not linked.
func (d *Desk) complete(ctx context.Context, k *kind, s *survey) error {
	if err := d.customers(ctx, k); err != nil {
		return err
	}
	linked := map[string]bool{}
	for _, e := range d.roster.of {
		linked[e.id] = true
	}
	fetch := map[string]bool{}
	for _, v := range Correlate(k.keys, d.ours(k), s.things) {
		if v.Situation == Same {
			fetch[v.ID] = true
			continue
		}
		for i := range s.things {
			fetch[s.things[i].ID] = true
		}
		break
	}
	for i := range s.things {
		t := &s.things[i]
		if !t.Short || linked[t.ID] || !fetch[t.ID] {
			continue
		}
		e, err := d.place.Fetch(ctx, k.Kind, t.ID)
		if fault.ClassOf(err) == fault.Gone {
			continue
		} else if err != nil {
			return err
		}
		*t = d.theirs(k, &e)
		s.fields[i] = s.digests(&e)
	}
	return nil
}

// theirs makes a thing ready to be compared.
func (d *Desk) theirs(k *kind, e *targets.Entity) Theirs {
	t := Theirs{ID: e.ID, Customer: e.Refs["customer"], Mark: d.read.Value(e.Keys[targets.Mark]), Short: e.Short, Inactive: !e.Active, Protected: d.protected(e)}
	t.Keys = make([]Value, len(k.keys))
	for i := range k.keys {
		t.Keys[i] = d.read.Value(e.Keys[k.keys[i].Name])
	}
	return t
}

func (d *Desk) protected(e *targets.Entity) string {
	if e.Protected != "" {
		return e.Protected
	}
	return d.opts.Protect(e)
}

func (d *Desk) title(k *kind, e *targets.Entity) store.Digest {
	if k.Title == "" {
		return store.Digest{}
	}
	return d.digest(e.Keys[k.Title])
}

// ours are all records of a kind, as the roster knows them.
func (d *Desk) ours(k *kind) []Ours {
	var list []Ours
	for _, e := range d.roster.of {
		if e.kind == k.Kind && (e.id != "" || e.pending != 0) {
			list = append(list, d.oursOf(k, e))
		}
	}
	slices.SortFunc(list, func(a, b Ours) int {
		if a.Subject < b.Subject {
			return -1
		}
		return 1
	})
	return list
}

func (d *Desk) oursOf(k *kind, e *known) Ours {
	o := Ours{Subject: e.subject, ID: e.id, Mark: d.read.Value(e.mark), Keys: make([]Value, len(k.keys))}
	for i := range e.keys {
		o.Keys[i] = Value{exact: e.keys[i], fold: e.keys[i]}
	}
	if e.customer != (store.Digest{}) {
		// What is linked is where its thing is; what is not is where its customer's name leads.
		if o.Customer = e.parent; o.Customer == "" {
			o.Customer = d.customerOf(e.customer)
		}
	}
	return o
}

// customerOf is the id of the customer with this name, as far as it is known without a question; a name of its own for one that is not.
func (d *Desk) customerOf(name store.Digest) string {
	var id string
	for _, c := range d.roster.titles[keyAt{directory.CustomerRecord, titleKey, name}] {
		switch {
		case c.id == "":
			if s := d.surveys[directory.CustomerRecord]; s != nil && s.verdicts[c.subject].Situation == Same {
				id = s.verdicts[c.subject].ID
			}
		default:
			id = c.id
		}
	}
	if id != "" {
		return id
	}
	if s := d.surveys[directory.CustomerRecord]; s != nil && len(s.titles[name]) == 1 {
		return s.things[s.titles[name][0]].ID
	}
	return unknownCustomer + string(name[:])
}

// customers sees to it that the customers of a kind's records are known where a key counts inside of them only: those that are at the
// place already, and are no records that go there, are known by a survey.
func (d *Desk) customers(ctx context.Context, k *kind) error {
	about := d.aboutKind(directory.CustomerRecord)
	within := slices.ContainsFunc(k.keys, func(key targets.DeskKey) bool { return key.Within })
	if about == nil || about.Title == "" || k.Kind == directory.CustomerRecord || !within {
		return nil
	}
	for _, e := range d.roster.of {
		if e.kind == k.Kind && e.customer != (store.Digest{}) && e.parent == "" && strings.HasPrefix(d.customerOf(e.customer), unknownCustomer) {
			_, err := d.survey(ctx, about)
			return err
		}
	}
	return nil
}

// unknownCustomer begins what stands for the id of a customer that is not known.
const unknownCustomer = "\x00"

// judge correlates all records of a kind with a survey.
func (d *Desk) judge(ctx context.Context, k *kind, s *survey) error {
	if s.verdicts != nil && s.generation == d.roster.generation {
		return nil
	}
	if err := d.customers(ctx, k); err != nil {
		return err
	}
	ours := d.ours(k)
	if err := d.ruledOut(ctx, ours); err != nil {
		return err
	}
	s.verdicts, s.generation = map[string]Verdict{}, d.roster.generation
	for _, v := range Correlate(k.keys, ours, s.things) {
		if sure, asked := s.asked[v.Subject]; v.Situation == Nobody && s.asked != nil && !(asked && sure) {
			v = Verdict{Subject: v.Subject, Situation: Asked, Key: MarkKey, Cause: Unproven}
		}
		s.verdicts[v.Subject] = v
	}
	return nil
}

// ruledOut adds what humans ruled out.
func (d *Desk) ruledOut(ctx context.Context, ours []Ours) error {
	subjects := make([]string, len(ours))
	by := make(map[string]int, len(ours))
	for i := range ours {
		subjects[i] = ours[i].Subject
		by[ours[i].Subject] = i
	}
	var rejected []store.Rejection
	err := d.store.View(ctx, d.part, func(tx store.Reader) (err error) {
		rejected, err = tx.Rejected(subjects)
		return err
	})
	for _, r := range rejected {
		i := by[r.Subject]
		ours[i].Not = append(ours[i].Not, r.ID)
	}
	return err
}
