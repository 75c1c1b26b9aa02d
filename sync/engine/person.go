package engine

import (
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/plan"
)

// person works out what one person comes to.
func (s *settlement) person(tx store.Reader, _ directory.Kind, n store.Num) (outcome, error) {
	row, ok, err := tx.Row(directory.Person, n)
	if err != nil || !ok {
		return outcome{}, err
	}
	o, err := directory.ParseObject(row.Data)
	if err != nil {
		return outcome{}, damaged("settle a person", err)
	}
	before, err := recordsOf(tx, n, mapping.RecordsOf(directory.Person))
	if err != nil {
		return outcome{}, err
	}
	out := outcome{id: o.ID, forget: row.Gone != store.Here}
	subject := s.subject(&o, row.Gone)
	var wants []plan.Want
	if row.Gone == store.Here {
		p, err := s.surroundings.person(tx, n, &row, &o)
		if err != nil {
			return outcome{}, err
		}
		res, err := s.conn.Rules.Person(p)
		if err != nil {
			out.err = err
			return out, nil
		}
		wants = s.wants(&subject, res, before)
	}
	out.unproven = row.Gone != store.Here && !row.Gone.Proven()
	if out.unproven && s.keepUnproven {
		out.leave, out.forget = true, false
		return out, nil
	}
	out.steps = plan.Decide(&subject, before, wants)
	was, is := active(before, out.steps)
	out.lists, err = s.noteActivity(tx, n, &row, &o, was, is)
	return out, err
}

// subject says whose records are decided about.
func (s *settlement) subject(o *directory.Object, gone store.GoneCause) plan.Subject {
	subject := plan.Subject{Origin: s.origin(o.ID), Run: s.stamp}
	switch s.conn.Rules.Leavers() {
	case mapping.DeleteLeavers:
		subject.Remove = directory.Delete
	case mapping.KeepLeavers:
	default:
		subject.Remove = directory.Deactivate
	}
	if gone != store.Here {
		subject.Reason = gone.String()
	}
	return subject
}

func (r *run) origin(id string) directory.Origin {
	return directory.Origin{Connection: r.conn.Name, Connector: r.conn.Connector, Tenant: r.tenant.ID, ID: id}
}

// wants turns the rules' result into records as they shall be, and says why there are none.
func (s *settlement) wants(subject *plan.Subject, res mapping.Result, before []*directory.Record) []plan.Want {
	subject.Rule = res.Rule
	switch {
	case res.Ignored:
		subject.Reason = "ignored by rule " + res.Rule
	case len(res.Records) == 0:
		subject.Reason = "no rule applies"
	default:
		subject.Reason = "no longer made by rule " + res.Rule
	}
	wants := make([]plan.Want, len(res.Records))
	for i := range res.Records {
		d := &res.Records[i]
		wants[i] = plan.Want{Kind: d.Kind, Fields: d.Merge(recordOf(before, d.Kind))}
	}
	return wants
}

func recordsOf(tx store.Reader, n store.Num, kinds []directory.RecordKind) ([]*directory.Record, error) {
	var list []*directory.Record
	for _, kind := range kinds {
		rec, ok, err := tx.Record(kind, n)
		if err != nil {
			return nil, err
		}
		if ok {
			list = append(list, &rec)
		}
	}
	return list, nil
}

func recordOf(list []*directory.Record, kind directory.RecordKind) *directory.Record {
	for _, rec := range list {
		if rec.Kind == kind {
			return rec
		}
	}
	return nil
}

// active reports whether any record is active before, and after the steps.
func active(before []*directory.Record, steps []plan.Step) (was, is bool) {
	for _, rec := range before {
		was = was || rec.Active
		touched := false
		for _, step := range steps {
			touched = touched || step.Kind == rec.Kind
		}
		is = is || (rec.Active && !touched)
	}
	for _, step := range steps {
		is = is || (step.Record != nil && step.Record.Active)
	}
	return was, is
}
