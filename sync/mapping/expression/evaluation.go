package expression

import (
	"slices"
	"sync"
	"time"

	"github.com/expr-lang/expr/vm"

	"dirsyncd/sync/directory"
)

// Evaluator evaluates a fixed set of expressions on one object after another. Many goroutines may use it; it must
// not be copied.
type Evaluator struct {
	// bindings are what the programs read; bare names are read where they stand.
	bindings []binding
	pool     sync.Pool
}

// NewEvaluator returns an Evaluator of these expressions and of no others.
func NewEvaluator(all []*Expression) *Evaluator {
	ev := &Evaluator{}
	seen := map[string]bool{}
	var add func(all []*Expression)
	add = func(all []*Expression) {
		for _, x := range all {
			for _, s := range x.bindings {
				switch {
				case s.choice != nil && !seen[s.Name.Name]:
					seen[s.Name.Name] = true
					add(s.choice.Expressions())
				case s.choice == nil && x.bare == nil && !seen[s.Name.Name]:
					seen[s.Name.Name] = true
					ev.bindings = append(ev.bindings, s)
				}
			}
		}
	}
	add(all)
	return ev
}

// Evaluation is one object on which expressions are evaluated. It belongs to the goroutine that began it, until
// End. Whatever it returns of the object shares the object's memory.
type Evaluation struct {
	evaluator *Evaluator
	in        Input
	machine   vm.VM
	// names holds the values of the names that programs read, and the intrinsics.
	names  map[string]any
	effort int
	// longest is the length of the longest text that is read.
	longest int
	// next is when the first answer about time changes, of those that were asked for.
	next time.Time
	// chosen are the choices that were made for the object; nil where the expressions have none.
	chosen map[*Choice]chosen
}

// spend adds to the effort of an expression, within conditions over lists.
func (e *Evaluation) spend(n int) {
	if e.effort += n; e.effort > maxEffort {
		panic(errTooMuch)
	}
}

// step counts a condition that was evaluated; each part of it may have gone through the longest text.
func (e *Evaluation) step(v, weight any) any {
	n, _ := weight.(int)
	e.spend(n * (1 + e.longest/4096))
	return v
}

// built counts what a function made.
func (e *Evaluation) built(v any) any {
	switch made := v.(type) {
	case string:
		e.spend(1 + len(made)/16)
	case []string:
		e.spend(1 + len(made))
	default:
		e.spend(1)
	}
	return v
}

// run evaluates a program.
func (e *Evaluation) run(p *vm.Program) (any, error) {
	e.effort = 0
	return e.machine.Run(p, e.names)
}

// Begin takes the values of all names from the object, which must not change until End.
func (ev *Evaluator) Begin(in Input) *Evaluation {
	e, ok := ev.pool.Get().(*Evaluation)
	if !ok {
		e = &Evaluation{evaluator: ev, names: make(map[string]any, 32)}
		e.machine.MemoryBudget = maxMemory
		for name, f := range intrinsics {
			e.names[name] = f
		}
		e.names["__step"], e.names["__built"], e.names[reachedName] = e.step, e.built, e.reached
	}
	e.in, e.next = in, time.Time{}
	if e.in.Object == nil {
		e.in.Object = &directory.Object{}
	}
	e.longest = 0
	clear(e.chosen)
	for i := range ev.bindings {
		told := ev.bindings[i].read(&e.in)
		v := native(told, ev.bindings[i].Type)
		if ev.bindings[i].stops && told.Blank() {
			v = nil
		}
		if text, ok := v.(string); ok {
			e.longest = max(e.longest, len(text))
		}
		e.names[ev.bindings[i].Name.Name] = v
	}
	return e
}

// End gives the memory back. The Evaluation must not be used afterwards.
func (e *Evaluation) End() {
	e.in = Input{}
	e.evaluator.pool.Put(e)
}

// Truth evaluates a condition. Its error is as that of Value.
func (e *Evaluation) Truth(x *Expression) (bool, error) {
	if x.bare != nil {
		v, err := e.read(x.bare)
		if err != nil {
			return false, err
		}
		if v.Type() != directory.BoolType {
			return false, notTold(x.bare.Name.Name)
		}
		return v.Bool(), nil
	}
	if err := e.decide(x); err != nil {
		return false, err
	}
	return e.truthOf(x.program)
}

func (e *Evaluation) truthOf(p *vm.Program) (bool, error) {
	v, err := e.run(p)
	if err != nil {
		return false, classify(err)
	}
	b, ok := v.(bool)
	if !ok {
		return false, notTold("")
	}
	return b, nil
}

// Value evaluates the expression of a field; whatever is blank comes back as Null. An error is a *fault.Error of
// class Invalid with the reason and a hint. It holds no value of the object, and must not be changed.
func (e *Evaluation) Value(x *Expression) (directory.Value, error) {
	if x.bare != nil {
		v, err := e.read(x.bare)
		if err != nil {
			return directory.Null(), err
		}
		if v.Blank() {
			if x.bare.Type == directory.BoolType || x.bare.stops {
				return directory.Null(), notTold(x.bare.Name.Name)
			}
			return directory.Null(), nil
		}
		return v, nil
	}
	if err := e.decide(x); err != nil {
		return directory.Null(), err
	}
	result, err := e.run(x.program)
	if err != nil {
		return directory.Null(), classify(err)
	}
	v, err := ValueOf(result)
	if err != nil {
		return v, classify(err)
	}
	return v, nil
}

// FalseTerm returns the first part of a condition that is false, of those that are joined by "and"; "" when the
// condition has no such parts or none of them is known to be false.
func (e *Evaluation) FalseTerm(x *Expression) string {
	if e.decide(x) != nil {
		return ""
	}
	for _, t := range x.terms {
		if holds, err := e.truthOf(t.program); err == nil && !holds {
			return t.text
		}
	}
	return ""
}

// SourceValues returns what the expression reads of the object, by name, in memory of its own; nil for what the
// source did not tell. Of tables it returns the key of the row that is found: "table.roles[groups]": "Service Desk". These are
// personal data.
func (e *Evaluation) SourceValues(x *Expression) map[string]any {
	if len(x.bindings) == 0 {
		return nil
	}
	values := make(map[string]any, len(x.bindings))
	for _, s := range x.bindings {
		v, _ := e.read(&s)
		values[s.Name.Name] = v.Any()
		if v.Type() == directory.ListType {
			values[s.Name.Name] = slices.Clone(v.List())
		}
		for _, m := range x.mentions {
			if m.Table != nil && m.Name == s.Name.Name && m.Part == "" {
				values[tableWord+"."+m.Table.Name()+"["+m.Name+"]"] = m.Table.row(v)
			}
		}
	}
	return values
}
