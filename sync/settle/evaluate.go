package settle

import (
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/plan"
	"dirsyncd/sync/relations"
)

// candidate is an object on its way to an outcome.
type candidate struct {
	*outcome
	object  *relations.Object
	related *relations.Related
	before  []*directory.Record
	subject plan.Subject
	wants   []plan.Want
}

// evaluate works out what objects of one kind come to. nums ascend.
func (s *Settlement) evaluate(tx store.Reader, kind directory.Kind, nums []store.Num) ([]outcome, error) {
	outcomes := make([]outcome, len(nums))
	for i, n := range nums {
		outcomes[i] = outcome{kind: kind, num: n}
	}
	list, err := s.candidates(tx, kind, nums, outcomes)
	if err != nil {
		return nil, err
	}
	for i := range list {
		s.applyRules(&list[i])
	}
	if err := s.addMembers(tx, kind, list); err != nil {
		return nil, err
	}
	for i := range list {
		if err := s.decide(tx, &list[i]); err != nil {
			return nil, err
		}
	}
	if kind == directory.Person {
		err = s.recordPresence(tx, list)
	}
	return outcomes, err
}

// candidates loads the objects that are stored, with what is known about them. Those that are to be left alone are
// not among them.
func (s *Settlement) candidates(tx store.Reader, kind directory.Kind, nums []store.Num, outcomes []outcome) ([]candidate, error) {
	objects, err := relations.Load(tx, kind, nums)
	if err != nil {
		return nil, err
	}
	related, err := s.groups.Of(tx, objects, s.wanted(kind))
	if err != nil {
		return nil, err
	}
	before, err := recordsOf(tx, mapping.RecordsOf(kind), nums)
	if err != nil {
		return nil, err
	}
	list := make([]candidate, 0, len(objects))
	at := 0
	for i := range objects {
		o := &objects[i]
		for outcomes[at].num != o.Num {
			at++
		}
		out := &outcomes[at]
		out.id, out.nums = o.ID, o.Nums
		out.forget = !o.Here()
		out.unprovenRemoval = out.forget && !o.Gone.Proven()
		if out.unprovenRemoval && s.deferUnproven {
			out.deferred, out.forget = true, false
			if kind == directory.Group {
				s.deferredGroups.Add(uint32(o.Num))
			}
			continue
		}
		list = append(list, candidate{outcome: out, object: o, related: &related[i], before: before[at]})
	}
	return list, nil
}

// wanted says what the rules look at beside an object itself.
func (s *Settlement) wanted(kind directory.Kind) relations.Wanted {
	switch kind {
	case directory.Person:
		return relations.Wanted{Groups: s.uses.Groups, Manager: s.uses.Manager, Licences: s.uses.Licences, Staying: s.hold.waiting()}
	case directory.Device:
		return relations.Wanted{Owner: s.uses.Owner, Staying: s.hold.waiting()}
	default:
		return relations.Wanted{}
	}
}

// applyRules asks the rules which records an object shall have. When the mapping makes no records of its kind, a
// record from earlier rules is taken away like any other that is no longer wanted.
func (s *Settlement) applyRules(c *candidate) {
	c.subject = s.subject(c.object)
	if !c.object.Here() {
		return
	}
	var res mapping.Result
	switch kind := c.object.Kind; {
	case kind == directory.Person:
		res, c.err = s.Rules.Person(PersonView(s.Source, c.object, c.related))
	case s.uses.Records[kind]:
		res, c.err = s.Rules.Object(ObjectView(s.Source, c.object, c.related))
	}
	if c.err == nil {
		c.wants = wants(&c.subject, res, c.before)
	}
}

// decide compares the records that an object had with those that it shall have.
func (s *Settlement) decide(tx store.Reader, c *candidate) error {
	if c.err != nil {
		return nil
	}
	var bad error
	c.subject.Keys = func(nums []uint32) (keys []string) {
		keys, bad = s.recordKeys(tx, nums)
		return keys
	}
	c.steps = plan.Decide(&c.subject, c.before, c.wants)
	if s.hold.covers(c.class()) {
		s.wait(c.outcome)
	} else if len(c.steps) > 0 {
		was, is := active(c.before, c.steps)
		c.leaves = was && !is
	}
	return bad
}

// subject says whose records are decided about.
func (s *Settlement) subject(o *relations.Object) plan.Subject {
	subject := plan.Subject{Origin: s.Origin.Of(o.ID), Run: s.Run}
	switch s.Rules.Leavers() {
	case mapping.DeleteLeavers:
		subject.Remove = directory.Delete
	case mapping.KeepLeavers:
	default:
		subject.Remove = directory.Deactivate
	}
	if !o.Here() {
		subject.Reason = o.Gone.String()
	}
	return subject
}

// wants turns the rules' result into records as they shall be, and says why there are none.
func wants(subject *plan.Subject, res mapping.Result, before []*directory.Record) []plan.Want {
	subject.Rule = res.Rule
	switch {
	case res.Ignored:
		subject.Reason = "ignored by rule " + res.Rule
	case len(res.Records) == 0:
		subject.Reason = "no rule applies"
	default:
		subject.Reason = "no longer made by rule " + res.Rule
	}
	list := make([]plan.Want, len(res.Records))
	for i := range res.Records {
		d := &res.Records[i]
		list[i] = plan.Want{Kind: d.Kind, Fields: d.Merge(recordOf(before, d.Kind))}
	}
	return list
}

// recordsOf returns the records of some kinds that objects have, in the order of their numbers, which ascend.
func recordsOf(tx store.Reader, kinds []directory.RecordKind, nums []store.Num) ([][]*directory.Record, error) {
	list, at := make([][]*directory.Record, len(nums)), 0
	err := tx.RecordsOf(kinds, nums, func(n store.Num, rec directory.Record) bool {
		for nums[at] != n {
			at++
		}
		list[at] = append(list[at], &rec)
		return true
	})
	return list, err
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
