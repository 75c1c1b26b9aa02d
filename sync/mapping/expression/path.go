package expression

import (
	"bytes"
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
func dnPart(name, typ string, at int) string { return pick(dnParts(name, typ), at) }

func dnParts(name, typ string) (values []string) {
	for _, a := range dn.Attributes(name) {
		if strings.EqualFold(a.Type, typ) {
			values = append(values, a.Value)
		}
	}
	return values
}

// unit returns an organizational unit of a path, innermost first: of a DN its ou parts, of a path with slashes
// ("/Sites/London") its segments.
func unit(path string, at int) string {
	return pick(unitsOf(path), at)
}

func unitsOf(path string) []string {
	if !strings.HasPrefix(path, "/") {
		return dnParts(path, "ou")
	}
	var segments []string
	for s := range strings.SplitSeq(path, "/") {
		if s != "" {
			segments = append([]string{s}, segments...)
		}
	}
	return segments
}

// Units lists the organizational units of a path, innermost first: of a DN its ou parts, of a path with slashes its segments.
func Units(path string) []string { return unitsOf(path) }

// Under reports whether a path is that of a container or of something below it.
func Under(path, container string) bool {
	if strings.HasPrefix(container, "/") {
		path, container = strings.ToLower(strings.TrimRight(path, "/")), strings.ToLower(strings.TrimRight(container, "/"))
		rest, ok := strings.CutPrefix(path, container)
		return ok && (rest == "" && container != "" || strings.HasPrefix(rest, "/") || container == "" && path == "")
	}
	form := dn.Form{SquashSpaces: true}
	var space [256]byte
	inner := form.Append(space[:0], path)
	outer := form.Append(nil, container)
	if len(outer) == 0 || !bytes.HasSuffix(inner, outer) {
		return false
	}
	rest := inner[:len(inner)-len(outer)]
	// A comma that is escaped is part of a value.
	before, ok := bytes.CutSuffix(rest, []byte(","))
	return len(rest) == 0 || ok && (len(before)-len(bytes.TrimRight(before, `\`)))%2 == 0
}
