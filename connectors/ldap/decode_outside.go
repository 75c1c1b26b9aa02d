package ldap

import (
	"fmt"
	"slices"
	"strings"
)

// outside counts members of groups that are outside of what is read: they do not count and, if one is a group, nor does
// who is in it. A nil one does not count.
type outside struct {
	read            []searchSet
	members, groups int
}

// count looks at the members of one group.
func (o *outside) count(handles []string) {
	if o == nil {
		return
	}
	before := o.members
	for _, h := range handles {
		if name, ok := strings.CutPrefix(h, dnHandle); ok && !slices.ContainsFunc(o.read, func(s searchSet) bool { return s.has(name) }) {
			o.members++
		}
	}
	if o.members > before {
		o.groups++
	}
}

// total is how many there were.
func (o *outside) total() int {
	if o == nil {
		return 0
	}
	return o.members
}

// notes tells of them without naming any.
func (o *outside) notes() []string {
	if o == nil || o.members == 0 {
		return nil
	}
	text := "1 member of a group is outside"
	if o.members > 1 {
		text = fmt.Sprintf("%d members of %d groups are outside", o.members, o.groups)
	}
	return []string{text + " of what is read: neither they count nor, if it is a group, who is in it; `dirsyncd check --probe` names some"}
}
