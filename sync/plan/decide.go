// Package plan works out the actions that make the targets' records equal to what the rules want, and holds
// them when they look like an accident. It is pure: no clock, no I/O, the same input gives the same plan.
package plan

import (
	"slices"
	"strings"
	"time"

	"dirsyncd/sync/directory"
)

// Want is a record as it shall be.
type Want struct {
	Kind   directory.RecordKind
	Fields []directory.Field // sorted by name
	Once   []string          // names of fields, as of directory.Action
	// Members are the store's numbers of the people that a group or licence record lists, ascending.
	Members []uint32
	// UpdateOnly: actions that could make the record say that nothing is to be made (directory.ImportUpdateOnly).
	UpdateOnly bool
	// Leave: the record that there is stays as it is.
	Leave bool
}

// Subject is the object whose records are decided about.
type Subject struct {
	Origin directory.Origin
	// Run is named by all that is decided, and stays as it is.
	Run *directory.Stamp
	// Rule decided; empty when none did.
	Rule string
	// At is the moment for which is decided.
	At time.Time
	// Leaver says what becomes of a record of a kind that is no longer wanted; nil leaves all of them. A record that Kept takes
	// is left as it is; nil takes none.
	Leaver func(directory.RecordKind) Leaver
	Kept   func(*directory.Record) bool
	// Reason says why records are not wanted, for those who read the action.
	Reason string
	// Keys turns members' numbers into record keys, ascending; used for records that list people.
	Keys func([]uint32) []string
	// Off reports who loses the record by which lists name them; nil: nobody.
	Off func(uint32) bool
	// Initial is that of the actions (directory.Action).
	Initial bool
	// Other is the record of another connection that is the same person's, and takes the place of this one's or gives its place to it
	// (directory.Action); empty for none.
	Other string
	// Memory is where steps are made, with their records and actions: they are good until it is reset. Nil: they are made for good.
	Memory *Memory
}

// Memory is where wants and steps are made, and what they consist of, by who decides about many objects. Unlike one of package directory it is not
// nil.
type Memory struct {
	directory.Memory
	wants directory.Slab[Want]
	steps directory.Slab[Step]
}

// Reset takes back all that was made: nobody may look at it any more.
func (m *Memory) Reset() {
	m.Memory.Reset()
	m.wants.Reset()
	m.steps.Reset()
}

// Wants returns n zero wants.
func (m *Memory) Wants(n int) []Want { return m.wants.Take(n) }

// made is the memory for records, actions and fields; nil for none.
func (s *Subject) made() *directory.Memory {
	if s.Memory == nil {
		return nil
	}
	return &s.Memory.Memory
}

// steps returns an empty list of steps with room for n.
func (s *Subject) steps(n int) []Step {
	if s.Memory == nil {
		return nil
	}
	return s.Memory.steps.Take(n)[:0]
}

// Step is what one record comes to.
type Step struct {
	// Action is what the targets are told; nil when there is nothing to say.
	Action *directory.Action
	// Record is what to remember.
	Record *directory.Record
	Kind   directory.RecordKind
	// Stored is false when there is nothing to remember that was not there before.
	Stored bool
	// Entered and Left are the members that an update or a deletion gives the record and takes from it, by number, ascending.
	Entered, Left []uint32
}

// Decide compares the records that an object had with those that it shall have. Removals come first, so that
// somebody who changes from one kind to another is never both; the two actions name each other. The result
// is empty when everything is as it should be, and for an import that only creates when the object has a record.
func Decide(s *Subject, before []*directory.Record, wants []Want) []Step {
	if s.LeavesAlone(before) {
		return nil
	}
	steps := s.steps(len(before) + len(wants)) // most change all of it, or nothing
	for _, rec := range before {
		if !slices.ContainsFunc(wants, func(w Want) bool { return w.Kind == rec.Kind }) {
			steps = appendStep(steps, s.remove(rec))
		}
	}
	removed := len(steps)
	for i := range wants {
		old := slices.IndexFunc(before, func(rec *directory.Record) bool { return rec.Kind == wants[i].Kind })
		if wants[i].Leave {
			continue
		}
		if old < 0 {
			steps = appendStep(steps, s.create(&wants[i], 1))
		} else if before[old].Deleted {
			steps = appendStep(steps, s.create(&wants[i], before[old].Revision+1))
		} else {
			steps = appendStep(steps, s.change(before[old], &wants[i]))
		}
	}
	nameEachOther(steps[:removed], steps[removed:])
	for i := range wants {
		for _, k := range steps[removed:] {
			if a := k.Action; wants[i].UpdateOnly && a != nil && a.Kind == wants[i].Kind {
				a.Origin = a.Origin.UpdateOnly()
			}
		}
	}
	steps = append(steps, s.expire(before, wants, steps)...)
	s.nameOther(steps)
	for i := range steps {
		if a := steps[i].Action; a != nil {
			a.SealKey(revisionOf(before, a.Kind) + 1)
		}
	}
	return steps
}

