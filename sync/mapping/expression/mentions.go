package expression

import "github.com/expr-lang/expr/ast"

// Mention is a text with which an expression compares something that it reads, such as the name of a group. What no object
// has makes the comparison pointless: it may be misspelt.
type Mention struct {
	// Name is what is read: groups, licences, path, tenant.id.
	Name string
	// Part says what of it: "" for it as it is, "ou" for one of its organizational units, "under" for a container above it.
	Part string
	Text string
	// Table is set, and Text is not, where it is looked up in a table.
	Table *Table
}

// Mentions lists what the expression compares what it reads with, as far as it stands there in texts.
func (x *Expression) Mentions() []Mention { return x.mentions }

// mentionsIn finds the mentions of a resolved expression.
func mentionsIn(node ast.Node, r *resolver) (found []Mention) {
	add := func(subject, text ast.Node) {
		name, part := subjectOf(subject)
		if name == "" || r.used[name].read == nil {
			return
		}
		switch text := text.(type) {
		case *ast.StringNode:
			found = append(found, Mention{Name: name, Part: part, Text: text.Value})
		case *ast.ConstantNode:
			if list, ok := text.Value.([]string); ok {
				for _, item := range list {
					found = append(found, Mention{Name: name, Part: part, Text: item})
				}
			}
		}
	}
	switch n := node.(type) {
	case *ast.BinaryNode:
		switch n.Operator {
		case "==", "!=":
			add(n.Left, n.Right)
			add(n.Right, n.Left)
		case "in":
			add(n.Left, n.Right)
			add(n.Right, n.Left)
		}
	case *ast.BuiltinNode:
		// any(groups, # == "x"), any(groups, # in ["x", "y"]) and their like.
		if len(n.Arguments) == 2 {
			if p, ok := n.Arguments[1].(*ast.PredicateNode); ok {
				if b, ok := p.Node.(*ast.BinaryNode); ok && (b.Operator == "==" || b.Operator == "in") {
					if _, ok := b.Left.(*ast.PointerNode); ok {
						add(n.Arguments[0], b.Right)
					}
				}
			}
		}
	case *ast.CallNode:
		callee, ok := n.Callee.(*ast.IdentifierNode)
		switch {
		case !ok || len(n.Arguments) < 2:
		case callee.Value == "under":
			if id, ok := n.Arguments[0].(*ast.IdentifierNode); ok && r.used[id.Value].read != nil {
				if text, ok := n.Arguments[1].(*ast.StringNode); ok {
					found = append(found, Mention{Name: id.Value, Part: "under", Text: text.Value})
				}
			}
		case callee.Value == lookupFunction:
			found = appendLookup(found, n.Arguments[0], n.Arguments[1], r)
		}
	case *ast.MemberNode:
		found = appendLookup(found, n.Node, n.Property, r)
	}
	for _, child := range children(node) {
		found = append(found, mentionsIn(*child, r)...)
	}
	return found
}

func appendLookup(found []Mention, table, key ast.Node, r *resolver) []Mention {
	id, ok := table.(*ast.IdentifierNode)
	if !ok || r.tables[id.Value] == nil {
		return found
	}
	name, part := subjectOf(key)
	if name == "" || r.used[name].read == nil {
		return append(found, Mention{Table: r.tables[id.Value]})
	}
	return append(found, Mention{Name: name, Part: part, Table: r.tables[id.Value]})
}

// subjectOf returns what is compared, and which part of it.
func subjectOf(node ast.Node) (name, part string) {
	switch n := node.(type) {
	case *ast.IdentifierNode:
		return n.Value, ""
	case *ast.CallNode:
		callee, ok := n.Callee.(*ast.IdentifierNode)
		if ok && callee.Value == "ou" && len(n.Arguments) > 0 {
			if id, ok := n.Arguments[0].(*ast.IdentifierNode); ok {
				return id.Value, "ou"
			}
		}
	}
	return "", ""
}
