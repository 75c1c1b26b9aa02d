package mapping

import (
	"slices"
	"strings"
	"time"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/mapping/expression"
)

// Requirements are conditions on what a provider of identity says of somebody who signs in. All must hold. They are immutable and may be used
// by many goroutines.
type Requirements struct {
	list      []*expression.Expression
	texts     []string
	evaluator *expression.Evaluator
}

// CompileRequirements compiles conditions (expression.NewClaimsLanguage). With problems nothing comes back.
func CompileRequirements(specs []TextSpec) (*Requirements, []Problem) {
	c := &compilation{}
	r := &Requirements{}
	language := expression.NewClaimsLanguage()
	for _, s := range specs {
		x := c.recordCondition(language, s, "require")
		if x == nil {
			continue
		}
		if len(x.Reads()) == 0 {
			c.problem(s.Pos, `ask for what the provider says, such as "staff" in claims.affiliation`, "require: the condition reads no claim: it is the same for everybody")
		}
		r.list, r.texts = append(r.list, x), append(r.texts, strings.TrimSpace(s.Text))
	}
	if len(c.problems) > 0 {
		return nil, c.problems
	}
	r.evaluator = expression.NewEvaluator(r.list)
	return r, nil
}

// Claims are the names at the provider that the conditions read, sorted.
func (r *Requirements) Claims() (names []string) {
	for _, x := range r.list {
		for _, read := range x.Reads() {
			if _, name, ok := strings.Cut(read, "."); ok && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names
}

// Texts are the conditions as they are written.
func (r *Requirements) Texts() []string { return slices.Clone(r.texts) }

// Required is what became of one condition.
type Required struct {
	Text  string // as it is written
	Holds bool
	Why   string // the part that does not hold, or why it has no answer; blank when it is the whole. No value of a claim is in it
}

// Check evaluates the conditions on claims, which must not change meanwhile, at a moment. What has no answer does not hold.
func (r *Requirements) Check(claims map[string][]string, at time.Time) []Required {
	e := r.evaluator.Begin(expression.Input{Claims: claims, At: at})
	defer e.End()
	all := make([]Required, len(r.list))
	for i, x := range r.list {
		holds, err := e.Truth(x)
		all[i] = Required{Text: r.texts[i], Holds: holds && err == nil}
		switch {
		case err != nil:
			all[i].Why = fault.Text(err)
		case !holds:
			all[i].Why = e.FalseTerm(x)
		}
	}
	return all
}
