package expression

import (
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// maxNesting is how deep conditions over lists may stand in each other: the work grows with the power.
const maxNesting = 2

// resolver finds every name of an expression, replaces names with parts (manager.email) by plain ones, and
// refuses what the expression language has and rules must not use.
type resolver struct {
	names       *Names
	functions   map[string]function
	around      *Surroundings
	used        map[string]binding
	tables      map[string]*Table // by the name that the checker knows: table.roles
	diagnostics []Diagnostic

	variables []string
	nesting   int
	// dashed is set to the right of "attributes.x -", where an unknown name is likely the rest of x.
	dashed string
}

func (r *resolver) report(node ast.Node, hint, format string, args ...any) {
	r.diagnostics = append(r.diagnostics, Diagnostic{At: node.Location().From, Message: fmt.Sprintf(format, args...), Hint: hint})
}

func (r *resolver) resolve(at *ast.Node) {
	switch n := (*at).(type) {
	case *ast.IdentifierNode:
		r.identifier(n)
	case *ast.MemberNode:
		r.member(at, n)
	case *ast.ChainNode:
		r.resolve(&n.Node)
		*at = n.Node
	case *ast.CallNode:
		r.call(n)
	case *ast.BuiltinNode:
		r.builtin(n)
	case *ast.BinaryNode:
		r.binary(n)
	case *ast.VariableDeclaratorNode:
		r.variable(n)
	case *ast.MapNode:
		r.report(n, "make it a table: `tables: {NAME: {key: value}}` at the top of the configuration, and table.NAME[key] here",
			"a map cannot be used in a rule")
	case *ast.BytesNode:
		r.report(n, "write a text", "bytes cannot be used in a rule")
	case *ast.SequenceNode:
		r.report(n, "", `an expression has one value: ";" may only follow "let"`)
	case *ast.PointerNode:
		if n.Name != "" && n.Name != "index" {
			r.report(n, "write # for the item", "unknown name #%s", n.Name)
		}
	default:
		for _, child := range children(*at) {
			r.resolve(child)
		}
	}
}

func (r *resolver) identifier(n *ast.IdentifierNode) {
	name := n.Value
	if slices.Contains(r.variables, name) {
		return
	}
	if s, ok := r.names.lookup(name); ok && !strings.Contains(name, ".") {
		r.used[name] = s
		return
	}
	if r.names.HasParts(name) || r.around.has(name) {
		r.report(n, partHint(name), "%s is no value by itself", name)
		return
	}
	if f, ok := r.functions[name]; ok {
		r.report(n, "write "+f.Signature, "%s is a function", name)
		return
	}
	hint := ""
	if slices.Contains(r.names.bases, Attributes) {
		hint = `an attribute under the source's own name is written attributes.` + name
	}
	if slices.Contains(r.names.bases, Claims) {
		hint = `what the provider says is written claims.` + name + ` (a list) or claim.` + name + `; nothing of a directory can be asked here`
	}
	if strings.HasPrefix(name, "$") || strings.HasPrefix(name, "_") {
		hint = ""
	}
	if r.dashed != "" {
		word := Attributes
		if slices.Contains(r.names.bases, Claims) {
			word = Claims
		}
		hint = `a name with a dash is written ` + word + `["` + r.dashed + "-" + name + `"]`
	} else {
		hint = DidYouMean(name, r.candidates(), hint)
	}
	r.report(n, hint, "unknown name %s: no %s has it", name, r.names.noun)
}

func partHint(name string) string {
	switch name {
	case Manager:
		return "write manager.name, or manager.id != nil to ask whether there is one"
	case Owner, Customer, Site:
		return "write " + name + ".name, or " + name + ".id != nil to ask whether there is one"
	case tableWord:
		return "write table.NAME[key]"
	case choiceWord:
		return "write choice.NAME"
	case Tenant:
		return "write tenant.name, tenant.id, tenant.domain or tenant.domains"
	case Claims, Claim:
		return "write " + name + ".NAME with the provider's own name"
	default:
		return "write " + name + ".NAME with the source's own name"
	}
}

// candidates are the words that may have been meant by an unknown one.
func (r *resolver) candidates() []string {
	words := append(slices.Clone(r.variables), r.names.Words()...)
	for _, word := range []string{tableWord, choiceWord} {
		if r.around.has(word) {
			words = append(words, word)
		}
	}
	return words
}

// member replaces manager.email, tenant.id, attributes.x and attributes["x"] by one identifier. Every other
// member is an item of a list, or a mistake.
func (r *resolver) member(at *ast.Node, n *ast.MemberNode) {
	if r.lookup(at, n) || r.chosen(at, n) {
		return
	}
	property, named := n.Property.(*ast.StringNode)
	base, ok := n.Node.(*ast.IdentifierNode)
	if ok && r.names.HasParts(base.Value) && !slices.Contains(r.variables, base.Value) {
		if !named {
			r.report(n, `write it as text: `+base.Value+`["name"]`, "the name of a part of %s must be a literal", base.Value)
			return
		}
		r.part(at, n, base.Value, property.Value)
		return
	}
	if named {
		hint := ""
		if _, ok := n.Node.(*ast.PointerNode); ok {
			hint = "write # for the item"
		}
		if base, ok := n.Node.(*ast.IdentifierNode); ok {
			hint = DidYouMean(base.Value, r.names.bases, hint)
		}
		r.resolve(&n.Node)
		r.report(n, hint, "nothing has a part .%s here", property.Value)
		return
	}
	r.resolve(&n.Node)
	r.resolve(&n.Property)
}

func (r *resolver) part(at *ast.Node, n *ast.MemberNode, base, property string) {
	name := base + "." + property
	s, ok := r.names.lookup(name)
	if !ok {
		parts := r.names.PartsOf(base)
		hint := "it has " + strings.Join(parts, ", ")
		if best := suggest(property, parts); best != "" {
			hint = `did you mean "` + base + "." + best + `"?`
		} else if kind := KindOf(base); kind != 0 {
			hint = "it has the names of a " + kind.String() + " that are one text, truth value or time"
		}
		r.report(n.Property, hint, "unknown name %s", name)
		return
	}
	r.used[name] = s
	ast.Patch(at, &ast.IdentifierNode{Value: name})
	(*at).SetLocation(n.Node.Location())
}

func (r *resolver) call(n *ast.CallNode) {
	if callee, ok := n.Callee.(*ast.IdentifierNode); ok && callee.Value == lookupFunction {
		r.rowsOf(n)
		return
	}
	for i := range n.Arguments {
		r.resolve(&n.Arguments[i])
	}
	callee, ok := n.Callee.(*ast.IdentifierNode)
	if !ok {
		r.report(n.Callee, "", "this is not a function")
		return
	}
	if _, ok := r.functions[callee.Value]; !ok {
		r.unknownFunction(n, callee.Value)
	}
}

func (r *resolver) builtin(n *ast.BuiltinNode) {
	if _, ok := r.functions[n.Name]; !ok {
		r.unknownFunction(n, n.Name)
	}
	for i := range n.Arguments {
		if _, ok := n.Arguments[i].(*ast.PredicateNode); !ok {
			r.resolve(&n.Arguments[i])
			continue
		}
		r.nesting++
		if r.nesting == maxNesting+1 {
			r.report(n, "compute the inner list once with let", "conditions over lists may stand %d deep", maxNesting)
		}
		r.resolve(&n.Arguments[i])
		r.nesting--
	}
}

func (r *resolver) unknownFunction(n ast.Node, name string) {
	switch {
	case name == "now":
		r.report(n, `ask how long ago something is: older_than(created, "90d"); or how soon: due_within(expires, "14d"), past(expires)`,
			"there is no now(): when an answer about time changes must be known beforehand")
		return
	case r.names.HasParts(name), r.names.bindings[name].read != nil:
		r.report(n, "write it without brackets", "%s is no function", name)
		return
	}
	var names []string
	for f := range r.functions {
		names = append(names, f)
	}
	slices.Sort(names)
	r.report(n, DidYouMean(name, names, "the functions are "+strings.Join(names, ", ")), "unknown function %s", name)
}

func (r *resolver) binary(n *ast.BinaryNode) {
	r.resolve(&n.Left)
	switch n.Operator {
	case "..":
		r.report(n, "", "a range of numbers cannot be used in a rule")
	case "matches":
		if _, ok := n.Right.(*ast.StringNode); !ok {
			r.report(n, "for a fixed part of a text use contains", "the pattern of matches must be a literal text")
		}
	}
	outer := r.dashed
	if n.Operator == "-" {
		r.dashed = dashedName(n.Left)
	}
	r.resolve(&n.Right)
	r.dashed = outer
}

// dashedName returns x of an expression that is attributes.x, or attributes.x followed by dashes and names.
func dashedName(node ast.Node) string {
	switch n := node.(type) {
	case *ast.IdentifierNode:
		for _, part := range []string{Attributes, AttributeValues, Claims, Claim} {
			if rest, ok := strings.CutPrefix(n.Value, part+"."); ok {
				return rest
			}
		}
	case *ast.BinaryNode:
		left, right := dashedName(n.Left), ""
		if id, ok := n.Right.(*ast.IdentifierNode); ok {
			right = id.Value
		}
		if n.Operator == "-" && left != "" && right != "" {
			return left + "-" + right
		}
	}
	return ""
}

func (r *resolver) variable(n *ast.VariableDeclaratorNode) {
	_, isFunction := r.functions[n.Name]
	_, isName := r.names.lookup(n.Name)
	// Rules may have called a variable so before these words had parts.
	later := n.Name == Customer || n.Name == Site || n.Name == tableWord || n.Name == choiceWord
	if isFunction || isName || r.names.HasParts(n.Name) && !later || strings.HasPrefix(n.Name, "_") ||
		strings.HasPrefix(n.Name, "$") || slices.Contains(r.variables, n.Name) {
		r.report(n, "choose another name", "the variable cannot be called %s", n.Name)
	}
	r.resolve(&n.Value)
	r.variables = append(r.variables, n.Name)
	r.resolve(&n.Expr)
	r.variables = r.variables[:len(r.variables)-1]
}

// children returns the places of the nodes below a node; the callee of a call is not one of them.
func children(node ast.Node) []*ast.Node {
	switch n := node.(type) {
	case *ast.UnaryNode:
		return []*ast.Node{&n.Node}
	case *ast.BinaryNode:
		return []*ast.Node{&n.Left, &n.Right}
	case *ast.MemberNode:
		return []*ast.Node{&n.Node, &n.Property}
	case *ast.SliceNode:
		places := []*ast.Node{&n.Node}
		if n.From != nil {
			places = append(places, &n.From)
		}
		if n.To != nil {
			places = append(places, &n.To)
		}
		return places
	case *ast.CallNode:
		return each(n.Arguments)
	case *ast.BuiltinNode:
		return each(n.Arguments)
	case *ast.PredicateNode:
		return []*ast.Node{&n.Node}
	case *ast.VariableDeclaratorNode:
		return []*ast.Node{&n.Value, &n.Expr}
	case *ast.ConditionalNode:
		return []*ast.Node{&n.Cond, &n.Exp1, &n.Exp2}
	case *ast.ArrayNode:
		return each(n.Nodes)
	default:
		return nil
	}
}

func each(nodes []ast.Node) []*ast.Node {
	places := make([]*ast.Node, len(nodes))
	for i := range nodes {
		places[i] = &nodes[i]
	}
	return places
}
