package desk

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
)

// Finding is what an audit says of a thing. The words are exported as metrics.
type Finding string

// The findings. What the place showed right after our last write is what a thing is held against, since places trim, cut and
// spell in their own way.
const (
	FoundSame     Finding = "same"
	FoundChanged  Finding = "changed"  // fields are not as we left them
	FoundMissing  Finding = "missing"  // it is proven gone, or its id is another thing's
	FoundInactive Finding = "inactive" // it is out of use, and we left it in use
	FoundActive   Finding = "active"   // it is in use, and we took it out of use
	FoundMoved    Finding = "moved"    // it is in another customer
	FoundTwin     Finding = "twin"     // another thing has our mark
	FoundForeign  Finding = "foreign"  // it is no record's
	FoundUnproven Finding = "unproven" // the place does not list it, and does not prove that it is gone
	FoundFought   Finding = "fought"   // somebody undoes what we repair, again and again
)

// Difference is a thing that is not as we left it.
type Difference struct {
	Finding Finding              `json:"finding"`
	Kind    directory.RecordKind `json:"kind"`
	Subject string               `json:"subject,omitempty"`
	ID      string               `json:"id"`
	// Fields are those that differ.
	Fields []string `json:"fields,omitempty"`
	// Repair says that it is being put right.
	Repair bool `json:"repair,omitempty"`
}

// Audited is what an audit came to.
type Audited struct {
	// Counts are by the word of the kind, and finding.
	Counts map[string]map[string]int `json:"counts"`
	// Doubts say, by the word of the kind, why absence proves nothing.
	Doubts map[string]string `json:"doubts,omitempty"`
	// Held says why nothing is repaired: it would be too much. It waits for an approval (Desk.Held), and then for the next audit.
	Held []string `json:"held,omitempty"`
	// Repaired is how many things are being put right.
	Repaired int `json:"repaired,omitempty"`
}

// Same reports whether nothing differs.
func (a *Audited) Same() bool {
	for _, counts := range a.Counts {
		for finding, n := range counts {
			if n > 0 && finding != string(FoundSame) && finding != string(FoundForeign) && finding != countRepaired {
				return false
			}
		}
	}
	return true
}

// Repair says what an audit puts right. The zero value is nothing.
type Repair struct {
	Missing, Active, Members bool
	// Fields are those that are always as the source has them.
	Fields []string
	// Again queues an action of a record, as it is now, so that it is delivered once more (directory.Action.IsSentAgain). It reports
	// false when nothing is known of the record. Nil: nothing is put right.
	Again func(ctx context.Context, from store.Partition, kind directory.RecordKind, key string) (bool, error)
}

// countRepaired stands among the findings for what is being put right, which is also counted as what it was found to be.
const countRepaired = "repaired"

// fights is how often in a row something is repaired before somebody is told that another one undoes it.
const fights = 3

// auditBatch is how many things are compared in one look at the state.
const auditBatch = 500

// Audit surveys kinds of things, or all, and holds them against what was left there. Differences are told one by one; the
// error of tell ends it. It needs one survey and, of what is missing, a request each.
func (d *Desk) Audit(ctx context.Context, kinds []directory.RecordKind, repair Repair, tell func(Difference) error) (Audited, error) {
	ctx, end, err := d.longTurn(ctx)
	if err != nil {
		return Audited{}, err
	}
	defer end()
	out := Audited{Counts: map[string]map[string]int{}, Doubts: map[string]string{}}
	if err := d.know(ctx, nil); err != nil {
		return out, err
	}
	for _, k := range d.surveyed() {
		if len(kinds) > 0 && !slices.Contains(kinds, k.Kind) {
			continue
		}
		a := audit{Desk: d, kind: k, out: &out, counts: map[string]int{}, seen: map[string]bool{}, marks: map[string]string{}, repair: repair}
		out.Counts[k.Kind.String()] = a.counts
		if err := a.run(ctx); err != nil {
			return out, fmt.Errorf("audit %ss: %w", k.Kind, err)
		}
		if err := a.mend(ctx); err != nil {
			return out, fmt.Errorf("repair %ss: %w", k.Kind, err)
		}
		for _, diff := range a.found {
			if err := tell(diff); err != nil {
				return out, err
			}
		}
	}
	err = d.update(ctx, func(tx store.Writer, state *store.DeskState) error {
		state.Audited, state.Audit = d.opts.Now().UTC().Truncate(time.Second), out.Counts
		return tx.PutDesk(*state)
	})
	if err != nil {
		return out, fmt.Errorf("store the audit: %w", err)
	}
	return out, nil
}

