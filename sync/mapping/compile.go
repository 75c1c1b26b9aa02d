package mapping

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping/expression"
	"dirsyncd/sync/spelling"
)

// Compile checks a Spec and compiles its expressions. It reports every problem, in the order of the file; the
// Ruleset is nil when there is one.
func Compile(spec Spec) (*Ruleset, []Problem) {
	c := &compilation{}
	r := &Ruleset{name: spec.Name, leavers: c.leavers(spec.Leavers)}
	sections := make([]*section, 0, len(r.rules))
	for _, kind := range directory.Kinds() {
		if len(spec.Of(kind)) > 0 || kindsAmong(spec.Fields, RecordsOf(kind)) {
			sections = append(sections, &section{language: expression.NewLanguage(kind), what: kind, kinds: RecordsOf(kind)})
		}
	}
	c.commonFields(spec.Fields, sections)
	rules := 0
	for _, in := range sections {
		c.rulesOf(in.what, spec.Of(in.what))
		r.rules[in.what].rules = c.rules(spec.Of(in.what), in)
		rules += len(spec.Of(in.what))
	}
	if rules == 0 {
		c.problem(Pos{}, "", "mapping %s has no rules", spec.Name)
	}
	if len(c.problems) > 0 {
		slices.SortStableFunc(c.problems, func(a, b Problem) int {
			return cmp.Or(cmp.Compare(a.Pos.Line, b.Pos.Line), cmp.Compare(a.Pos.Column, b.Pos.Column))
		})
		return nil, c.problems
	}
	r.looks = c.looks
	r.finish()
	return r, nil
}

func kindsAmong(fields map[directory.RecordKind][]FieldSpec, kinds []directory.RecordKind) bool {
	return slices.ContainsFunc(kinds, func(k directory.RecordKind) bool { _, ok := fields[k]; return ok })
}

// section is what the rules for one kind of object have of their own.
type section struct {
	what     directory.Kind
	language *expression.Language
	kinds    []directory.RecordKind
	common   map[directory.RecordKind][]*field
}

type compilation struct {
	problems []Problem
	looks    []Look
	// condition is that of the rule that is being compiled; empty for what is set for every rule.
	condition string
}

func (c *compilation) problem(at Pos, hint, format string, args ...any) {
	c.problems = append(c.problems, Problem{Pos: at, Message: fmt.Sprintf(format, args...), Hint: hint})
}

func (c *compilation) leavers(l Leavers) Leavers {
	allowed := []string{string(DeactivateLeavers), string(DeleteLeavers), string(KeepLeavers)}
	if l == "" {
		return DeactivateLeavers
	}
	if !slices.Contains(allowed, string(l)) {
		c.problem(Pos{}, spelling.DidYouMean(string(l), allowed, "write "+strings.Join(allowed, ", ")),
			"leavers: %q is unknown", string(l))
	}
	return l
}

func (c *compilation) commonFields(fields map[directory.RecordKind][]FieldSpec, sections []*section) {
	for _, kind := range slices.Sorted(maps.Keys(fields)) {
		var owner *section
		for _, p := range sections {
			if slices.Contains(p.kinds, kind) {
				owner = p
			}
		}
		if owner == nil {
			at := Pos{}
			if len(fields[kind]) > 0 {
				at = fields[kind][0].Pos
			}
			c.problem(at, "fields can be set for user, agent, group, licence, asset and customer", "fields: rules make no %s", kind)
			continue
		}
		if owner.common == nil {
			owner.common = map[directory.RecordKind][]*field{}
		}
		owner.common[kind] = c.fields(fields[kind], owner, "fields: "+kind.String(), "")
	}
}

func (c *compilation) rules(specs []RuleSpec, in *section) []*rule {
	var rules []*rule
	seen := map[string]bool{}
	catchAll := ""
	for i := range specs {
		spec := &specs[i]
		label := fmt.Sprintf("rule %q", spec.Name)
		switch {
		case strings.TrimSpace(spec.Name) == "":
			label = fmt.Sprintf("rule number %d", i+1)
			c.problem(spec.Pos, "records and `dirsyncd why` name the rule that made them", "%s has no name", label)
		case seen[spec.Name]:
			c.problem(spec.Pos, "every rule has a name of its own", "%s: there is a rule of this name before it", label)
		}
		seen[spec.Name] = true
		if catchAll != "" {
			c.problem(spec.Pos, "move it before that rule", "%s is never reached: %s before it holds for every %s",
				label, catchAll, in.what)
		}
		r := c.rule(spec, in, label)
		if catchAll == "" && (r.when == nil || r.when.AlwaysTrue()) && !r.broken {
			catchAll = label
		}
		rules = append(rules, r)
	}
	return rules
}

func (c *compilation) rule(spec *RuleSpec, in *section, label string) *rule {
	r := &rule{name: spec.Name, whenText: strings.TrimSpace(spec.When.Text), ignore: spec.Ignore}
	c.condition = r.whenText
	defer func() { c.condition = "" }()
	if r.whenText != "" {
		r.when = c.expression(in, in.language.Condition, true, spec.When.Text, 0, spec.When.Pos, label+": when")
		r.broken = r.when == nil
	}
	kinds := slices.Sorted(maps.Keys(spec.Records))
	switch {
	case spec.Ignore && len(kinds) > 0:
		c.problem(spec.Pos, "remove one of the two", "%s ignores and makes a record at once", label)
	case !spec.Ignore && len(kinds) == 0:
		c.problem(spec.Pos, "say ignore: true, or what it makes: "+kindWords(in.kinds), "%s does nothing", label)
	}
	for _, kind := range kinds {
		if !slices.Contains(in.kinds, kind) {
			c.problem(spec.Pos, "it can make "+kindWords(in.kinds), "%s: a rule for a %s makes no %s", label, in.what, kind)
			continue
		}
		own := c.fields(spec.Records[kind], in, label+": "+kind.String(), `rule "`+spec.Name+`"`)
		r.records = append(r.records, newRecordRule(kind, in.common[kind], own))
	}
	return r
}

