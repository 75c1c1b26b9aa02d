package expression

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/types"
)

// The resolver makes table.roles one name, as it does with manager.email, whose type the checker knows as a map. The
// rewriter puts intrinsics in the place of what is looked up in it.

// has reports whether a word has parts because the operator defined some.
func (s *Surroundings) has(word string) bool {
	return word == tableWord && len(s.Tables) > 0 || word == choiceWord && len(s.Choices) > 0
}

// checked is the type of a table for the checker. That a key is a text or a list is left to the rewriter.
func (t *Table) checked() types.Type {
	if len(t.columns) == 1 {
		return types.TypeOf(map[any]string{})
	}
	return types.TypeOf(map[any]map[string]string{})
}

// lookup resolves table.roles[key] and table.tenants[key].customer. It reports false for everything else.
func (r *resolver) lookup(at *ast.Node, n *ast.MemberNode) bool {
	path := []*ast.MemberNode{n}
	for {
		inner, ok := unchained(path[0].Node).(*ast.MemberNode)
		if !ok {
			break
		}
		path = append([]*ast.MemberNode{inner}, path...)
	}
	if !r.isWord(unchained(path[0].Node), tableWord) {
		return false
	}
	last, isColumn := n.Property.(*ast.StringNode)
	switch {
	case len(path) == 1:
		if t := r.table(at, n); t != nil {
			r.report(n, "write "+(*at).String()+"[key]", "%s is no value by itself", (*at).String())
		}
		return true
	case len(path) > 3 || len(path) == 3 && !isColumn:
		return false // something is done with what is found
	}
	row := path[1]
	t := r.table(&row.Node, path[0])
	r.resolve(&row.Property)
	if t == nil {
		return true
	}
	if len(path) == 2 {
		if len(t.columns) > 1 {
			r.report(n, fmt.Sprintf("write %s.%s; it has %s", n, t.columns[0], inWords(t.columns)), "the column of table %s is missing", t.name)
		}
		return true
	}
	if !r.column(t, last, last.Value) {
		return true
	}
	n.Node = row // without a link of a chain
	if len(t.columns) == 1 {
		*at = row
	}
	return true
}

// isWord reports whether a node is a word that the operator did not give to a variable.
func (r *resolver) isWord(node ast.Node, word string) bool {
	id, ok := node.(*ast.IdentifierNode)
	return ok && id.Value == word && !slices.Contains(r.variables, word) && r.names.bindings[word].read == nil
}

func unchained(node ast.Node) ast.Node {
	if chain, ok := node.(*ast.ChainNode); ok {
		return chain.Node
	}
	return node
}

// table makes one name of table.NAME.
func (r *resolver) table(at *ast.Node, n *ast.MemberNode) *Table {
	name, ok := n.Property.(*ast.StringNode)
	if !ok {
		r.report(n, "write table.NAME[key]", "the name of a table must be a literal")
		return nil
	}
	t, ok := r.around.Tables[name.Value]
	if !ok {
		known := slices.Sorted(maps.Keys(r.around.Tables))
		hint := "the tables are " + inWords(known)
		if len(known) == 0 {
			hint = "`tables: {" + name.Value + ": {key: value}}` at the top of the configuration makes one"
		}
		r.report(n.Property, DidYouMean(name.Value, known, hint), "there is no table %s", name.Value)
		r.diagnostics[len(r.diagnostics)-1].Table = name.Value
		return nil
	}
	id := &ast.IdentifierNode{Value: tableWord + "." + t.name}
	id.SetLocation(n.Node.Location())
	r.tables[id.Value] = t
	*at = id
	return t
}

func (r *resolver) column(t *Table, at ast.Node, name string) bool {
	if slices.Contains(t.columns, name) {
		return true
	}
	if len(t.columns) == 1 && t.columns[0] == "" {
		r.report(at, "leave it away", "table %s has one column, without a name", t.name)
	} else {
		r.report(at, DidYouMean(name, t.columns, "it has "+inWords(t.columns)), "table %s has no column %s", t.name, name)
	}
	return false
}

