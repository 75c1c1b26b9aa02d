package scim

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// attribute is the place of one value in a resource (RFC 7644 section 3.10): "title", "name.givenName", "emails[work]" for the
// element of a type, "URN:department" for one of an extension.
type attribute struct {
	schema string // URN of an extension; empty: the resource's own
	name   string
	sub    string // of a complex attribute
	typ    string // of an element of a multi-valued one, whose value is meant
}

func parseAttribute(text string) (attribute, error) {
	var a attribute
	if i := strings.LastIndexByte(text, ':'); i >= 0 {
		a.schema, text = text[:i], text[i+1:]
		if !strings.HasPrefix(strings.ToLower(a.schema), "urn:") {
			return a, errors.New("a schema must be a URN")
		}
	}
	if name, rest, found := strings.Cut(text, "["); found {
		typ, ok := strings.CutSuffix(rest, "]")
		if !ok || !isName(typ) {
			return a, errors.New("the type in brackets must be a word")
		}
		a.typ, text = typ, name
	} else if name, sub, found := strings.Cut(text, "."); found {
		a.sub, text = sub, name
		if !isName(sub) {
			return a, errors.New("is not the name of an attribute")
		}
	}
	a.name = text
	if !isName(text) {
		return a, errors.New("is not the name of an attribute")
	}
	if slices.Contains([]string{"id", "meta", "schemas", "active", "userName", "externalId", "password", "members", "groups"}, text) && a.schema == "" {
		return a, fmt.Errorf("%s is none that a field can fill", text)
	}
	return a, nil
}

// isName reports whether a text is an attribute's name (RFC 7643 section 2.1).
func isName(s string) bool {
	for i, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || !(r >= '0' && r <= '9' || r == '-' || r == '_' || r == '$')) {
			return false
		}
	}
	return s != ""
}

// path is the attribute as a PATCH names it. Of a multi-valued one it is the whole: services differ in what they do to one
// element of it that is not there.
func (a attribute) path() string {
	path := a.name
	if a.sub != "" {
		path += "." + a.sub
	}
	if a.schema != "" {
		return a.schema + ":" + path
	}
	return path
}

// resource is a resource as JSON, numbers as json.Number. Names of attributes are not sensitive to case (RFC 7643 section 2.1).
type resource map[string]any

// at returns the value under a name, and the name as it is spelt there.
func (r resource) at(name string) (value any, spelt string) {
	if v, ok := r[name]; ok {
		return v, name
	}
	for key, v := range r {
		if strings.EqualFold(key, name) {
			return v, key
		}
	}
	return nil, name
}

// in is the part of the resource that holds attributes of a schema; nil when there is none.
func (r resource) in(schema string) resource {
	if schema == "" {
		return r
	}
	part, _ := r.at(schema)
	m, _ := part.(map[string]any)
	return m
}

func (r resource) text(name string) string {
	v, _ := r.at(name)
	return textOf(v)
}

// textOf is a simple value as text. A complex one is its own "value", as of enterprise:manager.
func textOf(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return fmt.Sprint(v)
	case map[string]any:
		return resource(v).text("value")
	default:
		return ""
	}
}

// flag reads a boolean; some services write it as a text.
func (r resource) flag(name string) (value, known bool) {
	v, _ := r.at(name)
	switch v := v.(type) {
	case bool:
		return v, true
	case string:
		return strings.EqualFold(v, "true"), strings.EqualFold(v, "true") || strings.EqualFold(v, "false")
	default:
		return false, false
	}
}

// get is the value of an attribute; "" when there is none.
func (r resource) get(a attribute) string {
	part := r.in(a.schema)
	v, _ := part.at(a.name)
	switch {
	case a.sub != "":
		m, _ := v.(map[string]any)
		return resource(m).text(a.sub)
	case a.typ != "":
		list, _ := v.([]any)
		if i := ofType(list, a.typ); i >= 0 {
			return textOf(list[i])
		}
		return ""
	default:
		return textOf(v)
	}
}

// set gives an attribute a value, or takes it away with "". What stands beside it stays.
func (r resource) set(a attribute, value string) {
	part := r
	if a.schema != "" {
		old, key := r.at(a.schema)
		m, ok := old.(map[string]any)
		if !ok {
			m = map[string]any{}
			r[key] = m
		}
		part = m
	}
	old, key := part.at(a.name)
	switch {
	case a.sub != "":
		m, ok := old.(map[string]any)
		if !ok {
			m = map[string]any{}
		}
		_, sub := resource(m).at(a.sub)
		put(m, sub, value)
		part[key] = m
	case a.typ != "":
		list, _ := old.([]any)
		part[key] = withType(list, a.typ, value)
	default:
		put(part, key, value)
	}
}

func put(m map[string]any, key, value string) {
	if value == "" {
		delete(m, key)
		return
	}
	m[key] = value
}

// ofType is the place of the first element of a type, or -1.
func ofType(list []any, typ string) int {
	return slices.IndexFunc(list, func(v any) bool {
		m, _ := v.(map[string]any)
		return strings.EqualFold(resource(m).text("type"), typ)
	})
}

// withType returns a list in which the element of a type has a value, or is not there for "". The first element of a list
// is its primary one; no other is made so (RFC 7643 section 2.4: at most one).
func withType(list []any, typ, value string) []any {
	out := slices.Clone(list)
	i := ofType(out, typ)
	switch {
	case value == "" && i >= 0:
		return slices.Delete(out, i, i+1)
	case value == "":
		return out
	case i >= 0:
		m, _ := out[i].(map[string]any)
		changed := make(map[string]any, len(m))
		for k, v := range m {
			if !strings.EqualFold(k, "display") { // made of the value by the service
				changed[k] = v
			}
		}
		_, key := resource(changed).at("value")
		changed[key] = value
		out[i] = changed
		return out
	default:
		element := map[string]any{"type": typ, "value": value}
		if len(out) == 0 {
			element["primary"] = true
		}
		return append(out, element)
	}
}
