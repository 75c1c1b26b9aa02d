package ldap

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-ldap/ldap/v3"
)

// dnForm is how DNs are made comparable. Servers spell one DN in different ways in the entry and in the
// attributes that point to it, so every DN is brought to one form before it becomes a handle: case folded,
// no space around names and values, escapes only where they are needed, the parts of a many-valued RDN in order.
type dnForm struct {
	// squash makes one space of several within a value, as caseIgnoreMatch does (RFC 4518 section 2.6.1).
	// OpenLDAP compares so and keeps the spelling; Active Directory does not.
	squash bool
}

// append appends the normal form of a DN to buf. Two DNs have the same normal form when distinguishedNameMatch
// (RFC 4517 section 4.2.15) with caseIgnoreMatch for every value holds. A text that is not a DN is only folded.
func (f dnForm) append(buf []byte, dn string) []byte {
	if out, ok := f.appendSimple(buf, dn); ok {
		return out
	}
	parsed, err := ldap.ParseDN(dn)
	if err != nil {
		// Of white space only what is no part of a DN either goes: without more of it this could be one.
		return appendFolded(buf, strings.Trim(dn, " "))
	}
	for i, rdn := range parsed.RDNs {
		if i > 0 {
			buf = append(buf, ',')
		}
		parts := make([]string, len(rdn.Attributes))
		for j, a := range rdn.Attributes {
			part := f.appendValue(nil, a.Type, true)
			parts[j] = string(f.appendValue(append(part, '='), a.Value, false))
		}
		slices.Sort(parts)
		buf = append(buf, strings.Join(parts, "+")...)
	}
	return buf
}

// appendSimple handles what nearly all DNs are: printable ASCII without anything that could be an escape. It
// reports false, and leaves buf as it was, for all others.
func (f dnForm) appendSimple(buf []byte, dn string) ([]byte, bool) {
	inValue, start := false, len(buf) // start is where the current name or value begins in buf
	for i := range len(dn) {
		c := dn[i]
		switch {
		case c < ' ' || c > '~' || strings.IndexByte("\\+;\"<>#", c) >= 0:
			return buf, false
		case c == '=' && !inValue:
			if buf = trimSpace(buf, start); len(buf) == start {
				return buf, false
			}
			inValue = true
			buf = append(buf, '=')
			start = len(buf)
		case c == ',':
			if !inValue {
				return buf, false
			}
			buf = append(trimSpace(buf, start), ',')
			inValue, start = false, len(buf)
		case c == ' ' && (len(buf) == start || f.squash && inValue && buf[len(buf)-1] == ' '):
		case 'A' <= c && c <= 'Z':
			buf = append(buf, c+'a'-'A')
		default:
			buf = append(buf, c)
		}
	}
	if !inValue {
		return buf, false
	}
	return trimSpace(buf, start), true
}

func trimSpace(buf []byte, start int) []byte {
	for len(buf) > start && buf[len(buf)-1] == ' ' {
		buf = buf[:len(buf)-1]
	}
	return buf
}

// appendValue appends a decoded attribute type or value, folded and escaped by RFC 4514 section 2.4.
func (f dnForm) appendValue(buf []byte, s string, isType bool) []byte {
	if f.squash && !isType {
		s = squashSpaces(s)
	}
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1, r < ' ', r == 0x7f:
			const hex = "0123456789abcdef"
			buf = append(buf, '\\', hex[s[i]>>4], hex[s[i]&15])
		case strings.ContainsRune(`"+,;<>\`, r), r == '=' && isType,
			i == 0 && (r == ' ' || r == '#'), i == len(s)-1 && r == ' ':
			buf = append(buf, '\\', byte(r))
		default:
			buf = utf8.AppendRune(buf, fold(r))
		}
		i += size
	}
	return buf
}

func squashSpaces(s string) string {
	if !strings.Contains(s, "  ") {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		if s[i] != ' ' || i == 0 || s[i-1] != ' ' {
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// fold maps all letters that differ only in case to one of them, in the sense of strings.EqualFold: to the small
// letter of the first of them, where that is one of them.
func fold(r rune) rune {
	if r < utf8.RuneSelf {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}
	least := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		least = min(least, next)
	}
	small := unicode.ToLower(least)
	for next := unicode.SimpleFold(least); next != least; next = unicode.SimpleFold(next) {
		if next == small {
			return small
		}
	}
	return least
}

// appendFolded appends a text in which letters that differ only in case are the same.
func appendFolded(buf []byte, s string) []byte {
	for _, r := range s {
		buf = utf8.AppendRune(buf, fold(r))
	}
	return buf
}

// parentDN returns the DN without its first RDN, as spelled; empty when there is no more.
func parentDN(dn string) string {
	for i := 0; i < len(dn); i++ {
		switch dn[i] {
		case '\\':
			i++
		case ',', ';':
			return strings.TrimLeft(dn[i+1:], " ")
		}
	}
	return ""
}

// stripUID removes the optional unique identifier of a Name And Optional UID value (RFC 4517 section 3.3.21):
// cn=x,dc=y#'0101'B names cn=x,dc=y.
func stripUID(value string) string {
	if !strings.HasSuffix(value, "'B") {
		return value
	}
	i := strings.LastIndex(value, "#'")
	if i < 0 || strings.Trim(value[i+2:len(value)-2], "01") != "" {
		return value
	}
	return value[:i]
}
