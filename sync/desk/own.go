package desk

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
)

// What a link says in Why.
const (
	whyChosen = "chosen" // a human said that this is it; it is not adopted yet
	whyHuman  = "human"  // a human at the place had taken it out of use before we did
	whyGone   = "gone"   // the place proves that it is not there
	whyEnded  = "ended"  // we removed it
)

// What a human said of the end or return of a thing, as the digest that a link keeps.
func saidGo() store.Digest   { return store.DigestOf("go") }
func saidKeep() store.Digest { return store.DigestOf("keep") }

// Causes of reviews that are not about who is who.
const (
	Leaving  Cause = "leaving"  // a thing is to be taken out of use
	Return   Cause = "return"   // a thing that a human took out of use is to come back
	Lost     Cause = "missing"  // a linked thing is gone
	Exists   Cause = "exists"   // the place says that it has the value, and shows nobody who has
	Takeover Cause = "takeover" // the place answered with a thing that is somebody else's
	Unsure   Cause = "unsure"   // it may have been made, cannot be found, and the place has no mark
	Late     Cause = "adoption" // the first contact is over: adoptions wait for a human
	Swap     Cause = "swap"     // two records take each other's values
	Absent   Cause = "absent"   // it is not there, and its connection only updates what is
)

// decide makes a job of a record, or says what becomes of it without one.
func (d *Desk) decide(ctx context.Context, w *work) error {
	if w.Kind == directory.TicketRecord {
		return d.decideTicket(ctx, w)
	}
	v := w.verdict
	switch {
	case w.link.State == store.Linked && w.Op.Removes():
		return d.end(ctx, w)
	case w.link.State == store.Linked && w.link.Why == whyChosen:
		return d.adopt(ctx, w, w.link.ID)
	case w.link.State == store.Linked:
		return d.change(ctx, w)
	case v.Situation == Same && v.Key == MarkKey:
		// It is ours, and the state does not know: an answer was lost, or an older state was restored.
		return d.relink(ctx, w, v.ID)
	case w.Op.Removes():
		w.done() // nothing there is the record's
	case w.link.State == store.LinkDead && w.link.Why == whyGone && d.opts.Missing == MissingLeave:
		w.done()
	case w.link.State == store.LinkDead && w.link.Why == whyGone && d.opts.Missing == MissingReview && v.Situation != Same:
		return d.review(ctx, w, Verdict{Cause: Lost, Key: MarkKey})
	case w.link.State == store.LinkRejected && w.link.Sent[chosenName] == d.fingerprint(w):
		return d.create(ctx, w)
	case v.Situation == Same:
		if d.opts.After != AfterAdopt && !d.approved(w, Adoptions) {
			return d.review(ctx, w, Verdict{Cause: Late, Key: v.Key, Candidates: []string{v.ID}})
		}
		return d.adopt(ctx, w, v.ID)
	case v.Situation == Asked && v.Cause == Taken && d.givesUp(ctx, w, v.Holder):
		return nil
	case v.Situation == Asked:
		return d.review(ctx, w, v)
	case updatesOnly(w.Action):
		return d.review(ctx, w, Verdict{Cause: Absent, Key: MarkKey})
	default:
		return d.create(ctx, w)
	}
	return nil
}

// updatesOnly reports whether an action is of an import that makes nothing (directory.ImportUpdateOnly).
func updatesOnly(a *directory.Action) bool { return a.Origin.Import == directory.ImportUpdateOnly }

// givesUp makes a record wait for another one that has what it needs and has something to do: who gives a value up goes
// before who takes it. Two that wait for each other wait for a human.
func (d *Desk) givesUp(ctx context.Context, w *work, holder string) bool {
	h := d.roster.of[holder]
	if h == nil || h.pending == 0 || d.inTurn(w.subject, holder) {
		return false
	}
	if d.waitsFor[w.subject] == holder && !d.comes(ctx, holder) {
		d.roster.done(h)
		return false
	}
	d.waitsFor[w.subject] = holder
	w.wait(targets.Wait{Cause: targets.CauseBusy, Key: holder, NotBefore: d.opts.Now().Add(longPause), Text: "another record has its value and is about to change" + d.heldUp(ctx, holder)})
	return true
}

