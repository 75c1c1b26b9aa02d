package expression

import (
	"reflect"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/checker/nature"
)

// tolerance says what an expression's surroundings do with a value that is missing.
type tolerance uint8

const (
	// strict: they compute with it, so it must be there.
	strict tolerance = iota
	// shown: it is the value of a field, where nothing is blank. A truth value that nobody told is
	// none that a field may show.
	shown
	// asked: they ask whether it is there: the left side of ??, or a comparison with nil.
	asked
)

// rewriter gives checked expressions the semantics of blanks that operators expect. Texts and lists are never nil
// in what it makes: a missing one is "" or empty. Values of the other types may be nil, and are stopped where
// something would compute with them.
type rewriter struct {
	used        map[string]binding
	tables      map[string]*Table
	functions   map[string]function
	diagnostics []Diagnostic
	// within is how many conditions over lists the node stands in.
	within    int
	constants *constants
	// timed: something asks about time.
	timed bool
	// done remembers what became of a node: a comparison such as a < b < c shares b.
	done map[ast.Node]ast.Node
}

func (w *rewriter) report(node ast.Node, hint, message string) {
	w.diagnostics = append(w.diagnostics, Diagnostic{At: node.Location().From, Message: message, Hint: hint})
}

func (w *rewriter) rewrite(node ast.Node, t tolerance) ast.Node {
	if out, ok := w.done[node]; ok {
		return out
	}
	out := w.constants.fold(w.transform(node, t))
	w.done[node] = out
	return out
}

func (w *rewriter) transform(node ast.Node, t tolerance) ast.Node {
	switch n := node.(type) {
	case *ast.IdentifierNode:
		return w.identifier(n, t)
	case *ast.BinaryNode:
		return w.binary(n, t)
	case *ast.ConditionalNode:
		return w.conditional(n, t)
	case *ast.CallNode:
		return w.call(n, t)
	case *ast.PredicateNode:
		return w.predicate(n)
	case *ast.BuiltinNode:
		w.inside(n)
		if n.Name == "find" {
			return orBlank(n, t)
		}
		if k := kindOf(n); w.within > 0 && (k == textKind || k == listKind) {
			return intrinsic("__built", n, n)
		}
		return n
	case *ast.MemberNode:
		if out := w.lookup(n); out != nil {
			return out
		}
		w.inside(n)
		if kindOf(n.Node) == listKind {
			return intrinsic("__item", n, n.Node, n.Property)
		}
		return n
	case *ast.SliceNode:
		return w.slice(n)
	case *ast.ArrayNode:
		return w.array(n)
	case *ast.VariableDeclaratorNode:
		n.Value = w.rewrite(n.Value, strict)
		n.Expr = w.rewrite(n.Expr, t)
		return n
	default:
		w.inside(n)
		return n
	}
}

func (w *rewriter) inside(node ast.Node) {
	for _, child := range children(node) {
		*child = w.rewrite(*child, strict)
	}
}

func (w *rewriter) identifier(n *ast.IdentifierNode, t tolerance) ast.Node {
	s, ok := w.used[n.Value]
	if !ok || t == asked {
		return n
	}
	if s.stops {
		return known(n, n.Value)
	}
	k := kindOf(n)
	if !k.nullable() || t == shown && k != truthKind {
		return n
	}
	return known(n, n.Value)
}

func (w *rewriter) binary(n *ast.BinaryNode, t tolerance) ast.Node {
	switch n.Operator {
	case "??":
		return w.coalesce(n, t)
	case "==", "!=":
		if kindOf(n.Left) == nothingKind || kindOf(n.Right) == nothingKind {
			return w.compareWithNil(n)
		}
	case "in":
		if kindOf(n.Right) == listKind {
			w.inside(n)
			return intrinsic("__in", n, n.Left, n.Right)
		}
	case "+":
		if kindOf(n.Left) == textKind && kindOf(n.Right) == textKind {
			if parts := w.appendSummands(nil, n); len(parts) > 2 {
				return intrinsic("__sum", n, parts...)
			}
			return intrinsic("__add", n, n.Left, n.Right)
		}
	}
	w.inside(n)
	return n
}

// appendSummands collects what a chain of + adds up, so that it is joined in one go.
func (w *rewriter) appendSummands(parts []ast.Node, n *ast.BinaryNode) []ast.Node {
	n.Right = w.rewrite(n.Right, strict)
	if left, ok := n.Left.(*ast.BinaryNode); ok && left.Operator == "+" && kindOf(left) == textKind {
		return append(w.appendSummands(parts, left), n.Right)
	}
	n.Left = w.rewrite(n.Left, strict)
	return append(parts, n.Left, n.Right)
}

