// Package expression is the language in which rules say what they mean: names of an object and what is around it,
// functions, and the operators of expr-lang with the semantics of blanks that operators expect. It knows objects and
// values, neither rules nor records.
//
// A Language compiles an expression once; an Evaluator evaluates it on one object after another. What an expression
// comes to depends on the object and the moment for which it is asked (Input.At) alone: there is no clock, no I/O, no order of a map. What an operator writes is
// bounded in its length and in what it may build, and no text and no object makes it panic.
package expression

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"unicode/utf8"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/checker"
	"github.com/expr-lang/expr/compiler"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/types"

	"dirsyncd/sync/directory"
)

// Limits of one expression as it is written.
const (
	maxExpression = 16 << 10 // bytes
	maxNodes      = 4000
)

// Language compiles expressions about one kind of object. It is immutable and may be used by many goroutines.
type Language struct {
	names     *Names
	functions map[string]function
	around    Surroundings
}

// Surroundings are what the operator has defined for expressions beside the names of an object.
type Surroundings struct {
	// Tables are looked up as table.NAME[key].
	Tables map[string]*Table
	// Choices are the names of all choices, sorted, and Choice returns one, which is read as choice.NAME. An error says why it
	// cannot be used.
	Choices []string
	Choice  func(name string) (*Choice, error)
}

// With returns the language with what the operator has defined.
func (l *Language) With(around Surroundings) *Language {
	with := *l
	with.around = around
	return &with
}

// NewLanguage returns the language of expressions about a kind of object.
func NewLanguage(kind directory.Kind) *Language {
	return newLanguage(NamesOf(kind))
}

func newLanguage(names *Names) *Language {
	l := &Language{names: names, functions: map[string]function{}}
	for _, f := range functionTable() {
		l.functions[f.Name] = f
	}
	return l
}

// Condition compiles an expression that must be true or false, for Evaluation.Truth. What is wrong with it comes
// back instead: every name that is unknown, else the first diagnostic. Text of any length and content is safe.
func (l *Language) Condition(text string) (*Expression, []Diagnostic) { return l.compile(text, true) }

// Value compiles the expression of a field, for Evaluation.Value; it is like Condition.
func (l *Language) Value(text string) (*Expression, []Diagnostic) { return l.compile(text, false) }

func (l *Language) compile(text string, isCondition bool) (out *Expression, diagnostics []Diagnostic) {
	defer func() {
		if r := recover(); r != nil {
			out, diagnostics = nil, []Diagnostic{{Message: fmt.Sprintf("the expression cannot be compiled: %v", r)}}
		}
	}()
	if len(text) > maxExpression {
		return nil, []Diagnostic{{Message: fmt.Sprintf("the expression is longer than %d bytes", maxExpression)}}
	}
	if !utf8.ValidString(text) {
		return nil, []Diagnostic{{Message: "the expression is not UTF-8"}}
	}
	config := l.config()
	tree, err := parser.ParseWithConfig(text, config)
	if err != nil {
		return nil, []Diagnostic{syntaxDiagnostic(err, text)}
	}
	r := &resolver{names: l.names, functions: l.functions, around: &l.around, used: map[string]binding{}, tables: map[string]*Table{}}
	r.resolve(&tree.Node)
	if len(r.diagnostics) > 0 {
		return nil, r.diagnostics
	}
	if f := check(tree, config, r); f != nil {
		if m := calledFunction.FindStringSubmatch(f.Message); m != nil {
			f.Hint = "write " + l.functions[m[1]].Signature
		}
		return nil, []Diagnostic{*f}
	}
	if f := checkPurpose(tree.Node, isCondition); f != nil {
		return nil, []Diagnostic{*f}
	}
	return l.finish(tree, config, r, isCondition)
}

