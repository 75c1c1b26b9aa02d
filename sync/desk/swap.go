package desk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
)

// interimName begins the names under which a link notes the fields that may hold an interim value. The note is stored before the value is
// written and goes when the right one was: what has a note is written by whatever is done next, also when nothing else changed.
const interimName = "@interim."

// interim reports whether a field may hold an interim value.
func interim(l *store.Link, field string) bool {
	_, noted := l.Sent[interimName+field]
	return noted
}

// interims are the fields that may hold an interim value, sorted.
func interims(l *store.Link) (fields []string) {
	for name := range l.Sent {
		if field, is := strings.CutPrefix(name, interimName); is {
			fields = append(fields, field)
		}
	}
	slices.Sort(fields)
	return fields
}

// standIn is the interim value of a field: the same one each time, and no other record's.
func standIn(pattern, subject, field string) string {
	return strings.ReplaceAll(pattern, "*", hashOf([]string{subject, field})[:10])
}

// standsIn reports whether a value is the interim one of a field, also where no state has a note of it.
func (d *Desk) standsIn(w *work, field, value string) bool {
	pattern, may := d.opts.Interim[field]
	return may && strings.EqualFold(trim(value), standIn(pattern, w.subject, field))
}

// stepsAside gives interim values to the fields of a record that are about to change and may have one, so that who waits for what they
// hold can have it, and makes the record wait for another one that has what it needs. It reports false where nothing may have one: then a
// human has to say.
func (d *Desk) stepsAside(ctx context.Context, w *work, holder string) (bool, error) {
	job := targets.Job{Op: directory.Update, Kind: w.Kind, ID: w.link.ID, Key: w.Key + ":interim", Owner: w.link.Mark, Sent: d.own(w)}
	for i := range job.Sent {
		f := &job.Sent[i]
		pattern, may := d.opts.Interim[f.Name]
		last, sent := w.link.Sent[f.Name]
		stays := sent && (last == store.DigestOf(f.Value.String()) || slices.Contains(w.Once, f.Name))
		if !may || f.Value.Blank() || stays && !interim(&w.link, f.Name) {
			continue
		}
		f.Value = directory.Text(standIn(pattern, w.subject, f.Name))
		job.Fields = append(job.Fields, *f)
	}
	if len(job.Fields) == 0 {
		return false, nil
	}
	if err := d.note(ctx, w, job.Fields); err != nil {
		return false, err
	}
	results, err := d.place.Apply(ctx, []targets.Job{job})
	switch {
	case err != nil:
		w.fail(err)
		return true, nil
	case len(results) != 1:
		return false, &fault.Error{Class: fault.Internal, Op: "deliver", Hint: "this is a defect: please report it", Err: fmt.Errorf("the place answered %d results for a job", len(results))}
	case errors.Is(results[0].Err, targets.ErrExists), fault.ClassOf(results[0].Err) == fault.Invalid:
		return false, nil // it takes no such value
	case results[0].Err != nil:
		w.fail(results[0].Err)
		return true, nil
	}
	for waiting, has := range d.waitsFor {
		if has == w.subject {
			delete(d.waitsFor, waiting) // it has what it waits for
		}
	}
	d.waitsFor[w.subject] = holder
	w.save, w.steppedAside = true, true
	w.wait(targets.Wait{Cause: targets.CauseBusy, Begun: true, Key: holder, NotBefore: d.opts.Now().Add(longPause), Text: "it has an interim value until another record has given its own up" + d.heldUp(ctx, holder)})
	return true, nil
}

// note stores which fields are about to get an interim value.
func (d *Desk) note(ctx context.Context, w *work, fields []directory.Field) error {
	noted := true
	for _, f := range fields {
		noted = noted && interim(&w.link, f.Name)
	}
	if noted {
		return nil
	}
	err := d.store.Update(ctx, d.part, func(tx store.Writer) error {
		links, err := tx.LinksOf([]string{w.subject})
		if err != nil {
			return err
		}
		l := links[0]
		if l.State != store.Linked {
			return &fault.Error{Class: fault.Conflict, Op: "deliver", Err: errors.New("the record's link is not stored yet")}
		}
		if l.Sent == nil {
			l.Sent = map[string]store.Digest{}
		}
		for _, f := range fields {
			l.Sent[interimName+f.Name] = store.DigestOf("")
		}
		return tx.PutLink(l)
	})
	if err != nil {
		return fmt.Errorf("note an interim value: %w", err)
	}
	if w.link.Sent == nil {
		w.link.Sent = map[string]store.Digest{}
	}
	for _, f := range fields {
		w.link.Sent[interimName+f.Name] = store.DigestOf("")
	}
	return nil
}

// unnote takes the notes away of what a job has written.
func unnote(l *store.Link, job *targets.Job) {
	for _, f := range job.Fields {
		delete(l.Sent, interimName+f.Name)
	}
}

// rightful adds to a job the right values of what may hold an interim one: none where the record has none any more.
func (d *Desk) rightful(w *work, job *targets.Job) {
	for _, name := range interims(&w.link) {
		if slices.ContainsFunc(job.Fields, func(f directory.Field) bool { return f.Name == name }) {
			continue
		}
		v, _ := fieldOf(w.Fields, name)
		if v.Blank() {
			v = directory.Null()
		}
		job.Fields = append(job.Fields, directory.Field{Name: name, Value: v})
		w.wrote[name] = store.DigestOf(v.String())
	}
	slices.SortFunc(job.Fields, func(a, b directory.Field) int { return strings.Compare(a.Name, b.Name) })
}

// leavesFirst goes on with a record that ends where another one has the right value of what is interim: it is taken out of use without
// it, and gets it when the other one has given it up. What that keeps is its own.
func (d *Desk) leavesFirst(ctx context.Context, w *work) error {
	if w.job.Op == directory.Update {
		w.job = nil
		if _, err := d.inTheWay(ctx, w); err != nil || w.outcome.Err != nil {
			return err
		}
		if w.outcome.Wait == nil || w.ask != nil {
			w.ask = nil
			w.done()
		}
		return nil
	}
	for _, f := range w.job.Fields {
		delete(w.wrote, f.Name)
	}
	if len(w.job.Fields) == 0 {
		return d.review(ctx, w, Verdict{Cause: Exists, Key: MarkKey})
	}
	w.job.Fields = nil
	if err := d.applyAll(ctx, [][]*work{{w}}); err != nil || w.outcome.Err != nil || w.outcome.Wait != nil {
		return err
	}
	w.wait(targets.Wait{Cause: targets.CauseBusy, Begun: true, NotBefore: d.opts.Now().Add(referencePause), Text: "it has an interim value until another record has given its own up"})
	return nil
}
