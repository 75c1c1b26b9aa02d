package desk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
)

// empty reports whether a job would change nothing.
func empty(j *targets.Job) bool {
	return j.Op == directory.Update && len(j.Fields)+len(j.Refs)+len(j.Add)+len(j.Remove)+len(j.Keys) == 0 && j.Mark == ""
}

// apply does the jobs, those of the same operation together.
func (d *Desk) apply(ctx context.Context, todo []*work) error {
	var jobs []*work
	for _, w := range todo {
		switch {
		case w.settled || w.job == nil:
		case w.entity != nil && w.job.Mark != "" && w.entity.Keys[targets.Mark] == w.job.Mark && empty(unmarked(w.job)), empty(w.job):
			d.finish(w, nil)
		default:
			jobs = append(jobs, w)
		}
	}
	var calls [][]*work
	for len(jobs) > 0 {
		n := 1
		for n < len(jobs) && n < max(d.about.Batch, 1) && jobs[n].job.Op == jobs[0].job.Op {
			n++
		}
		calls = append(calls, jobs[:n])
		jobs = jobs[n:]
	}
	return d.applyAll(ctx, calls)
}

// applyAll makes calls of Apply, as many at a time as the place takes, and judges the answers one after the other.
func (d *Desk) applyAll(ctx context.Context, calls [][]*work) error {
	type answer struct {
		results  []targets.Result
		err      error
		panicked any
	}
	answers := make([]answer, len(calls))
	places := make(chan struct{}, max(d.about.Parallel, 1))
	var group sync.WaitGroup
	for i, todo := range calls {
		places <- struct{}{}
		group.Go(func() {
			a := &answers[i]
			defer func() {
				a.panicked = recover() // the delivery knows what to do of it, where it waits for this
				<-places
			}()
			a.results, a.err = d.do(ctx, todo)
		})
	}
	group.Wait()
	for i, todo := range calls {
		if p := answers[i].panicked; p != nil {
			panic(p)
		}
		if err := d.judged(ctx, todo, answers[i].results, answers[i].err); err != nil {
			return err
		}
	}
	return nil
}

// do makes one call of Apply.
func (d *Desk) do(ctx context.Context, todo []*work) ([]targets.Result, error) {
	jobs := make([]targets.Job, len(todo))
	for i, w := range todo {
		jobs[i] = *w.job
		jobs[i].Owner = w.link.Mark
	}
	return d.place.Apply(ctx, jobs)
}

func unmarked(j *targets.Job) *targets.Job {
	c := *j
	c.Mark = ""
	return &c
}

// judged takes the answer of a call.
func (d *Desk) judged(ctx context.Context, todo []*work, results []targets.Result, err error) error {
	switch {
	case err != nil:
		for _, w := range todo {
			d.lost(w)
			w.fail(err)
		}
		return nil
	case len(results) != len(todo):
		return &fault.Error{Class: fault.Internal, Op: "deliver", Hint: "this is a defect: please report it",
			Err: fmt.Errorf("the place answered %d results for %d jobs", len(results), len(todo))}
	}
	for i, w := range todo {
		if err := d.answered(ctx, w, &results[i]); err != nil {
			return err
		}
	}
	return nil
}

// answered judges what the place said of a job.
func (d *Desk) answered(ctx context.Context, w *work, r *targets.Result) error {
	switch {
	case r.Err == nil:
		if w.job.Op != directory.Delete && r.Entity.ID == "" {
			w.fail(&fault.Error{Class: fault.Transient, Op: w.job.Op.String(), Err: errors.New("the place answered without an id")})
			return nil
		}
		return d.took(ctx, w, r)
	case errors.Is(r.Err, targets.ErrExists):
		return d.exists(ctx, w)
	case fault.ClassOf(r.Err) == fault.Gone && w.job.Op != directory.Create:
		if err := d.vanished(ctx, w); err != nil {
			w.fail(err)
		}
	default:
		if fault.ClassOf(r.Err) == fault.Conflict && w.save {
			w.save = false
		}
		d.lost(w)
		w.fail(r.Err)
	}
	return nil
}

// lost notes that something may have been made just now: only what is looked at from here on shows it.
func (d *Desk) lost(w *work) {
	if w.job.Op == directory.Create {
		d.first[w.subject] = d.opts.Now()
	}
}

