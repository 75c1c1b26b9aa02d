package expression

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// textsOf returns a list of texts in the one form in which functions know it.
func textsOf(v any) ([]string, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case []string:
		return v, nil
	case []any:
		list := make([]string, len(v))
		for i, item := range v {
			s, ok := item.(string)
			if !ok && item != nil {
				return nil, refuse("an item of a list is no text", "turn it into one: string(…)")
			}
			list[i] = s
		}
		return list, nil
	default:
		return nil, refuse(fmt.Sprintf("%T is no list of texts", v), "")
	}
}

func onTexts(do func(list []string) any) func(args ...any) (any, error) {
	return func(args ...any) (any, error) {
		list, err := textsOf(args[0])
		if err != nil {
			return nil, err
		}
		return do(list), nil
	}
}

func joinTexts(args ...any) (any, error) {
	list, err := textsOf(args[0])
	if err != nil {
		return nil, err
	}
	separator := ""
	if len(args) > 1 {
		separator = args[1].(string)
	}
	size := len(separator) * len(list)
	for _, s := range list {
		size += len(s)
	}
	if size > maxText {
		return nil, errTooLong
	}
	return strings.Join(list, separator), nil
}

func sortedTexts(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}

func uniqueTexts(list []string) []string {
	seen := make(map[string]struct{}, len(list))
	unique := make([]string, 0, len(list))
	for _, s := range list {
		if _, ok := seen[s]; !ok {
			seen[s] = struct{}{}
			unique = append(unique, s)
		}
	}
	return unique
}

func concatTexts(args ...any) (any, error) {
	var all []string
	for _, arg := range args {
		list, err := textsOf(arg)
		if err != nil {
			return nil, err
		}
		if len(all)+len(list) > maxItems {
			return nil, errTooMany
		}
		all = append(all, list...)
	}
	return all, nil
}

// sliceOf is value[from:to] by letters or items, either of which may be nil. Bounds beyond the end are the end.
func sliceOf(v, from, to any) any {
	if text, ok := v.(string); ok {
		low, high := bounds(utf8.RuneCountInString(text), from, to)
		return string([]rune(text)[low:high])
	}
	list, err := textsOf(v)
	if err != nil {
		panic(err)
	}
	low, high := bounds(len(list), from, to)
	return list[low:high]
}

func bounds(length int, from, to any) (low, high int) {
	high = length
	if n, ok := to.(int); ok {
		high = clampIndex(n, length)
	}
	if n, ok := from.(int); ok {
		low = clampIndex(n, length)
	}
	return min(low, high), high
}

func clampIndex(n, length int) int {
	if n < 0 {
		n += length
	}
	return max(0, min(n, length))
}
