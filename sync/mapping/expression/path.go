package expression

import (
	"strings"

	"dirsyncd/sync/directory/dn"
)

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
func dnPart(name, typ string, at int) string {
	var values []string
	for _, a := range dn.Attributes(name) {
		if strings.EqualFold(a.Type, typ) {
			values = append(values, a.Value)
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