// LeavesAlone reports whether the records that an object has are no concern of an import that only creates.
func (s *Subject) LeavesAlone(before []*directory.Record) bool {
	return s.Origin.Import == directory.ImportCreateOnly &&
		slices.ContainsFunc(before, func(rec *directory.Record) bool { return !rec.Deleted })
}

func appendStep(steps []Step, step Step) []Step {
	if step.Action == nil && !step.Stored {
		return steps
	}
	return append(steps, step)
}

func revisionOf(before []*directory.Record, kind directory.RecordKind) uint64 {
	for _, rec := range before {
		if rec.Kind == kind {
			return rec.Revision
		}
	}
	return 0
}

// nameEachOther links the two halves of a change of kind: one record is taken away while another appears.
func nameEachOther(removed, kept []Step) {
	for _, r := range removed {
		for _, k := range kept {
			if r.Action == nil || k.Action == nil || k.Action.Op == directory.Update {
				continue
			}
			r.Action.Other = directory.Subject(k.Action.Kind, k.Action.Record)
			r.Action.Reason = "became " + k.Action.Kind.String()
			r.Record.Reason = r.Action.Reason
			k.Action.Other = directory.Subject(r.Action.Kind, r.Action.Record)
			k.Action.Reason = "was " + r.Action.Kind.String()
		}
	}
}

// nameOther names the record of another connection in what has no other one.
func (s *Subject) nameOther(steps []Step) {
	for _, step := range steps {
		a := step.Action
		if s.Other == "" || a == nil || a.Other != "" {
			continue
		}
		a.Other = s.Other
		if a.Op.Removes() {
			a.Reason = "it is a record of another connection now"
			step.Record.Reason = a.Reason
		}
	}
}

func (s *Subject) action(op directory.Op, kind directory.RecordKind, fields []directory.Field) *directory.Action {
	return s.made().Action(directory.Action{
		Op: op, Kind: kind, Record: s.Origin.RecordKey(), Origin: s.Origin,
		Rule: s.Rule, Run: s.Run.Run, Time: s.Run.Time, Fields: fields, Initial: s.Initial,
	})
}

// create makes a record that was never there, or was deleted.
func (s *Subject) create(w *Want, revision uint64) Step {
	a := s.action(directory.Create, w.Kind, w.Fields)
	a.Sets, a.Once = s.members(w.Kind, nil, w.Members), w.Once
	rec := s.made().Record(directory.Record{
		Kind: w.Kind, Key: a.Record, Active: true, Rule: s.Rule, UpdateOnly: w.UpdateOnly, Revision: revision,
		Members: w.Members, Changed: *s.Run, Fields: s.made().RecordFields(len(w.Fields)),
	})
	for i, f := range w.Fields {
		rec.Fields[i] = directory.RecordField{Field: f, Since: s.Run}
	}
	return Step{Action: a, Record: rec, Kind: w.Kind, Stored: true}
}

// change brings an existing record, active or not, to what is wanted.
func (s *Subject) change(before *directory.Record, w *Want) Step {
	rec := s.made().Record(*before)
	rec.Active, rec.Rule, rec.UpdateOnly, rec.Members, rec.Reason = true, s.Rule, w.UpdateOnly, w.Members, ""
	// Nobody may have made it yet.
	unmade := before.UpdateOnly && !w.UpdateOnly
	rec.Fields = s.made().RecordFields(len(w.Fields))
	var changes []directory.FieldChange
	last := before.Fields // both are sorted
	for i := range w.Fields {
		f := &w.Fields[i]
		now := &rec.Fields[i]
		now.Field, now.Since = *f, s.Run
		var old directory.Value
		var was *directory.RecordField
		if was, last = nextField(last, f.Name); was != nil {
			old = was.Value
		}
		switch {
		case !old.Equal(f.Value):
			if changes == nil {
				changes = s.made().Changes(2)[:0] // most have no more
			}
			changes = append(changes, directory.FieldChange{Name: f.Name, From: old, To: f.Value})
		case was != nil:
			now.Since = was.Since
		}
	}
	sets := s.members(w.Kind, before.Members, w.Members)
	op := directory.Update
	switch {
	case !before.Active:
		op = directory.Reactivate
	case len(changes) == 0 && len(sets) == 0 && !unmade:
		// Nothing to tell; the rule's name or fields that are no longer mapped may still differ.
		stored := rec.Rule != before.Rule || rec.UpdateOnly != before.UpdateOnly || len(rec.Fields) != len(before.Fields)
		return Step{Record: rec, Kind: w.Kind, Stored: stored}
	}
	rec.Revision++
	rec.Changed = *s.Run
	a := s.action(op, w.Kind, w.Fields)
	a.Changes, a.Sets, a.Once = changes, sets, w.Once
	step := Step{Action: a, Record: rec, Kind: w.Kind, Stored: true}
	if len(sets) > 0 {
		step.Entered, step.Left = without(w.Members, before.Members), without(before.Members, w.Members)
	}
	return step
}

