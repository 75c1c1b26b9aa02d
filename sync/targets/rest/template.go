package rest

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// placeholder is {NAME} or {NAME:number}. Other braces are texts.
var placeholder = regexp.MustCompile(`\{([a-z]+(?:\.[a-z_]+)?)(:number)?\}`)

// values are what placeholders stand for. What stands for one is not looked through for others.
type values map[string]string

// errEmpty: an address without its id would mean something else, often everything.
var errEmpty = errors.New("a value that the request needs is empty")

func (v values) fill(text string, escape func(string) string) (string, error) {
	var failed error
	out := placeholder.ReplaceAllStringFunc(text, func(found string) string {
		name := placeholder.FindStringSubmatch(found)[1]
		value := v[name]
		if value == "" {
			failed = fmt.Errorf("%w: {%s}", errEmpty, name)
		}
		return escape(value)
	})
	return out, failed
}

// address fills the placeholders of a path and its query.
func (v values) address(text string) (string, error) {
	before, query, has := strings.Cut(text, "?")
	out, err := v.fill(before, pathEscape)
	if err != nil || !has {
		return out, err
	}
	query, err = v.fill(query, url.QueryEscape)
	return out + "?" + query, err
}

// pathEscape is url.PathEscape for one segment that is never "." or "..", which would lead elsewhere.
func pathEscape(text string) string {
	if text == "." || text == ".." {
		return strings.ReplaceAll(text, ".", "%2E")
	}
	return url.PathEscape(text)
}

// body fills the placeholders of a body. "{members}" alone is the list of all members.
func (v values) body(of any, members []string) (any, error) {
	switch of := of.(type) {
	case string:
		if m := placeholder.FindStringSubmatch(of); m != nil && m[0] == of {
			if m[1] == "members" {
				list := make([]any, len(members))
				for i, id := range members {
					list[i] = numbered(id, m[2])
				}
				return list, nil
			}
			if v[m[1]] == "" {
				return nil, fmt.Errorf("%w: {%s}", errEmpty, m[1])
			}
			return numbered(v[m[1]], m[2]), nil
		}
		return v.fill(of, func(s string) string { return s })
	case map[string]any:
		out := make(map[string]any, len(of))
		for _, key := range sortedKeys(of) {
			x, err := v.body(of[key], members)
			if err != nil {
				return nil, err
			}
			name, err := v.fill(key, func(s string) string { return s })
			if err != nil {
				return nil, err
			}
			out[name] = x
		}
		return out, nil
	case []any:
		out := make([]any, len(of))
		for i := range of {
			x, err := v.body(of[i], members)
			if err != nil {
				return nil, err
			}
			out[i] = x
		}
		return out, nil
	default:
		return of, nil
	}
}

func numbered(text, as string) any {
	if as != "" {
		return plain(text)
	}
	return text
}

// names are the placeholders in a request's texts.
func names(of any) (list []string) {
	switch of := of.(type) {
	case string:
		for _, m := range placeholder.FindAllStringSubmatch(of, -1) {
			list = append(list, m[1])
		}
	case map[string]any:
		for _, key := range sortedKeys(of) {
			list = append(append(list, names(key)...), names(of[key])...)
		}
	case []any:
		for _, x := range of {
			list = append(list, names(x)...)
		}
	}
	return list
}

// named puts the operator's names in place of {names.…}; missing says that he did not give one.
func (v values) named(text string) (out string, missing bool) {
	out = placeholder.ReplaceAllStringFunc(text, func(found string) string {
		name, is := strings.CutPrefix(placeholder.FindStringSubmatch(found)[1], "names.")
		if !is {
			return found
		}
		if v[name] == "" {
			missing = true
		}
		return v[name]
	})
	return out, missing
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
