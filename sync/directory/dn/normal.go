package dn

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Form is how DNs are made comparable. Servers spell one DN in different ways in the entry and in the
// attributes that point to it, so every DN is brought to one form before it becomes a handle: case folded,
// no space around names and values, escapes only where they are needed, the parts of a many-valued RDN in order.
type Form struct {
	// SquashSpaces makes one space of several within a value, as caseIgnoreMatch does (RFC 4518 section 2.6.1).
	// OpenLDAP compares so and keeps the spelling; Active Directory does not.
	SquashSpaces bool
	// Compatible brings text that is not ASCII to one spelling, where the server compares so: NFKC for servers that prepare
	// values by RFC 4518 section 2.3. Nil leaves it as it is.
	Compatible func(string) string
}

// Append appends the normal form of a DN to buf. Two DNs have the same normal form when distinguishedNameMatch
// (RFC 4517 section 4.2.15) with caseIgnoreMatch for every value holds. A text that is not a DN is only folded.
func (f Form) Append(buf []byte, dn string) []byte {
	if out, ok := f.appendSimple(buf, dn); ok {
		return out
	}
	parsed, err := Parse(dn)
	if err != nil {
		// Of white space only what is no part of a DN either goes: without more of it this could be one.
		return AppendFolded(buf, strings.Trim(dn, " "))
	}
	for i, rdn := range parsed {
		if i > 0 {
			buf = append(buf, ',')
		}
		parts := make([]string, len(rdn))
		for j, a := range rdn {
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
func (f Form) appendSimple(buf []byte, dn string) ([]byte, bool) {
	inValue, start := false, len(buf) // start is where the current name or value begins in buf
	for i := range len(dn) {
		if c := plain[dn[i]]; c != 0 {
			buf = append(buf, c)
			continue
		}
		switch c := dn[i]; {
		case c == '=' && inValue:
			buf = append(buf, '=')
		case c == '=':
			if buf = trimSpace(buf, start); len(buf) == start {
				return buf, false
			}
			inValue = true
			buf = append(buf, '=')
			start = len(buf)
		case c == ',' && inValue:
			buf = append(trimSpace(buf, start), ',')
			inValue, start = false, len(buf)
		case c != ' ':
			return buf, false
		case len(buf) > start && (!f.SquashSpaces || !inValue || buf[len(buf)-1] != ' '):
			buf = append(buf, ' ')
		}
	}
	if !inValue {
		return buf, false
	}
	return trimSpace(buf, start), true
}

// plain has of each byte that stands for itself within names and values of a DN, wherever it is, its folded form; zero for all others.
var plain = func() (table [256]byte) {
	for c := byte('!'); c <= '~'; c++ {
		if strings.IndexByte(`\+;"<>#=,`, c) < 0 {
			table[c] = byte(fold(rune(c)))
		}
	}
	return table
}()

func trimSpace(buf []byte, start int) []byte {
	for len(buf) > start && buf[len(buf)-1] == ' ' {
		buf = buf[:len(buf)-1]
	}
	return buf
}

// appendValue appends a decoded attribute type or value, folded and escaped by RFC 4514 section 2.4.
func (f Form) appendValue(buf []byte, s string, isType bool) []byte {
	if f.Compatible != nil && !isType {
		s = f.Compatible(s)
	}
	if f.SquashSpaces && !isType {
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
