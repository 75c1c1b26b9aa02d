package googlesim

import "strings"

// mask is a parsed `fields` parameter; nil takes everything.
type mask map[string]mask

// parseMask reads "kind,users(id,name(givenName))" and "users/id".
func parseMask(text string) mask {
	m, _ := parseMaskList(text)
	return m
}

func parseMaskList(text string) (mask, string) {
	m := mask{}
	for text != "" {
		i := strings.IndexAny(text, ",()/")
		if i < 0 {
			m[text] = nil
			return m, ""
		}
		name, sign := text[:i], text[i]
		text = text[i+1:]
		switch sign {
		case '(':
			m[name], text = parseMaskList(text)
			text = strings.TrimPrefix(text, ",")
		case '/':
			end := strings.IndexAny(text, ",)")
			if end < 0 {
				end = len(text)
			}
			m[name] = mask{text[:end]: nil}
			text = strings.TrimPrefix(text[end:], ",")
		default:
			if name != "" {
				m[name] = nil
			}
			if sign == ')' {
				return m, text
			}
		}
	}
	return m, ""
}

// apply returns what a mask lets through.
func (m mask) apply(v any) any {
	if len(m) == 0 {
		return v
	}
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(m))
		for name, inner := range m {
			if got, ok := v[name]; ok {
				out[name] = inner.apply(got)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = m.apply(v[i])
		}
		return out
	}
	return v
}
