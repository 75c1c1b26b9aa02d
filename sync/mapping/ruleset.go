package mapping

import (
	"errors"
	"slices"
	"strings"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/mapping/expression"
)

// Ruleset is a compiled Spec. It is immutable and may be used by many goroutines; it must not be copied.
type Ruleset struct {
	name     string
	leavers  [directory.TicketRecord + 1]Leaver // by kind of record
	keeps    keeps
	hash     string
	uses     Uses
	looks    []Look
	rules    [directory.Site + 1]ruleList // by kind of object
	unused   []Problem
	mentions []Mention
	seats    map[directory.RecordKind]Seats
}

// Name returns the mapping's name.
func (r *Ruleset) Name() string { return r.name }

// RuleNames lists the names of the rules for objects of a kind, in their order.
func (r *Ruleset) RuleNames(kind directory.Kind) []string {
	var names []string
	for _, rule := range r.rules[kind].rules {
		names = append(names, rule.name)
	}
	return names
}

// Always names the records that a rule for groups has among the members in any case, in order.
func (r *Ruleset) Always(rule string) []string {
	for _, made := range r.rules[directory.Group].rules {
		if made.name == rule {
			return made.always
		}
	}
	return nil
}

// FieldsOf names the fields that rules set in records of a kind, in order.
func (r *Ruleset) FieldsOf(kind directory.RecordKind) []string {
	var names []string
	for _, made := range r.rules[ObjectOf(kind)].rules {
		for _, rec := range made.records {
			for _, f := range rec.fields {
				if rec.kind == kind {
					names = append(names, f.name)
				}
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Hash identifies what the rules do: two rulesets with the same hash make the same records of the same
// objects. It changes with any edit that can matter, and with a new version of the expression language.
func (r *Ruleset) Hash() string { return r.hash }

// Made is a record that a rule makes.
type Made struct {
	Rule string
	Kind directory.RecordKind
	// Fields are the names of those that can have a value, sorted.
	Fields []string
	Pos    Pos // the rule's
}

// Made lists the records that the rules make, in their order.
func (r *Ruleset) Made() (list []Made) {
	for i := range r.rules {
		for _, rule := range r.rules[i].rules {
			for _, rec := range rule.records {
				made := Made{Rule: rule.name, Kind: rec.kind, Pos: rule.pos}
				for _, f := range rec.fields {
					if f.expr == nil && !f.literal.Blank() || f.expr != nil && f.expr.Type() != directory.NullType {
						made.Fields = append(made.Fields, f.name)
					}
				}
				list = append(list, made)
			}
		}
	}
	return list
}

// Unused lists what is allowed in the mapping and probably not meant, because no rule looks at it.
func (r *Ruleset) Unused() []Problem { return slices.Clone(r.unused) }

// Person applies the rules to a person. An error names the rule and the field, is classified as
// fault.Invalid, holds no value of the person, and means that nothing may be concluded about the person.
func (r *Ruleset) Person(p *Person) (Result, error) {
	return r.rules[directory.Person].apply(p.input(), p.Memory)
}

// Object applies the rules for its kind to an object that is no person. Its error is like that of Person.
func (r *Ruleset) Object(v *View) (Result, error) {
	return r.rules[v.Object.Kind].apply(v.input(), v.Memory)
}

// OnCreate names the fields that a rule sets on create only in records of a kind, in order.
func (r *Ruleset) OnCreate(kind directory.RecordKind, rule string) []string {
	var names []string
	for i := range r.rules {
		for _, made := range r.rules[i].rules {
			for _, rec := range made.records {
				for _, f := range rec.fields {
					if made.name == rule && rec.kind == kind && (f.on == OnCreate || made.newOnly) {
						names = append(names, f.name)
					}
				}
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// UpdatesOnly reports whether a rule makes records of a kind for what a target has already.
func (r *Ruleset) UpdatesOnly(kind directory.RecordKind, rule string) bool {
	for i := range r.rules {
		for _, made := range r.rules[i].rules {
			if made.updateOnly && made.name == rule && slices.ContainsFunc(made.records, func(rec recordRule) bool { return rec.kind == kind }) {
				return true
			}
		}
	}
	return false
}

// ruleList is the rules for one kind of object, in their order.
type ruleList struct {
	rules     []*rule
	choices   []compiledChoice
	tickets   []*ticket // of people
	evaluator *expression.Evaluator
}

// compiledChoice is a choice with what it was compiled from.
type compiledChoice struct {
	*expression.Choice
	spec *ChoiceSpec
	is   []string // the values as they are written
}

// rule is a compiled RuleSpec.
type rule struct {
	name       string
	pos        Pos
	whenText   string
	when       *expression.Expression // nil: always
	broken     bool                   // when did not compile
	ignore     bool
	newOnly    bool
	updateOnly bool
	always     []string     // keys of members, in order
	records    []recordRule // in the order of their kinds
}

// recordRule is one record that a rule makes.
type recordRule struct {
	kind     directory.RecordKind
	fields   []*field       // sorted by name
	template []DesiredField // the same with the literals filled in
}

// field is a compiled FieldSpec.
type field struct {
	name, text, from string
	expr             *expression.Expression // nil: a literal
	literal          directory.Value
	on               On
	blank            Blank
}

// newRecordRule lays a rule's own fields over those that all records of the kind get.
func newRecordRule(kind directory.RecordKind, common, own []*field) recordRule {
	byName := map[string]*field{}
	for _, f := range append(slices.Clone(common), own...) {
		byName[f.name] = f
	}
	rec := recordRule{kind: kind}
	for _, f := range byName {
		rec.fields = append(rec.fields, f)
	}
	slices.SortFunc(rec.fields, func(a, b *field) int { return strings.Compare(a.name, b.name) })
	for _, f := range rec.fields {
		rec.template = append(rec.template, DesiredField{
			Field: directory.Field{Name: f.name, Value: f.literal}, On: f.on, Blank: f.blank,
		})
	}
	return rec
}

func (l *ruleList) apply(in expression.Input, memory *Memory) (res Result, err error) {
	memory.reset()
	e := l.evaluator.Begin(in)
	defer e.End()
	defer func() { res.Next = e.Next() }()
	for _, r := range l.rules {
		if r.when != nil {
			holds, err := e.Truth(r.when)
			if err != nil {
				return Result{}, inRule(err, "rule", r.name, "when")
			}
			if !holds {
				continue
			}
		}
		return r.result(e, memory)
	}
	return Result{}, nil
}

// result makes the records of the rule that decided.
func (r *rule) result(e *expression.Evaluation, memory *Memory) (Result, error) {
	res := Result{Rule: r.name, Ignored: r.ignore, Always: r.always}
	if len(r.records) > 0 {
		res.Records = make([]Desired, len(r.records))
	}
	for i := range r.records {
		rec := &r.records[i]
		fields := memory.clone(rec.template)
		for j, f := range rec.fields {
			if f.expr == nil {
				continue
			}
			v, err := e.Value(f.expr)
			if err != nil {
				return Result{}, inRule(err, "rule", r.name, rec.kind.String()+"."+f.name)
			}
			fields[j].Value = v
		}
		res.Records[i] = Desired{Kind: rec.kind, Fields: fields, NewOnly: r.newOnly, UpdateOnly: r.updateOnly}
	}
	return res, nil
}

// inRule says of an expression's error where it arose: in a rule or a ticket of that name.
func inRule(err error, what, name, where string) error {
	out := fault.Error{Class: fault.Invalid, Err: err}
	if reason, ok := errors.AsType[*fault.Error](err); ok {
		out = *reason
	}
	out.Op, out.Where = what+` "`+name+`"`, where
	return &out
}

// finish computes what follows from the compiled rules.
func (r *Ruleset) finish() {
	for kind := range r.rules {
		l := &r.rules[kind]
		l.evaluator = expression.NewEvaluator(l.expressions())
	}
	r.uses = r.computeUses()
	r.hash = r.computeHash()
}

// expressions lists what is evaluated, in the order of the rules.
func (l *ruleList) expressions() []*expression.Expression {
	var all []*expression.Expression
	for _, r := range l.rules {
		if r.when != nil {
			all = append(all, r.when)
		}
		for _, rec := range r.records {
			for _, f := range rec.fields {
				if f.expr != nil {
					all = append(all, f.expr)
				}
			}
		}
	}
	for _, c := range l.choices {
		all = append(all, c.Expressions()...)
	}
	for _, t := range l.tickets {
		all = append(all, t.expressions()...)
	}
	return all
}
