// Package strict decodes one YAML document into Go values and misses nothing: an unknown or repeated key, a
// wrong type, a missing or empty value is a problem with its line, its column and a hint. All problems are
// collected; decoding goes on after each.
//
// Go structs say with `yaml:"name"` tags what may stand in the document, with `strict:"required"` what must.
// Fields without a yaml tag are left alone. A field keeps its value (its default) when its key is absent; a
// list or a map from the document replaces the default as a whole.
package strict

import (
	"fmt"
	"os"

	"go.yaml.in/yaml/v4"
)

// Options are what values need from outside the document.
type Options struct {
	// Dir is the folder that relative paths in the document start from.
	Dir string
	// LookupEnv finds environment variables; nil means os.LookupEnv.
	LookupEnv func(name string) (string, bool)
	// Exposed says that everybody on the machine can read the document.
	Exposed bool
	// Blind lets what this process cannot see pass, as far as values ask for that (Value.Unseen).
	Blind bool
}

// Document is a parsed document and the problems found in it so far. It is used by one goroutine at a time.
type Document struct {
	opts     Options
	root     *yaml.Node
	lines    []string
	problems []Problem
	warnings []Problem
	unseen   []Problem
	asked    bool
	told     map[[2]int]bool // the lines and columns of problems and unseen
}

// Dir returns the folder that relative paths in the document start from.
func (d *Document) Dir() string { return d.opts.Dir }

// Exposed reports whether everybody on the machine can read the document.
func (d *Document) Exposed() bool { return d.opts.Exposed }

// Blind reports whether what this process cannot see may pass.
func (d *Document) Blind() bool { return d.opts.Blind }

// LookupEnv finds an environment variable.
func (d *Document) LookupEnv(name string) (string, bool) {
	d.asked = true
	if d.opts.LookupEnv != nil {
		return d.opts.LookupEnv(name)
	}
	return os.LookupEnv(name)
}

// AskedEnv reports whether anything in the document depends on the process's environment.
func (d *Document) AskedEnv() bool { return d.asked }

// Root returns the document's value. After a syntax error it is the zero Value, of kind None.
func (d *Document) Root() Value {
	if d.root == nil {
		return Value{}
	}
	return Value{doc: d, node: d.root}
}

// Problems returns what was found so far, in the order of the document.
func (d *Document) Problems() []Problem { return sorted(d.problems) }

// Warnings returns what is allowed but probably not meant, in the order of the document.
func (d *Document) Warnings() []Problem { return sorted(d.warnings) }

// Unseen returns what was let pass, in the order of the document.
func (d *Document) Unseen() []Problem { return sorted(d.unseen) }

// Mark returns a number that grows with every problem: what lies between two calls is clean when it did not.
func (d *Document) Mark() int { return len(d.problems) }

// ProblemAt reports a problem at a place that was found by other means than a Value.
func (d *Document) ProblemAt(line, column int, hint, format string, args ...any) {
	d.report(line, column, hint, format, args...)
}

// WarnAt is ProblemAt for what is allowed but probably not meant.
func (d *Document) WarnAt(line, column int, hint, format string, args ...any) {
	d.warnings = append(d.warnings, Problem{Line: line, Column: column, Message: fmt.Sprintf(format, args...), Hint: hint})
}

func (d *Document) report(line, column int, hint, format string, args ...any) {
	d.add(&d.problems, Problem{Line: line, Column: column, Message: fmt.Sprintf(format, args...), Hint: hint})
}

// add notes a problem, and where it is: there may be very many, and each block asks for those in it.
func (d *Document) add(list *[]Problem, p Problem) {
	*list = append(*list, p)
	if d.told == nil {
		d.told = make(map[[2]int]bool)
	}
	d.told[[2]int{p.Line, p.Column}] = true
}