// coalesce makes a ?? b take b when a is missing or blank; b is evaluated only then.
func (w *rewriter) coalesce(n *ast.BinaryNode, t tolerance) ast.Node {
	l, r := kindOf(n.Left), kindOf(n.Right)
	if l != r && l != nothingKind && r != nothingKind {
		w.report(n, "", "the two sides of ?? must be of the same type, not "+string(l)+" and "+string(r))
		return n
	}
	n.Left = w.rewrite(n.Left, asked)
	if !l.nullable() {
		n.Left = intrinsic("__present", n.Left, n.Left)
	}
	n.Right = w.rewrite(n.Right, t)
	if r == nothingKind && t == strict {
		if l.nullable() {
			return known(n, "")
		}
		n.Right = blankOf(n.Right, l)
	}
	return n
}

// compareWithNil makes x == nil ask whether x is missing or blank.
func (w *rewriter) compareWithNil(n *ast.BinaryNode) ast.Node {
	subject := n.Left
	if kindOf(subject) == nothingKind {
		subject = n.Right
	}
	test := intrinsic("__blank", n, w.rewrite(subject, asked))
	if n.Operator == "==" {
		return test
	}
	not := &ast.UnaryNode{Operator: "not", Node: test}
	return like(not, n)
}

func (w *rewriter) conditional(n *ast.ConditionalNode, t tolerance) ast.Node {
	a, b := kindOf(n.Exp1), kindOf(n.Exp2)
	if a != b && a != nothingKind && b != nothingKind {
		w.report(n.Exp2, "", "both results of a condition must be of the same type, not "+string(a)+" and "+string(b))
		return n
	}
	n.Cond = w.rewrite(n.Cond, strict)
	n.Exp1 = w.rewrite(n.Exp1, t)
	n.Exp2 = w.rewrite(n.Exp2, t)
	if t != strict || a == b {
		return n
	}
	if kindOf(n).nullable() {
		return known(n, "")
	}
	n.Exp1, n.Exp2 = blankOf(n.Exp1, kindOf(n)), blankOf(n.Exp2, kindOf(n))
	return n
}

func (w *rewriter) call(n *ast.CallNode, t tolerance) ast.Node {
	name := n.Callee.(*ast.IdentifierNode).Value
	if name == lookupFunction {
		return w.rowsOf(n)
	}
	if f, ok := w.functions[name]; ok && !w.fits(n, f) {
		return n
	}
	if isMoment(name) {
		return w.moment(n, name)
	}
	if name == "date" && len(n.Arguments) == 1 {
		if text, ok := n.Arguments[0].(*ast.StringNode); ok {
			return w.literalDate(n, text)
		}
	}
	w.inside(n)
	out := ast.Node(n)
	if f, ok := w.functions[name]; ok && f.call != nil && w.within > 0 {
		out = intrinsic("__built", n, n)
	}
	if w.functions[name].nullable && t == strict {
		return known(out, "")
	}
	return out
}

// predicate rewrites what is evaluated for each item of a list. In a list within a list every time counts.
func (w *rewriter) predicate(n *ast.PredicateNode) ast.Node {
	weight := size(n.Node)
	w.within++
	w.inside(n)
	w.within--
	if w.within > 0 {
		count := &ast.IntegerNode{Value: weight}
		count.SetType(reflect.TypeFor[int]())
		n.Node = intrinsic("__step", n.Node, n.Node, count)
	}
	return n
}

// size is how many nodes an expression has.
func size(node ast.Node) int {
	n := 1
	for _, child := range children(node) {
		n += size(*child)
	}
	return n
}

// fits checks what the type of a function leaves open.
func (w *rewriter) fits(n *ast.CallNode, f function) bool {
	if f.max > 0 && len(n.Arguments) > f.max {
		w.report(n, "write "+f.Signature, "too many arguments to call "+f.Name)
		return false
	}
	if len(n.Arguments) == 0 {
		w.report(n, "write "+f.Signature, "not enough arguments to call "+f.Name)
		return false
	}
	for i, arg := range n.Arguments {
		k := kindOf(arg)
		isOpen := len(f.takes) > 0 && (i == 0 || f.max == 0)
		if k == unknownKind || k == nothingKind || isOpen && !slices.Contains(f.takes, k) {
			w.report(arg, "write "+f.Signature, f.Name+" cannot take a "+string(k))
			return false
		}
	}
	return true
}

