package rest

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// path leads to a value in a JSON document: names with dots between them, [0] for an element of a list, [name=value] for the
// one that has a member with this value. "." is the whole document.
type path []step

type step struct {
	name       string // of a member; empty for an element
	index      int
	key, value string // of the element that has this member
}

func parsePath(text string) (path, error) {
	if text == "." {
		return path{}, nil
	}
	var p path
	for rest := text; rest != ""; {
		switch {
		case rest[0] == '[':
			inside, after, closed := strings.Cut(rest[1:], "]")
			s := step{}
			if key, value, is := strings.Cut(inside, "="); is && key != "" && value != "" {
				s.key, s.value = key, value
			} else if n, err := strconv.Atoi(inside); err == nil && n >= 0 && n < 1000 {
				s.index = n
			} else {
				closed = false
			}
			if !closed || len(p) == 0 && after == "" && s.key == "" && inside == "" {
				return nil, fmt.Errorf("%q is no path: in brackets stands a number or NAME=VALUE", text)
			}
			p, rest = append(p, s), strings.TrimPrefix(after, ".")
		default:
			end := strings.IndexAny(rest, ".[")
			if end < 0 {
				end = len(rest)
			}
			if end == 0 {
				return nil, fmt.Errorf("%q is no path: a name is missing", text)
			}
			p = append(p, step{name: rest[:end]})
			rest = rest[end:]
			if after, dot := strings.CutPrefix(rest, "."); dot {
				if after == "" {
					return nil, fmt.Errorf("%q is no path: a name is missing", text)
				}
				rest = after
			}
		}
	}
	if len(p) == 0 {
		return nil, fmt.Errorf("the path is empty")
	}
	return p, nil
}

// get returns the value that a path leads to, and whether there is one.
func (p path) get(v any) (any, bool) {
	for _, s := range p {
		switch {
		case s.name != "":
			m, ok := v.(map[string]any)
			if !ok {
				return nil, false
			}
			if v, ok = m[s.name]; !ok {
				return nil, false
			}
		default:
			list, ok := v.([]any)
			i := s.of(list)
			if !ok || i < 0 {
				return nil, false
			}
			v = list[i]
		}
	}
	return v, true
}

// of returns which element of a list the step means; -1 for none.
func (s step) of(list []any) int {
	if s.key == "" {
		if s.index < len(list) {
			return s.index
		}
		return -1
	}
	for i, element := range list {
		if m, ok := element.(map[string]any); ok && textOf(m[s.key]) == s.value {
			return i
		}
	}
	return -1
}

// set returns the document with a value at the end of the path; what leads there is made.
func (p path) set(v, value any) any {
	if len(p) == 0 {
		return value
	}
	s, rest := p[0], p[1:]
	if s.name != "" {
		m, ok := v.(map[string]any)
		if !ok {
			m = map[string]any{}
		}
		m[s.name] = rest.set(m[s.name], value)
		return m
	}
	list, _ := v.([]any)
	i := s.of(list)
	if i < 0 && s.key != "" {
		list = append(list, map[string]any{s.key: plain(s.value)})
		i = len(list) - 1
	}
	for i < 0 {
		list = append(list, nil)
		i = s.of(list)
	}
	list[i] = rest.set(list[i], value)
	return list
}

// plain is a value as an id is written: digits are a number.
func plain(text string) any {
	if text != "" && len(text) < 16 && strings.Trim(text, "0123456789") == "" && (text[0] != '0' || text == "0") {
		return json.Number(text)
	}
	return text
}

// textOf is a JSON value as a text: of null and of what has members none, of a list its texts with commas between them.
func textOf(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case json.Number:
		return v.String()
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case []any:
		parts := make([]string, 0, len(v))
		for _, element := range v {
			if text := textOf(element); text != "" {
				parts = append(parts, text)
			}
		}
		return strings.Join(parts, ", ")
	default:
		return ""
	}
}

// textsOf are all texts in a value, at most as many as a human reads.
func textsOf(v any) []string {
	const most = 50
	var list []string
	var walk func(v any, depth int)
	walk = func(v any, depth int) {
		if len(list) == most || depth > 10 {
			return
		}
		switch v := v.(type) {
		case string:
			list = append(list, v)
		case []any:
			for _, element := range v {
				walk(element, depth+1)
			}
		case map[string]any:
			for _, key := range sortedKeys(v) {
				walk(v[key], depth+1)
			}
		}
	}
	walk(v, 0)
	return list
}

func copied(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(v))
		for k, x := range v {
			m[k] = copied(x)
		}
		return m
	case []any:
		list := make([]any, len(v))
		for i, x := range v {
			list[i] = copied(x)
		}
		return list
	default:
		return v
	}
}