// heldUp says that the change of a record for which another one waits is parked: nothing will come of it by itself. What cannot be looked
// up is left out.
func (d *Desk) heldUp(ctx context.Context, subject string) string {
	if parked, _ := d.open(ctx, subject); parked {
		return ", but its change is parked: `dirsyncd parked list` says why"
	}
	return ""
}

// comes reports whether a record for which another one waited in vain has still something to do: what was parked may have been dropped, and nobody
// says so. What cannot be looked up still comes.
func (d *Desk) comes(ctx context.Context, subject string) bool {
	parked, waits := d.open(ctx, subject)
	if parked || waits {
		return true
	}
	found := false
	err := d.eachPending(ctx, func(_ *kind, a *directory.Action) { found = found || directory.Subject(a.Kind, a.Record) == subject })
	return found || err != nil
}

// open reports whether a change of a record is parked, or waits for something, in the partition that had it delivered last.
func (d *Desk) open(ctx context.Context, subject string) (parked, waits bool) {
	var contributor store.Partition
	err := d.store.View(ctx, d.part, func(tx store.Reader) error {
		links, err := tx.LinksOf([]string{subject})
		if err == nil {
			contributor = links[0].Contributor
		}
		return err
	})
	if err != nil || contributor.Connection == "" {
		return false, false
	}
	err = d.store.View(ctx, contributor, func(tx store.Reader) (err error) {
		if _, parked, err = tx.ParkedAction(d.name, subject); err != nil {
			return err
		}
		list, err := tx.WaitsOf(d.name, []string{subject})
		waits = len(list) > 0
		return err
	})
	return parked && err == nil, waits && err == nil
}

// inTurn reports whether a record that another one would wait for waits, over others perhaps, for that one.
func (d *Desk) inTurn(subject, holder string) bool {
	for range len(d.waitsFor) {
		if holder == subject {
			return true
		}
		next, waits := d.waitsFor[holder]
		if !waits {
			return false
		}
		holder = next
	}
	return holder == subject
}

// create makes a thing.
func (d *Desk) create(ctx context.Context, w *work) error {
	if pause := d.settle(w.kind); pause > 0 && w.kind.Marked {
		// What was made a moment ago may not be found yet: by us, before an answer was lost, or before a restart with an
		// older state.
		since := d.began
		if w.again {
			since = d.sent(w.subject)
		}
		if until := since.Add(pause); d.opts.Now().Before(until) {
			w.wait(targets.Wait{Cause: targets.CauseSettle, NotBefore: until, Text: "it may have been made already, and the place shows it later"})
			return nil
		}
	}
	if w.again && !w.kind.Marked && w.link.State != store.LinkRejected {
		return d.review(ctx, w, Verdict{Cause: Unsure, Key: MarkKey})
	}
	refs, wait, err := d.resolve(ctx, w)
	if err != nil {
		w.fail(err)
		return nil
	}
	if wait != nil {
		w.wait(*wait)
		return nil
	}
	if d.guarded(w, Creations) {
		return nil
	}
	job := &targets.Job{Op: directory.Create, Kind: w.Kind, Key: w.Key, Mark: d.opts.Mark(w.Action), Refs: refs, Keys: d.anchors(w, nil), Sent: d.own(w)}
	for _, f := range d.own(w) {
		if !f.Value.Blank() {
			job.Fields = append(job.Fields, f)
		}
	}
	job.Add, _, w.owed = d.members(w)
	w.link = store.Link{Owner: store.Created, Sent: repairs(&w.link)}
	w.class, w.job, w.refs, w.wrote = Creations, job, refs, digests(d.own(w))
	return nil
}

// repairs are the counts of repairs that a link has: they outlive its thing.
func repairs(l *store.Link) map[string]store.Digest {
	counts := map[string]store.Digest{}
	for name, n := range l.Sent {
		if strings.HasPrefix(name, repairName) {
			counts[name] = n
		}
	}
	return counts
}

// own are the record's fields less those that are references and members.
func (d *Desk) own(w *work) []directory.Field {
	out := make([]directory.Field, 0, len(w.Fields))
	for _, f := range w.Fields {
		if _, refers := w.kind.References[f.Name]; !refers && (f.Name != "members" || !w.kind.Members) {
			out = append(out, f)
		}
	}
	return out
}

func digests(fields []directory.Field) map[string]store.Digest {
	m := make(map[string]store.Digest, len(fields))
	for _, f := range fields {
		m[f.Name] = store.DigestOf(f.Value.String())
	}
	return m
}

