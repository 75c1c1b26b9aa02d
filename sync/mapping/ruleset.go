package mapping

import "errors"

// Ruleset is a compiled Spec. It is immutable and may be used by many goroutines.
type Ruleset struct{ spec Spec }

// Compile checks a Spec and compiles its expressions. It reports every problem; the Ruleset is nil when
// there is one.
func Compile(spec Spec) (*Ruleset, []Problem) { return &Ruleset{spec: spec}, nil }

// Hash identifies what the rules do: two rulesets with the same hash make the same records of the same
// objects. It changes with any edit that can matter, and with a new version of the expression language.
func (r *Ruleset) Hash() string { return "" }

// Name returns the mapping's name.
func (r *Ruleset) Name() string { return r.spec.Name }

// Leavers returns what happens to the records of those who are gone.
func (r *Ruleset) Leavers() Leavers { return r.spec.Leavers }

// Uses says what of the surroundings the rules look at.
func (r *Ruleset) Uses() Uses { return Uses{} }

// Person applies the rules to a person. An error names the rule and the field, is classified as
// fault.Invalid, and means that nothing may be concluded about the person.
func (r *Ruleset) Person(p *Person) (Result, error) { return Result{}, errors.New("to be written") }

// Group applies the group rules to a group.
func (r *Ruleset) Group(g *GroupView) (Result, error) { return Result{}, errors.New("to be written") }

// Explanation says how a Result came about.
type Explanation struct {
	Rules  []RuleTrace
	Fields []FieldTrace
	Err    error // what Person or Group returned
}

// RuleTrace is one rule and why it did or did not decide.
type RuleTrace struct {
	Rule    string `json:"rule"`
	When    string `json:"when,omitempty"`
	Outcome string `json:"outcome"` // decided, did not match, not reached, failed: …
}

// FieldTrace is one field of one record and where its value came from.
type FieldTrace struct {
	Record string `json:"record"` // user, agent, group
	Field  string `json:"field"`
	// Expression is the operator's text; a literal stands as it is.
	Expression string `json:"expression"`
	// From says which part of the mapping set it: the rule, or the mapping's fields.
	From string `json:"from"`
	// Sources are the source values that the expression reads, by name: {"office": "London"}.
	Sources map[string]any `json:"sources,omitempty"`
	Value   any            `json:"value"`
	On      On             `json:"on"`
	Blank   Blank          `json:"blank"`
}

// ExplainPerson applies the rules as Person does and says how it came to its result.
func (r *Ruleset) ExplainPerson(p *Person) (Result, Explanation) { return Result{}, Explanation{} }

// ExplainGroup applies the rules as Group does and says how it came to its result.
func (r *Ruleset) ExplainGroup(g *GroupView) (Result, Explanation) { return Result{}, Explanation{} }
