package settle

import (
	"slices"
	"time"

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
	keys    mapping.Keys // of those to whom it points
	before  []*directory.Record
	subject plan.Subject
	wants   []plan.Want
	always  []string // keys of members in any case
	// keeps: the mapping's list holds an active record.
	keeps bool
	// next is when the rules' answer may be another one.
	next time.Time
}

// evaluate works out what objects of the batch's kind come to, anew if it was called before. nums ascend.
func (s *Settlement) evaluate(tx store.Reader, b *batch, nums []store.Num) error {
	r := b.room
	r.memory.Reset()
	s.room, r.outcomes = r, slices.Grow(r.outcomes[:0], len(nums))
	for _, n := range nums {
		r.outcomes = append(r.outcomes, outcome{kind: b.kind, num: n})
	}
	b.outcomes = r.outcomes
	list, err := s.candidates(tx, b.kind, nums, b.outcomes)
	if err != nil {
		return err
	}
	if err := s.nameReferences(tx, list); err != nil {
		return err
	}
	for i := range list {
		s.applyRules(&list[i])
	}
	if err := s.addMembers(tx, b.kind, list); err != nil {
		return err
	}
	for i := range list {
		if err := s.decide(tx, &list[i]); err != nil {
			return err
		}
	}
	if b.kind == directory.Person {
		return s.recordPresence(tx, list)
	}
	return nil
}

