package desk

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
)

// look finds out who is who, for records of one kind that have no thing.
func (d *Desk) look(ctx context.Context, todo []*work) error {
	for _, w := range todo {
		if !w.unlinked() {
			continue
		}
		if err := d.lookOne(ctx, w); err != nil {
			if fault.ClassOf(err) == fault.Auth || fault.ClassOf(err) == fault.Configuration || ctx.Err() != nil {
				return err
			}
			w.fail(err)
		}
	}
	return nil
}

func (w *work) unlinked() bool {
	return w.link.State != store.Linked
}

// lookOne finds the verdict about one record: of a survey that is at hand, or by searching.
func (d *Desk) lookOne(ctx context.Context, w *work) error {
	k := w.kind
	if k.Kind == directory.TicketRecord {
		return d.lookTicket(ctx, w)
	}
	if s := d.surveys[k.Kind]; s != nil && !w.again && d.opts.Now().Sub(s.began) < d.opts.Fresh && s.doubt == "" {
		if _, asked := s.asked[w.subject]; asked || s.asked == nil {
			return d.bySurvey(ctx, w, s)
		}
	}
	found, certain, err := d.search(ctx, w)
	if err != nil {
		return err
	}
	if updatesOnly(w.Action) && !w.Op.Removes() && len(found) == 0 {
		certain = false // nothing will be created, which is what tells of those that a search passes by
	}
	if !certain {
		// What was searched for may be there all the same. Only a whole look says that it is not.
		if w.again {
			// One of the same moment may have come before what was sent.
			if err := d.renew(ctx, k, d.sent(w.subject).Add(1)); err != nil {
				return err
			}
		}
		s, err := d.survey(ctx, k)
		if err != nil {
			return err
		}
		if s.whole() {
			return d.bySurvey(ctx, w, s)
		}
		for i := range s.things {
			found[s.things[i].ID] = s.things[i]
		}
	}
	if err := d.correlateFound(ctx, w, found); err != nil {
		return err
	}
	if w.verdict.Situation == Nobody && !certain {
		w.verdict = Verdict{Subject: w.subject, Situation: Asked, Key: MarkKey, Cause: Unproven}
	}
	return nil
}

// Unproven is the cause of a review where the place shows nobody and does not prove that nobody is there.
const Unproven Cause = "unproven"

func (d *Desk) bySurvey(ctx context.Context, w *work, s *survey) error {
	if err := d.judge(ctx, w.kind, s); err != nil {
		return err
	}
	w.verdict = s.verdicts[w.subject]
	w.verdict.Subject = w.subject
	return nil
}

// search asks the place for a record's mark and keys. certain says that what was not found is not there.
func (d *Desk) search(ctx context.Context, w *work) (found map[string]Theirs, certain bool, err error) {
	found, certain = map[string]Theirs{}, true
	tried := false
	ask := func(key *targets.DeskKey, text string) error {
		if d.read.Value(text).None() {
			return nil
		}
		list, sure, err := d.find(ctx, w.kind, key, text)
		if err != nil {
			return err
		}
		// That nobody is found by our mark, or by the id of a source, cannot be tried where nobody has one yet.
		certain = certain && (sure || d.opts.ByKeys && (key.Name == targets.Mark || key.Anchor) && !d.met)
		tried = tried || sure
		for i := range list {
			found[list[i].ID] = d.theirs(w.kind, &list[i])
		}
		return nil
	}
	if w.kind.Marked {
		if err := ask(&targets.DeskKey{Name: targets.Mark, Folded: true}, d.opts.Mark(w.Action)); err != nil {
			return nil, false, err
		}
	}
	for i := range w.kind.keys {
		if err := ask(&w.kind.keys[i], w.kind.values[i](w.Action)); err != nil {
			return nil, false, err
		}
	}
	return found, certain && (tried || !d.opts.ByKeys), nil
}

// search names a way to search.
type search struct {
	kind directory.RecordKind
	key  string
}

// find asks for a value. Of what the place answers only what has the value counts; when something else is among it, or what
// is known to be there is not found, the search cannot be trusted, and nothing follows from what it does not find.
func (d *Desk) find(ctx context.Context, k *kind, key *targets.DeskKey, text string) (found []targets.Entity, certain bool, err error) {
	list, err := d.place.Find(ctx, k.Kind, key.Name, trim(text))
	if errors.Is(err, targets.ErrCannotFind) {
		return nil, false, nil
	} else if err != nil {
		return nil, false, fmt.Errorf("search: %w", err)
	}
	want := d.read.Value(text)
	for _, e := range list {
		if d.read.Value(e.Keys[key.Name]).same(want, key) {
			found = append(found, e)
		}
	}
	if len(found) < len(list) {
		return found, false, nil
	}
	if len(found) == 0 {
		if certain, err = d.trust(ctx, k, key); err != nil || !certain {
			return nil, false, err
		}
	}
	return found, true, nil
}

