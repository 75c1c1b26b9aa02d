package expression

import "github.com/expr-lang/expr/vm"

// Expression is a compiled expression. It is immutable and may be used by many goroutines.
type Expression struct {
	// bare is set when the expression is nothing but a name: it needs no program.
	bare    *binding
	program *vm.Program
	// bindings are the names that it reads, sorted.
	bindings []binding
	// terms are the parts of a condition that are joined by "and", in order; none when there is only one.
	terms []term
	// constant is set when the expression is the literal true or false.
	constant *bool
}

// term is one part of a condition.
type term struct {
	text    string
	program *vm.Program
}

// Reads lists the names that the expression reads, sorted.
func (x *Expression) Reads() []string {
	names := make([]string, len(x.bindings))
	for i, s := range x.bindings {
		names[i] = s.Name.Name
	}
	return names
}

// AlwaysTrue reports whether the expression is the literal true.
func (x *Expression) AlwaysTrue() bool { return x.constant != nil && *x.constant }