// took remembers what a job did.
func (d *Desk) took(ctx context.Context, w *work, r *targets.Result) error {
	e := &r.Entity
	if w.job.Op == directory.Create {
		if s := d.surveys[w.Kind]; s != nil {
			if _, there := s.at[e.ID]; there {
				// It says that it made what was there before.
				w.link = store.Link{}
				return d.review(ctx, w, Verdict{Cause: Takeover, Key: MarkKey, Candidates: []string{e.ID}})
			}
		}
		if mark := e.Keys[targets.Mark]; mark != "" && !d.read.Value(mark).same(d.read.Value(w.job.Mark), &targets.DeskKey{Folded: true}) {
			w.link = store.Link{}
			return d.review(ctx, w, Verdict{Cause: Takeover, Key: MarkKey, Candidates: []string{e.ID}})
		}
	}
	if len(r.Warnings) > 0 {
		d.opts.Log.Debug("the place took it with reservations", "target", d.name, "subject", w.subject, "warnings", strings.Join(r.Warnings, "; "))
	}
	d.finish(w, e)
	return nil
}

// finish makes the link what it is after a job; e is nil where none was needed.
func (d *Desk) finish(w *work, e *targets.Entity) {
	l := &w.link
	if e == nil {
		e = w.entity // what was read is what is there
	}
	op := w.job.Op
	if l.Sent == nil {
		l.Sent = map[string]store.Digest{}
	}
	l.State = store.Linked
	if w.job.Mark != "" {
		l.Mark = w.job.Mark
	}
	switch {
	case op == directory.Delete:
		l.State, l.Why, l.Active = store.LinkDead, whyEnded, false
	case op == directory.Deactivate:
		l.Active, l.Why = false, ""
	case op == directory.Create, op == directory.Reactivate:
		l.Active, l.Why = true, ""
	case w.adopted:
		l.Active, l.Why = w.entity.Active, ""
	case w.entity != nil && w.entity.Active && !l.Active:
		l.Active, l.Why = true, ""
	}
	delete(l.Sent, chosenName)
	unnote(l, w.job)
	for name, digest := range w.wrote {
		l.Sent[name] = digest
	}
	for field, id := range w.job.Refs {
		l.Sent[field] = store.DigestOf(id)
	}
	for _, id := range w.job.Add {
		l.Members = with(l.Members, id)
	}
	for _, id := range w.job.Remove {
		l.Members = without(l.Members, id)
	}
	if e != nil && e.ID != "" {
		l.ID, l.Parent, l.Revision = e.ID, e.Refs["customer"], e.Revision
		if l.Saw == nil {
			l.Saw = map[string]store.Digest{}
		}
		// Of what was not written the first look stays what later ones are held against.
		for name := range l.Sent {
			_, wrote := w.wrote[name]
			if _, seen := l.Saw[name]; seen && !wrote {
				continue
			}
			if have, shown := e.Fields[name]; shown {
				l.Saw[name] = store.DigestOf(have)
			}
		}
		for field := range w.kind.References {
			_, wrote := w.job.Refs[field]
			_, seen := l.Saw[field]
			if _, sent := l.Sent[field]; sent && (wrote || !seen) {
				l.Saw[field] = store.DigestOf(e.Refs[field])
			}
		}
	}
	l.LastKey = w.Key
	w.save = true
	delete(d.first, w.subject)
	delete(d.waitsFor, w.subject)
	if w.owed != "" {
		w.wait(targets.Wait{Cause: targets.CauseReference, Key: w.owed, NotBefore: d.opts.Now().Add(longPause), Text: "a member is not known at the place yet"})
		return
	}
	w.done()
}

// exists looks again for what is in the way.
func (d *Desk) exists(ctx context.Context, w *work) error {
	wasNew := w.job.Op == directory.Create
	if w.Op.Removes() {
		return d.leavesFirst(ctx, w)
	}
	w.job = nil
	if !wasNew {
		if found, err := d.inTheWay(ctx, w); found || err != nil {
			return err
		}
		return d.review(ctx, w, Verdict{Cause: Exists, Key: MarkKey})
	}
	w.link = store.Link{}
	if s := d.surveys[w.Kind]; s != nil && !s.whole() {
		found, _, err := d.search(ctx, w)
		if err == nil {
			err = d.correlateFound(ctx, w, found)
		}
		if err != nil {
			w.fail(err)
			return nil
		}
		return d.meets(ctx, w)
	}
	if err := d.renew(ctx, w.kind, d.turn); err != nil { // it came between
		w.fail(err)
		return nil
	}
	s, err := d.survey(ctx, w.kind)
	if err != nil {
		w.fail(err)
		return nil
	}
	if err := d.bySurvey(ctx, w, s); err != nil {
		return err
	}
	return d.meets(ctx, w)
}

