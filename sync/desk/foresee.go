package desk

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
)

// What becomes of a field of a thing that is adopted and has another value. The words are stored.
const (
	fieldFilled      = "fill"      // it is blank there, and is written
	fieldOverwritten = "overwrite" // what somebody wrote there is replaced
	fieldKept        = "keep"      // what somebody wrote there stays
)

// digests are a thing's fields, by the names that the survey has met so far.
func (s *survey) digests(e *targets.Entity) []store.Digest {
	list := make([]store.Digest, len(s.names), max(len(s.names), len(e.Fields)))
	for _, name := range slices.Sorted(maps.Keys(e.Fields)) {
		i := slices.Index(s.names, name)
		if i < 0 {
			i = len(s.names)
			s.names, list = append(s.names, name), append(list, store.Digest{})
		}
		list[i] = store.DigestOf(trim(e.Fields[name]))
	}
	return list
}

// becomes says what an adoption does to a field; "" when nothing.
func (d *Desk) becomes(s *survey, thing int, a *directory.Action, f *directory.Field) string {
	i := slices.Index(s.names, f.Name)
	if i < 0 || i >= len(s.fields[thing]) || s.fields[thing][i] == (store.Digest{}) || f.Value.Blank() {
		return ""
	}
	has := s.fields[thing][i]
	switch {
	case has == store.DigestOf(trim(f.Value.String())):
		return ""
	case has == store.DigestOf(""):
		if d.opts.Adopt == AdoptLink {
			return ""
		}
		return fieldFilled
	case d.opts.Adopt == AdoptOverwrite && !slices.Contains(a.Once, f.Name):
		return fieldOverwritten
	default:
		return fieldKept
	}
}

// FieldExample is a field of a thing that an adoption meets with another value. It holds personal data, and is for the operator only.
type FieldExample struct {
	Subject, ID string
	Kind        directory.RecordKind
	Field, What string
	Ours        string
	Theirs      string
}

// Foreseen is what would happen at the place.
type Foreseen struct {
	// Counts are by the word of the kind, and by what: adopt, create, overwrite, update, deactivate, review, linked, others.
	Counts map[string]map[string]int
	// Fields count, by the word of the kind and the name of the field, what adoptions do to fields: fill, overwrite, keep.
	Fields   map[string]map[string]map[string]int
	Examples []FieldExample
	// Actions are some of what would be done, at most as many as were asked for.
	Actions []ForeseenAction
	// Doubts say, by the word of the kind, why nobody can tell.
	Doubts map[string]string
}

// ForeseenAction is what would become of one record.
type ForeseenAction struct {
	Subject string
	Kind    directory.RecordKind
	// What is adopt, create, update, deactivate or review. ID is the thing's; Key the name of the key that found it, or that asks.
	What, ID, Key string
	Cause         Cause // of a review
}

// Words of what is foreseen beside those of classes and of a first contact.
const countUpdate = "update"

// mostFieldExamples bounds the examples of a field, mostExampleReads the things that are read for all of them.
const (
	mostFieldExamples = 3
	mostExampleReads  = 20
)

// Foresee says what would happen at the place with what waits for it, and with more actions that come after that. It writes
// nothing, neither there nor here.
func (d *Desk) Foresee(ctx context.Context, more []directory.Action, actions int) (Foreseen, error) {
	ctx, end, err := d.longTurn(ctx)
	if err != nil {
		return Foreseen{}, err
	}
	defer end()
	if err := d.know(ctx, nil); err != nil {
		return Foreseen{}, err
	}
	if err := d.scan(ctx); err != nil {
		return Foreseen{}, err
	}
	if len(more) > 0 {
		defer d.forget() // they do not wait
	}
	for i := range more {
		if k := d.kind(more[i].Kind); k != nil {
			d.expect(k, &more[i])
		}
	}
	f := Foreseen{Counts: map[string]map[string]int{}, Doubts: map[string]string{}}
	for _, k := range d.surveyed() {
		s, err := d.survey(ctx, k)
		if err != nil {
			return f, err
		}
		if s.doubt != "" {
			f.Doubts[k.Kind.String()] = s.doubt
		}
		if err := d.judge(ctx, k, s); err != nil {
			return f, err
		}
		counts := map[string]int{}
		for _, subject := range slices.Sorted(maps.Keys(d.roster.of)) {
			e := d.roster.of[subject]
			if e.kind != k.Kind || e.pending == 0 {
				continue
			}
			a := d.foresee(k, s, e)
			if a.What == "" {
				continue
			}
			counts[a.What]++
			if len(f.Actions) < actions {
				f.Actions = append(f.Actions, a)
			}
		}
		f.Counts[k.Kind.String()] = counts
	}
	d.foreseeTickets(&f, actions)
	err = d.compareFields(ctx, &f, more, nil)
	return f, err
}

