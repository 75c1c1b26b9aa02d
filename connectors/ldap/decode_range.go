package ldap

import (
	"strconv"
	"strings"
)

// valueRange is the part of a many-valued attribute that a server sent (MS-ADTS 3.1.1.3.1.3.3).
type valueRange struct {
	first int
	last  int  // of no meaning when final
	final bool // the part reaches to the end of the list
}

// splitRange takes an attribute description apart: "member;range=0-1499" is the part 0 to 1499 of member. A
// description without a range is whole. Other options stay with the name. ok is false for a malformed range.
func splitRange(description string) (name string, part valueRange, ranged, ok bool) {
	i := strings.IndexByte(description, ';')
	if i < 0 {
		return description, valueRange{}, false, true
	}
	options := strings.Split(description[i+1:], ";")
	name = description[:i]
	for _, o := range options {
		if len(o) < 6 || !strings.EqualFold(o[:6], "range=") {
			name += ";" + o
			continue
		}
		if ranged {
			return "", valueRange{}, true, false
		}
		ranged = true
		if part, ok = parseRange(o[6:]); !ok {
			return "", valueRange{}, true, false
		}
	}
	return name, part, ranged, true
}

func parseRange(s string) (valueRange, bool) {
	from, to, ok := strings.Cut(s, "-")
	first, good := index(from)
	if !ok || !good {
		return valueRange{}, false
	}
	if to == "*" {
		return valueRange{first: first, final: true}, true
	}
	last, good := index(to)
	return valueRange{first: first, last: last}, good && last >= first
}

func index(s string) (int, bool) {
	if s == "" || len(s) > 9 || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil
}
