package mapping

import (
	"errors"
	"time"

	"github.com/expr-lang/expr/vm"

	"dirsyncd/sync/directory"
)

// evaluation is what one goroutine needs to apply rules to one object. It is reused for the next one.
type evaluation struct {
	in      input
	machine vm.VM
	// names holds the values of the names that programs read, and the internal functions.
	names map[string]any
}

func newEvaluation() *evaluation {
	e := &evaluation{names: make(map[string]any, 32)}
	e.machine.MemoryBudget = maxMemory
	for name, f := range internals {
		e.names[name] = f
	}
	return e
}

// look takes the values of the names from the object.
func (e *evaluation) look(in input, sources []source) {
	e.in = in
	if e.in.object == nil {
		e.in.object = &directory.Object{}
	}
	for i := range sources {
		e.names[sources[i].Name.Name] = native(sources[i].read(&e.in), sources[i].Type)
	}
}

// native is a value as expressions compute with it: a missing text is "", a missing list is empty, any other
// missing value is nil.
func native(v directory.Value, want directory.ValueType) any {
	switch want {
	case directory.TextType:
		return v.Text()
	case directory.ListType:
		if list := v.List(); list != nil {
			return list
		}
		return []string{}
	case directory.BoolType:
		if v.Type() == directory.BoolType {
			return v.Bool()
		}
	case directory.TimeType:
		if v.Type() == directory.TimeType {
			return v.Time()
		}
	case directory.NumberType:
		if v.Type() == directory.NumberType {
			return int(v.Number())
		}
	}
	return nil
}

// truth evaluates a condition.
func (e *evaluation) truth(x *expression) (bool, error) {
	if x.bare != nil {
		v := x.bare.read(&e.in)
		if v.Type() != directory.BoolType {
			return false, notTold(x.bare.Name.Name)
		}
		return v.Bool(), nil
	}
	return e.truthOf(x.program)
}

func (e *evaluation) truthOf(p *vm.Program) (bool, error) {
	v, err := e.machine.Run(p, e.names)
	if err != nil {
		return false, err
	}
	b, ok := v.(bool)
	if !ok {
		return false, notTold("")
	}
	return b, nil
}

// value evaluates the expression of a field. Whatever is blank comes back as Null.
func (e *evaluation) value(x *expression) (directory.Value, error) {
	if x.bare != nil {
		v := x.bare.read(&e.in)
		if v.Blank() {
			if x.bare.Type == directory.BoolType {
				return directory.Null(), notTold(x.bare.Name.Name)
			}
			return directory.Null(), nil
		}
		return v, nil
	}
	v, err := e.machine.Run(x.program, e.names)
	if err != nil {
		return directory.Null(), err
	}
	return valueOf(v)
}

var errNoField = errors.New("the result is no text, truth value, whole number, time or list of texts")

// valueOf turns what an expression came to, or a literal of the configuration, into the value of a field.
func valueOf(v any) (directory.Value, error) {
	var out directory.Value
	switch v := v.(type) {
	case nil:
		return directory.Null(), nil
	case string:
		out = directory.Text(v)
	case bool:
		out = directory.Bool(v)
	case int:
		out = directory.Number(int64(v))
	case int64:
		out = directory.Number(v)
	case time.Time:
		if v.IsZero() {
			return directory.Null(), nil
		}
		out = directory.Time(v)
	case []string:
		out = directory.List(v...)
	default:
		return directory.Null(), errNoField
	}
	if out.Blank() {
		return directory.Null(), nil
	}
	return out, nil
}
