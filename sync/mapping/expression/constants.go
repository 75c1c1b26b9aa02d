package expression

import (
	"time"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/compiler"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/parser"
)

// constants evaluates what is the same for every object once, when the expression is compiled: split("a,b", ",") in a
// condition over a list is made once and not for every item. What fails then is left as it is, to fail when it is reached.
type constants struct {
	config     *conf.Config
	evaluation *Evaluation
}

func newConstants(config *conf.Config) *constants {
	return &constants{config: config, evaluation: NewEvaluator(nil).Begin(Input{})}
}

// fold returns the value of a rewritten node in its place if it has one. What is below it was folded before, but for what
// the rewriter has put in between.
func (c *constants) fold(node ast.Node) ast.Node {
	own, _ := node.(*ast.CallNode)
	for _, child := range children(node) {
		if n, ok := (*child).(*ast.CallNode); ok && (isIntrinsic(n) || own != nil && isIntrinsic(own)) {
			*child = c.fold(n)
		}
	}
	if !folds(node) {
		return node
	}
	program, err := compiler.Compile(&parser.Tree{Node: node}, c.config)
	if err != nil {
		return node
	}
	v, err := c.evaluation.run(program)
	if err != nil {
		return node
	}
	switch v.(type) {
	case string, bool, int, float64, time.Time, time.Duration, []string:
		return like(&ast.ConstantNode{Value: v}, node)
	default: // missing, or nothing that the language has a literal for
		return node
	}
}

// folds reports whether a node computes with constants only.
func folds(node ast.Node) bool {
	switch n := node.(type) {
	case *ast.CallNode:
		if asksTime(n) {
			return false
		}
		// filter makes no list that could stand for it, but with the intrinsic that makes one of texts of it.
		return all(n.Arguments, func(a ast.Node) bool { return isConstant(a) || isIntrinsic(n) && folds(a) })
	case *ast.BinaryNode, *ast.UnaryNode, *ast.ConditionalNode:
		for _, child := range children(node) {
			if !isConstant(*child) {
				return false
			}
		}
		return true
	case *ast.BuiltinNode:
		return all(n.Arguments, func(a ast.Node) bool {
			p, ok := a.(*ast.PredicateNode)
			return isConstant(a) || ok && isClosed(p.Node)
		})
	default:
		return false
	}
}

func all(nodes []ast.Node, is func(ast.Node) bool) bool {
	for _, n := range nodes {
		if !is(n) {
			return false
		}
	}
	return true
}

func isConstant(node ast.Node) bool {
	switch node.(type) {
	case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NilNode, *ast.ConstantNode:
		return true
	default:
		return false
	}
}

// isClosed reports whether a condition over a list looks at nothing but the items.
func isClosed(node ast.Node) bool {
	if asksTime(node) {
		return false
	}
	switch node.(type) {
	case *ast.IdentifierNode, *ast.VariableDeclaratorNode:
		return false
	}
	for _, child := range children(node) {
		if !isClosed(*child) {
			return false
		}
	}
	return true
}
