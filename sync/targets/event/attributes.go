package event

import (
	"maps"
	"slices"
	"strings"

	"dirsyncd/sync/settings"
)

// Attributes are context attributes that every event of a target gets beside its own (CloudEvents 1.0.2, Extension Context
// Attributes). Their values are texts.
type Attributes map[string]string

// Validate reports names that CloudEvents does not allow, or that are taken.
func (a Attributes) Validate(report settings.Reporter) {
	for _, name := range slices.Sorted(maps.Keys(a)) {
		path := "attributes." + name
		switch {
		case !allowed(name):
			report(path, "write letters a to z in lower case and digits, 20 at most, such as environment", "is not the name of an attribute")
		case slices.Contains([]string{"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "data"}, name):
			report(path, "choose another name", "is an attribute that every event has")
		case strings.ContainsFunc(a[name], func(r rune) bool { return r < ' ' || r == 0x7f }):
			report(path, "remove it", "holds a control character")
		}
	}
}

func allowed(name string) bool {
	for _, r := range name {
		if !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9') {
			return false
		}
	}
	return name != "" && len(name) <= 20
}

// Extra is how the attributes stand in an event.
func (a Attributes) Extra() []byte {
	var buf []byte
	for _, name := range slices.Sorted(maps.Keys(a)) {
		buf = append(buf, `,"`+name+`":`...)
		buf = appendString(buf, a[name])
	}
	return buf
}
