package expression

import (
	"github.com/expr-lang/expr/vm"

	"dirsyncd/sync/directory"
)

// Expression is a compiled expression. It is immutable and may be used by many goroutines.
type Expression struct {
	// bare is set when the expression is nothing but a name: it needs no program.
	bare    *binding
	program *vm.Program
	// bindings are the names that it reads, sorted.
	bindings []binding
	// choices are those of the bindings that are choices, and tables what it looks up.
	choices []binding
	tables  []*Table
	// typ is what it comes to; NullType when that is always blank.
	typ directory.ValueType
	// mentions are the texts with which it compares what it reads.
	mentions []Mention
	// terms are the parts of a condition that are joined by "and", in order; none when there is only one.
	terms []term
	// constant is set when the expression is the literal true or false.
	constant *bool
	timed    bool
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

// Timed reports whether the expression asks about time: what it comes to depends on Input.At then.
func (x *Expression) Timed() bool { return x.timed }

// Tables lists the tables in which the expression looks something up.
func (x *Expression) Tables() []*Table { return x.tables }

// Type returns the type of the expression's values; NullType when they are always blank.
func (x *Expression) Type() directory.ValueType { return x.typ }

// AlwaysTrue reports whether the expression is the literal true.
func (x *Expression) AlwaysTrue() bool { return x.constant != nil && *x.constant }