// candidates loads the objects that are stored, with what is known about them. Those that are to be left alone are
// not among them.
func (s *Settlement) candidates(tx store.Reader, kind directory.Kind, nums []store.Num, outcomes []outcome) ([]candidate, error) {
	objects, err := s.objects.Load(tx, kind, nums)
	if err != nil {
		return nil, err
	}
	before, err := recordsOf(tx, &s.room.memory.Memory, mapping.RecordsOf(kind), nums)
	if err != nil {
		return nil, err
	}
	objects, left := s.leftovers(objects, kind, nums, before)
	related, err := s.groups.Of(tx, objects, s.wanted(kind))
	if err != nil {
		return nil, err
	}
	clear(s.candidatesBefore)
	list := slices.Grow(s.candidatesBefore[:0], len(objects))
	at := 0
	for i := range objects {
		o := &objects[i]
		for outcomes[at].num != o.Num {
			at++
		}
		out := &outcomes[at]
		out.id, out.nums = o.ID, o.Nums
		out.left = left[o.Num]
		out.forget = !o.Here() && !out.left
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
	s.candidatesBefore = list
	return list, nil
}

// wanted says what the rules look at beside an object itself.
func (s *Settlement) wanted(kind directory.Kind) relations.Wanted {
	return wantedBy(&s.uses, kind, s.hold.waiting())
}

// nameReferences finds the keys of those to whom objects point.
func (s *Settlement) nameReferences(tx store.Reader, list []candidate) error {
	if !s.uses.AnyKey() {
		return nil
	}
	related := make([]relations.Related, len(list))
	for i := range list {
		related[i] = *list[i].related
	}
	keys, err := s.references.Keys(tx, related)
	for i := range keys {
		list[i].keys = keys[i]
	}
	return err
}

// applyRules asks the rules which records an object shall have. When the mapping makes no records of its kind, a
// record from earlier rules is taken away like any other that is no longer wanted.
func (s *Settlement) applyRules(c *candidate) {
	c.subject = s.subject(c.object)
	c.subject.Kept = func(rec *directory.Record) bool { return s.isKept(c, rec) }
	if c.left && !keepsUndone(c.before) {
		c.subject.Leaver = s.leaverOfForgotten
	}
	if !c.object.Here() {
		return
	}
	var res mapping.Result
	kind := c.object.Kind
	switch {
	case kind == directory.Person:
		viewPerson(&s.person, s.Source, s.at(), c.object, c.related)
		s.person.Keys, s.person.Memory = c.keys, &s.wanting
		res, c.err = s.Rules.Person(&s.person)
	case s.uses.Records[kind]:
		view := ObjectView(s.Source, s.at(), c.object, c.related)
		view.Keys, view.Memory = c.keys, &s.wanting
		res, c.err = s.Rules.Object(view)
	}
	c.next = earlier(c.next, res.Next)
	c.due = c.next
	if c.err == nil {
		if kind == directory.Person || s.uses.Records[kind] {
			s.matches.add(kind, res.Rule)
		}
		c.wants, c.always = s.wants(&c.subject, res, c.before), res.Always
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
	if slices.ContainsFunc(c.before, func(rec *directory.Record) bool { return rec.Undone != nil }) {
		s.holdUndone(c)
	} else {
		c.steps = plan.Decide(&c.subject, c.before, c.wants)
	}
	s.noteReplacing(c)
	c.due = earlier(dueOf(c), undoneSince(c))
	if c.keeps && c.forget { // the list may be edited
		c.forget = false
	}
	was, is := active(c.before, c.steps)
	c.comes = !was && is
	c.beyond = c.comes && len(c.before) == 0 && beyond(c.object)
	if s.counted && s.waitsForSeat(c) {
		s.wait(c.outcome)
	} else if s.hold.covers(c.class()) || c.beyond && s.deferUnproven { // they may have come since the plan was made
		s.wait(c.outcome)
		if c.left { // there is nothing to mark
			c.due = earlier(c.subject.Due(c.before, nil), undoneSince(c))
		}
	} else if len(c.steps) > 0 {
		c.leaves = was && !is
		if was != is && bad == nil {
			return s.openTickets(tx, c)
		}
	}
	return bad
}

// noteReplacing notes which record one of Task.Replaces has afterwards.
func (s *Settlement) noteReplacing(c *candidate) {
	if s.Replaces[c.num] == "" || c.kind != directory.Person {
		return
	}
	delete(s.replacing, c.num)
	for _, rec := range c.before {
		if rec.Active {
			s.replacing[c.num] = rec.Kind
		}
	}
	for i := range c.steps {
		switch step := &c.steps[i]; {
		case step.Record == nil:
		case step.Record.Active:
			s.replacing[c.num] = step.Kind
		case s.replacing[c.num] == step.Kind:
			delete(s.replacing, c.num)
		}
	}
}

// beyond reports whether somebody signed in when the limit of the day was used up.
func beyond(o *relations.Object) bool {
	v, _ := o.Get(directory.FieldSignedInBeyond)
	return v.Bool()
}

// subject says whose records are decided about.
func (s *Settlement) subject(o *relations.Object) plan.Subject {
	subject := plan.Subject{Origin: s.Origin.Of(o.ID), Run: &s.Run, At: s.at(), Leaver: s.leaver, Initial: s.Initial, Memory: &s.room.memory}
	if o.Kind == directory.Person {
		subject.Other = s.Replaces[o.Num]
	}
	if !o.Here() {
		subject.Reason = o.Gone.String()
	}
	return subject
}

// wants turns the rules' result into records as they shall be, and says why there are none.
func (s *Settlement) wants(subject *plan.Subject, res mapping.Result, before []*directory.Record) []plan.Want {
	subject.Rule = res.Rule
	switch {
	case res.Ignored:
		subject.Reason = "ignored by rule " + res.Rule
	case len(res.Records) == 0:
		subject.Reason = "no rule applies any longer"
	default:
		subject.Reason = "no longer made by rule " + res.Rule
	}
	list := subject.Memory.Wants(len(res.Records))
	for i := range res.Records {
		d := &res.Records[i]
		rec := recordOf(before, d.Kind)
		list[i] = plan.Want{Kind: d.Kind, Fields: d.Merge(&subject.Memory.Memory, rec), Once: d.Once(rec), UpdateOnly: d.UpdateOnly}
	}
	return list
}

// recordsOf returns the records of some kinds that objects have, in the order of their numbers, which ascend. The records are in m.
func recordsOf(tx store.Reader, m *directory.Memory, kinds []directory.RecordKind, nums []store.Num) ([][]*directory.Record, error) {
	list, at := make([][]*directory.Record, len(nums)), 0
	var all []*directory.Record // where there are any, most have one
	err := tx.RecordsOf(m, kinds, nums, func(n store.Num, rec directory.Record) bool {
		for nums[at] != n {
			at++
		}
		if len(all) == cap(all) {
			all = make([]*directory.Record, 0, len(nums)-at)
		}
		all = append(all, m.Record(rec))
		if of := list[at]; of == nil {
			list[at] = all[len(all)-1 : len(all) : len(all)]
		} else {
			list[at] = append(of, all[len(all)-1])
		}
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