func (l *Language) finish(tree *parser.Tree, config *conf.Config, r *resolver, isCondition bool) (
	*Expression, []Diagnostic,
) {
	out := &Expression{typ: typeOf(kindOf(tree.Node)), mentions: mentionsIn(tree.Node, r)}
	used := r.used
	for _, name := range slices.Sorted(maps.Keys(used)) {
		out.bindings = append(out.bindings, used[name])
		if used[name].choice != nil {
			out.choices = append(out.choices, used[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.tables)) {
		out.tables = append(out.tables, r.tables[name])
	}
	switch root := tree.Node.(type) {
	case *ast.IdentifierNode:
		s := used[root.Value]
		out.bare = &s
		return out, nil
	case *ast.BoolNode:
		out.constant = &root.Value
	}
	terms := []ast.Node{tree.Node}
	allowed := shown
	if isCondition {
		terms, allowed = appendTerms(nil, tree.Node), strict
	}
	texts := make([]string, len(terms))
	for i, t := range terms {
		texts[i] = t.String()
	}
	w := &rewriter{used: used, tables: r.tables, functions: l.functions, constants: newConstants(config), done: map[ast.Node]ast.Node{}}
	tree.Node = w.rewrite(tree.Node, allowed)
	if len(w.diagnostics) > 0 {
		return nil, w.diagnostics
	}
	var err error
	if out.program, err = compiler.Compile(tree, config); err != nil {
		return nil, []Diagnostic{{Message: firstLine(err)}}
	}
	out.timed = w.timed
	if len(terms) > 1 {
		for i, t := range terms {
			part := &parser.Tree{Node: w.rewrite(t, strict), Source: tree.Source}
			program, err := compiler.Compile(part, config)
			if err != nil {
				return nil, []Diagnostic{{Message: firstLine(err)}}
			}
			out.terms = append(out.terms, term{texts[i], program})
		}
	}
	return out, nil
}

// config is the expression language with nothing but our functions in it.
func (l *Language) config() *conf.Config {
	config := conf.CreateNew()
	config.MaxNodes = maxNodes
	for _, b := range builtin.Builtins {
		if f, ok := l.functions[b.Name]; !ok || f.call != nil {
			config.Disabled[b.Name] = true
			delete(config.Builtins, b.Name)
		}
	}
	for _, f := range l.functions {
		if f.call != nil {
			expr.Function(f.Name, f.call, f.typ)(config)
		}
	}
	config.WithEnv(map[string]any{})
	return config
}

// check checks the types of a resolved expression.
func check(tree *parser.Tree, config *conf.Config, r *resolver) *Diagnostic {
	env := types.Map{}
	for name, s := range r.used {
		env[name] = types.TypeOf(reflect.Zero(goType(s.Type)).Interface())
	}
	for name, t := range r.tables {
		env[name] = t.checked()
	}
	config.WithEnv(env)
	_, err := checker.Check(tree, config)
	if err == nil && wrapLists(&tree.Node) {
		forgetCalls(tree.Node)
		_, err = checker.Check(tree, config)
	}
	if err != nil {
		f := typeDiagnostic(err)
		return &f
	}
	return nil
}

func checkPurpose(root ast.Node, isCondition bool) *Diagnostic {
	k := kindOf(root)
	switch {
	case isCondition && k == textKind:
		return &Diagnostic{Message: "a condition must be true or false, this is a text",
			Hint: `compare it: … == "…", or ask whether there is one: … != nil`}
	case isCondition && k == listKind:
		return &Diagnostic{Message: "a condition must be true or false, this is a list of texts",
			Hint: `ask for an item: "…" in …`}
	case isCondition && k != truthKind && k != unknownKind:
		return &Diagnostic{Message: "a condition must be true or false, this is a " + string(k)}
	case !isCondition && k == fractionKind:
		return &Diagnostic{Message: "a field cannot be a fraction", Hint: "make it whole: int(…)"}
	case !isCondition && k != unknownKind && !k.fits():
		return &Diagnostic{Message: "a field cannot be a " + string(k)}
	default:
		return nil
	}
}

func appendTerms(terms []ast.Node, node ast.Node) []ast.Node {
	if n, ok := node.(*ast.BinaryNode); ok && (n.Operator == "and" || n.Operator == "&&") {
		return appendTerms(appendTerms(terms, n.Left), n.Right)
	}
	return append(terms, node)
}