// meets goes on with a record of which the place says that it has one already.
func (d *Desk) meets(ctx context.Context, w *work) error {
	if w.verdict.Situation == Nobody || w.verdict.Cause == Unproven {
		// It may be what another record has, such as that of the same person under a former account.
		if found, err := d.inTheWay(ctx, w); found || err != nil {
			return err
		}
		return d.review(ctx, w, Verdict{Cause: Exists, Key: MarkKey})
	}
	w.again = w.again || w.verdict.Key == MarkKey
	if err := d.decide(ctx, w); err != nil || w.settled || w.job == nil {
		return err
	}
	if empty(w.job) {
		d.finish(w, nil)
		return nil
	}
	return d.applyAll(ctx, [][]*work{{w}})
}

// inTheWay looks for another thing that has a value which a linked one is to have, and says what becomes of that.
func (d *Desk) inTheWay(ctx context.Context, w *work) (found bool, err error) {
	for i := range w.kind.keys {
		if w.keeps(w.kind.values[i](w.Action)) {
			continue
		}
		list, _, err := d.find(ctx, w.kind, &w.kind.keys[i], w.kind.values[i](w.Action))
		if err != nil {
			w.fail(err)
			return true, nil
		}
		for _, e := range list {
			if e.ID == w.link.ID {
				continue
			}
			holder := d.holder(w.Kind, e.ID)
			if holder != "" && d.givesUp(ctx, w, holder) {
				return true, nil
			}
			if holder != "" && w.link.State == store.Linked && d.inTurn(w.subject, holder) {
				if aside, err := d.stepsAside(ctx, w, holder); aside || err != nil {
					return true, err
				}
			}
			v := Verdict{Cause: Exists, Key: i, Holder: holder, Candidates: []string{e.ID}}
			switch {
			case holder != "" && d.inTurn(w.subject, holder):
				v.Cause = Swap
			case holder != "":
				v.Cause = Taken
			}
			return true, d.review(ctx, w, v)
		}
	}
	return false, nil
}

// keeps reports whether a value is one that the thing of a record is not to get: that of a field that is written once, and was.
func (w *work) keeps(text string) (keeps bool) {
	for i := range w.Fields {
		name := w.Fields[i].Name
		if _, sent := w.link.Sent[name]; w.Fields[i].Value.String() != text {
			continue
		} else if !sent || !slices.Contains(w.Once, name) || interim(&w.link, name) {
			return false
		}
		keeps = true
	}
	return keeps
}

// holder is the record that has a thing.
func (d *Desk) holder(kind directory.RecordKind, id string) string {
	for _, e := range d.roster.of {
		if e.kind == kind && e.id == id {
			return e.subject
		}
	}
	return ""
}

// record stores what was found out and done, in one transaction, before the delivery hears of it.
func (d *Desk) record(ctx context.Context, todo []*work) error {
	now := d.opts.Now().UTC().Truncate(time.Second)
	touched := d.state.Held != nil || d.exceeds()
	for _, w := range todo {
		touched = touched || w.save || w.ask != nil || w.review != nil
	}
	if touched {
		err := d.update(context.WithoutCancel(ctx), func(tx store.Writer, state *store.DeskState) error {
			elsewhere, guarded := d.editedElsewhere(state)
			changed := d.exceeds() && !guarded
			if !guarded { // else it is counted anew, for what was held may go on now
				d.holdAll(state)
			}
			for _, w := range todo {
				if elsewhere {
					if now, err := stampNow(tx, w.subject); err != nil {
						return err
					} else if now != w.read && !(now.state == store.LinkRejected && w.class == Creations && w.save) { // a new one is what was made
						d.putOff(w)
						continue
					}
				}
				if err := d.recordOne(tx, w, now); err != nil {
					return err
				}
				if w.class != "" && w.settled && w.outcome.Err == nil && w.save {
					d.charge(state, w)
					changed = true
				}
			}
			if changed {
				return tx.PutDesk(*state)
			}
			return nil
		})
		clear(d.amounts)
		if err != nil {
			d.wake(linked(todo)...) // it may have been stored, and then nobody sees any more who came
			return fmt.Errorf("store the links: %w", err)
		}
	}
	var came []string
	for _, w := range todo {
		e := d.roster.of[w.subject]
		if w.save && w.link.State == store.Linked && (e.id != w.link.ID || w.adopted || w.steppedAside || d.awaited(w)) {
			came = append(came, w.subject)
		}
		if w.save {
			put := d.fromLink(&w.link)
			put.pending, put.updates, put.mark, put.keys, put.title, put.customer = e.pending, e.updates, e.mark, e.keys, e.title, e.customer
			e = put
			d.roster.put(e)
		}
		if w.settled && w.outcome.Wait == nil {
			delete(d.waitsFor, w.subject)
			if w.outcome.Err == nil {
				d.roster.done(e)
			}
		}
	}
	d.wake(came...)
	return nil
}

