package ldap

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"dirsyncd/sync/directory"
)

// extend spells a DN as the extended DN control does.
func extend(i int, dn string) string {
	return fmt.Sprintf("<GUID=%s>;<SID=S-1-5-21-1-2-3-%d>;%s", strings.ToUpper(fakeGUIDText(i)), 1000+i, dn)
}

// fakeExtended is a domain whose server has the extended DN control, and sends every DN so.
func fakeExtended() *fakeDirectory {
	d := fakeAD()
	d.root["supportedControl"] = append(d.root["supportedControl"], controlExtendedDN)
	for i := range d.entries {
		d.entries[i].dn = "<GUID=00000000-0000-0000-0000-000000000000>;" + d.entries[i].dn
	}
	return d
}

func TestExtendedDN(t *testing.T) {
	for dn, want := range map[string][2]string{
		"CN=a,DC=b": {"CN=a,DC=b", ""},
		"<GUID=00112233-4455-6677-8899-AABBCCDDEEFF>;CN=a,DC=b":              {"CN=a,DC=b", "00112233-4455-6677-8899-aabbccddeeff"},
		"<GUID=00112233-4455-6677-8899-aabbccddeeff>;<SID=S-1-5-1>;CN=<x>;y": {"CN=<x>;y", "00112233-4455-6677-8899-aabbccddeeff"},
		"<GUID=33221100554477668899aabbccddeeff>;CN=a":                       {"CN=a", ""},
		"<GUID=": {"<GUID=", ""},
		"":       {"", ""},
	} {
		guid, _ := linkedGUID(dn)
		if plain := plainDN(dn); plain != want[0] || guid != want[1] {
			t.Errorf("%q is %q with GUID %q, want %q", dn, plain, guid, want)
		}
	}
}

// TestExtendedLinks: links are by GUID, what is shown is without it, and values that are no DNs stay as they are.
func TestExtendedLinks(t *testing.T) {
	d := fakeExtended()
	d.user(1)["manager"] = []string{extend(2, fakeUserDN(2))}
	d.user(1)["department"] = []string{"<GUID=is a joke>"}
	d.group(1)["member"] = []string{extend(3, fakeUserDN(3)), fakeUserDN(4)}
	c := newFakeServer(t, d).open(t, func(c *Config) { c.Attributes = attributesNamed("manager") })
	users, groups := readAll(t.Context(), c, streamUsers, nil).must(t), readAll(t.Context(), c, streamGroups, nil).must(t)
	o := users.objects[fakeGUIDText(1)]
	if want := (directory.Link{Type: directory.Manager, To: "id:" + fakeGUIDText(2)}); !slices.Contains(o.Links, want) {
		t.Errorf("links %v, want %v", o.Links, want)
	}
	if !slices.Equal(o.Handles, []string{"dn:cn=user\\, 1,ou=staff,dc=example,dc=test"}) {
		t.Errorf("handles %q", o.Handles)
	}
	for name, want := range map[string]string{
		"attributes.manager": fakeUserDN(2), "path": "OU=Staff,DC=example,DC=test", "department": "<GUID=is a joke>",
	} {
		if got := users.field(o.ID, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	want := []string{"id:" + fakeGUIDText(3), "dn:cn=user\\, 4,ou=staff,dc=example,dc=test"}
	if got := groups.members[fakeGUIDText(501)]; !slices.Equal(got, want) {
		t.Errorf("members %q, want %q", got, want)
	}
	// With another anchor, ids are no GUIDs, and links are by DN.
	c = newFakeServer(t, d).open(t, func(c *Config) { c.Anchor.Users = "sAMAccountName" })
	if c := presetFor("", rootDSE{capabilities: []string{capabilityAD}}); c.extendedDN {
		t.Error("a server without the control is asked for it")
	}
	if tr := newTranslator(directory.Person, preset{name: presetActiveDirectory, extendedDN: true}, &c.cfg); tr.controls() != nil {
		t.Error("the control is asked for with another anchor")
	}
}

// TestExtendedRanges: the rest of a long list of members comes with GUIDs, too.
func TestExtendedRanges(t *testing.T) {
	d := fakeExtended()
	d.maxRange = 7
	var members []string
	for i := range 30 {
		members = append(members, extend(i, fakeUserDN(i)))
	}
	d.group(1)["member"] = members
	got := readAll(t.Context(), newFakeServer(t, d).open(t, nil), streamGroups, nil).must(t).members[fakeGUIDText(501)]
	if len(got) != 30 || slices.ContainsFunc(got, func(h string) bool { return !strings.HasPrefix(h, "id:") }) {
		t.Errorf("members %q", got)
	}
}

func FuzzExtendedDN(f *testing.F) {
	f.Add(extend(1, fakeUserDN(1)))
	f.Add("<GUID=>;<SID=>;")
	f.Add("<<>;<")
	f.Fuzz(func(t *testing.T, dn string) {
		plain := plainDN(dn)
		if !strings.HasSuffix(dn, plain) {
			t.Errorf("%q is no end of %q", plain, dn)
		}
		if guid, ok := linkedGUID(dn); ok && len(guid) < 36 {
			t.Errorf("GUID %q", guid)
		}
	})
}

// TestActiveDirectoryLocks: the words for locks and dates do not depend on the day of the read.
func TestActiveDirectoryLocks(t *testing.T) {
	for name, tc := range map[string]struct {
		lockout, expires, flags, want string
	}{
		"none":                {"", "", "512", "true active"},
		"unlocked":            {"0", "0", "512", "true active"},
		"never":               {"0", "9223372036854775807", "512", "true active"},
		"locked":              {"133511760000000000", "", "512", "true locked"},
		"locked and expiring": {"133511760000000000", "133511760000000000", "512", "true locked"},
		"expired long ago":    {"", "100000000000000000", "512", "true expires"},
		"expires far away":    {"", "200000000000000000", "512", "true expires"},
		"disabled":            {"133511760000000000", "100000000000000000", "514", "false disabled"},
	} {
		d := fakeAD()
		d.user(1)["userAccountControl"] = []string{tc.flags}
		for attribute, v := range map[string]string{"lockoutTime": tc.lockout, "accountExpires": tc.expires} {
			if v != "" {
				d.user(1)[attribute] = []string{v}
			}
		}
		got := readAll(t.Context(), newFakeServer(t, d).open(t, nil), streamUsers, nil).must(t)
		if state := got.field(fakeGUIDText(1), "enabled") + " " + got.field(fakeGUIDText(1), "status"); state != tc.want {
			t.Errorf("%s: %s, want %s", name, state, tc.want)
		}
	}
}
