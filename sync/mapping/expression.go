package mapping

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
	"github.com/expr-lang/expr/vm"
)

// Limits of one expression as it is written.
const (
	maxExpression = 16 << 10 // bytes
	maxNodes      = 4000
)

// expression is a compiled expression.
type expression struct {
	// bare is set when the expression is nothing but a name: it needs no program.
	bare    *source
	program *vm.Program
	kind    kind
	// sources are the names that it reads, sorted.
	sources []source
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

// language compiles expressions over one vocabulary.
type language struct {
	known     *vocabulary
	functions map[string]function
}

func newLanguage(known *vocabulary) *language {
	l := &language{known: known, functions: map[string]function{}}
	for _, f := range functionTable() {
		l.functions[f.Name] = f
	}
	return l
}

// compile returns the expression, or what is wrong with it: every name that is unknown, else the first flaw.
func (l *language) compile(text string, isCondition bool) (out *expression, flaws []flaw) {
	defer func() {
		if r := recover(); r != nil {
			out, flaws = nil, []flaw{{message: fmt.Sprintf("the expression cannot be compiled: %v", r)}}
		}
	}()
	if len(text) > maxExpression {
		return nil, []flaw{{message: fmt.Sprintf("the expression is longer than %d bytes", maxExpression)}}
	}
	if !utf8.ValidString(text) {
		return nil, []flaw{{message: "the expression is not UTF-8"}}
	}
	config := l.config()
	tree, err := parser.ParseWithConfig(text, config)
	if err != nil {
		return nil, []flaw{syntaxFlaw(err, text)}
	}
	r := &resolver{known: l.known, functions: l.functions, used: map[string]source{}}
	r.resolve(&tree.Node)
	if len(r.flaws) > 0 {
		return nil, r.flaws
	}
	if f := check(tree, config, r.used); f != nil {
		if m := calledFunction.FindStringSubmatch(f.message); m != nil {
			f.hint = "write " + l.functions[m[1]].Signature
		}
		return nil, []flaw{*f}
	}
	if f := checkPurpose(tree.Node, isCondition); f != nil {
		return nil, []flaw{*f}
	}
	return l.finish(tree, config, r.used, isCondition)
}

func (l *language) finish(tree *parser.Tree, config *conf.Config, used map[string]source, isCondition bool) (
	*expression, []flaw,
) {
	out := &expression{kind: kindOf(tree.Node)}
	for _, name := range slices.Sorted(maps.Keys(used)) {
		out.sources = append(out.sources, used[name])
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
	w := &rewriter{used: used, functions: l.functions, done: map[ast.Node]ast.Node{}}
	tree.Node = w.rewrite(tree.Node, allowed)
	if len(w.flaws) > 0 {
		return nil, w.flaws
	}
	var err error
	if out.program, err = compiler.Compile(tree, config); err != nil {
		return nil, []flaw{{message: firstLine(err)}}
	}
	if len(terms) > 1 {
		for i, t := range terms {
			part := &parser.Tree{Node: w.rewrite(t, strict), Source: tree.Source}
			program, err := compiler.Compile(part, config)
			if err != nil {
				return nil, []flaw{{message: firstLine(err)}}
			}
			out.terms = append(out.terms, term{texts[i], program})
		}
	}
	return out, nil
}

// config is the expression language with nothing but our functions in it.
func (l *language) config() *conf.Config {
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
func check(tree *parser.Tree, config *conf.Config, used map[string]source) *flaw {
	env := types.Map{}
	for name, s := range used {
		env[name] = types.TypeOf(reflect.Zero(goType(s.Type)).Interface())
	}
	config.WithEnv(env)
	_, err := checker.Check(tree, config)
	if err == nil && wrapLists(&tree.Node) {
		forgetCalls(tree.Node)
		_, err = checker.Check(tree, config)
	}
	if err != nil {
		f := typeFlaw(err)
		return &f
	}
	return nil
}

func checkPurpose(root ast.Node, isCondition bool) *flaw {
	k := kindOf(root)
	switch {
	case isCondition && k == textKind:
		return &flaw{message: "a condition must be true or false, this is a text",
			hint: `compare it: … == "…", or ask whether there is one: … != nil`}
	case isCondition && k == listKind:
		return &flaw{message: "a condition must be true or false, this is a list of texts",
			hint: `ask for an item: "…" in …`}
	case isCondition && k != truthKind && k != unknownKind:
		return &flaw{message: "a condition must be true or false, this is a " + string(k)}
	case !isCondition && k == fractionKind:
		return &flaw{message: "a field cannot be a fraction", hint: "make it whole: int(…)"}
	case !isCondition && k != unknownKind && !k.fits():
		return &flaw{message: "a field cannot be a " + string(k)}
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