func (w *rewriter) literalDate(n *ast.CallNode, text *ast.StringNode) ast.Node {
	v, err := dateOf(text.Value)
	if v == nil || err != nil {
		w.report(text, errNoDate.Hint, "the text is not a date")
		return n
	}
	return like(&ast.ConstantNode{Value: v}, n)
}

func (w *rewriter) slice(n *ast.SliceNode) ast.Node {
	if k := kindOf(n.Node); k != listKind && k != textKind {
		w.report(n, "", "only a text or a list of texts has a part [from:to]")
		return n
	}
	w.inside(n)
	from, to := n.From, n.To
	if from == nil {
		from = like(&ast.NilNode{}, n)
	}
	if to == nil {
		to = like(&ast.NilNode{}, n)
	}
	return intrinsic("__slice", n, n.Node, from, to)
}

func (w *rewriter) array(n *ast.ArrayNode) ast.Node {
	w.inside(n)
	if kindOf(n) == otherList && n.Nature().Ref == nil && len(n.Nodes) > 0 {
		w.report(n, "", "the items of a list must be of one type")
	}
	return n
}

// wrapLists turns the lists that the expression language makes of texts into the form that lists of a source have,
// so that the checker sees one type of list. It reports whether there was one.
func wrapLists(at *ast.Node) bool {
	wrapped := false
	for _, child := range children(*at) {
		wrapped = wrapLists(child) || wrapped
	}
	switch n := (*at).(type) {
	case *ast.ArrayNode:
		if texts, ok := literalTexts(n); ok {
			c := &ast.ConstantNode{Value: texts}
			c.SetLocation(n.Location())
			c.SetType(reflect.TypeFor[[]string]())
			*at = c
			return true
		}
	case *ast.BuiltinNode:
		if n.Name != "filter" && n.Name != "map" {
			return wrapped
		}
	default:
		return wrapped
	}
	if kindOf(*at) != listKind || isTexts(*at) {
		return wrapped
	}
	list := *at
	*at = intrinsic("__texts", list, list)
	(*at).SetType(reflect.TypeFor[[]string]())
	return true
}

func literalTexts(n *ast.ArrayNode) ([]string, bool) {
	texts := make([]string, len(n.Nodes))
	for i, item := range n.Nodes {
		s, ok := item.(*ast.StringNode)
		if !ok {
			return nil, false
		}
		texts[i] = s.Value
	}
	return texts, true
}

// forgetCalls makes the checker look at calls again.
func forgetCalls(node ast.Node) {
	if n, ok := node.(*ast.CallNode); ok && !isIntrinsic(n) {
		n.SetNature(nature.Nature{})
	}
	for _, child := range children(node) {
		forgetCalls(*child)
	}
}

func isIntrinsic(n *ast.CallNode) bool {
	callee, ok := n.Callee.(*ast.IdentifierNode)
	return ok && strings.HasPrefix(callee.Value, "__")
}

// known stops a missing value; name is how the operator calls it, or "".
func known(node ast.Node, name string) ast.Node {
	return intrinsic("__known", node, node, like(&ast.StringNode{Value: name}, node))
}

// orBlank turns a missing item into a blank one where something computes with it.
func orBlank(node ast.Node, t tolerance) ast.Node {
	switch {
	case t != strict:
		return node
	case kindOf(node).nullable():
		return known(node, "")
	default:
		return intrinsic("__text", node, node)
	}
}

// blankOf replaces a nil by the blank of a kind.
func blankOf(node ast.Node, k kind) ast.Node {
	if kindOf(node) != nothingKind {
		return node
	}
	if k == listKind {
		c := &ast.ConstantNode{Value: []string{}}
		c.SetLocation(node.Location())
		c.SetType(reflect.TypeFor[[]string]())
		return c
	}
	s := &ast.StringNode{}
	s.SetLocation(node.Location())
	s.SetType(reflect.TypeFor[string]())
	return s
}

// like gives a node the type and place of another.
func like(node, model ast.Node) ast.Node {
	node.SetNature(*model.Nature())
	node.SetLocation(model.Location())
	return node
}

// intrinsic calls one of the intrinsics; the call has the type and place of model.
func intrinsic(name string, model ast.Node, args ...ast.Node) ast.Node {
	callee := &ast.IdentifierNode{Value: name}
	callee.SetLocation(model.Location())
	callee.SetType(reflect.TypeOf(intrinsics[name]))
	return like(&ast.CallNode{Callee: callee, Arguments: args}, model)
}
