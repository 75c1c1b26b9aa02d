package strict

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Kind is what a value of the document is.
type Kind uint8

// The kinds of value.
const (
	None Kind = iota // no value at all: the zero Value
	Null
	Text
	Bool
	Int
	Float
	List
	Block // keys and values
	Odd   // a value with a tag that means nothing here
)

var kindNames = [...]string{
	None: "nothing", Null: "nothing", Text: "text", Bool: "true or false", Int: "a whole number",
	Float: "a number with a fraction",
	List:  "a list", Block: "a block of keys", Odd: "a value with an unknown tag",
}

// String returns the kind as it reads after "expected" and "found".
func (k Kind) String() string { return kindNames[k] }

// Value is one value of a document, with the place and the name under which it stands. The zero Value is no
// value.
type Value struct {
	doc  *Document
	node *yaml.Node // never an alias
	key  *yaml.Node // nil for the root and for items of lists
	// scope names the nearest named thing around the value ("connection "hq""), path leads from there.
	scope, path string
}

// Document returns the document that the value stands in.
func (v Value) Document() *Document { return v.doc }

// Kind returns what the value is.
func (v Value) Kind() Kind {
	if v.node == nil {
		return None
	}
	switch v.node.Kind {
	case yaml.MappingNode:
		return collection(v.node, "!!map", Block)
	case yaml.SequenceNode:
		return collection(v.node, "!!seq", List)
	}
	switch v.node.ShortTag() {
	case "!!null":
		return Null
	case "!!bool":
		return Bool
	case "!!int":
		return Int
	case "!!float":
		return Float
	case "!!str", "!!timestamp", "!!merge":
		return Text
	}
	return Odd
}

func collection(n *yaml.Node, tag string, kind Kind) Kind {
	if t := n.ShortTag(); t != "" && t != tag {
		return Odd
	}
	return kind
}

// Pos returns where the value stands; for a value that is not written at all, where its key stands.
func (v Value) Pos() (line, column int) {
	switch {
	case v.node == nil:
		return 0, 0
	case v.key != nil && v.Kind() == Null:
		return v.key.Line, v.key.Column
	}
	return v.node.Line, v.node.Column
}

// KeyPos returns where the value's key stands, or the value when it has none.
func (v Value) KeyPos() (line, column int) {
	if v.key != nil {
		return v.key.Line, v.key.Column
	}
	return v.Pos()
}

// TextPos returns where the first character of a scalar's text stands: after the quote, or in the first line
// of a block of text.
func (v Value) TextPos() (line, column int) {
	line, column = v.Pos()
	if v.node == nil || v.node.Kind != yaml.ScalarNode {
		return line, column
	}
	switch style := v.node.Style; {
	case style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		text := v.doc.line(line + 1)
		return line + 1, len(text) - len(strings.TrimLeft(text, " ")) + 1
	case style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0:
		return line, column + 1
	}
	return line, column
}

// Literal returns a scalar as it is written, whatever its type.
func (v Value) Literal() string {
	if v.node == nil {
		return ""
	}
	return v.node.Value
}

// In returns the value as the beginning of a named part of the document, which later messages mention. A part
// within a part is named with it: "rule "guests" of mapping "staff"".
func (v Value) In(scope string) Value {
	if v.scope != "" {
		scope += " of " + v.scope
	}
	v.scope, v.path = scope, ""
	return v
}

// Label names the value in messages: "ldap.bind.user", or what it belongs to.
func (v Value) Label() string {
	switch {
	case v.path != "":
		return v.path
	case v.scope != "":
		return v.scope
	}
	return "the file"
}

// Where names the value as a place: ` in ldap.bind of connection "hq"`, or "" for the whole file.
func (v Value) Where() string {
	switch {
	case v.path == "" && v.scope == "":
		return ""
	case v.path == "":
		return " in " + v.scope
	case v.scope == "":
		return " in " + v.path
	}
	return " in " + v.path + " of " + v.scope
}

// Problem reports a problem of the value. The message does not name the value by itself.
func (v Value) Problem(hint, format string, args ...any) {
	line, column := v.Pos()
	v.doc.report(line, column, hint, format, args...)
}

// KeyProblem reports a problem at the value's key.
func (v Value) KeyProblem(hint, format string, args ...any) {
	line, column := v.KeyPos()
	v.doc.report(line, column, hint, format, args...)
}

// Warn reports something that is allowed but probably not meant.
func (v Value) Warn(hint, format string, args ...any) {
	line, column := v.Pos()
	v.doc.warnings = append(v.doc.warnings, Problem{Line: line, Column: column, Message: fmt.Sprintf(format, args...), Hint: hint})
}