// linked lists who has a thing that is to be stored.
func linked(todo []*work) (subjects []string) {
	for _, w := range todo {
		if w.save && w.link.State == store.Linked {
			subjects = append(subjects, w.subject)
		}
	}
	return subjects
}

// charge takes what was done from what was approved, or else counts it for the day.
func (d *Desk) charge(s *store.DeskState, w *work) {
	classes := []Class{w.class}
	if w.overwrites {
		classes = append(classes, Overwrites)
	}
	for _, class := range classes {
		if !spend(s, w.Kind, class, d.opts.Now()) {
			d.count(s, w.Kind, class)
		}
	}
}

// awaited reports whether another record waits for this one to give something up.
func (d *Desk) awaited(w *work) bool {
	for _, holder := range d.waitsFor {
		if holder == w.subject {
			return true
		}
	}
	return false
}

// recordOne stores the link and the review of a record.
func (d *Desk) recordOne(tx store.Writer, w *work, now time.Time) error {
	if w.save && w.link.State == store.Linked {
		// The place may have answered with what is somebody else's.
		at, err := tx.LinksAt(w.Kind, []string{w.link.ID})
		if err != nil {
			return err
		}
		for _, l := range at {
			if l.Subject != w.subject && l.State == store.Linked {
				id := w.link.ID
				w.link = store.Link{State: store.InReview, Why: string(Takeover)}
				w.ask = &store.Review{Subject: w.subject, Kind: w.Kind, Cause: string(Takeover), Since: now, Contributor: contributor(w.Action),
					Text: "the place answered with a thing that belongs to " + l.Subject, Candidates: []store.Candidate{{ID: id, Why: "it belongs to " + l.Subject}},
					Fingerprint: printed(d.fingerprint(w))}
				w.outcome = targets.Outcome{Wait: d.asks(w.ask.Text)}
				d.opts.Log.Error("the place took a person over for another one", "target", d.name, "subject", w.subject, "id", id)
			}
		}
	}
	if w.save {
		l := w.link
		l.Subject, l.Kind, l.Contributor, l.Changed = w.subject, w.Kind, contributor(w.Action), now
		if l.Since.IsZero() {
			l.Since = now
		}
		if l.Sent == nil {
			l.Sent = map[string]store.Digest{}
		}
		e := d.roster.of[w.subject]
		for i, key := range w.kind.keys {
			if e.keys[i] != (store.Digest{}) {
				l.Sent[keyPrefix+key.Name] = e.keys[i]
			} else {
				delete(l.Sent, keyPrefix+key.Name)
			}
		}
		for name, digest := range map[string]store.Digest{customerName: e.customer, titleName: e.title} {
			if digest != (store.Digest{}) {
				l.Sent[name] = digest
			} else {
				delete(l.Sent, name)
			}
		}
		l.Once = nil
		if l.State == store.Linked {
			l.Once = slices.Clone(w.Once)
		}
		w.link = l
		if err := tx.PutLink(l); err != nil {
			return err
		}
	}
	switch {
	case w.ask != nil:
		number, err := tx.PutReview(*w.ask)
		if err != nil {
			return err
		}
		w.outcome.Wait.Key = strconv.FormatUint(number, 10)
	case w.review != nil && w.settled && w.outcome.Err == nil:
		if _, err := tx.DeleteReview(w.subject); err != nil {
			return err
		}
	}
	return nil
}