func kindWords(kinds []directory.RecordKind) string {
	words := make([]string, len(kinds))
	for i, k := range kinds {
		words[i] = k.String()
	}
	return strings.Join(words, " or ")
}

// fields compiles the fields of one record; from says who sets them, "" for the mapping as a whole.
func (c *compilation) fields(specs []FieldSpec, in *section, label, from string) []*field {
	if from == "" {
		from = "the mapping's fields"
	}
	var fields []*field
	seen := map[string]bool{}
	for i := range specs {
		spec := &specs[i]
		label := label + "." + spec.Name
		if bad := badFieldName(spec.Name); bad != "" {
			c.problem(spec.Pos, "", "%s: the name of a field %s", label, bad)
		}
		if seen[spec.Name] {
			c.problem(spec.Pos, "remove one of the two", "%s is set twice", label)
		}
		seen[spec.Name] = true
		f := &field{name: spec.Name, from: from, on: spec.On, blank: spec.Blank}
		c.policy(f, spec, label)
		c.fieldValue(f, spec, in, label)
		fields = append(fields, f)
	}
	return fields
}

func badFieldName(name string) string {
	switch {
	case name == "":
		return "is empty"
	case strings.TrimSpace(name) != name:
		return "begins or ends with a blank"
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return "holds a control character"
	default:
		return ""
	}
}

func (c *compilation) policy(f *field, spec *FieldSpec, label string) {
	if f.on == "" {
		f.on = OnAlways
	}
	if f.blank == "" {
		f.blank = KeepBlank
	}
	for _, p := range []struct {
		key, word string
		allowed   []string
	}{
		{"on", string(f.on), []string{string(OnAlways), string(OnCreate)}},
		{"blank", string(f.blank), []string{string(KeepBlank), string(ClearBlank)}},
	} {
		if !slices.Contains(p.allowed, p.word) {
			hint := spelling.DidYouMean(p.word, p.allowed, "write "+strings.Join(p.allowed, " or "))
			c.problem(spec.Pos, hint, "%s: %s: %q is unknown", label, p.key, p.word)
		}
	}
}

func (c *compilation) fieldValue(f *field, spec *FieldSpec, in *section, label string) {
	at := spec.Value.Pos
	if at == (Pos{}) {
		at = spec.Pos
	}
	value := spec.Value.Value
	if text, ok := value.(string); ok {
		f.text = text
		switch {
		case strings.HasPrefix(text, "=="):
			value = text[1:]
		case strings.HasPrefix(text, "="):
			f.expr = c.expression(in, in.language.Value, false, text[1:], 1, at, label)
			return
		}
	}
	if list, ok := value.([]string); ok {
		value = c.literalList(list, at, label)
	}
	v, err := expression.ValueOf(value)
	switch {
	case value == nil:
		c.problem(at, "for a field that is always empty write = nil", "%s has no value", label)
	case err != nil:
		c.problem(at, "", "%s must be a text, a truth value, a whole number or a list of texts", label)
	default:
		f.literal = v
		if f.text == "" {
			f.text = v.String()
		}
	}
}

func (c *compilation) literalList(list []string, at Pos, label string) []string {
	items := make([]string, len(list))
	for i, item := range list {
		switch {
		case strings.HasPrefix(item, "=="):
			item = item[1:]
		case strings.HasPrefix(item, "="):
			c.problem(at, `make the whole list an expression: = ["…", name]`,
				"%s: an item of a list is no expression", label)
		}
		items[i] = item
	}
	return items
}

// expression compiles an expression, which decides about a rule or is a value, and reports its diagnostics. skip is how many letters of the value stand before
// it.
func (c *compilation) expression(
	in *section, compile func(string) (*expression.Expression, []expression.Diagnostic), decides bool, text string, skip int, at Pos, label string,
) *expression.Expression {
	body := strings.TrimLeftFunc(text, unicode.IsSpace)
	skip += utf8.RuneCountInString(text[:len(text)-len(body)])
	body = strings.TrimRightFunc(body, unicode.IsSpace)
	x, diagnostics := compile(body)
	for _, d := range diagnostics {
		pos, where := position(at, text, body, skip, d.At)
		c.problem(pos, d.Hint, "%s: %s%s", label, d.Message, where)
	}
	if len(diagnostics) > 0 {
		return nil
	}
	c.look(x, in.what, decides, label, func(name string) Pos {
		offset := max(strings.Index(body, name), 0)
		pos, _ := position(at, text, body, skip, utf8.RuneCountInString(body[:offset]))
		return pos
	})
	return x
}

// position finds a diagnostic in the file. The text of a value of several lines is not at a known place of
// the file: where then says the line within the expression.
func position(at Pos, text, body string, skip, offset int) (pos Pos, where string) {
	if !strings.Contains(text, "\n") {
		if at.Line > 0 {
			at.Column += skip + offset
		}
		return at, ""
	}
	before := string([]rune(body)[:min(offset, utf8.RuneCountInString(body))])
	line := strings.Count(before, "\n")
	column := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
	return at, fmt.Sprintf(" (line %d, column %d of the expression)", line+1, column+1)
}