// KeyWarn is Warn at the value's key.
func (v Value) KeyWarn(hint, format string, args ...any) {
	line, column := v.KeyPos()
	v.doc.warnings = append(v.doc.warnings, Problem{Line: line, Column: column, Message: fmt.Sprintf(format, args...), Hint: hint})
}

// Unseen reports that what the value stands for cannot be seen by this process: a problem, unless the document is read
// blind. elsewhere says that another process may see it.
func (v Value) Unseen(elsewhere bool, hint, format string, args ...any) {
	line, column := v.Pos()
	p := Problem{Line: line, Column: column, Message: fmt.Sprintf(format, args...), Hint: hint, Elsewhere: elsewhere}
	if v.doc.opts.Blind {
		v.doc.add(&v.doc.unseen, p)
		return
	}
	v.doc.add(&v.doc.problems, p)
}

// HasProblem reports whether a problem was reported for the value, its key or anything below it, or let pass.
func (v Value) HasProblem() bool {
	if v.doc == nil || len(v.doc.told) == 0 {
		return false
	}
	return v.key != nil && v.doc.told[[2]int{v.key.Line, v.key.Column}] || v.doc.anyTold(v.node)
}

// anyTold reports whether there is a problem at a node, or at one within it.
func (d *Document) anyTold(n *yaml.Node) bool {
	if n == nil {
		return false
	}
	return d.told[[2]int{n.Line, n.Column}] || slices.ContainsFunc(n.Content, func(child *yaml.Node) bool { return d.anyTold(resolve(child)) })
}

// Expect reports a problem unless the value is of the kind.
func (v Value) Expect(kind Kind) bool {
	if v.Kind() == kind {
		return true
	}
	v.wrongType(kind.String(), v.typeHint(kind))
	return false
}

func (v Value) wrongType(expected, hint string) {
	if v.Kind() == Null {
		v.Problem("give it a value or remove the key", "%s: a value is missing", v.Label())
		return
	}
	if v.Kind() == Odd {
		v.Problem("remove the tag", "%s: tag %s means nothing here", v.Label(), cut(v.node.Tag))
		return
	}
	v.Problem(hint, "%s: expected %s, found %s", v.Label(), expected, v.Kind())
}

func (v Value) typeHint(kind Kind) string {
	found := v.Kind()
	switch {
	case kind == Text && (found == Int || found == Float || found == Bool):
		return "put it in quotes"
	case kind == List && (found == Text || found == Int):
		return "put it in brackets: [ … ]"
	case kind == Bool && found == Text:
		return "write true or false, without quotes"
	case (kind == Int || kind == Float) && found == Text:
		return "write digits only, without quotes"
	}
	return ""
}

// Text returns the value's text and reports a problem when it is not a text.
func (v Value) Text() (string, bool) {
	if !v.Expect(Text) {
		return "", false
	}
	return v.node.Value, true
}

// Bool returns the truth value and reports a problem when it is not one.
func (v Value) Bool() (value, ok bool) {
	if !v.Expect(Bool) {
		return false, false
	}
	return strings.EqualFold(v.node.Value, "true"), true
}

// Int returns a whole number and reports a problem when it is not one. Only decimal digits are taken: what
// 010 means differs between versions of YAML.
func (v Value) Int() (int64, bool) {
	if v.Kind() != Float && !v.Expect(Int) {
		return 0, false
	}
	text := v.node.Value
	n, err := strconv.ParseInt(text, 10, 64)
	digits := strings.TrimLeft(text, "+-")
	if err != nil || len(digits) > 1 && digits[0] == '0' {
		v.Problem("", "%s: %s is not a whole number in decimal digits that fits", v.Label(), cut(text))
		return 0, false
	}
	return n, true
}

// Items returns the items of a list and reports a problem when the value is not a list.
func (v Value) Items() ([]Value, bool) {
	if !v.Expect(List) {
		return nil, false
	}
	items := make([]Value, len(v.node.Content))
	for i, n := range v.node.Content {
		items[i] = Value{doc: v.doc, node: resolve(n), scope: v.scope, path: v.path + "[" + strconv.Itoa(i) + "]"}
	}
	return items, true
}

func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode && n.Alias != nil {
		n = n.Alias
	}
	return n
}

// cut shortens a word of the document for a message.
func cut(word string) string {
	runes := []rune(word)
	if len(runes) > 60 {
		return string(runes[:60]) + "…"
	}
	return word
}
