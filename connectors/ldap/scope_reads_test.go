package ldap

import (
	"slices"
	"strings"
	"testing"

	"dirsyncd/sync/directory"
)

// What the proofs say is read differs with everything that changes what objects look like or what they are known by.
func TestSaysWhatIsRead(t *testing.T) {
	of := func(p preset, edit func(*Config)) []string {
		cfg := Defaults()
		edit(cfg)
		return says(directory.Person, p, cfg, p.anchor)
	}
	usual := of(openLDAP(), func(*Config) {})
	for _, want := range []string{"id: entryUUID", "department: departmentNumber, department, ou", "manager: manager", "enabled: preset openldap"} {
		if !slices.Contains(usual, want) {
			t.Errorf("%q is missing from %q", want, usual)
		}
	}
	for name, other := range map[string][]string{
		"preset":    of(activeDirectory(), func(*Config) {}),
		"attribute": of(openLDAP(), func(c *Config) { c.Attributes = []Attribute{{Name: "desk"}} }),
		"content":   of(openLDAP(), func(c *Config) { c.Attributes = []Attribute{{Name: "desk", Content: true}} }),
		"field":     of(openLDAP(), func(c *Config) { c.Fields = map[string]Names{"department": {"ou"}} }),
		"state":     of(openLDAP(), func(c *Config) { c.Fields = map[string]Names{"enabled": {"active"}} }),
		"manager":   of(openLDAP(), func(c *Config) { c.Fields = map[string]Names{"manager": {}} }),
	} {
		if slices.Equal(other, usual) || !slices.IsSorted(other) {
			t.Errorf("%s: %q", name, other)
		}
	}
	if groups := says(directory.Group, openLDAP(), Defaults(), "entryUUID"); !strings.Contains(strings.Join(groups, "; "), "members: member, uniqueMember, memberUid") {
		t.Errorf("groups: %q", groups)
	}
}
