package ldap

import (
	"fmt"
	"slices"
	"testing"

	"dirsyncd/connectors/ldap/slapdtest"
)

// TestMembersOutside: a full read of groups tells how many members are outside of what is read, and nothing when none is.
func TestMembersOutside(t *testing.T) {
	s := slapdtest.Start(t, slapdtest.Options{})
	ann := s.AddPerson("ann", nil)
	inner := "cn=inner,ou=services," + s.Suffix
	s.Add(inner, map[string][]string{"objectClass": {"groupOfNames"}, "cn": {"inner"}, "member": {ann}})
	s.AddGroup("vpn", inner, ann)
	s.AddGroup("wifi", "UID=Nobody, ou=Services,"+s.Suffix, inner)
	s.AddGroup("dummy", "")
	for name, c := range map[string]struct {
		change func(*Config)
		want   []string
	}{
		"outside": {func(c *Config) { c.Base = Names{"ou=people," + s.Suffix, "ou=groups," + s.Suffix} },
			[]string{"3 members of 2 groups are outside of what is read: neither they count nor, if it is a group, who is in it; `dirsyncd check --probe` names some"}},
		"all is read": {nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			f := follow(t, openFor(t, s, c.change), streamGroups)
			if !slices.Equal(f.notes, c.want) {
				t.Errorf("notes %q, want %q", f.notes, c.want)
			}
			if people := follow(t, openFor(t, s, c.change), streamUsers); len(people.notes) > 0 {
				t.Errorf("people: %q", people.notes)
			}
		})
	}
	var none *outside
	if none.count([]string{"dn:cn=x"}); none.notes() != nil {
		t.Error(fmt.Sprint("nobody asks, and is told: ", none.notes()))
	}
}
