package mapping

import (
	"maps"
	"strings"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping/expression"
)

// Explanation says how a Result came about.
type Explanation struct {
	Rules  []RuleTrace  `json:"rules"`
	Fields []FieldTrace `json:"fields"`
	// Choices are those that the rules for the kind of object read.
	Choices []ChoiceTrace `json:"choices,omitempty"`
	Err     error         `json:"-"` // what Person or Object returned
}

// What a RuleTrace's Outcome begins with.
const (
	OutcomeDecided    = "decided"
	OutcomeNoMatch    = "did not match"
	OutcomeNotReached = "not reached"
	OutcomeFailed     = "failed"
)

// RuleTrace is one rule and why it did or did not decide.
type RuleTrace struct {
	Rule string `json:"rule"`
	When string `json:"when,omitempty"`
	// Outcome is one of the Outcome words, followed by ": " and the reason where there is more to say.
	Outcome string `json:"outcome"`
	// Sources are the source values that the condition reads, by name; nil for what the source did not tell.
	// They are personal data. A rule that was not reached has none.
	Sources map[string]any `json:"sources,omitempty"`
}

// FieldTrace is one field of one record and where its value came from.
type FieldTrace struct {
	Record string `json:"record"` // user, agent, group, licence, asset, customer, site
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
	// Error says why the field has no value; empty when it has one, be it blank.
	Error string `json:"error,omitempty"`
}

// ExplainPerson applies the rules as Person does and says how it came to its result. It goes on after an error,
// so that every field that fails is shown.
func (r *Ruleset) ExplainPerson(p *Person) (Result, Explanation) {
	return r.rules[directory.Person].explain(p.input())
}

// ExplainObject applies the rules as Object does and says how it came to its result.
func (r *Ruleset) ExplainObject(v *View) (Result, Explanation) {
	return r.rules[v.Object.Kind].explain(v.input())
}

func (l *ruleList) explain(in expression.Input) (Result, Explanation) {
	var x Explanation
	var res Result
	res, x.Err = l.apply(in, nil)
	e := l.evaluator.Begin(in)
	defer e.End()
	over := false
	for _, r := range l.rules {
		trace := RuleTrace{Rule: r.name, When: r.whenText, Outcome: OutcomeNotReached}
		if !over {
			trace.Outcome, over = r.outcome(e)
			if r.when != nil {
				trace.Sources = e.SourceValues(r.when)
			}
			if trace.Outcome == OutcomeDecided {
				x.Fields = r.traceFields(e)
				for i := range x.Fields {
					x.Fields[i].noRecord(&in)
				}
			}
		}
		x.Rules = append(x.Rules, trace)
	}
	for i := range l.choices {
		x.Choices = append(x.Choices, l.choices[i].trace(e))
	}
	return res, x
}

// outcome says what came of the rule's condition, and whether no further rule is looked at.
func (r *rule) outcome(e *expression.Evaluation) (text string, over bool) {
	if r.when == nil {
		return OutcomeDecided, true
	}
	holds, err := e.Truth(r.when)
	switch {
	case err != nil:
		return OutcomeFailed + ": " + err.Error(), true
	case holds:
		return OutcomeDecided, true
	}
	if term := e.FalseTerm(r.when); term != "" {
		return OutcomeNoMatch + ": " + term + " is false", false
	}
	return OutcomeNoMatch, false
}

func (r *rule) traceFields(e *expression.Evaluation) []FieldTrace {
	var traces []FieldTrace
	for i := range r.records {
		rec := &r.records[i]
		for _, f := range rec.fields {
			t := FieldTrace{
				Record: rec.kind.String(), Field: f.name, Expression: f.text, From: f.from,
				Value: f.literal.Any(), On: f.on, Blank: f.blank,
			}
			if f.expr != nil {
				t.Sources = e.SourceValues(f.expr)
				v, err := e.Value(f.expr)
				if err != nil {
					t.Error = err.Error()
				}
				t.Value = v.Any()
			}
			traces = append(traces, t)
		}
	}
	return traces
}

// noRecord says of a blank field that reads a key who has no record that it could name.
func (t *FieldTrace) noRecord(in *expression.Input) {
	if t.Value != nil || t.Error != "" {
		return
	}
	for _, other := range []struct {
		word string
		to   *directory.Object
	}{{expression.Manager, in.Manager}, {expression.Owner, in.Owner}, {expression.Customer, in.Customer}, {expression.Site, in.Site}} {
		if key, reads := t.Sources[other.word+expression.KeyPart]; reads && key == nil && other.to != nil {
			t.Error = "the " + other.word + " has no record: no rule makes one, or it waits for a seat or an approval"
			return
		}
	}
}

// ChoiceTrace is one choice and what it came to.
type ChoiceTrace struct {
	Choice string `json:"choice"`
	Value  any    `json:"value"`
	// Line is the number of the line that decided, from 1; 0 when none held.
	Line int `json:"line"`
	// When and Is are that line as the operator wrote it.
	When string `json:"when,omitempty"`
	Is   string `json:"is,omitempty"`
	// Sources are what the line reads, as of a RuleTrace.
	Sources map[string]any `json:"sources,omitempty"`
	// Error says why there is no value.
	Error string `json:"error,omitempty"`
}

func (c *compiledChoice) trace(e *expression.Evaluation) ChoiceTrace {
	at, v, err := e.Choose(c.Choice)
	t := ChoiceTrace{Choice: c.Name, Value: v.Any(), Line: at + 1}
	if err != nil {
		t.Error = err.Error()
	}
	if at < 0 {
		return t
	}
	line := &c.spec.Lines[at]
	t.When, t.Is = strings.TrimSpace(line.When.Text), c.is[at]
	t.Sources = map[string]any{}
	for _, x := range []*expression.Expression{c.Lines[at].When, c.Lines[at].Value} {
		if x != nil {
			maps.Copy(t.Sources, e.SourceValues(x))
		}
	}
	return t
}
