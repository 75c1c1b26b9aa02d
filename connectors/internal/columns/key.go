package columns

import (
	"strings"

	"dirsyncd/sync/directory"
)

// maxKey bounds a key in bytes: it is a part of other keys in the store and of names at targets.
const maxKey = 512

// ID returns the id of the row of a kind with a key: the kind's word, a colon and the parts of the key with slashes between. Ids are
// unique among all kinds, as the rows of several tables have the same numbers. It never changes for the same key.
func ID(kind directory.Kind, parts ...string) string {
	return string(appendID(nil, kind, parts))
}

func appendID(b []byte, kind directory.Kind, parts []string) []byte {
	b = append(append(b, kind.String()...), ':')
	for i, part := range parts {
		if i > 0 {
			b = append(b, '/')
		}
		if len(parts) == 1 {
			b = append(b, part...)
			continue
		}
		b = appendEscaped(b, part)
	}
	return b
}

// appendEscaped writes a part of a key of several so that no two keys are spelled alike.
func appendEscaped(b []byte, part string) []byte {
	if !strings.ContainsAny(part, "/%") {
		return append(b, part...)
	}
	for i := range len(part) {
		switch c := part[i]; c {
		case '/':
			b = append(b, "%2F"...)
		case '%':
			b = append(b, "%25"...)
		default:
			b = append(b, c)
		}
	}
	return b
}

// appendName writes the handle of an object that is named by a field: without case and with single blanks, as people type them.
func appendName(b []byte, kind directory.Kind, field, value string) []byte {
	b = append(append(b, kind.String()...), '.')
	b = append(append(b, field...), ':')
	blank := false
	for _, part := range strings.Fields(strings.ToLower(value)) {
		if blank {
			b = append(b, ' ')
		}
		b, blank = append(b, part...), true
	}
	return b
}