// anchors are the values of anchors that a thing does not have yet.
func (d *Desk) anchors(w *work, e *targets.Entity) map[string]string {
	var keys map[string]string
	for i := range w.kind.keys {
		text := w.kind.values[i](w.Action)
		if !w.kind.keys[i].Anchor || d.read.Value(text).None() || e != nil && !d.read.Value(e.Keys[w.kind.keys[i].Name]).None() {
			continue
		}
		if keys == nil {
			keys = map[string]string{}
		}
		keys[w.kind.keys[i].Name] = trim(text)
	}
	return keys
}

// change writes what changed at the source to a thing that is the record's. What somebody at the place changed lives until
// the source changes, too.
func (d *Desk) change(ctx context.Context, w *work) error {
	refs, wait, err := d.resolve(ctx, w)
	if err != nil {
		w.fail(err)
		return nil
	}
	if wait != nil {
		w.wait(*wait)
		return nil
	}
	r := w.review
	if d.waitsFor[w.subject] != "" || r != nil && (Cause(r.Cause) == Exists || Cause(r.Cause) == Taken || Cause(r.Cause) == Swap) {
		// It was refused before: nothing is tried until what was in the way is gone.
		if found, err := d.inTheWay(ctx, w); found || err != nil {
			return err
		}
	}
	job := &targets.Job{Op: directory.Update, Kind: w.Kind, ID: w.link.ID, Key: w.Key, Sent: d.own(w)}
	w.wrote = map[string]store.Digest{}
	for field, id := range refs {
		if w.forgotten && w.entity.Refs[field] != "" && !w.changes(field) {
			w.link.Sent[field] = store.DigestOf(id)
		}
	}
	if w.entity == nil && d.cameBack(w) && !d.fetch(ctx, w) {
		return nil
	}
	d.changes(w, job, refs)
	job.Add, job.Remove, w.owed = d.members(w)
	if !d.opts.ExactMembers {
		job.Remove = slices.DeleteFunc(job.Remove, func(id string) bool { return !slices.Contains(w.link.Members, id) })
	}
	job.Add = slices.DeleteFunc(job.Add, func(id string) bool { return slices.Contains(w.link.Members, id) })
	back := !w.link.Active && (w.Op == directory.Create || w.Op == directory.Reactivate)
	// A group that waits for a member comes again with all that it was to do before.
	unsure := w.again && len(job.Add) > 0 || (w.again || d.opts.ExactMembers) && len(job.Remove) > 0
	// Who has something sent again asks whether it is there.
	if back || w.entity != nil || unsure || w.IsSentAgain() {
		if w.entity == nil && !d.fetch(ctx, w) {
			return nil
		}
		job.Revision = w.entity.Revision
		if w.entity.MembersKnown {
			// Those of ours that are there were added by us, before the answer or the state was lost.
			has := func(id string) bool { return slices.Contains(w.entity.Members, id) }
			for _, id := range job.Add {
				if has(id) {
					w.link.Members = with(w.link.Members, id)
				}
			}
			job.Add = slices.DeleteFunc(job.Add, has)
			job.Remove = slices.DeleteFunc(job.Remove, func(id string) bool { return !has(id) })
		}
	}
	if back && !w.entity.Active {
		if why := d.protected(w.entity); why != "" {
			return d.review(ctx, w, Verdict{Cause: Protected, Key: MarkKey, Candidates: []string{w.link.ID}})
		}
		switch said := w.link.Sent[chosenName]; {
		case w.link.Why != whyHuman || d.opts.ReactivateAlways, said == saidGo():
			job.Op = directory.Reactivate
		case said == saidKeep():
		default:
			return d.review(ctx, w, Verdict{Cause: Return, Key: MarkKey, Candidates: []string{w.link.ID}})
		}
	}
	w.refs, w.job = refs, job
	return nil
}

// cameBack reports whether a field is to be what was last sent although something else may have been sent since, which the state does not know:
// what waited may have been done when the process ended, and is folded with what takes it back.
func (d *Desk) cameBack(w *work) bool {
	return w.again && slices.ContainsFunc(w.Changes, func(c directory.FieldChange) bool {
		v, _ := fieldOf(w.Fields, c.Name)
		_, refers := w.kind.References[c.Name]
		return refers || w.link.Sent[c.Name] == store.DigestOf(v.String())
	})
}