// nextField returns the first of some fields if it has a name, and those behind it. What comes before the name is passed over.
func nextField(fields []directory.RecordField, name string) (f *directory.RecordField, rest []directory.RecordField) {
	for len(fields) > 0 {
		switch order := strings.Compare(fields[0].Name, name); {
		case order > 0:
			return nil, fields
		case order == 0:
			return &fields[0], fields[1:]
		}
		fields = fields[1:]
	}
	return nil, nil
}

// remove takes a record away that is no longer wanted.
func (s *Subject) remove(before *directory.Record) Step {
	op := s.leaver(before).Op
	if op == 0 || before.Deleted || (!before.Active && op == directory.Deactivate) {
		return Step{}
	}
	return s.take(before, op, s.Reason)
}

func (s *Subject) take(before *directory.Record, op directory.Op, reason string) Step {
	fields := s.made().Fields(len(before.Fields))
	for i := range before.Fields {
		fields[i] = before.Fields[i].Field
	}
	a := s.action(op, before.Kind, fields)
	a.Rule, a.Reason = before.Rule, reason
	rec := s.made().Record(*before)
	rec.Active = false
	rec.Revision++
	rec.Changed, rec.Reason = *s.Run, reason
	step := Step{Action: a, Record: rec, Kind: before.Kind, Stored: true}
	if op == directory.Delete {
		step.Left = before.Members
		*rec = directory.Record{Kind: rec.Kind, Key: rec.Key, Deleted: true, Rule: rec.Rule, Revision: rec.Revision, Changed: rec.Changed, Reason: rec.Reason}
	}
	return step
}

// members says who entered and who left, by key.
func (s *Subject) members(kind directory.RecordKind, before, after []uint32) []directory.SetChange {
	if slices.Equal(before, after) {
		return nil
	}
	name := "members"
	if kind == directory.LicenceRecord {
		name = "holders"
	}
	change := directory.SetChange{Name: name, Added: s.keys(without(after, before)), Removed: s.keys(without(before, after))}
	return []directory.SetChange{change}
}

func (s *Subject) keys(nums []uint32) []string {
	if len(nums) == 0 {
		return nil
	}
	keys := s.Keys(nums)
	slices.SortFunc(keys, strings.Compare)
	return keys
}

// without returns the numbers of a that are not in b; both are ascending.
func without(a, b []uint32) []uint32 {
	var rest []uint32
	for _, n := range a {
		for len(b) > 0 && b[0] < n {
			b = b[1:]
		}
		if len(b) == 0 || b[0] != n {
			rest = append(rest, n)
		}
	}
	return rest
}

// Again makes the action that tells a target once more what it was told of a record last. Its key is that of no other action:
// seed names the request.
func Again(rec *directory.Record, origin directory.Origin, run directory.Stamp, seed string, keys func([]uint32) []string, once []string) *directory.Action {
	a := Introduce(rec, origin, run, keys, once)
	a.Initial = false
	if a.Op = ToldAgain(rec); a.Op.Removes() {
		a.Sets = nil
	}
	a.Reason = directory.SentAgain + " " + seed
	a.SealKey(rec.Revision)
	a.Reason = directory.SentAgain
	if rec.Reason != "" {
		a.Reason += ": " + rec.Reason
	}
	return a
}

// ToldAgain is the operation by which a target is told once more of a record.
func ToldAgain(rec *directory.Record) directory.Op {
	switch {
	case rec.Deleted:
		return directory.Delete
	case !rec.Active:
		return directory.Deactivate
	default:
		return directory.Create
	}
}

// Introduce makes the action that tells a target about a record which others have known for long. once names, in order, what its rule sets on
// create only.
func Introduce(rec *directory.Record, origin directory.Origin, run directory.Stamp, keys func([]uint32) []string, once []string) *directory.Action {
	s := &Subject{Origin: origin, Run: &run, Rule: rec.Rule, Keys: keys, Initial: true}
	fields := make([]directory.Field, len(rec.Fields))
	for i := range rec.Fields {
		fields[i] = rec.Fields[i].Field
	}
	a := s.action(directory.Create, rec.Kind, fields)
	a.Sets = s.members(rec.Kind, nil, rec.Members)
	for _, name := range once {
		if _, has := rec.Get(name); has {
			a.Once = append(a.Once, name)
		}
	}
	a.SealKey(rec.Revision)
	return a
}
