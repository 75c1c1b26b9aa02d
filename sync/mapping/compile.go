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
	c := &compilation{usedChoices: map[string]bool{}}
	r := &Ruleset{name: spec.Name, leavers: c.leavers(&spec), keeps: c.keeps(&spec), seats: c.seats(&spec)}
	sections := make([]*section, 0, len(r.rules))
	for _, kind := range directory.Kinds() {
		if len(spec.Of(kind)) > 0 || kindsAmong(spec.Fields, RecordsOf(kind)) {
			in := &section{what: kind, kinds: RecordsOf(kind)}
			in.language = expression.NewLanguage(kind).With(c.surroundings(&spec, in))
			sections = append(sections, in)
		}
	}
	c.commonFields(spec.Fields, sections)
	rules := 0
	for _, in := range sections {
		c.rulesOf(in.what, spec.Of(in.what))
		r.rules[in.what].rules = c.rules(spec.Of(in.what), in)
		if rules += len(spec.Of(in.what)); in.what == directory.Person {
			r.rules[in.what].tickets = c.ticketRules(spec.Tickets, in)
		}
	}
	c.ticketsOfNobody(&spec)
	c.unusedChoices(&spec, sections)
	for _, in := range sections {
		r.rules[in.what].choices = in.compiled()
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
	c.neverKept(r)
	r.looks, r.unused, r.mentions = c.looks, c.unused, c.mentions
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
	// choices are all that there are, by name, and made those that were compiled, each behind those that it reads.
	choices map[string]*choice
	made    []*expression.Choice
}

type compilation struct {
	problems []Problem
	looks    []Look
	// condition is that of the rule that is being compiled; empty for what is set for every rule.
	condition string
	// usedChoices are those that rules read; unused is what is odd about the others.
	usedChoices map[string]bool
	unused      []Problem
	mentions    []Mention
}

func (c *compilation) problem(at Pos, hint, format string, args ...any) {
	c.problems = append(c.problems, Problem{Pos: at, Message: fmt.Sprintf(format, args...), Hint: hint})
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
			c.problem(at, "fields can be set for user, agent, group, licence, asset, customer and site", "fields: rules make no %s", kind)
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
	r := &rule{name: spec.Name, pos: spec.Pos, whenText: strings.TrimSpace(spec.When.Text), ignore: spec.Ignore, newOnly: spec.NewOnly, updateOnly: spec.UpdateOnly}
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
	r.always = slices.Compact(slices.Sorted(slices.Values(spec.Always)))
	switch {
	case len(r.always) > 0 && (in.what != directory.Group || spec.Ignore):
		c.problem(spec.Pos, "remove always", "%s makes no group that could have members", label)
	case slices.ContainsFunc(r.always, func(key string) bool { return !strings.Contains(strings.Trim(key, "/"), "/") }):
		c.problem(spec.Pos, "write keys as `dirsyncd why user NAME` shows them: hq-ad/5f1c…", "%s: always: that is no key of a record", label)
	}
	if spec.NewOnly && spec.Ignore {
		c.problem(spec.Pos, "remove new_only", "%s makes no record that could be for new ones only", label)
	}
	switch {
	case spec.UpdateOnly && spec.Ignore:
		c.problem(spec.Pos, "remove update_only", "%s makes no record that could be for what is there", label)
	case spec.UpdateOnly && spec.NewOnly:
		c.problem(spec.Pos, "remove one of the two", "%s is for new records only, and for those that are there", label)
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
		c.problems[len(c.problems)-1].Table, c.problems[len(c.problems)-1].Choice = d.Table, d.Choice
	}
	if len(diagnostics) > 0 {
		return nil
	}
	place := func(name string) Pos {
		offset := max(strings.Index(body, name), 0)
		pos, _ := position(at, text, body, skip, utf8.RuneCountInString(body[:offset]))
		return pos
	}
	if decides {
		c.noKeys(x, label, place)
	}
	c.look(x, in.what, decides, label, place)
	c.mention(x, in.what, label, place)
	return x
}

// noKeys refuses keys of records where it is decided who has one: what one has would depend on what another has, and in a circle on itself.
func (c *compilation) noKeys(x *expression.Expression, label string, at func(name string) Pos) {
	for _, name := range x.Reads() {
		if base, part, _ := strings.Cut(name, "."); linkOf(base) != 0 && "."+part == expression.KeyPart {
			c.problem(at(name), "ask for "+base+".id, or use it in a field", "%s: %s is for fields", label, name)
		}
	}
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