// audit is that of one kind.
type audit struct {
	*Desk
	kind   *kind
	out    *Audited
	counts map[string]int
	seen   map[string]bool
	marks  map[string]string // of linked things: mark → id
	batch  []targets.Entity
	found  []Difference
	links  map[string]store.Link // of what was found, by subject
	repair Repair
	kept   map[string][]string // of members that we added, those that are still there, by subject
	calm   []store.Link        // whose repairs have held
}

func (a *audit) run(ctx context.Context) error {
	a.links, a.kept = map[string]store.Link{}, map[string][]string{}
	for _, e := range a.roster.of {
		if e.kind == a.kind.Kind && e.id != "" {
			a.marks[fold(trim(e.mark))] = e.id
		}
	}
	n := 0
	proof, err := a.place.Survey(ctx, a.kind.Kind, func(e *targets.Entity) error {
		n++
		a.batch = append(a.batch, *e)
		if len(a.batch) < auditBatch {
			return nil
		}
		return a.compare(ctx)
	})
	if err != nil {
		return err
	}
	if err := a.compare(ctx); err != nil {
		return err
	}
	doubt := proof.Doubt
	if doubt == "" && proof.Count >= 0 && proof.Count != n {
		doubt = fmt.Sprintf("the place lists %d and says that there are %d", n, proof.Count)
	}
	if doubt != "" {
		a.out.Doubts[a.kind.Kind.String()] = doubt
	}
	return a.absent(ctx, doubt)
}

