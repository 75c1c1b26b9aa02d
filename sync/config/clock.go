package config

import (
	"fmt"
	"strings"
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/settings"
	"dirsyncd/sync/settings/strict"
)

// objectKind is the word of a kind of object.
type objectKind directory.Kind

// UnmarshalText implements encoding.TextUnmarshaler.
func (k *objectKind) UnmarshalText(text []byte) error {
	kind, known := kindOf(string(text))
	if !known {
		return fmt.Errorf("is not a kind of object; write %s", strings.Join(objectWords(), ", "))
	}
	*k = objectKind(kind)
	return nil
}

func kindOf(word string) (directory.Kind, bool) {
	for _, kind := range directory.Kinds() {
		if kind.String() == word {
			return kind, true
		}
	}
	return 0, false
}

func objectWords() (words []string) {
	for _, kind := range directory.Kinds() {
		words = append(words, kind.String())
	}
	return words
}

// readEvery reads how often the schedule asks for some kinds of object.
func readEvery(v strict.Value, written map[string]settings.Duration) map[directory.Kind]time.Duration {
	if v.Kind() != strict.Block {
		return nil
	}
	every := map[directory.Kind]time.Duration{}
	entries, _ := v.Entries()
	for _, e := range entries {
		kind, known := kindOf(e.Key)
		switch span := written[e.Key].Std(); {
		case !known:
			v.UnknownKey(e, objectWords())
		case span <= 0 && !e.Value.HasProblem():
			e.Value.Problem("leave it out to read them with every run", "%s: it is not more than nothing", e.Value.Label())
		default:
			every[kind] = span
		}
	}
	return every
}
