// Package dn reads distinguished names in their text form (RFC 4514) and makes them comparable. All functions
// are pure and may be called from many goroutines.
package dn

import (
	"errors"
	"strings"
)

// Name is a distinguished name, innermost part first.
type Name []RDN

// RDN is one part of a Name: one attribute, or several that are joined by "+".
type RDN []Attribute

// Attribute is a type and its value, both without escapes and without the spaces around them. A value is not
// always UTF-8: escapes spell any byte.
type Attribute struct{ Type, Value string }

var errNotDN = errors.New("not a distinguished name")

// Parse reads a distinguished name strictly by RFC 4514, and takes ";" between parts as RFC 2253 did. Nothing but
// white space is the empty name.
func Parse(text string) (Name, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	var name Name
	var rdn RDN
	for more := true; more; {
		var p part
		p, text, more = next(text)
		typ, validType := decode(p.typ)
		value, validValue := decodeValue(p.value)
		if p.typ == "" || !validType || !validValue {
			return nil, errNotDN
		}
		rdn = append(rdn, Attribute{typ, value})
		if p.end != '+' {
			name, rdn = append(name, rdn), nil
		}
	}
	return name, nil
}

// Attributes reads whatever looks like a distinguished name, attribute by attribute, innermost first. A part
// without type is left out, a value may stand in quotes (RFC 1779), and what is no escape stands for itself. Of
// a text that Parse takes it returns the same attributes.
func Attributes(text string) []Attribute {
	var all []Attribute
	for more := text != ""; more; {
		var p part
		p, text, more = next(text)
		if p.typ != "" {
			typ, _ := decode(p.typ)
			value, _ := decodeValue(p.value)
			all = append(all, Attribute{typ, value})
		}
	}
	return all
}

// Parent returns the name without its first part, as spelled; empty when there is no more.
func Parent(text string) string {
	for more := true; more; {
		var p part
		if p, text, more = next(text); p.end != '+' {
			break
		}
	}
	return strings.TrimLeft(text, " ")
}

// StripUID removes the optional unique identifier of a Name And Optional UID value (RFC 4517 section 3.3.21):
// cn=x,dc=y#'0101'B names cn=x,dc=y.
func StripUID(value string) string {
	if !strings.HasSuffix(value, "'B") {
		return value
	}
	i := strings.LastIndex(value, "#'")
	if i < 0 || strings.Trim(value[i+2:len(value)-2], "01") != "" {
		return value
	}
	return value[:i]
}

// part is the text up to a separator. typ is empty when it has no "=" behind a type.
type part struct {
	typ, value string
	end        byte // the separator: ',', ';' or '+'; 0 at the end of the text
}

// next cuts the first part off a text. Separators that are escaped, or within a value in quotes, do not count.
func next(text string) (p part, rest string, more bool) {
	start := 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '\\':
			i++
		case '=':
			if p.typ != "" {
				continue
			}
			p.typ = trim(text[start:i])
			start = i + 1
			i += quoted(text[start:])
		case ',', ';', '+':
			p.value, p.end = text[start:i], c
			return p, text[i+1:], true
		}
	}
	p.value = text[start:]
	return p, "", false
}

// quoted returns how long a value in quotes is, with the spaces before it; 0 when the value begins with none or
// the second quote is missing.
func quoted(text string) int {
	begin := len(text) - len(strings.TrimLeft(text, " "))
	if begin == len(text) || text[begin] != '"' {
		return 0
	}
	for i := begin + 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return 0
}