// foresee says what would become of a record.
func (d *Desk) foresee(k *kind, s *survey, e *known) ForeseenAction {
	a := ForeseenAction{Subject: e.subject, Kind: e.kind, ID: e.id}
	key := func(i int) string {
		if i < 0 || i >= len(k.keys) {
			return ""
		}
		return k.keys[i].Name
	}
	v := s.verdicts[e.subject]
	switch {
	case e.id != "" && e.pending.Removes() && !e.idle:
		a.What = string(Deactivations)
		if d.opts.end(e.kind).Do == EndReview {
			a.What, a.Cause = countReview, Leaving
		}
	case e.id != "" && !e.pending.Removes():
		a.What = countUpdate
	case e.id != "", e.pending.Removes():
	case s.doubt != "" && v.Situation != Same:
		a.What, a.Cause = countReview, Unproven
	case v.Situation == Same && v.Key != MarkKey && d.met && d.opts.After != AfterAdopt:
		a.What, a.ID, a.Key, a.Cause = countReview, v.ID, key(v.Key), Late
	case v.Situation == Same:
		a.What, a.ID, a.Key = string(Adoptions), v.ID, key(v.Key)
	case v.Situation == Asked:
		a.What, a.Key, a.Cause = countReview, key(v.Key), v.Cause
	case e.updates:
		a.What, a.Cause = countReview, Absent
	default:
		a.What = string(Creations)
	}
	return a
}

// compareFields says what adoptions do to the fields of things, with examples: those of some records, or of all where only is nil.
func (d *Desk) compareFields(ctx context.Context, f *Foreseen, more []directory.Action, only map[string]bool) error {
	type met struct {
		id     string
		fields map[string][2]string // what, ours
	}
	all := map[string]met{}
	compare := func(k *kind, a *directory.Action) {
		s := d.surveys[k.Kind]
		subject := directory.Subject(a.Kind, a.Record)
		if s == nil || only != nil && !only[subject] { // a ticket has no survey
			return
		}
		v := s.verdicts[subject]
		if e := d.roster.of[subject]; v.Situation != Same || e == nil || e.id != "" || a.Op.Removes() {
			return
		}
		m := met{id: v.ID, fields: map[string][2]string{}}
		for _, field := range d.own(&work{Action: a, kind: k}) {
			if what := d.becomes(s, s.at[v.ID], a, &field); what != "" {
				m.fields[field.Name] = [2]string{what, field.Value.String()}
			}
		}
		all[subject] = m
	}
	if err := d.eachPending(ctx, compare); err != nil {
		return err
	}
	for i := range more {
		if k := d.kind(more[i].Kind); k != nil {
			compare(k, &more[i])
		}
	}
	f.Fields = map[string]map[string]map[string]int{}
	shown := map[[3]string]int{}
	for _, subject := range slices.Sorted(maps.Keys(all)) {
		m, kind := all[subject], d.roster.of[subject].kind
		over := false
		for _, name := range slices.Sorted(maps.Keys(m.fields)) {
			what := m.fields[name][0]
			over = over || what == fieldOverwritten
			at := f.Fields[kind.String()]
			if at == nil {
				at = map[string]map[string]int{}
				f.Fields[kind.String()] = at
			}
			if at[name] == nil {
				at[name] = map[string]int{}
			}
			at[name][what]++
			if n := [3]string{kind.String(), name, what}; shown[n] < mostFieldExamples && what != fieldFilled {
				shown[n]++
				f.Examples = append(f.Examples, FieldExample{Subject: subject, ID: m.id, Kind: kind, Field: name, What: what, Ours: m.fields[name][1]})
			}
		}
		if over {
			f.Counts[kind.String()][string(Overwrites)]++
		}
	}
	return nil
}

// show reads what the things of examples have.
func (d *Desk) show(ctx context.Context, list []FieldExample) ([]FieldExample, error) {
	read := map[string]map[string]string{}
	for i := range list {
		x := &list[i]
		fields, known := read[x.Kind.String()+x.ID]
		if !known {
			if len(read) == mostExampleReads {
				return list[:i], nil
			}
			e, err := d.place.Fetch(ctx, x.Kind, x.ID)
			if err != nil && fault.ClassOf(err) != fault.Gone {
				return nil, fmt.Errorf("read examples: %w", err)
			}
			fields = e.Fields
			read[x.Kind.String()+x.ID] = fields
		}
		x.Theirs = fields[x.Field]
	}
	return list, nil
}

// Examples are some of the fields that adoptions meet with other values, as they are at the place now, with what waits.
func (d *Desk) Examples(ctx context.Context) ([]FieldExample, error) {
	ctx, end, err := d.longTurn(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	if err := d.know(ctx, nil); err != nil {
		return nil, err
	}
	f := Foreseen{Counts: map[string]map[string]int{}}
	for _, k := range d.surveyed() {
		s, err := d.survey(ctx, k)
		if err != nil {
			return nil, err
		}
		if err := d.judge(ctx, k, s); err != nil {
			return nil, err
		}
		f.Counts[k.Kind.String()] = map[string]int{}
	}
	if err := d.compareFields(ctx, &f, nil, nil); err != nil {
		return nil, err
	}
	return d.show(ctx, f.Examples)
}
