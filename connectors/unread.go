package connectors

import (
	"slices"
	"strings"

	"dirsyncd/sync/directory"
)

// Selective is a configuration (Factory.NewConfig) that decides what is read, so that rules which look at something else
// can be refused before they take its absence for an answer. Every connector's is one.
type Selective interface {
	// Unread reports whether the configuration has nothing read that rules for objects of a kind find under a name, and
	// says what to write to change that. The name is a common field, "groups", "licences", "manager", "owner", an
	// attribute ("attributes.costCentre"), or empty for objects of the kind as such. It does no I/O.
	Unread(kind directory.Kind, name string) (hint string, unread bool)
}

// UnreadAttribute is the answer of Selective.Unread for an attribute of which the configuration has a list, under a key;
// any other name is read. Names of attributes are told apart by case, as rules do.
func UnreadAttribute(key string, list []string, name string) (hint string, unread bool) {
	attribute, ok := strings.CutPrefix(name, directory.AttributePrefix)
	if !ok || slices.Contains(list, attribute) {
		return "", false
	}
	for _, known := range list {
		if strings.EqualFold(known, attribute) {
			return "write it as the configuration does: " + directory.AttributePrefix + known, true
		}
	}
	return "add " + attribute + " to " + key, true
}