// compare holds a batch of things against the links.
func (a *audit) compare(ctx context.Context) error {
	ids := make([]string, len(a.batch))
	for i := range a.batch {
		ids[i] = a.batch[i].ID
	}
	by := map[string]store.Link{}
	err := a.store.View(ctx, a.part, func(tx store.Reader) error {
		links, err := tx.LinksAt(a.kind.Kind, ids)
		for _, l := range links {
			if l.State == store.Linked {
				by[l.ID] = l
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	for i := range a.batch {
		e := &a.batch[i]
		if a.seen[e.ID] {
			continue // listed twice
		}
		a.seen[e.ID] = true
		if l, linked := by[e.ID]; linked {
			a.one(&l, e)
			continue
		}
		a.counts[string(FoundForeign)]++
		if mark := e.Keys[targets.Mark]; mark != "" && a.marks[fold(trim(mark))] != "" {
			a.counts[string(FoundForeign)]--
			a.say(FoundTwin, &store.Link{}, e.ID)
		}
	}
	a.batch = a.batch[:0]
	return nil
}

func (a *audit) say(f Finding, l *store.Link, id string, fields ...string) {
	a.counts[string(f)]++
	a.found = append(a.found, Difference{Finding: f, Kind: a.kind.Kind, Subject: l.Subject, ID: id, Fields: fields})
	if l.Subject != "" {
		a.links[l.Subject] = *l
	}
}

// one holds a thing against its link.
func (a *audit) one(l *store.Link, e *targets.Entity) {
	if mark := fold(trim(e.Keys[targets.Mark])); mark != "" && l.Mark != "" && mark != fold(trim(l.Mark)) {
		a.say(FoundMissing, l, e.ID) // what has its id is another one
		return
	}
	var fields []string
	moved, calm := false, false
	for _, name := range slices.Sorted(maps.Keys(l.Saw)) {
		now, shown := e.Fields[name]
		_, refers := a.kind.References[name]
		if refers {
			now, shown = e.Refs[name], !e.Short
		}
		switch {
		case !shown:
		case store.DigestOf(now) == l.Saw[name]:
			if _, counted := l.Sent[repairName+name]; counted {
				delete(l.Sent, repairName+name)
				calm = true
			}
		case name == "customer" && refers:
			moved = true
		default:
			fields = append(fields, name)
		}
	}
	for _, name := range interims(l) {
		if !slices.Contains(fields, name) {
			fields = append(fields, name)
		}
	}
	if e.MembersKnown {
		lost := func(id string) bool { return !slices.Contains(e.Members, id) }
		if slices.ContainsFunc(l.Members, lost) {
			fields = append(fields, membersName)
			a.kept[l.Subject] = slices.DeleteFunc(slices.Clone(l.Members), lost)
		}
	}
	if _, counted := l.Sent[repairName+membersName]; counted && e.MembersKnown && !slices.Contains(fields, membersName) {
		delete(l.Sent, repairName+membersName)
		calm = true
	}
	if _, counted := l.Sent[repairName+string(FoundInactive)]; counted && e.Active {
		delete(l.Sent, repairName+string(FoundInactive))
		calm = true
	}
	if _, counted := l.Sent[repairName+string(FoundMissing)]; counted {
		delete(l.Sent, repairName+string(FoundMissing))
		calm = true
	}
	if calm {
		a.calm = append(a.calm, *l)
	}
	switch {
	case l.Active && !e.Active && l.Sent[repairName+string(FoundInactive)][0] >= fights:
		a.say(FoundFought, l, e.ID, "active")
	case l.Active && !e.Active:
		a.say(FoundInactive, l, e.ID, fields...)
	case !l.Active && e.Active && l.Why != whyHuman:
		a.say(FoundActive, l, e.ID, fields...)
	case moved:
		a.say(FoundMoved, l, e.ID, fields...)
	case slices.ContainsFunc(fields, func(f string) bool { return l.Sent[repairName+f][0] >= fights }):
		a.say(FoundFought, l, e.ID, fields...)
	case len(fields) > 0:
		a.say(FoundChanged, l, e.ID, fields...)
	default:
		a.counts[string(FoundSame)]++
	}
}

// membersName stands for the members among fields.
const membersName = "members"

// repairName begins the names under which a link counts how often in a row a field was repaired.
const repairName = "@repaired."

// mostAsked is how many things that are not listed are asked for one by one.
const mostAsked = 200

// absent looks for the linked things that were not listed.
func (a *audit) absent(ctx context.Context, doubt string) error {
	var absent []string
	for subject, e := range a.roster.of {
		if e.kind == a.kind.Kind && e.id != "" && !a.seen[e.id] {
			absent = append(absent, subject)
		}
	}
	slices.Sort(absent)
	var links []store.Link
	err := a.store.View(ctx, a.part, func(tx store.Reader) (err error) {
		links, err = tx.LinksOf(absent)
		return err
	})
	if err != nil {
		return err
	}
	for i := range links {
		l := &links[i]
		if l.State != store.Linked || a.seen[l.ID] {
			continue
		}
		if doubt != "" || i >= mostAsked {
			a.say(FoundUnproven, l, l.ID)
			continue
		}
		_, err := a.place.Fetch(ctx, a.kind.Kind, l.ID)
		switch {
		case fault.ClassOf(err) == fault.Gone && l.Sent[repairName+string(FoundMissing)][0] >= fights:
			a.say(FoundFought, l, l.ID, string(FoundMissing))
		case fault.ClassOf(err) == fault.Gone:
			a.say(FoundMissing, l, l.ID)
		case err != nil:
			return err
		default:
			a.say(FoundUnproven, l, l.ID)
		}
	}
	return nil
}

// mend makes the state forget what is to be done again, and has it done: by the road that all changes take, and not at all when
// it would be more than the guard lets happen in a day.
func (a *audit) mend(ctx context.Context) error {
	if len(a.calm) > 0 {
		err := a.store.Update(ctx, a.part, func(tx store.Writer) error {
			for _, l := range a.calm {
				if same, err := undisturbed(tx, &l); err != nil {
					return err
				} else if !same {
					continue
				}
				if err := tx.PutLink(l); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if a.repair.Again == nil {
		return nil
	}
	var list []mended
	counts := map[Class]int{}
	for i := range a.found {
		if m, ok := a.mending(&a.found[i]); ok {
			m.at = i
			list = append(list, m)
			counts[m.class]++
		}
	}
	if held, err := a.tooMuch(ctx, list, counts); err != nil || held {
		return err
	}
	for _, m := range list {
		// Queued first: should the process end between the two, what comes finds nothing to do and the next audit sees the same again.
		key := strings.TrimPrefix(m.link.Subject, m.link.Kind.String()+"/")
		if told, err := a.repair.Again(ctx, m.link.Contributor, m.link.Kind, key); err != nil {
			return err
		} else if !told {
			continue
		}
		same := false
		err := a.update(ctx, func(tx store.Writer, state *store.DeskState) (err error) {
			read := a.links[m.link.Subject]
			if same, err = undisturbed(tx, &read); err != nil || !same {
				return err
			}
			if m.class == Overwrites { // what is made is counted when it is
				a.count(state, a.kind.Kind, Overwrites)
			}
			a.edited(state)
			if err := tx.PutDesk(*state); err != nil {
				return err
			}
			return tx.PutLink(m.link)
		})
		if err != nil {
			return err
		}
		if !same {
			continue
		}
		a.roster.put(a.again(&m.link))
		a.found[m.at].Repair = true
		a.out.Repaired++
		a.counts[countRepaired]++
	}
	return nil
}

// undisturbed reports whether a link is as an audit read it, but for what audits count in it: nobody has delivered meanwhile, in whatever
// process. Else the audit knows too little of it, and the next one sees what there is.
func undisturbed(tx store.Reader, read *store.Link) (bool, error) {
	list, err := tx.LinksOf([]string{read.Subject})
	if err != nil || len(list) != 1 {
		return false, err
	}
	delivered := func(l store.Link) store.Link {
		sent := map[string]store.Digest{}
		for name, digest := range l.Sent {
			if !strings.HasPrefix(name, repairName) {
				sent[name] = digest
			}
		}
		l.Sent, l.Changed = sent, time.Time{}
		return l
	}
	return reflect.DeepEqual(delivered(list[0]), delivered(*read)), nil
}

// mended is a link as it is when what differs is to be written again.
type mended struct {
	link  store.Link
	class Class
	at    int // of the difference
}

// mending says what is put right of a difference, as far as that is wanted. Each time is counted: see fights.
func (a *audit) mending(f *Difference) (m mended, ok bool) {
	l, known := a.links[f.Subject]
	if !known {
		return m, false
	}
	l.Sent, l.Changed = maps.Clone(l.Sent), a.opts.Now().UTC().Truncate(time.Second)
	if l.Sent == nil {
		l.Sent = map[string]store.Digest{}
	}
	again := func(name string) {
		n := l.Sent[repairName+name]
		n[0]++
		l.Sent[repairName+name] = n
	}
	switch {
	case f.Finding == FoundMissing && a.repair.Missing:
		again(string(FoundMissing))
		l.State, l.Why = store.LinkDead, whyEnded
		return mended{link: l, class: Creations}, true
	case f.Finding == FoundInactive && a.repair.Active:
		again(string(FoundInactive))
		l.Active, l.Why = false, ""
		ok = true
	case f.Finding == FoundChanged:
		for _, name := range f.Fields {
			if wanted := slices.Contains(a.repair.Fields, name) && !slices.Contains(l.Once, name) || name == membersName && a.repair.Members; !wanted && !interim(&l, name) {
				continue
			}
			again(name)
			delete(l.Sent, name)
			if name == membersName {
				l.Members = a.kept[f.Subject]
			}
			ok = true
		}
	}
	return mended{link: l, class: Overwrites}, ok
}

// tooMuch holds repairs that are more than the guard lets happen in a day. When that was approved, the next audit goes on.
func (a *audit) tooMuch(ctx context.Context, list []mended, counts map[Class]int) (bool, error) {
	var subjects []string
	for _, m := range list {
		subjects = append(subjects, m.link.Subject)
	}
	reasons := map[Class]string{}
	for _, class := range []Class{Creations, Overwrites} {
		n, limit := counts[class], a.opts.Guard[class]
		done := a.done(a.kind.Kind, class)
		if n == 0 || limit.Count == nil || n+done <= *limit.Count || a.left(a.kind.Kind, class) >= n {
			continue
		}
		reasons[class] = fmt.Sprintf("%s %d %ss in a day; the limit is %d", class, n+done, a.kind.Kind, *limit.Count)
		a.out.Held = append(a.out.Held, "it would "+reasons[class])
	}
	if len(a.out.Held) == 0 {
		return false, nil
	}
	err := a.update(ctx, func(tx store.Writer, state *store.DeskState) error {
		if _, guarded := a.editedElsewhere(state); guarded {
			a.out.Held = nil // the next audit sees what may be done now
			return nil
		}
		for _, class := range []Class{Creations, Overwrites} {
			if reason := reasons[class]; reason != "" {
				a.hold(state, a.kind.Kind, class, reason, subjects)
			}
		}
		return tx.PutDesk(*state)
	})
	return true, err
}

// again is the roster's entry of a link that was changed, with what waits for the record.
func (a *audit) again(l *store.Link) *known {
	e := a.fromLink(l)
	if have := a.roster.of[l.Subject]; have != nil {
		e.pending, e.updates, e.mark = have.pending, have.updates, have.mark
	}
	return e
}