// differs reports whether a field that changed at the source, and may have been sent before, is another one at the place.
func (w *work) differs(f *directory.Field) bool {
	if !w.again || w.entity == nil || !w.changes(f.Name) {
		return false
	}
	have, shown := w.entity.Fields[f.Name]
	return shown && trim(have) != trim(f.Value.String())
}

// changes puts the fields and references into a job that differ from what was last sent.
func (d *Desk) changes(w *work, job *targets.Job, refs map[string]string) {
	for _, f := range d.own(w) {
		digest := store.DigestOf(f.Value.String())
		last, sent := w.link.Sent[f.Name]
		switch {
		case last == digest && sent && !w.differs(&f), slices.Contains(w.Once, f.Name) && sent:
			continue
		case f.Value.Blank() && (!sent || !slices.Contains(d.opts.Clear, f.Name)):
			continue
		case f.Value.Blank():
			f.Value = directory.Null()
		}
		job.Fields = append(job.Fields, f)
		w.wrote[f.Name] = digest
	}
	for _, name := range d.opts.Clear {
		last, sent := w.link.Sent[name]
		if _, has := fieldOf(w.Fields, name); sent && !has && last != store.DigestOf("") {
			job.Fields = append(job.Fields, directory.Field{Name: name, Value: directory.Null()})
			w.wrote[name] = store.DigestOf("")
		}
	}
	d.rightful(w, job)
	for field, id := range refs {
		if w.link.Sent[field] != store.DigestOf(id) || w.again && w.entity != nil && w.changes(field) && w.entity.Refs[field] != id {
			if job.Refs == nil {
				job.Refs = map[string]string{}
			}
			job.Refs[field] = id
		}
	}
}

// fetch reads the record's thing. It reports false when the record's outcome is known by that.
func (d *Desk) fetch(ctx context.Context, w *work) bool {
	e, err := d.place.Fetch(ctx, w.Kind, w.link.ID)
	switch {
	case err == nil:
		w.entity = &e
		return true
	case fault.ClassOf(err) == fault.Gone:
		if err := d.vanished(ctx, w); err != nil {
			w.fail(err)
		}
	default:
		w.fail(err)
	}
	return false
}

// vanished decides what becomes of a record whose thing is proven gone: its id may have changed, which the mark tells.
func (d *Desk) vanished(ctx context.Context, w *work) error {
	was := w.link.ID
	if w.kind.Marked {
		list, _, err := d.find(ctx, w.kind, &targets.DeskKey{Name: targets.Mark, Folded: true}, w.link.Mark)
		if err != nil {
			return err
		}
		if len(list) == 1 && list[0].ID != was && w.link.Mark != "" {
			w.link.ID, w.save = list[0].ID, true
			w.fail(&fault.Error{Class: fault.Conflict, Op: "deliver", Err: errors.New("the place gave it another id")})
			return nil
		}
	}
	w.link.State, w.link.Why, w.save = store.LinkDead, whyGone, true
	delete(d.surveys, w.Kind)
	switch {
	case w.Op.Removes(), d.opts.Missing == MissingLeave:
		w.done()
	case d.opts.Missing == MissingRecreate:
		w.fail(&fault.Error{Class: fault.Conflict, Op: "deliver", Err: errors.New("it is gone at the place and is made again")})
	default:
		return d.review(ctx, w, Verdict{Cause: Lost, Key: MarkKey})
	}
	return nil
}

// relink remembers whose a thing is that has a record's mark, and goes on from there. What it holds may be what a human at the place
// wrote: only what is blank there, and what changed at the source, is written.
func (d *Desk) relink(ctx context.Context, w *work, id string) error {
	w.link = store.Link{ID: id, Sent: map[string]store.Digest{}, Owner: store.Adopted}
	if w.again && w.Op == directory.Create {
		w.link.Owner = store.Created
	}
	if !d.fetch(ctx, w) {
		return nil
	}
	if why := d.protected(w.entity); why != "" {
		w.link = store.Link{}
		return d.review(ctx, w, Verdict{Cause: Protected, Key: MarkKey, Candidates: []string{id}})
	}
	w.link.State, w.link.Mark, w.link.Active, w.save = store.Linked, d.opts.Mark(w.Action), w.entity.Active, true
	w.link.Parent, w.link.Revision = w.entity.Refs["customer"], w.entity.Revision
	if !w.entity.Active {
		w.link.Why = whyHuman // as far as anybody knows
	}
	if w.Op.Removes() {
		return d.end(ctx, w)
	}
	for _, f := range d.own(w) {
		have, shown := w.entity.Fields[f.Name]
		if shown && d.read.Value(have).None() || d.standsIn(w, f.Name, have) || w.changes(f.Name) && trim(have) != trim(f.Value.String()) {
			continue
		}
		w.link.Sent[f.Name] = store.DigestOf(f.Value.String())
	}
	w.forgotten = true
	return d.change(ctx, w)
}

