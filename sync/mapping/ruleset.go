package mapping

import (
	"slices"
	"strings"
	"sync"

	"dirsyncd/sync/directory"
)

// Ruleset is a compiled Spec. It is immutable and may be used by many goroutines; it must not be copied.
type Ruleset struct {
	name    string
	leavers Leavers
	hash    string
	uses    Uses
	stages  [directory.Customer + 1]stage // by kind of object
}

// Name returns the mapping's name.
func (r *Ruleset) Name() string { return r.name }

// Leavers returns what happens to the records of those who are gone.
func (r *Ruleset) Leavers() Leavers { return r.leavers }

// Uses says what of the surroundings the rules look at.
func (r *Ruleset) Uses() Uses { return r.uses }

// Hash identifies what the rules do: two rulesets with the same hash make the same records of the same
// objects. It changes with any edit that can matter, and with a new version of the expression language.
func (r *Ruleset) Hash() string { return r.hash }

// Attributes lists the attributes that the rules read under the source's own names, sorted, for the check that
// the connection fetches them.
func (r *Ruleset) Attributes() []string {
	var names []string
	r.eachSource(func(s source) {
		for _, part := range []string{attributesPart, attributeValuesPart} {
			if name, ok := strings.CutPrefix(s.Name.Name, part+"."); ok {
				names = append(names, name)
			}
		}
	})
	slices.Sort(names)
	return slices.Compact(names)
}

// Person applies the rules to a person. An error names the rule and the field, is classified as
// fault.Invalid, holds no value of the person, and means that nothing may be concluded about the person.
func (r *Ruleset) Person(p *Person) (Result, error) {
	return r.stages[directory.Person].apply(personInput(p))
}

// Object applies the rules for its kind to an object that is no person. Its error is like that of Person.
func (r *Ruleset) Object(v *View) (Result, error) {
	return r.stages[v.Object.Kind].apply(viewInput(v))
}

func personInput(p *Person) input {
	return input{object: p.Object, manager: p.Manager, groups: p.Groups, licences: p.Licences, place: p.Place}
}

func viewInput(v *View) input { return input{object: v.Object, owner: v.Owner, place: v.Place} }

// stage is the rules for one kind of object.
type stage struct {
	rules []*rule
	// sources are what the programs of the rules read; bare names are read where they stand.
	sources []source
	pool    sync.Pool
}

// rule is a compiled RuleSpec.
type rule struct {
	name     string
	whenText string
	when     *expression // nil: always
	broken   bool        // when did not compile
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
	expr             *expression // nil: a literal
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

func (s *stage) begin(in input) *evaluation {
	e, ok := s.pool.Get().(*evaluation)
	if !ok {
		e = newEvaluation()
	}
	e.look(in, s.sources)
	return e
}

func (s *stage) end(e *evaluation) {
	e.in = input{}
	s.pool.Put(e)
}

func (s *stage) apply(in input) (Result, error) {
	e := s.begin(in)
	defer s.end(e)
	for _, r := range s.rules {
		if r.when != nil {
			holds, err := e.truth(r.when)
			if err != nil {
				return Result{}, classify(err, r.name, "when")
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
func (r *rule) result(e *evaluation) (Result, error) {
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
			v, err := e.value(f.expr)
			if err != nil {
				return Result{}, classify(err, r.name, rec.kind.String()+"."+f.name)
			}
			fields[j].Value = v
		}
		res.Records[i] = Desired{Kind: rec.kind, Fields: fields}
	}
	return res, nil
}

// finish computes what follows from the compiled rules.
func (r *Ruleset) finish() {
	for kind := range r.stages {
		s := &r.stages[kind]
		for _, rule := range s.rules {
			r.uses.Records[kind] = r.uses.Records[kind] || len(rule.records) > 0
		}
		seen := map[string]bool{}
		s.eachExpression(func(x *expression) {
			for _, src := range x.sources {
				if x.bare == nil && !seen[src.Name.Name] {
					seen[src.Name.Name] = true
					s.sources = append(s.sources, src)
				}
			}
		})
	}
	r.eachSource(func(s source) {
		base, _, _ := strings.Cut(s.Name.Name, ".")
		switch base {
		case "groups", "group_ids", "direct_groups":
			r.uses.Groups = true
		case managerPart:
			r.uses.Manager = true
		case "licences", "licence_ids":
			r.uses.Licences = true
		case ownerPart:
			r.uses.Owner = true
		}
	})
	r.hash = r.computeHash()
}

func (s *stage) eachExpression(do func(*expression)) {
	for _, r := range s.rules {
		if r.when != nil {
			do(r.when)
		}
		for _, rec := range r.records {
			for _, f := range rec.fields {
				if f.expr != nil {
					do(f.expr)
				}
			}
		}
	}
}

func (r *Ruleset) eachSource(do func(source)) {
	for kind := range r.stages {
		r.stages[kind].eachExpression(func(x *expression) {
			for _, src := range x.sources {
				do(src)
			}
		})
	}
}
