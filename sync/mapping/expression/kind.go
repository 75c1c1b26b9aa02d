package expression

import (
	"reflect"
	"time"

	"github.com/expr-lang/expr/ast"

	"dirsyncd/sync/directory"
)

// kind is the type of an expression in the operator's words.
type kind string

const (
	unknownKind  kind = "value of several types"
	nothingKind  kind = "nil"
	textKind     kind = "text"
	truthKind    kind = "truth value"
	numberKind   kind = "whole number"
	fractionKind kind = "fraction"
	timeKind     kind = "time"
	spanKind     kind = "length of time"
	listKind     kind = "list of texts"
	otherList    kind = "list"
)

// TypeWord returns a type as problems and the reference spell it.
func TypeWord(t directory.ValueType) string {
	switch t {
	case directory.TextType:
		return string(textKind)
	case directory.BoolType:
		return string(truthKind)
	case directory.NumberType:
		return string(numberKind)
	case directory.TimeType:
		return string(timeKind)
	case directory.ListType:
		return string(listKind)
	default:
		return string(nothingKind)
	}
}

// goType is the type with which expressions see a name.
func goType(t directory.ValueType) reflect.Type {
	switch t {
	case directory.BoolType:
		return reflect.TypeFor[bool]()
	case directory.TimeType:
		return reflect.TypeFor[time.Time]()
	case directory.ListType:
		return reflect.TypeFor[[]string]()
	case directory.NumberType:
		return reflect.TypeFor[int]()
	default:
		return reflect.TypeFor[string]()
	}
}

// typeOf returns the type of the values of a kind; NullType of those that are always blank, or none that a field can hold.
func typeOf(k kind) directory.ValueType {
	switch k {
	case textKind:
		return directory.TextType
	case truthKind:
		return directory.BoolType
	case numberKind:
		return directory.NumberType
	case timeKind:
		return directory.TimeType
	case listKind:
		return directory.ListType
	default:
		return directory.NullType
	}
}

// kindOf returns the kind of a checked node.
func kindOf(node ast.Node) kind {
	n := node.Nature()
	switch {
	case n.Nil:
		return nothingKind
	case n.Type == nil:
		return unknownKind
	case n.Type == reflect.TypeFor[time.Time]():
		return timeKind
	case n.Type == reflect.TypeFor[time.Duration]():
		return spanKind
	case n.IsInteger:
		return numberKind
	case n.IsFloat:
		return fractionKind
	}
	switch n.Kind {
	case reflect.String:
		return textKind
	case reflect.Bool:
		return truthKind
	case reflect.Slice:
		if isTexts(node) || n.Ref != nil && n.Ref.Kind == reflect.String {
			return listKind
		}
		return otherList
	default:
		return unknownKind
	}
}

// isTexts reports whether a node is a list of texts in the form that lists of a source have.
func isTexts(node ast.Node) bool { return node.Type() == reflect.TypeFor[[]string]() }

// nullable reports whether values of the kind can be missing at run time. A missing text is "", a missing list
// is empty; for the others there is no value that could stand for "not told".
func (k kind) nullable() bool { return k != textKind && k != listKind }

// fits reports whether a field can hold values of the kind.
func (k kind) fits() bool {
	switch k {
	case nothingKind, textKind, truthKind, numberKind, timeKind, listKind:
		return true
	default:
		return false
	}
}