// changes reports whether a field changed at the source.
func (w *work) changes(field string) bool {
	return slices.ContainsFunc(w.Changes, func(c directory.FieldChange) bool { return c.Name == field })
}

// adopt makes a thing that was there the record's.
func (d *Desk) adopt(ctx context.Context, w *work, id string) error {
	chosen := w.link.Why == whyChosen
	saw := w.link.Sent[chosenName]
	before := w.link
	w.link.ID = id
	if !d.fetch(ctx, w) {
		return nil
	}
	e := w.entity
	k, among := w.kind.saidBy(saw) // of many that a human approved
	if chosen && !among && saw != fingerprintOf(d.theirs(w.kind, e)) {
		return d.lapses(ctx, w, id)
	}
	if why := d.protected(e); why != "" && (!chosen || among) {
		w.link = before
		if chosen {
			w.link = store.Link{}
		}
		return d.review(ctx, w, Verdict{Cause: Protected, Key: MarkKey, Candidates: []string{id}})
	}
	if !chosen {
		k = w.verdict.Key
	}
	if (!chosen || among) && k != MarkKey && !d.agrees(w, e, k) {
		if among {
			return d.lapses(ctx, w, id)
		}
		w.link = before
		delete(d.surveys, w.Kind)
		w.fail(&fault.Error{Class: fault.Conflict, Op: "adopt", Err: errors.New("it changed at the place since it was looked at")})
		return nil
	}
	refs, wait, err := d.resolve(ctx, w)
	if err != nil || wait != nil {
		w.link = before
		if err != nil {
			w.fail(err)
		} else {
			w.wait(*wait)
		}
		return nil
	}
	if !chosen && d.guarded(w, Adoptions) {
		w.link = before
		return nil
	}
	w.link = store.Link{ID: id, Owner: store.Adopted, Sent: digests(d.own(w))}
	for field, ref := range refs {
		w.link.Sent[field] = store.DigestOf(ref)
	}
	job := &targets.Job{
		Op: directory.Update, Kind: w.Kind, ID: id, Key: w.Key, Revision: e.Revision, Keys: d.anchors(w, e), Sent: d.own(w),
		Mark: d.opts.Mark(w.Action),
	}
	if !e.Active && !w.Op.Removes() {
		job.Op = directory.Reactivate
	}
	overwrites := false
	for _, f := range d.own(w) {
		have, shown := e.Fields[f.Name]
		blank := d.read.Value(have).None()
		switch {
		case f.Value.Blank(), d.opts.Adopt == AdoptLink, shown && trim(have) == trim(f.Value.String()):
		case blank && shown, d.opts.Adopt == AdoptOverwrite && !slices.Contains(w.Once, f.Name):
			overwrites = overwrites || !blank
			job.Fields = append(job.Fields, f)
		}
	}
	for field, ref := range refs {
		have := e.Refs[field]
		if have != ref && (have == "" && d.opts.Adopt == AdoptBlank || d.opts.Adopt == AdoptOverwrite) {
			overwrites = overwrites || have != ""
			if job.Refs == nil {
				job.Refs = map[string]string{}
			}
			job.Refs[field] = ref
		}
	}
	if overwrites && !chosen && d.guarded(w, Overwrites) {
		w.link = before
		return nil
	}
	job.Add, _, w.owed = d.members(w)
	if e.MembersKnown {
		job.Add = slices.DeleteFunc(job.Add, func(id string) bool { return slices.Contains(e.Members, id) })
	}
	w.job, w.refs, w.wrote = job, refs, map[string]store.Digest{}
	w.adopted, w.overwrites = true, overwrites
	if !chosen { // who was chosen by a human is none of those that were approved
		w.class = Adoptions
	}
	return nil
}

