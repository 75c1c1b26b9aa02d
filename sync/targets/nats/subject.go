package nats

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"

	"dirsyncd/sync/directory"
)

// subjectOf is where an action is published: PREFIX.KIND.CONNECTION.KEY, so that a consumer can choose. A key can hold what
// subjects cannot: blanks, dots, * and >. It stands there as a digest; the event has the key itself.
func subjectOf(prefix string, a *directory.Action) string {
	sum := sha256.Sum256([]byte(a.Record))
	return prefix + "." + a.Kind.String() + "." + token(a.Origin.Connection) + "." + short(sum[:20])
}

func short(b []byte) string {
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b))
}

// token is a word that can stand in a subject: the text itself if it can.
func token(text string) string {
	if plainToken(text) {
		return text
	}
	sum := sha256.Sum256([]byte(text))
	return "_" + short(sum[:10])
}

func plainToken(text string) bool {
	for _, r := range text {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_'
		if !letter {
			return false
		}
	}
	return text != ""
}

func plainSubject(text string) bool {
	for part := range strings.SplitSeq(text, ".") {
		if !plainToken(part) {
			return false
		}
	}
	return true
}

// covers reports whether a subject of a stream, with its wildcards, takes everything below a prefix.
func covers(subject, prefix string) bool {
	have, want := strings.Split(subject, "."), append(strings.Split(prefix, "."), "*", "*", "*")
	for i, part := range have {
		switch {
		case part == ">":
			return i < len(want)
		case i >= len(want), part != "*" && part != want[i]:
			return false
		}
	}
	return len(have) == len(want)
}
