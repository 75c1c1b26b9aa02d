package desk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/targets"
)

// How long what is not there is not asked for again.
const (
	referencePause = 15 * time.Minute
	longPause      = time.Hour
)

// reference is a name that stands for a thing, within a customer where the kind is.
type reference struct {
	kind   directory.RecordKind
	name   store.Digest
	within string
}

// resolved is what a name was found to stand for.
type resolved struct {
	id string
	at time.Time
}

// named puts the operator's other name in the place of a record's text.
func (d *Desk) named(field, text string) string {
	r := d.opts.References[field]
	text = trim(text)
	if text == "" {
		text = r.Default
	}
	if other, ok := r.Alias[text]; ok {
		return other
	}
	return text
}

// resolve finds the ids of what a record refers to. What cannot be found now is waited for; nothing is ever guessed.
func (d *Desk) resolve(ctx context.Context, w *work) (refs map[string]string, wait *targets.Wait, err error) {
	refs = map[string]string{}
	// A customer comes first: other names are looked for within it.
	var fields []string
	for field := range w.kind.References {
		fields = append(fields, field)
	}
	slices.SortFunc(fields, func(a, b string) int { return w.kind.References[a].Rank() - w.kind.References[b].Rank() })
	for _, field := range fields {
		if kind := w.kind.References[field]; w.Kind == directory.TicketRecord && slices.Contains(personKinds(), kind) && field == kind.String() {
			id, wait := d.referPerson(field, kind, text(w.Action, field))
			if wait != nil {
				return nil, wait, nil
			}
			if id != "" {
				refs[field] = id
			}
			continue
		}
		name := d.named(field, text(w.Action, field))
		if name == "" {
			continue
		}
		id, wait, err := d.refer(ctx, w, field, name, refs["customer"])
		if wait != nil || err != nil {
			return nil, wait, err
		}
		refs[field] = id
	}
	return refs, nil, nil
}

// refer finds the id of the thing that a name stands for: of a record with that name or key, else exactly one thing with it.
func (d *Desk) refer(ctx context.Context, w *work, field, name, customer string) (id string, wait *targets.Wait, err error) {
	kind := w.kind.References[field]
	about := d.aboutKind(kind)
	within := ""
	if about != nil && slices.ContainsFunc(about.Keys, func(k targets.DeskKey) bool { return k.Name == about.Title && k.Within }) {
		within = customer
	}
	digest := d.digest(name)
	// A record of that name.
	var linked []*known
	var coming *known
	for _, e := range d.roster.titles[keyAt{kind, titleKey, digest}] {
		switch {
		case within != "" && e.id != "" && e.parent != within,
			within != "" && e.id == "" && e.customer != d.digest(d.named("customer", text(w.Action, "customer"))):
		case e.id != "":
			linked = append(linked, e)
		case e.pending != 0 && !e.pending.Removes():
			coming = e
		}
	}
	switch {
	case len(linked) == 1:
		return linked[0].id, nil, nil
	case len(linked) > 1:
		return "", d.awaits(field, name, "", "several records have that name"), nil
	case coming != nil:
		return "", d.awaits(field, name, coming.subject, "its record is not there yet"), nil
	}
	if e := d.roster.of[directory.Subject(kind, name)]; e != nil {
		switch {
		case e.id == "" && e.ends():
			return "", d.awaits(field, name, e.subject, "its record has ended at the place: it is waited for until that is back, or the rules name another one"), nil
		case e.id == "":
			return "", d.awaits(field, name, e.subject, "its record is not there yet"), nil
		}
		return e.id, nil, nil
	}
	// A thing of that name.
	if about == nil || about.Title == "" {
		wait := d.awaits(field, name, "", "there is no record of that name, and the place cannot be asked")
		if strings.Contains(name, "/") { // it may be the key of one that is still to come
			wait.Key = directory.Subject(kind, name)
		}
		return "", wait, nil
	}
	by := reference{kind, digest, within}
	if r, ok := d.refs[by]; ok && d.opts.Now().Sub(r.at) < d.opts.Fresh {
		if r.id == "" {
			return "", d.awaits(field, name, "", "exactly one thing of that name is needed"), nil
		}
		return r.id, nil, nil
	}
	ids, err := d.titled(ctx, about, name, within)
	if err != nil {
		return "", nil, err
	}
	r := resolved{at: d.opts.Now()}
	if len(ids) == 1 {
		r.id = ids[0]
	}
	if len(ids) == 0 && d.opts.References[field].Create {
		if !d.met {
			return "", d.awaits(field, name, "", "nothing is made before the first contact is approved"), nil
		}
		if updatesOnly(w.Action) {
			return "", d.awaits(field, name, "", "its connection or rule makes nothing (update_only)"), nil
		}
		r.id, wait, err = d.makeReferred(ctx, about, field, name, within)
		if wait != nil || err != nil {
			return "", wait, err
		}
	}
	d.refs[by] = r
	if r.id == "" {
		return "", d.awaits(field, name, "", fmt.Sprintf("%d things have that name", len(ids))), nil
	}
	return r.id, nil, nil
}