// stillChosen reports whether the thing that a human chose, and that was not adopted since, is still the one that was shown.
func (d *Desk) stillChosen(w *work, e *targets.Entity) bool {
	saw := w.link.Sent[chosenName]
	if k, among := w.kind.saidBy(saw); among {
		return d.agrees(w, e, k)
	}
	return saw == fingerprintOf(d.theirs(w.kind, e))
}

// agrees reports whether a thing has the record's value of a key, and no other record's mark.
func (d *Desk) agrees(w *work, e *targets.Entity, k int) bool {
	ours, theirs := d.read.Value(w.kind.values[k](w.Action)), d.read.Value(e.Keys[w.kind.keys[k].Name])
	mark := d.read.Value(e.Keys[targets.Mark])
	return ours.same(theirs, &w.kind.keys[k]) && (mark.None() || mark.fold == d.read.Value(d.opts.Mark(w.Action)).fold)
}

// lapses asks a human again who chose a thing: a side has changed since.
func (d *Desk) lapses(ctx context.Context, w *work, id string) error {
	w.link, w.not = store.Link{}, nil
	return d.review(ctx, w, Verdict{Cause: Lapsed, Key: MarkKey, Candidates: []string{id}})
}

// end takes a thing out of use, where that is ours to do.
func (d *Desk) end(ctx context.Context, w *work) error {
	leaver := d.opts.end(w.Kind)
	said := w.link.Sent[chosenName]
	switch {
	case leaver.Do == EndKeep, said == saidKeep(), w.link.Owner == store.Adopted && d.opts.CreatedOnly:
		delete(w.link.Sent, chosenName)
		w.save = w.save || said == saidKeep()
		if len(interims(&w.link)) == 0 {
			w.done()
			return nil
		}
		w.job = &targets.Job{Op: directory.Update, Kind: w.Kind, ID: w.link.ID, Key: w.Key, Sent: d.own(w)}
		w.wrote = map[string]store.Digest{}
		d.rightful(w, w.job)
		return nil
	case w.entity == nil && !d.fetch(ctx, w):
		return nil
	}
	e := w.entity
	op := directory.Deactivate
	if leaver.Do == EndDelete && w.link.Owner == store.Created && slices.Contains(w.kind.Ends, directory.Delete) {
		op = directory.Delete
	}
	switch {
	case w.link.Why == whyChosen && said != saidGo() && !d.stillChosen(w, e):
		return d.lapses(ctx, w, w.link.ID)
	case !e.Active && op == directory.Deactivate:
		// Somebody did it already. That is remembered: who had a reason is asked before it comes back.
		if w.link.Active {
			w.link.Active, w.link.Why, w.save = false, whyHuman, true
		}
		if len(interims(&w.link)) == 0 {
			w.done()
			return nil
		}
		w.job = &targets.Job{Op: directory.Update, Kind: w.Kind, ID: w.link.ID, Key: w.Key, Revision: e.Revision, Sent: d.own(w)}
		w.wrote = map[string]store.Digest{}
		d.rightful(w, w.job)
		return nil
	case d.protected(e) != "":
		return d.review(ctx, w, Verdict{Cause: Protected, Key: MarkKey, Candidates: []string{w.link.ID}})
	case leaver.Do == EndReview && said != saidGo():
		return d.review(ctx, w, Verdict{Cause: Leaving, Key: MarkKey, Candidates: []string{w.link.ID}})
	case e.Busy != "" && !leaver.Tickets:
		w.wait(targets.Wait{Cause: targets.CauseBusy, NotBefore: d.opts.Now().Add(24 * time.Hour), Text: e.Busy})
		return nil
	case d.guarded(w, Deactivations):
		return nil
	}
	w.class = Deactivations
	w.job = &targets.Job{Op: op, Kind: w.Kind, ID: w.link.ID, Key: w.Key, Revision: e.Revision, Sent: d.own(w)}
	w.wrote = map[string]store.Digest{}
	if op == directory.Deactivate {
		d.rightful(w, w.job)
	}
	return nil
}

func with(list []string, id string) []string {
	i, found := slices.BinarySearch(list, id)
	if found {
		return list
	}
	return slices.Insert(slices.Clone(list), i, id)
}

func without(list []string, id string) []string {
	i, found := slices.BinarySearch(list, id)
	if !found {
		return list
	}
	return slices.Delete(slices.Clone(list), i, i+1)
}
