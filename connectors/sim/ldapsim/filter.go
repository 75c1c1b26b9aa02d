package ldapsim

import (
	"strings"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// truth is what a filter says of an entry (RFC 4511, 4.5.1.7): what is not known is neither yes nor no, and
// neither is its opposite.
type truth int

const (
	no truth = iota
	unknown
	yes
)

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

// match evaluates a filter. Extensible matches are unknown, as for a server that lacks the matching rule.
func match(e *entry, filter *ber.Packet) truth {
	switch filter.Tag {
	case ldap.FilterAnd:
		all := yes
		for _, part := range filter.Children {
			all = min(all, match(e, part))
		}
		return all
	case ldap.FilterOr:
		some := no
		for _, part := range filter.Children {
			some = max(some, match(e, part))
		}
		return some
	case ldap.FilterNot:
		if part := child(filter, 0); part != nil {
			return yes - match(e, part)
		}
		return unknown
	case ldap.FilterPresent:
		return truthOf(len(e.values(text(filter))) > 0)
	case ldap.FilterSubstrings:
		return matchSubstrings(e, filter)
	default:
		return matchAssertion(e, filter)
	}
}

// matchAssertion compares an attribute with one value.
func matchAssertion(e *entry, filter *ber.Packet) truth {
	name, asserted := text(child(filter, 0)), text(child(filter, 1))
	var holds func(v string) bool
	switch filter.Tag {
	case ldap.FilterEqualityMatch, ldap.FilterApproxMatch:
		asserted = folded(name, asserted)
		holds = func(v string) bool { return folded(name, v) == asserted }
	case ldap.FilterGreaterOrEqual:
		holds = func(v string) bool { return v >= asserted }
	case ldap.FilterLessOrEqual:
		holds = func(v string) bool { return v <= asserted }
	default:
		return unknown
	}
	for _, v := range e.values(name) {
		if holds(v) {
			return yes
		}
	}
	return no
}

// folded brings a value into the form in which the attribute's values are compared.
func folded(name, value string) string {
	switch strings.ToLower(name) {
	case "member", "manager":
		return parseKey(value)
	default:
		return strings.ToLower(strings.TrimSpace(value))
	}
}

func matchSubstrings(e *entry, filter *ber.Packet) truth {
	for _, v := range e.values(text(child(filter, 0))) {
		if hasParts(strings.ToLower(v), children(child(filter, 1))) {
			return yes
		}
	}
	return no
}

// hasParts reports whether the parts of a substring assertion are in a value, one after the other.
func hasParts(v string, parts []*ber.Packet) bool {
	for _, part := range parts {
		want := strings.ToLower(text(part))
		at := strings.Index(v, want)
		switch {
		case part.Tag == ldap.FilterSubstringsFinal:
			if !strings.HasSuffix(v, want) {
				return false
			}
			at = len(v) - len(want)
		case at < 0, part.Tag == ldap.FilterSubstringsInitial && at > 0:
			return false
		}
		v = v[at+len(want):]
	}
	return true
}
