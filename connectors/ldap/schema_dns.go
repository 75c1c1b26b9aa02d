package ldap

import (
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// linkAttributes lists the attributes of the server's schema whose values are DNs. Where it does not show its schema
// there are none.
func (r *reading) linkAttributes() ([]string, error) {
	if r.session.root.schema == "" {
		return nil, nil
	}
	// RFC 4512 section 4.2: attributes of the subschema entry must be asked for by name, and by this filter.
	entries, err := r.session.search(r.op+": read schema", ldap.NewSearchRequest(r.session.root.schema, ldap.ScopeBaseObject,
		ldap.NeverDerefAliases, 0, 0, false, "(objectClass=subschema)", []string{"attributeTypes"}, nil))
	if err != nil && !hidden(err) {
		return nil, err
	}
	var descriptions []string
	for _, e := range entries {
		descriptions = append(descriptions, e.GetEqualFoldAttributeValues("attributeTypes")...)
	}
	return linkNames(descriptions), nil
}

// linkNames lists the names of attribute types (RFC 4512 section 4.1.2) with the syntax DN, or Name And Optional UID
// (RFC 4517 sections 3.3.9 and 3.3.21), by themselves or by the type from which they are derived.
func linkNames(descriptions []string) (names []string) {
	type attribute struct {
		names      []string
		syntax, of string
	}
	all := make([]attribute, 0, len(descriptions))
	byName := make(map[string]int)
	for _, d := range descriptions {
		a := attribute{names: attributeNames(d), syntax: wordAfter(d, "SYNTAX"), of: strings.ToLower(wordAfter(d, "SUP"))}
		a.syntax, _, _ = strings.Cut(a.syntax, "{") // a length
		for _, name := range append(a.names, wordAfter(d, "(")) {
			byName[strings.ToLower(name)] = len(all)
		}
		all = append(all, a)
	}
	for _, a := range all {
		syntax, of := a.syntax, a.of
		for depth := 0; syntax == "" && of != "" && depth < 10; depth++ {
			i, ok := byName[of]
			if !ok {
				break
			}
			syntax, of = all[i].syntax, all[i].of
		}
		switch syntax {
		case "1.3.6.1.4.1.1466.115.121.1.12", "1.3.6.1.4.1.1466.115.121.1.34":
			names = append(names, a.names...)
		}
	}
	return names
}

// wordAfter returns what stands after a word of a description, without quotes; empty when the word is not there. A word within
// quotes (DESC) is none.
func wordAfter(description, word string) string {
	quoted := false
	fields := strings.Fields(description)
	for i, f := range fields[:max(0, len(fields)-1)] {
		if f == word && !quoted {
			return strings.Trim(fields[i+1], "'")
		}
		if strings.Count(f, "'")%2 == 1 {
			quoted = !quoted
		}
	}
	return ""
}
