package expression

import (
	"slices"
	"strings"
)

// intrinsics are the functions that the rewriter puts into expressions; operators cannot call them. Their Go types
// are among those that the virtual machine calls without reflection. A panic with an error of refuse is how they fail.
var intrinsics = map[string]any{
	"__known":   knownValue,
	"__present": presentValue,
	"__blank":   isBlank,
	"__in":      isIn,
	"__add":     addTexts,
	"__sum":     sumTexts,
	"__item":    itemOf,
	"__text":    textOrBlank,
	"__texts":   textsOrPanic,
	"__slice":   sliceArguments,
	reachedName: func(at, shift any) any { return false }, // each evaluation has its own
	"__cell":    cell,
	"__cells":   cells,
	// These two count, see effort; each evaluation has its own.
	"__step":  func(v, weight any) any { return v },
	"__built": func(v any) any { return v },
}

func knownValue(v, name any) any {
	if v == nil {
		panic(notTold(name.(string)))
	}
	return v
}

// presentValue turns what is blank into nil, for ??.
func presentValue(v any) any {
	if isBlank(v) {
		return nil
	}
	return v
}

func isBlank(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []string:
		return len(v) == 0
	case []any:
		return len(v) == 0
	default:
		return false
	}
}

func isIn(item, list any) bool {
	text, ok := item.(string)
	if !ok {
		return false
	}
	switch list := list.(type) {
	case []string:
		return slices.Contains(list, text)
	case []any:
		return slices.Contains(list, item)
	default:
		return false
	}
}

func addTexts(a, b any) string {
	x, y := textOrBlank(a), textOrBlank(b)
	if len(x)+len(y) > maxText {
		panic(errTooLong)
	}
	return x + y
}

func sumTexts(parts ...any) any {
	size := 0
	for _, p := range parts {
		size += len(textOrBlank(p))
	}
	if size > maxText {
		panic(errTooLong)
	}
	var sum strings.Builder
	sum.Grow(size)
	for _, p := range parts {
		sum.WriteString(textOrBlank(p))
	}
	return sum.String()
}

// itemOf is list[at]; an item that does not exist is blank.
func itemOf(list, at any) string {
	texts, err := textsOf(list)
	if err != nil {
		panic(err)
	}
	n, _ := at.(int)
	return pick(texts, n)
}

func textOrBlank(v any) string {
	s, _ := v.(string)
	return s
}

func textsOrPanic(v any) any {
	texts, err := textsOf(v)
	if err != nil {
		panic(err)
	}
	return texts
}

func sliceArguments(args ...any) any { return sliceOf(args[0], args[1], args[2]) }
