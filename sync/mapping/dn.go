package mapping

import (
	"encoding/hex"
	"strings"
)

// attributePair is one type and value of a distinguished name, the value without its escapes.
type attributePair struct{ typ, value string }

// parseDN takes a distinguished name apart (RFC 4514), innermost part first. It is lenient: a part without "="
// is skipped. Parts that are joined by "+" count as parts of their own.
func parseDN(dn string) []attributePair {
	var pairs []attributePair
	for dn != "" {
		var part string
		part, dn = cutDN(dn)
		typ, value, ok := strings.Cut(part, "=")
		if !ok {
			continue
		}
		pairs = append(pairs, attributePair{strings.TrimSpace(typ), unescapeDN(value)})
	}
	return pairs
}

// cutDN returns the part before the first separator that is neither escaped nor quoted, and the rest after it.
func cutDN(dn string) (part, rest string) {
	quoted := false
	for i := 0; i < len(dn); i++ {
		switch c := dn[i]; {
		case c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ',' || c == ';' || c == '+'):
			return dn[:i], dn[i+1:]
		}
	}
	return dn, ""
}

func unescapeDN(value string) string {
	value = strings.TrimLeft(value, " ")
	if trimmed := strings.TrimRight(value, " "); !strings.HasSuffix(trimmed, `\`) {
		value = trimmed
	}
	if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
		value = value[1 : len(value)-1]
	}
	if !strings.Contains(value, `\`) {
		return value
	}
	var out strings.Builder
	for i := 0; i < len(value); i++ {
		if value[i] != '\\' || i+1 == len(value) {
			out.WriteByte(value[i])
			continue
		}
		if b, err := hex.DecodeString(value[i+1 : min(i+3, len(value))]); err == nil && len(b) == 1 {
			out.WriteByte(b[0])
			i += 2
			continue
		}
		i++
		out.WriteByte(value[i])
	}
	return out.String()
}

// pick returns an item of a list: from the front for 0, 1, …, from the back for -1, -2, …; "" if there is
// none.
func pick(list []string, at int) string {
	if at < 0 {
		at += len(list)
	}
	if at < 0 || at >= len(list) {
		return ""
	}
	return list[at]
}

// dnPart returns a part of a distinguished name: dnPart("ou=a,ou=b,dc=c", "ou", 1) is "b".
func dnPart(dn, typ string, at int) string {
	var values []string
	for _, p := range parseDN(dn) {
		if strings.EqualFold(p.typ, typ) {
			values = append(values, p.value)
		}
	}
	return pick(values, at)
}

// unit returns an organizational unit of a path, innermost first: of a DN its ou parts, of a path with slashes
// ("/Sites/London") its segments.
func unit(path string, at int) string {
	if !strings.HasPrefix(path, "/") {
		return dnPart(path, "ou", at)
	}
	var segments []string
	for s := range strings.SplitSeq(path, "/") {
		if s != "" {
			segments = append([]string{s}, segments...)
		}
	}
	return pick(segments, at)
}