// rowsOf resolves a call of lookup.
func (r *resolver) rowsOf(n *ast.CallNode) {
	signature := "write " + r.functions[lookupFunction].Signature
	if len(n.Arguments) < 2 || len(n.Arguments) > 3 {
		r.report(n, signature, "lookup takes a table, a list and the name of a column")
		return
	}
	for i := range n.Arguments[1:] {
		r.resolve(&n.Arguments[1+i])
	}
	m, ok := unchained(n.Arguments[0]).(*ast.MemberNode)
	if !ok || !r.isWord(unchained(m.Node), tableWord) {
		r.report(n.Arguments[0], "write lookup(table.NAME, …)", "this is no table")
		return
	}
	t := r.table(&n.Arguments[0], m)
	switch {
	case t == nil:
	case len(n.Arguments) == 2 && len(t.columns) > 1:
		r.report(n, fmt.Sprintf("write the name of one as text behind the list: %s", inWords(t.columns)), "the column of table %s is missing", t.name)
	case len(n.Arguments) == 3:
		name, ok := n.Arguments[2].(*ast.StringNode)
		if !ok {
			r.report(n.Arguments[2], signature, "the name of a column must be a literal")
			return
		}
		r.column(t, name, name.Value)
	}
}

// chosen resolves choice.NAME. It reports false for everything else.
func (r *resolver) chosen(at *ast.Node, n *ast.MemberNode) bool {
	if !r.isWord(unchained(n.Node), choiceWord) {
		return false
	}
	name, ok := n.Property.(*ast.StringNode)
	if !ok {
		r.report(n, "write choice.NAME", "the name of a choice must be a literal")
		return true
	}
	if !slices.Contains(r.around.Choices, name.Value) {
		hint := "the choices of this mapping are " + inWords(r.around.Choices)
		if len(r.around.Choices) == 0 {
			hint = "`choices: {" + name.Value + ": [{when: …, is: …}]}` in the mapping makes one"
		}
		r.report(n.Property, DidYouMean(name.Value, r.around.Choices, hint), "there is no choice %s", name.Value)
		r.diagnostics[len(r.diagnostics)-1].Choice = name.Value
		return true
	}
	c, err := r.around.Choice(name.Value)
	if err != nil {
		r.report(n, "", "choice.%s cannot be used: %v", name.Value, err)
		r.diagnostics[len(r.diagnostics)-1].Choice = name.Value
		return true
	}
	id := &ast.IdentifierNode{Value: choiceWord + "." + name.Value}
	id.SetLocation(n.Node.Location())
	r.used[id.Value] = binding{Name: Name{Name: id.Value, Type: c.Type, Help: "what the choice comes to"}, choice: c}
	*at = id
	return true
}

func inWords(names []string) string {
	const most = 12
	text := ""
	for i, name := range names[:min(len(names), most)] {
		if i > 0 {
			text += ", "
		}
		text += name
	}
	if len(names) > most {
		text += ", …"
	}
	return text
}

// lookup returns what stands in the place of table.roles[key] and table.tenants[key].customer, or nil.
func (w *rewriter) lookup(n *ast.MemberNode) ast.Node {
	row, name := n, ""
	if inner, ok := n.Node.(*ast.MemberNode); ok {
		column, ok := n.Property.(*ast.StringNode)
		if !ok {
			return nil
		}
		row, name = inner, column.Value
	}
	t := w.table(row.Node)
	if t == nil || (name == "") != (len(t.columns) == 1) {
		return nil
	}
	if k := kindOf(row.Property); k != textKind && k != listKind {
		w.report(row.Property, "look up a text or a list of texts", "the key of a table cannot be a "+string(k))
		return n
	}
	return intrinsic("__cell", n, columnOf(t, name, n), w.rewrite(row.Property, strict))
}

// rowsOf returns what stands in the place of a call of lookup.
func (w *rewriter) rowsOf(n *ast.CallNode) ast.Node {
	t, name := w.table(n.Arguments[0]), ""
	if len(n.Arguments) == 3 {
		name = n.Arguments[2].(*ast.StringNode).Value
	}
	if k := kindOf(n.Arguments[1]); k != listKind {
		hint := "write " + w.functions[lookupFunction].Signature
		if k == textKind {
			hint = "for one text write table." + t.name + "[key]"
		}
		w.report(n.Arguments[1], hint, "lookup cannot take a "+string(k))
		return n
	}
	found := intrinsic("__cells", n, columnOf(t, name, n), w.rewrite(n.Arguments[1], strict))
	if w.within > 0 {
		return intrinsic("__built", n, found)
	}
	return found
}

func (w *rewriter) table(node ast.Node) *Table {
	if id, ok := node.(*ast.IdentifierNode); ok {
		return w.tables[id.Value]
	}
	return nil
}

// columnOf returns a column of a table as a constant; "" is the only one.
func columnOf(t *Table, name string, at ast.Node) ast.Node {
	c := &ast.ConstantNode{Value: &column{t, max(slices.Index(t.columns, name), 0)}}
	c.SetLocation(at.Location())
	c.SetType(reflect.TypeFor[*column]())
	return c
}
