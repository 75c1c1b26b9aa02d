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
	name    string
	leavers Leavers
	hash    string
	uses    Uses
	looks   []Look
	rules   [directory.Customer + 1]ruleList // by kind of object
}

// Name returns the mapping's name.
func (r *Ruleset) Name() string { return r.name }

// Leavers returns what happens to the records of those who are gone.
func (r *Ruleset) Leavers() Leavers { return r.leavers }

// RuleNames lists the names of the rules for objects of a kind, in their order.
func (r *Ruleset) RuleNames(kind directory.Kind) []string {
	var names []string
	for _, rule := range r.rules[kind].rules {
		names = append(names, rule.name)
	}
	return names
}

// Hash identifies what the rules do: two rulesets with the same hash make the same records of the same
// objects. It changes with any edit that can matter, and with a new version of the expression language.
func (r *Ruleset) Hash() string { return r.hash }

// Person applies the rules to a person. An error names the rule and the field, is classified as
// fault.Invalid, holds no value of the person, and means that nothing may be concluded about the person.
func (r *Ruleset) Person(p *Person) (Result, error) {
	return r.rules[directory.Person].apply(p.input())
}

// Object applies the rules for its kind to an object that is no person. Its error is like that of Person.
func (r *Ruleset) Object(v *View) (Result, error) {
	return r.rules[v.Object.Kind].apply(v.input())
}

// ruleList is the rules for one kind of object, in their order.
type ruleList struct {
	rules     []*rule
	evaluator *expression.Evaluator
}

// rule is a compiled RuleSpec.
type rule struct {
	name     string
	whenText string
	when     *expression.Expression // nil: always
	broken   bool                   // when did not compile
	ignore   bool
	records  []recordRule // in the order of their kinds
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

func (l *ruleList) apply(in expression.Input) (Result, error) {
	e := l.evaluator.Begin(in)
	defer e.End()
	for _, r := range l.rules {
		if r.when != nil {
			holds, err := e.Truth(r.when)
			if err != nil {
				return Result{}, inRule(err, r.name, "when")
			}
			if !holds {
				continue
			}
		}
		return r.result(e)
	}
	return Result{}, nil
}

// result makes the records of the rule that decided.
func (r *rule) result(e *expression.Evaluation) (Result, error) {
	res := Result{Rule: r.name, Ignored: r.ignore}
	if len(r.records) > 0 {
		res.Records = make([]Desired, len(r.records))
	}
	for i := range r.records {
		rec := &r.records[i]
		fields := slices.Clone(rec.template)
		for j, f := range rec.fields {
			if f.expr == nil {
				continue
			}
			v, err := e.Value(f.expr)
			if err != nil {
				return Result{}, inRule(err, r.name, rec.kind.String()+"."+f.name)
			}
			fields[j].Value = v
		}
		res.Records[i] = Desired{Kind: rec.kind, Fields: fields}
	}
	return res, nil
}

// inRule says of an expression's error where it arose.
func inRule(err error, rule, where string) error {
	out := fault.Error{Class: fault.Invalid, Err: err}
	if reason, ok := errors.AsType[*fault.Error](err); ok {
		out = *reason
	}
	out.Op, out.Where = `rule "`+rule+`"`, where
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
	return all
}