// trust finds out whether a search that found nothing finds what is known to be there.
func (d *Desk) trust(ctx context.Context, k *kind, key *targets.DeskKey) (has bool, err error) {
	now, by := d.opts.Now(), search{k.Kind, key.Name}
	if at, ok := d.trusted[by]; ok && now.Sub(at) < d.opts.Fresh {
		return true, nil
	}
	if d.untrusted[by] {
		return false, nil
	}
	if d.untrusted != nil {
		d.untrusted[by] = true
		defer func() {
			if has {
				delete(d.untrusted, by)
			}
		}()
	}
	for _, id := range d.sentinels(k) {
		there, err := d.place.Fetch(ctx, k.Kind, id)
		if fault.ClassOf(err) == fault.Gone {
			continue
		} else if err != nil {
			return false, err
		}
		text := there.Keys[key.Name]
		if d.read.Value(text).None() || !there.ChangedAt.IsZero() && now.Sub(there.ChangedAt) <= d.settle(k) {
			continue
		}
		list, err := d.place.Find(ctx, k.Kind, key.Name, trim(text))
		if errors.Is(err, targets.ErrCannotFind) {
			return false, nil // not now, be it that it was asked often
		} else if err != nil {
			return false, err
		}
		if !slices.ContainsFunc(list, func(o targets.Entity) bool { return o.ID == id }) {
			return false, nil
		}
		// A search that minds the case of letters does not find what is unique whatever its case.
		if other := swapCase(text); key.Folded && key.Name != targets.Mark && other != text {
			list, err := d.place.Find(ctx, k.Kind, key.Name, trim(other))
			if errors.Is(err, targets.ErrCannotFind) {
				return false, nil
			} else if err != nil {
				return false, err
			}
			if !slices.ContainsFunc(list, func(o targets.Entity) bool { return o.ID == id }) {
				return false, nil
			}
		}
		d.trusted[by] = now
		return true, nil
	}
	return false, nil // nothing is linked yet by which it could be told
}

// sentinels are things by which it can be told what a search finds: some that are linked, or else listed.
func (d *Desk) sentinels(k *kind) (ids []string) {
	for _, subject := range d.roster.linked[k.Kind] {
		if e := d.roster.of[subject]; e != nil && e.id != "" && len(ids) < sentinels {
			ids = append(ids, e.id)
		}
	}
	if s := d.listed[k.Kind]; s != nil && len(ids) == 0 {
		for i := range s.things[:min(len(s.things), sentinels)] {
			ids = append(ids, s.things[i].ID)
		}
	}
	return ids
}

func swapCase(text string) string {
	out := []byte(text)
	for i, c := range out {
		switch {
		case c >= 'a' && c <= 'z':
			out[i] = c - 'a' + 'A'
		case c >= 'A' && c <= 'Z':
			out[i] = c - 'A' + 'a'
		}
	}
	return string(out)
}

func (d *Desk) settle(k *kind) time.Duration { return max(k.Settle, d.opts.Settle) }

// correlateFound compares a record with the things that were found for it, and with all records that have to do with those.
func (d *Desk) correlateFound(ctx context.Context, w *work, found map[string]Theirs) error {
	k := w.kind
	if len(found) > 0 {
		if err := d.customers(ctx, k); err != nil {
			return err
		}
	}
	theirs := slices.SortedFunc(maps.Values(found), func(a, b Theirs) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	related := map[string]*known{w.subject: d.roster.of[w.subject]}
	add := func(at keyAt) {
		for _, e := range d.roster.keys[at] {
			related[e.subject] = e
		}
	}
	ids := make([]string, len(theirs))
	for i := range theirs {
		ids[i] = theirs[i].ID
		for n, v := range theirs[i].Keys {
			if !v.None() {
				add(keyAt{k.Kind, n, v.by(&k.keys[n])})
			}
		}
	}
	for n, v := range d.roster.of[w.subject].keys {
		add(keyAt{k.Kind, n, v})
	}
	err := d.store.View(ctx, d.part, func(tx store.Reader) error {
		links, err := tx.LinksAt(k.Kind, ids)
		for i := range links {
			if e := d.roster.of[links[i].Subject]; e != nil && links[i].State == store.Linked {
				related[e.subject] = e
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	var ours []Ours
	for _, e := range related {
		if e.id != "" || e.pending != 0 || e.subject == w.subject {
			ours = append(ours, d.oursOf(k, e))
		}
	}
	if err := d.ruledOut(ctx, ours); err != nil {
		return err
	}
	for i := range ours {
		if ours[i].Subject == w.subject {
			ours[i].ID = "" // a dead link is none
		}
	}
	for _, v := range Correlate(k.keys, ours, theirs) {
		if v.Subject == w.subject {
			w.verdict = v
		}
	}
	return nil
}