// ends reports whether a record has ended, or is about to, and is not going to come.
func (k *known) ends() bool {
	return k.state == store.LinkDead && k.pending == 0 || k.pending.Removes()
}

func (d *Desk) awaits(field, name, subject, why string) *targets.Wait {
	pause := referencePause
	if subject != "" {
		pause = longPause
	}
	return &targets.Wait{Cause: targets.CauseReference, Key: subject, NotBefore: d.opts.Now().Add(pause), Text: fmt.Sprintf("%s %q: %s", field, name, why)}
}

// aboutKind is what the place says of a kind, whether or not records of it go there.
func (d *Desk) aboutKind(of directory.RecordKind) *kind {
	if k := d.kind(of); k != nil {
		return k
	}
	if about, ok := d.about.Of(of); ok {
		return &kind{DeskKind: about}
	}
	return nil
}

// titled lists the ids of things with a name: two are enough to know that it stands for none.
func (d *Desk) titled(ctx context.Context, k *kind, name, within string) (ids []string, err error) {
	if s := d.surveys[k.Kind]; s != nil && d.opts.Now().Sub(s.began) < d.opts.Fresh {
		for _, t := range s.titles[d.digest(name)] {
			if within == "" || s.things[t].Customer == within {
				ids = append(ids, s.things[t].ID)
			}
		}
		if len(ids) > 0 || s.whole() {
			return ids, nil
		}
	}
	key := targets.DeskKey{Name: k.Title, Folded: true}
	list, err := d.place.Find(ctx, k.Kind, k.Title, trim(name))
	if errors.Is(err, targets.ErrCannotFind) {
		if _, err := d.survey(ctx, k); err != nil {
			return nil, err
		}
		s := d.surveys[k.Kind]
		for _, t := range s.titles[d.digest(name)] {
			if within == "" || s.things[t].Customer == within {
				ids = append(ids, s.things[t].ID)
			}
		}
		return ids, nil
	} else if err != nil {
		return nil, fmt.Errorf("search: %w", err)
	}
	want := d.read.Value(name)
	for i := range list {
		if d.read.Value(list[i].Keys[k.Title]).same(want, &key) && (within == "" || list[i].Refs["customer"] == within) {
			ids = append(ids, list[i].ID)
		}
	}
	return ids, nil
}

// makeReferred makes the thing that a name stands for. Its mark is the name, so that it is found again.
func (d *Desk) makeReferred(ctx context.Context, k *kind, field, name, within string) (id string, wait *targets.Wait, err error) {
	if d.settle(k) > 0 && d.opts.Now().Sub(d.began) < d.settle(k) {
		return "", &targets.Wait{Cause: targets.CauseSettle, NotBefore: d.began.Add(d.settle(k)), Text: field + " may have been made already"}, nil
	}
	job := targets.Job{Op: directory.Create, Kind: k.Kind, Mark: "name:" + name, Fields: []directory.Field{{Name: directory.FieldName, Value: directory.Text(name)}}}
	if within != "" {
		job.Refs = map[string]string{"customer": within}
	}
	job.Sent = job.Fields
	results, err := d.place.Apply(ctx, []targets.Job{job})
	switch {
	case err != nil:
		return "", nil, err
	case results[0].Err != nil:
		return "", d.awaits(field, name, "", "the place refused to make it"), nil
	}
	return results[0].Entity.ID, nil, nil
}

// members are the ids of a group's members that are to come and to go. owed is the first one that is not known yet.
func (d *Desk) members(w *work) (add, remove []string, owed string) {
	for _, set := range w.Sets {
		if set.Name != "members" || !w.kind.Members {
			continue
		}
		for i, list := range [][]string{set.Added, set.Removed} {
			ids, missing := d.memberIDs(w.kind, list)
			if i == 0 {
				add, owed = ids, missing
			} else {
				remove = ids
			}
		}
	}
	return add, remove, owed
}

func (d *Desk) memberIDs(of *kind, keys []string) (ids []string, missing string) {
	takes := func(k directory.RecordKind) bool {
		return len(of.MemberKinds) == 0 || slices.Contains(of.MemberKinds, k)
	}
	for _, key := range keys {
		var found bool
		for _, kind := range []directory.RecordKind{directory.UserRecord, directory.AgentRecord, directory.GroupRecord} {
			if !takes(kind) {
				continue
			}
			if e := d.roster.of[directory.Subject(kind, key)]; e != nil && e.id != "" {
				ids, found = append(ids, e.id), true
				break
			}
		}
		if found || missing != "" {
			continue
		}
		for _, kind := range []directory.RecordKind{directory.UserRecord, directory.AgentRecord} {
			if d.kind(kind) == nil || !takes(kind) {
				continue
			}
			subject := directory.Subject(kind, key)
			e := d.roster.of[subject]
			if e != nil && e.ends() {
				missing = "" // it is not going to come
				break
			}
			if missing == "" || e != nil {
				missing = subject
			}
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids), missing
}
