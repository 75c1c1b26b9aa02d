package expression

import "dirsyncd/sync/directory"

// choiceWord is the word before the name of a choice.
const choiceWord = "choice"

// Choice is a list of lines that decides one thing: the first whose condition holds gives the value. Expressions read it as
// choice.NAME. It is immutable.
type Choice struct {
	Name  string
	Type  directory.ValueType
	Lines []Line
}

// Line is one line of a Choice.
type Line struct {
	When  *Expression // nil: always
	Value *Expression // nil: Literal
	// Literal is the value that stands in the line as it is.
	Literal directory.Value
}

// Expressions lists what is evaluated for the choice.
func (c *Choice) Expressions() []*Expression {
	var all []*Expression
	for _, l := range c.Lines {
		for _, x := range []*Expression{l.When, l.Value} {
			if x != nil {
				all = append(all, x)
			}
		}
	}
	return all
}

// chosen is what a choice came to for one object.
type chosen struct {
	line  int // -1: none held
	value directory.Value
	err   error
}

// Choose returns the number of the line that decides, from 0, or -1, and its value, which is Null when no line holds. An error is
// like that of Value.
func (e *Evaluation) Choose(c *Choice) (line int, v directory.Value, err error) {
	out, ok := e.chosen[c]
	if !ok {
		out = e.choose(c)
		if e.chosen == nil {
			e.chosen = make(map[*Choice]chosen)
		}
		e.chosen[c] = out
	}
	return out.line, out.value, out.err
}

func (e *Evaluation) choose(c *Choice) chosen {
	for i, l := range c.Lines {
		if l.When != nil {
			switch holds, err := e.Truth(l.When); {
			case err != nil:
				return chosen{line: i, err: err}
			case !holds:
				continue
			}
		}
		if l.Value == nil {
			return chosen{line: i, value: l.Literal}
		}
		v, err := e.Value(l.Value)
		return chosen{i, v, err}
	}
	return chosen{line: -1}
}

// decide computes the choices that an expression reads, for its program.
func (e *Evaluation) decide(x *Expression) error {
	for i := range x.choices {
		b := &x.choices[i]
		v, err := e.read(b)
		if err != nil {
			return err
		}
		e.names[b.Name.Name] = native(v, b.Type)
	}
	return nil
}

// read returns the value of a name.
func (e *Evaluation) read(b *binding) (directory.Value, error) {
	if b.choice == nil {
		return b.read(&e.in), nil
	}
	_, v, err := e.Choose(b.choice)
	return v, err
}
