package mapping

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping/expression"
)

// ChoiceSpec is a list of lines that decides one thing: the first whose condition holds gives the value, which expressions
// read as choice.NAME.
type ChoiceSpec struct {
	Name  string
	Pos   Pos
	Lines []LineSpec
}

// LineSpec is one line of a ChoiceSpec.
type LineSpec struct {
	Pos  Pos
	When TextSpec // empty: always
	Is   ValueSpec
}

// choice is a compiled ChoiceSpec, for one kind of object.
type choice struct {
	spec     *ChoiceSpec
	compiled *expression.Choice
	err      error
	is       []string
	busy     bool // it is being compiled: what asks for it now goes round in a circle
}

var (
	errCircle = errors.New("it would need itself")
	errBroken = errors.New("it has a problem of its own")
)

// surroundings are the tables and choices as expressions about one kind of object see them. A choice is compiled for the
// kinds whose rules read it: what it reads, others may not have.
func (c *compilation) surroundings(spec *Spec, in *section) expression.Surroundings {
	around := expression.Surroundings{Tables: spec.Tables}
	in.choices = make(map[string]*choice, len(spec.Choices))
	for i := range spec.Choices {
		s := &spec.Choices[i]
		around.Choices = append(around.Choices, s.Name)
		in.choices[s.Name] = &choice{spec: s}
	}
	around.Choice = func(name string) (*expression.Choice, error) { return c.choice(in, name) }
	return around
}

func (c *compilation) choice(in *section, name string) (*expression.Choice, error) {
	ch := in.choices[name]
	switch {
	case ch.busy:
		return nil, errCircle
	case ch.err != nil:
		return nil, ch.err
	case ch.compiled != nil:
		return ch.compiled, nil
	}
	outer, before := c.condition, len(c.problems)
	defer func() { c.condition = outer }()
	ch.busy = true
	compiled := c.compileChoice(in, ch.spec)
	if ch.busy = false; len(c.problems) > before {
		ch.err = errBroken
		return nil, ch.err
	}
	ch.compiled = compiled
	in.made = append(in.made, compiled)
	c.usedChoices[name] = true
	return compiled, nil
}

func (c *compilation) compileChoice(in *section, spec *ChoiceSpec) *expression.Choice {
	out := &expression.Choice{Name: spec.Name}
	label := "choice " + spec.Name
	if len(spec.Lines) == 0 {
		c.problem(spec.Pos, "write lines: [{when: …, is: …}]", "%s has no lines", label)
	}
	over := false
	for i := range spec.Lines {
		s := &spec.Lines[i]
		label := fmt.Sprintf("%s, line %d", label, i+1)
		if over {
			c.problem(s.Pos, "move it before that line", "%s is never reached: a line before it always holds", label)
			break
		}
		c.condition = strings.TrimSpace(s.When.Text)
		line, typ, text := c.line(in, s, label)
		in.choices[spec.Name].is = append(in.choices[spec.Name].is, text)
		over = line.When == nil && c.condition == "" || line.When != nil && line.When.AlwaysTrue()
		switch {
		case typ == directory.NullType:
		case out.Type == directory.NullType:
			out.Type = typ
		case out.Type != typ:
			c.problem(s.Is.Pos, "the values of a choice are of one type", "%s is a %s, and those before it are a %s",
				label, expression.TypeWord(typ), expression.TypeWord(out.Type))
		}
		out.Lines = append(out.Lines, line)
	}
	if out.Type == directory.NullType {
		out.Type = directory.TextType
	}
	return out
}

// line compiles a line and returns the type of its value.
func (c *compilation) line(in *section, s *LineSpec, label string) (line expression.Line, typ directory.ValueType, text string) {
	if c.condition != "" {
		line.When = c.expression(in, in.language.Condition, true, s.When.Text, 0, s.When.Pos, label+": when")
	}
	f := &field{}
	c.fieldValue(f, &FieldSpec{Value: s.Is, Pos: s.Pos}, in, label)
	line.Value, line.Literal = f.expr, f.literal
	if f.expr != nil {
		c.noKeys(f.expr, label, func(string) Pos { return s.Is.Pos }) // the choice may decide about a rule
		return line, f.expr.Type(), f.text
	}
	return line, f.literal.Type(), f.text
}

// unusedChoices compiles what no rule reads for people, so that its mistakes are found.
func (c *compilation) unusedChoices(spec *Spec, sections []*section) {
	seen := map[string]bool{}
	for i := range spec.Choices {
		s := &spec.Choices[i]
		if seen[s.Name] {
			c.problem(s.Pos, "", "choice %s is there twice", s.Name)
		}
		seen[s.Name] = true
		if c.usedChoices[s.Name] || len(sections) == 0 {
			continue
		}
		if len(c.problems) == 0 {
			c.unused = append(c.unused, Problem{Pos: s.Pos, Message: "no rule reads choice." + s.Name})
		}
		if ch := sections[0].choices[s.Name]; ch.compiled == nil && ch.err == nil {
			_, _ = c.choice(sections[0], s.Name)
			sections[0].made = slices.DeleteFunc(sections[0].made, func(m *expression.Choice) bool { return m.Name == s.Name })
		}
	}
}

// choice adds what a choice decides.
func (h hasher) choice(c *expression.Choice, spec *ChoiceSpec) {
	h.text("choice", c.Name)
	h.count(len(spec.Lines))
	for i := range spec.Lines {
		line := &spec.Lines[i]
		h.text(strings.TrimSpace(line.When.Text), fmt.Sprintf("%T", line.Is.Value), fmt.Sprintf("%q", line.Is.Value))
	}
}

// compiled returns the choices that were compiled for the kind of object.
func (s *section) compiled() (list []compiledChoice) {
	for _, c := range s.made {
		list = append(list, compiledChoice{c, s.choices[c.Name].spec, s.choices[c.Name].is})
	}
	return list
}
