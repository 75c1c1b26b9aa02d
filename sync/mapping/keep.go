package mapping

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping/expression"
	"dirsyncd/sync/spelling"
)

// KeepSpec names records that are neither deactivated nor deleted, whatever becomes of their objects: those of some keys, and
// those for which a condition about the record itself holds (expression.NewRecordLanguage).
type KeepSpec struct {
	Name string
	Pos  Pos
	When TextSpec // empty: none by a condition
	Keys []string
	// Records are the kinds of record that are meant; none: all.
	Records []directory.RecordKind
}

// keep is a compiled KeepSpec.
type keep struct {
	KeepSpec
	when *expression.Expression
}

// keeps are all of them.
type keeps struct {
	list      []keep
	evaluator *expression.Evaluator
}

func (c *compilation) keeps(s *Spec) (all keeps) {
	language := expression.NewRecordLanguage(s.fieldNames())
	var conditions []*expression.Expression
	seen := map[string]bool{}
	for _, spec := range s.Keep {
		label := `keep "` + spec.Name + `"`
		switch {
		case strings.TrimSpace(spec.Name) == "":
			c.problem(spec.Pos, "`dirsyncd why` names it", "keep: an entry has no name")
		case seen[spec.Name]:
			c.problem(spec.Pos, "every entry has a name of its own", "%s: there is an entry of this name before it", label)
		case spec.When.Text == "" && len(spec.Keys) == 0:
			c.problem(spec.Pos, "write keys: [hq-ad/5f1c…], or when: a condition on fields of the record", "%s keeps nothing", label)
		}
		seen[spec.Name] = true
		k := keep{KeepSpec: spec}
		if spec.When.Text != "" {
			k.when = c.recordCondition(language, spec.When, label+": when")
			if k.when != nil {
				conditions = append(conditions, k.when)
			}
		}
		all.list = append(all.list, k)
	}
	all.evaluator = expression.NewEvaluator(conditions)
	return all
}

// recordCondition compiles a condition about a record.
func (c *compilation) recordCondition(language *expression.Language, text TextSpec, label string) *expression.Expression {
	body := strings.TrimSpace(text.Text)
	x, diagnostics := language.Condition(body)
	for _, d := range diagnostics {
		pos, where := position(text.Pos, text.Text, body, leading(text.Text), d.At)
		c.problem(pos, d.Hint, "%s: %s%s", label, d.Message, where)
	}
	return x
}

// neverKept notes the conditions of entries that compare a field with a text that no rule gives it.
func (c *compilation) neverKept(r *Ruleset) {
	for i := range r.keeps.list {
		k := &r.keeps.list[i]
		if k.when == nil {
			continue
		}
		for _, m := range k.when.Mentions() {
			if m.Table != nil || m.Part != "" {
				continue
			}
			given, all := r.given(m.Name, k.Records)
			if !r.gives(m.Name) || !all || slices.Contains(given, m.Text) {
				continue
			}
			hint := spelling.DidYouMean(m.Text, given, "rules give it "+strings.Join(given, ", "))
			if len(given) == 0 {
				hint = "a rule or fields of the mapping must set it in those records"
			}
			body := strings.TrimSpace(k.When.Text)
			pos, _ := position(k.When.Pos, k.When.Text, body, leading(k.When.Text), utf8.RuneCountInString(body[:max(strings.Index(body, m.Text)-1, 0)]))
			c.unused = append(c.unused, Problem{Pos: pos, Message: fmt.Sprintf("keep %q: no rule gives a record the %s %q", k.Name, m.Name, m.Text), Hint: hint})
		}
	}
}

// leading is how many blanks a text begins with.
func leading(text string) int { return len(text) - len(strings.TrimLeft(text, " \t\r\n")) }

// gives reports whether rules give any record a field: other names mean something else in a condition.
func (r *Ruleset) gives(name string) bool {
	return slices.ContainsFunc(r.Made(), func(m Made) bool { return slices.Contains(m.Fields, name) })
}

// given lists the texts that rules give a field of records of some kinds, or of any, and says whether these are all that it can have.
func (r *Ruleset) given(name string, kinds []directory.RecordKind) (texts []string, all bool) {
	for i := range r.rules {
		for _, rule := range r.rules[i].rules {
			for _, rec := range rule.records {
				for _, f := range rec.fields {
					switch {
					case f.name != name || len(kinds) > 0 && !slices.Contains(kinds, rec.kind):
					case f.expr != nil || f.literal.Type() != directory.TextType:
						return nil, false
					default:
						texts = append(texts, f.literal.Text())
					}
				}
			}
		}
	}
	slices.Sort(texts)
	return slices.Compact(texts), true
}

// fieldNames are the names of all fields that records can have, sorted.
func (s *Spec) fieldNames() (names []string) {
	add := func(list []FieldSpec) {
		for i := range list {
			names = append(names, list[i].Name)
		}
	}
	for _, list := range s.Fields {
		add(list)
	}
	for _, kind := range directory.Kinds() {
		for _, rule := range s.Of(kind) {
			for _, list := range rule.Records {
				add(list)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Kept says which entry of the mapping's list keeps a record from being deactivated and deleted, at a moment; empty when none
// does. A condition that cannot be computed keeps it. next is when the answer may be another one; zero: never.
func (r *Ruleset) Kept(rec *directory.Record, at time.Time) (name string, next time.Time) {
	if len(r.keeps.list) == 0 {
		return "", time.Time{}
	}
	e := r.keeps.evaluator.Begin(expression.Input{Record: rec, At: at})
	defer e.End()
	for i := range r.keeps.list {
		k := &r.keeps.list[i]
		if len(k.Records) > 0 && !slices.Contains(k.Records, rec.Kind) {
			continue
		}
		if slices.Contains(k.Keys, rec.Key) {
			return k.Name, e.Next()
		}
		if k.when == nil {
			continue
		}
		if holds, err := e.Truth(k.when); err != nil || holds {
			return k.Name, e.Next()
		}
	}
	return "", e.Next()
}

// KeepsByTime reports whether the answer of Kept can change as time goes on.
func (r *Ruleset) KeepsByTime() bool {
	return slices.ContainsFunc(r.keeps.list, func(k keep) bool { return k.when != nil && k.when.Timed() })
}

// keeps renders what is kept. Names have no part in it.
func (h hasher) keeps(list []keep) {
	for i := range list {
		k := &list[i]
		h.text("keep", strings.TrimSpace(k.When.Text))
		h.count(len(k.Keys))
		h.text(k.Keys...)
		for _, kind := range k.Records {
			h.text(kind.String())
		}
	}
}
